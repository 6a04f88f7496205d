"""What `status` tells: the providers, how many objects stand how, each that is not as declared with the reason, and the use of AWS's quotas.

The exit code is part of the report: 0 all is as declared, 2 something is not, 1 not everything could be looked at.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controller.quota_use import QuotaUse, Use
from controller.tables import table
from reconcilers.standing import Pace, Standing, groups, stuck

ERROR, SOME, NONE = 1, 2, 0
STANDBY = "This replica does not hold the Lease: it makes next to no calls. Ask the one that does."
UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))  # the first that fits


@dataclass(frozen=True, slots=True)
class Provider:
    """An AWSProvider beside what its conditions say."""

    standing: Standing
    region: str | None
    account_id: str | None
    keys_in_use: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """quota: None where it was not asked for; problems: why the picture is not whole; now: when it was taken."""

    providers: tuple[Provider, ...]
    objects: tuple[Standing, ...]  # all but the providers
    quota: QuotaUse | None
    problems: tuple[str, ...]
    now: datetime

    @property
    def stuck(self) -> tuple[Standing, ...]:
        """Those that are not as declared."""
        return stuck((*(provider.standing for provider in self.providers), *self.objects))

    @property
    def exit_code(self) -> int:
        """The process's."""
        if self.problems:
            return ERROR
        return SOME if self.stuck else NONE

    def as_table(self) -> str:
        """For people."""
        parts = [_providers(self.providers), _groups(self.objects), _stuck(self.stuck, self.now), _quota(self.quota)]
        problems = [f"Problem: {problem}" for problem in self.problems]
        return "\n\n".join([*(part for part in parts if part), *(["\n".join(problems)] if problems else [])])

    def as_json(self) -> str:
        """For programs."""
        told = {
            "providers": [_plain_provider(provider) for provider in self.providers],
            "objects": [
                {
                    "kind": group.kind,
                    "state": group.state,
                    "pace": _word(group.pace),
                    "reason": group.reason,
                    "count": group.count,
                }
                for group in groups(self.objects)
            ],
            "stuck": [_plain(one) for one in self.stuck],
            "quota": _plain_quota(self.quota),
            "problems": list(self.problems),
        }
        return json.dumps(told, indent=2)


def _providers(providers: Sequence[Provider]) -> str:
    if not providers:
        return "There is no AWSProvider."
    rows = [
        (f"{one.standing.told.namespace}/{one.standing.told.name}", one.region, _is_ready(one), one.account_id, one.keys_in_use)
        for one in providers
    ]
    return table(("provider", "region", "ready", "account", "keys"), rows)


def _groups(objects: Iterable[Standing]) -> str:
    rows = [(group.count, group.kind, group.state, _word(group.pace), group.reason) for group in groups(objects)]
    return table(("count", "kind", "state", "pace", "reason"), rows) if rows else "There is no KMSKey."


def _stuck(standings: Sequence[Standing], now: datetime) -> str:
    if not standings:
        return "Everything is as declared."
    rows = [(_name(one), _word(one.pace), _age(one.since, now), one.reason, one.message) for one in standings]
    return table(("object", "pace", "since", "reason", "message"), rows)


def _quota(quota: QuotaUse | None) -> str:
    if quota is None:
        return ""
    rows = [(use.operation, use.calls, use.refused, use.throttled, _seconds(use.p99_wait)) for use in quota.uses]
    told = table(("operation", "calls", "refused", "throttled", "p99 wait"), rows) if rows else "No call to AWS so far."
    return f"{told}\n{STANDBY}" if quota.leads is False else told


def _name(one: Standing) -> str:
    return f"{one.told.kind.lower()}/{one.told.namespace}/{one.told.name}"


def _is_ready(one: Provider) -> bool:
    return one.standing.pace is Pace.SETTLED


def _word(pace: Pace) -> str:
    return pace.name.lower()


def _age(since: datetime | None, now: datetime) -> str | None:
    if since is None:
        return None
    age = now - since
    unit, length = next(((unit, length) for unit, length in UNITS if age >= length), ("s", timedelta(seconds=1)))
    return f"{max(0, age // length)}{unit}"


def _seconds(wait: float | None) -> str | None:
    if wait is None:
        return None
    return "over all bounds" if math.isinf(wait) else f"<= {wait:g}s"


def _plain_provider(one: Provider) -> dict[str, Any]:
    told = one.standing.told
    return {
        "namespace": told.namespace,
        "name": told.name,
        "region": one.region,
        "ready": _is_ready(one),
        "accountID": one.account_id,
        "keysInUse": one.keys_in_use,
    }


def _plain(one: Standing) -> dict[str, Any]:
    return {
        "kind": one.told.kind,
        "namespace": one.told.namespace,
        "name": one.told.name,
        "pace": _word(one.pace),
        "condition": one.condition,
        "reason": one.reason,
        "message": one.message,
        "since": one.since.isoformat() if one.since else None,
    }


def _plain_quota(quota: QuotaUse | None) -> dict[str, Any] | None:
    return None if quota is None else {"leads": quota.leads, "operations": [_plain_use(use) for use in quota.uses]}


def _plain_use(use: Use) -> dict[str, Any]:
    """JSON has no infinity: a wait above all bounds is null beside true."""
    is_over = use.p99_wait is not None and math.isinf(use.p99_wait)
    bound = None if is_over else use.p99_wait
    counts = {"operation": use.operation, "calls": use.calls, "refused": use.refused, "throttled": use.throttled}
    return {**counts, "p99WaitSecondsAtMost": bound, "p99WaitAboveAllBounds": is_over}
