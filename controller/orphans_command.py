"""`infra-operator orphans`: the keys that this cluster made, that no object owns any more, and that are paid for all the same.

Rules:
1. Every account and region that an AWSProvider of the cluster leads to is looked at once, through the first provider that gets there.
2. The keys are read before the objects: a key that is made meanwhile is then never taken for an orphan.
3. A provider that leads nowhere, and a place that may not be searched, are problems: the report is not whole then, and the exit code says so.
4. Nothing is changed. What to do with an orphan is for people to say.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from aws.cluster_keys import cluster_keys
from aws.errors import AWSError
from aws.wires import AwsWires
from controller.access import find_access
from controller.connection import HttpTransport
from controller.key_objects import KMSKEYS
from controller.listing import list_objects
from controller.objects import KubeObject
from controller.provider_access import ProviderRules
from controller.provider_objects import AWSPROVIDERS
from controller.provider_ways import Reached
from controller.read_only import Clouds, read_only
from controller.tables import table
from reconcilers.failures import explain
from reconcilers.key_spec import ProviderRef
from reconcilers.orphans import PRICE, Orphan, orphans
from reconcilers.states import ObservedKey, Unobservable

ERROR, SOME, NONE = 1, 2, 0
HEADINGS = ("key id", "region", "account", "owner", "state", "created", "deleted", "usd/month")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; problems: why it may not be all."""

    orphans: tuple[Orphan, ...]
    problems: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 none, 2 some, 1 not everything could be looked at."""
        if self.problems:
            return ERROR
        return SOME if self.orphans else NONE

    @property
    def usd_a_month(self) -> int:
        """What all of them cost together."""
        return sum(orphan.usd_a_month for orphan in self.orphans)

    def as_table(self) -> str:
        """For people."""
        rows = [_row(orphan) for orphan in self.orphans]
        found = [table(HEADINGS, rows), "", f"{len(rows)} orphaned keys, {self.usd_a_month} USD a month. {PRICE}"]
        lines = found if rows else ["No orphaned keys."]
        return "\n".join([*lines, *(f"Problem: {problem}" for problem in self.problems)])

    def as_json(self) -> str:
        """For programs."""
        found = {
            "orphans": [_plain(orphan) for orphan in self.orphans],
            "totalMonthlyUSD": self.usd_a_month,
            "price": PRICE,
            "problems": list(self.problems),
        }
        return json.dumps(found, indent=2)


async def run(*, allow_custom_endpoints: bool) -> Report:
    """Looks at everything. Raises AccessError, KubeError and UndecodableError."""
    server = HttpTransport(await find_access())
    async with read_only(server, {}, AwsWires().open) as clouds:
        return await survey(clouds, allow_custom_endpoints=allow_custom_endpoints)


async def survey(clouds: Clouds, *, allow_custom_endpoints: bool) -> Report:
    """Raises KubeError and UndecodableError."""
    problems: list[str] = []
    cluster_id = await clouds.cluster_id()
    keys: list[ObservedKey] = []
    for place in await _places(clouds, problems, allow_custom_endpoints=allow_custom_endpoints):
        keys += await _keys(place, cluster_id, problems)
    objects = await list_objects(clouds.kube, KMSKEYS.path())  # after the keys: rule 2
    return Report(orphans(keys, {obj.uid for obj in objects}, set(_key_ids(objects))), tuple(problems))


async def _places(clouds: Clouds, problems: list[str], *, allow_custom_endpoints: bool) -> list[Reached]:
    """One way to each account and region."""
    providers = clouds.providers(ProviderRules(allow_custom_endpoints=allow_custom_endpoints))
    for provider in await list_objects(clouds.kube, AWSPROVIDERS.path()):
        providers.store.put(provider)
    places: dict[tuple[str, str], Reached] = {}
    for provider in list(providers.store):
        try:
            reached = await providers.reach(provider.namespace, ProviderRef(name=provider.name))
        except AWSError as error:
            problems.append(f"AWSProvider {provider.ref}: {explain(error.failure).message}")
            continue
        if isinstance(reached, Unobservable):
            problems.append(f"AWSProvider {provider.ref}: {reached.message}")
        else:
            places.setdefault((reached.account.account_id, reached.account.region), reached)
    return list(places.values())


async def _keys(place: Reached, cluster_id: str, problems: list[str]) -> tuple[ObservedKey, ...]:
    try:
        return await cluster_keys(place.connection, cluster_id)
    except AWSError as error:
        where = f"account {place.account.account_id}, region {place.account.region}"
        problems.append(f"The keys of {where} cannot be listed: {explain(error.failure).message}")
        return ()


class _Status(msgspec.Struct, rename="camel", gc=False):
    key_id: str | None = None


def _key_ids(objects: Iterable[KubeObject]) -> Iterable[str]:
    statuses = (msgspec.json.decode(obj.status, type=_Status) for obj in objects)
    return (status.key_id for status in statuses if status.key_id is not None)


def _row(orphan: Orphan) -> tuple[object, ...]:
    key = orphan.key
    dates = (_day(key.creation_date), _day(key.deletion_date))
    return (key.key_id, key.region, key.account_id, orphan.owner, key.state, *dates, orphan.usd_a_month)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _plain(orphan: Orphan) -> dict[str, Any]:
    key = orphan.key
    return {
        "keyId": key.key_id,
        "keyArn": key.arn,
        "region": key.region,
        "accountId": key.account_id,
        "owner": orphan.owner,
        "uid": orphan.uid,
        "keyState": key.state,
        "creationDate": key.creation_date.isoformat(),
        "deletionDate": key.deletion_date.isoformat() if key.deletion_date else None,
        "monthlyUSD": orphan.usd_a_month,
    }
