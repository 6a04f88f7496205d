"""The replicas of a multi-Region key: what is due in all regions together. What is due in one of them: replica_regions.py.

Rules:
1. The regions that lack their replica come first, one at a time; then all other writes.
2. The key itself must be enabled to be replicated, so it is disabled after that.
3. The primary may have been moved to one of the regions: primaries.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconcilers.actions import Action, DisableKey, ReplicateKey
from reconcilers.conditions import Finding, Verdict
from reconcilers.key_status import ReplicaStatus
from reconcilers.reasons import Reason
from reconcilers.replica_records import Records, by_region, memories, records_of
from reconcilers.replica_regions import Scene, judge
from reconcilers.reports import blocked, degraded
from reconcilers.states import KeyObject, Problem

PASSING = (Reason.THROTTLED, Reason.AWS_UNAVAILABLE, Reason.KEY_NOT_USABLE_YET)


@dataclass(frozen=True, slots=True)
class ReplicasPlan:
    """All regions. due: the next ReplicateKey, else all other writes. before: the records as the status has them now."""

    before: Records
    records: Records = ()
    due: tuple[Action, ...] = ()
    problems: Mapping[str, Problem] = field(default_factory=dict)
    look_again: timedelta | None = None
    needs_enabled_key: bool = False
    corrections: tuple[Action, ...] = ()
    reported: tuple[str, ...] = ()  # what was changed outside and stays so, in words

    @property
    def is_news(self) -> bool:
        """Whether the status lacks a memory without which the writes must not start."""
        return memories(self.before) != memories(self.records)

    @property
    def problem(self) -> Problem | None:
        """What keeps the replicas from being as declared, by region."""
        if not self.problems:
            return None
        told = " ".join(f"{region}: {problem.message}" for region, problem in sorted(self.problems.items()))
        throttled = all(problem.reason is Reason.THROTTLED for problem in self.problems.values())
        reason = Reason.THROTTLED if throttled else Reason.REPLICA_NOT_READY
        return Problem(reason, told, stalled=any(problem.stalled for problem in self.problems.values()))

    def on(self, key: KeyObject, verdict: Verdict) -> Verdict:
        """The verdict on the key, once its replicas are judged too. What the key itself lacks is told first."""
        if not verdict.ready.holds:
            return verdict
        if self.problem is not None:  # what passes is no news for a key that was ready; a region that lacks its replica is
            passes = all(problem.reason in PASSING for problem in self.problems.values())
            return degraded(key, self.problem) if passes else blocked(self.problem)
        if self.reported and verdict.synced and verdict.synced.holds:
            message = f"Changed outside the operator, and left so because spec.driftPolicy is Report: {'; '.join(self.reported)}."
            return replace(verdict, synced=Finding(False, Reason.DRIFT_DETECTED, message))
        return verdict


def plan_replicas(scene: Scene, *, is_ours: bool) -> ReplicasPlan:
    """What to do about the replicas of a key; nothing until that key is this object's."""
    if not is_ours:
        return ReplicasPlan(scene.key.status.replicas, scene.key.status.replicas)
    records = records_of(scene.key, scene.seen.arn)
    regions = sorted({*scene.wanted.replicas, *scene.seen.replicas, *records})
    plans = {region: judge(scene, records.get(region, ReplicaStatus(region=region))) for region in regions}
    first = next((region for region, plan in plans.items() if any(isinstance(action, ReplicateKey) for action in plan.due)), None)
    waits = [plan.look_again for plan in plans.values() if plan.look_again is not None]
    return ReplicasPlan(
        before=scene.key.status.replicas,
        # An attempt is written down for the region only that is next: the others are not sent yet.
        records=by_region(
            records.get(region) if first is not None and region != first else plan.record for region, plan in plans.items()
        ),
        due=plans[first].due if first is not None else tuple(action for plan in plans.values() for action in plan.due),
        problems={region: plan.problem for region, plan in plans.items() if plan.problem is not None},
        look_again=min(waits, default=None),
        needs_enabled_key=any(plan.needs_enabled_key for plan in plans.values()),
        corrections=tuple(action for plan in plans.values() for action in plan.drift.corrections(plan.due)),
        reported=tuple(f"{part.field} in {region}" for region, plan in plans.items() for part in plan.drift.reported),
    )


def held_back(due: Iterable[Action], replicas: ReplicasPlan) -> tuple[Action, ...]:
    """What is due for the key itself, without what would stand in the way of its replication (rule 2)."""
    return tuple(action for action in due if not (replicas.needs_enabled_key and isinstance(action, DisableKey)))
