"""One pass over an object that hangs something on a key: find the key, observe, plan, apply, report. All decisions are in reconcilers/.

1. What needs neither target nor AWS comes first: a held object, and one that is let go without a look.
2. Find the target among the KMSKeys, reach the provider that leads to it. An object that is deleted goes the way by which it made things.
3. Observe, plan, store what the plan says must be stored first, apply, fold each answer into what was seen, and plan again.
4. Report the status, if it differs.

Where an answer shows that the user has changed the object meanwhile, the rest is the next pass's (own_object.py). What is written ahead of a
call is stored only on the version that was planned for.

Nothing here needs more care than that: each call may be repeated, so a pass may be cut off between any two awaits.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import structlog

from aws.clients import Connection
from aws.errands import QuotaWaitError
from aws.errors import AWSError
from aws.quotas import waiting_as
from controller.decoding import read_status
from controller.dependent_objects import dependent_object
from controller.events import EventRecorder, Regarding
from controller.kube import Forbidden, NotFound
from controller.namespaces import NamespaceLabels
from controller.objects import KubeObject, Resource
from controller.own_object import OwnObject
from controller.provider_ways import ProviderWays, Reached
from controller.quota_waits import is_told
from controller.store import Store
from controller.target_keys import known_keys
from controller.workers import AT_ONCE
from reconcilers.actions import AddFinalizer, DependentAction, DependentChange, RemoveFinalizer
from reconcilers.codes import AUTHENTICATION_CODES
from reconcilers.dependents import DependentObject, DependentPlan, plan_failed, plan_unasked, plan_unled, stop
from reconcilers.names import API_VERSION
from reconcilers.news import news
from reconcilers.quota_waits import quota_wait
from reconcilers.reasons import Reason
from reconcilers.states import Failure, Operator, Problem, Unobservable
from reconcilers.target_fields import DependentSpec, DependentStatus
from reconcilers.targets import Target, Way, find_target, lead, way_back
from reconcilers.urgency import Urgency, of_writes, urgency

P = TypeVar("P", bound=DependentSpec)
S = TypeVar("S", bound=DependentStatus)
V = TypeVar("V")  # what a kind sees in AWS

# Move by deletion and creation, and once more to see that nothing is left: no path needs more plans.
MAX_ROUNDS = 6

log = structlog.get_logger()


class Craft(ABC, Generic[P, S, V]):
    """What is special about a kind. store: its objects."""

    store: Store
    resource: Resource
    finalizer: str
    spec: type[P]
    status: type[S]

    @abstractmethod
    def has_made(self, status: S) -> bool:
        """Whether there may be something of this object in AWS."""

    @abstractmethod
    async def observe(self, connection: Connection, obj: DependentObject[P, S], way: Way) -> V:
        """Raises AWSError and KubeError."""

    @abstractmethod
    def plan(self, obj: DependentObject[P, S], way: Way, seen: V, now: datetime) -> DependentPlan[S]:
        """Pure."""

    @abstractmethod
    async def apply(self, connection: Connection, action: DependentChange, seen: V) -> V:
        """Carry it out; what is seen then. Raises AWSError and FencedError."""


@dataclass(frozen=True, slots=True)
class DependentMeans:
    """What every pass works with."""

    ways: ProviderWays
    keys: Store
    labels: NamespaceLabels
    events: EventRecorder
    operator: Operator


class DependentPass(Generic[P, S, V]):
    """One object in one pass: as it is now, our own writes included."""

    def __init__(self, means: DependentMeans, craft: Craft[P, S, V], own: OwnObject, spec: P, now: datetime) -> None:
        self._means = means
        self._craft = craft
        self._own = own
        self._begun = dependent_object(own.obj, spec, craft.status)
        self._now = now
        self._found: KubeObject | Problem
        self._reached: Reached | None = None
        self._seen: V
        self.urgency: Urgency  # once it runs

    @property
    def obj(self) -> DependentObject[P, S]:
        """The user's as it was when the pass began, and ours as we have written it since."""
        return replace(self._begun, finalizers=self._own.obj.finalizers, status=read_status(self._own.obj, self._craft.status))

    async def run(self) -> timedelta | None:
        """The whole pass; when to look again, None for the resync. Raises AWSError, FencedError, KubeError: the backoff is the right wait.

        Raises QuotaWaitError where it is not the object's turn yet.
        """
        self.urgency = urgency(self.obj, made=self._craft.has_made(self.obj.status))
        try:
            with waiting_as(self.urgency):
                return await self._carry_out()
        except QuotaWaitError as wait:
            if is_told(wait, self.urgency):
                obj = self.obj
                plan = stop(obj, quota_wait(wait.operation), self._now, observed_generation=obj.status.observed_generation)
                await self.report(plan.status)
            raise
        except AWSError as error:
            look_again = await self._after(error.failure)
            if look_again is None:
                raise
            return look_again

    async def _carry_out(self) -> timedelta | None:
        has_made = self._craft.has_made(self.obj.status)
        early = plan_unasked(self.obj, self._craft.finalizer, self._now, has_made=has_made)
        if early is not None:
            return await self._apply_all(early)
        way = await self._find_way()
        if isinstance(way, Problem):
            return await self._apply_all(plan_unled(self.obj, way, self._now))
        self._seen = await self._craft.observe(self._connection, self.obj, way)
        for _ in range(MAX_ROUNDS):
            plan = self._craft.plan(self.obj, way, self._seen, self._now)
            with waiting_as(of_writes(self.urgency)):
                look_again = await self._apply_all(plan)
            if not plan.actions or plan.is_last:
                return look_again
            if self._own.is_outdated:
                return AT_ONCE
        raise RuntimeError(f"the plan does not come to an end: {[action.told for action in plan.actions]}")

    @property
    def _connection(self) -> Connection:
        assert self._reached is not None  # no plan observes or writes without a way
        return self._reached.connection

    async def _find_way(self) -> Way | Problem:
        target = await self._target()
        if isinstance(target, Problem):
            return target
        self._found = await self._means.ways.find(target.namespace, target.provider_ref)
        reached = await self._means.ways.connect(self._found)
        if isinstance(reached, Unobservable):
            return Problem(reached.reason, reached.message)
        self._reached = reached
        return lead(target, reached.account, str(reached.provider))

    async def _target(self) -> Target | Problem:
        obj = self.obj
        if obj.deleting and (back := way_back(obj.status.provider)) is not None:
            return back
        known = await known_keys(self._means.keys, self._means.ways.others, obj.spec, obj.namespace)
        labels = await self._labels() if known.hinges_on_labels(obj.namespace) else None
        return find_target(obj.spec, obj.namespace, known, labels)

    async def _labels(self) -> Mapping[str, str] | None:
        try:
            return await self._means.labels.of(self.obj.namespace)
        except (Forbidden, NotFound) as error:
            log.warning("labels_not_read", namespace=self.obj.namespace, error=str(error))
            return None

    async def _apply_all(self, plan: DependentPlan[S]) -> timedelta | None:
        """The actions in order; the status first where they depend on its memory, and last in any case."""
        for action in plan.actions:
            if plan.write_ahead and not isinstance(action, AddFinalizer):
                await self.report(plan.status, exact=True)  # what is not sent must not be waited for
            if not isinstance(action, AddFinalizer):
                await self._own.look()  # a late watch may not show yet that the object is gone
            if self._own.is_outdated:
                log.info("changed_meanwhile", left=action.told)
                return AT_ONCE
            await self._apply(action, plan)
        if not plan.actions:
            await self.report(plan.status)
        return plan.look_again

    async def _apply(self, action: DependentAction, plan: DependentPlan[S]) -> None:
        self._own.guard()
        log.info("action", action=type(action).__name__, told=action.told)
        match action:
            case AddFinalizer():
                assert isinstance(self._found, KubeObject)  # no plan adds it without a way
                await self._means.ways.protect(self._found)
                await self._own.protect(self._craft.finalizer)
                return
            case RemoveFinalizer():
                await self._own.release(self._craft.finalizer)
            case _:
                self._seen = await self._craft.apply(self._connection, action, self._seen)
        self._tell(action, plan)

    async def _after(self, failure: Failure) -> timedelta | None:
        """Report a failed call; when to look again, None where the queue's backoff is the right wait."""
        if failure.code in AUTHENTICATION_CODES and self._reached is not None:
            self._means.ways.distrust(self._reached.provider)
            return None  # the next pass asks who we are, and knows what to report
        plan = plan_failed(self.obj, failure, self._now)
        await self.report(plan.status)
        if plan.look_again is not None:
            told = {"operation": failure.operation, "code": failure.code, "request_id": failure.request_id, "error": failure.message}
            log.warning("aws_refused", **told)
        return plan.look_again

    async def report(self, status: S, *, exact: bool = False) -> None:
        """Store the status if it differs, and tell what is new in it. exact: only on the very version of the object that is known."""
        before = self.obj.status
        await self._own.store(before, status, exact=exact)
        told = news(before.conditions, status.conditions)
        if told is not None:
            self._means.events.record(self._regarding, told.type, told.reason, "Reconcile", told.message)

    def _tell(self, action: DependentAction, plan: DependentPlan[S]) -> None:
        reason, note = action.reason, f"{action.told[:1].upper()}{action.told[1:]}."
        if plan.drift:
            reason, note = Reason.DRIFT_CORRECTED, f"Changed outside the operator; corrected: {action.told}."
        self._means.events.record(self._regarding, "Warning" if plan.drift else "Normal", reason, type(action).__name__, note)

    @property
    def _regarding(self) -> Regarding:
        obj = self._own.obj
        return Regarding(API_VERSION, self._craft.resource.kind, obj.namespace, obj.name, obj.uid)
