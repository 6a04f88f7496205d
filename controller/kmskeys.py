"""KMSKeys: observe, plan, apply, look again. All decisions are in reconcilers/; here they are carried out, in the one order that is safe.

A pass:
1. Read the object: the store's, or our own later write; live from the server when it is being deleted.
2. Reach its provider. Observe its key in AWS, or look for it when no id is remembered.
3. Plan. Store what the plan says must be stored first (an attempt, a key id, managed tag keys). Apply the actions, fold each answer into
   what was seen, and plan again, until no action is left.
4. Report the status, if it differs.

Guarantees: CreateKey and the patch that stores its answer are one section that no deadline, shutdown or lost lease can cut in two. When
that patch fails, the answer stays in memory, and nothing else is done for the object until it is stored. The server refuses the write-ahead
of an attempt when the object is not exactly the one that was planned for, so a stale cache cannot create.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from pydantic import ValidationError

from aws import kms
from aws.clients import Connection
from aws.earlier import EarlierKeys
from aws.errors import AWSError
from aws.search import Search
from controller import metrics
from controller.awsproviders import AWSProviders, Reached, tell
from controller.condition_counts import count_conditions
from controller.events import EventRecorder, Regarding
from controller.kube import Kube, NotFound
from controller.objects import KubeObject, Ref, Resource, decode_object
from controller.own_writes import OwnWrites
from controller.patches import add_finalizer, remove_finalizer, status_patch
from controller.store import Store
from controller.workers import finish
from controller.workqueue import Priority, WorkQueue
from reconcilers import durations
from reconcilers.actions import Action, AddFinalizer, CancelKeyDeletion, CreateKey, KeyAction, Plan, RecordKey, RemoveFinalizer
from reconcilers.after import after
from reconcilers.codes import AUTHENTICATION_CODES
from reconcilers.echoes import Echo, listen, written
from reconcilers.failures import plan_after
from reconcilers.kmskey import plan_kmskey, plan_unseen
from reconcilers.names import API_VERSION, GROUP, KMSKEY_FINALIZER, PAUSED_ANNOTATION, RECONCILE_ANNOTATION, VERSION
from reconcilers.news import news
from reconcilers.ownership import owner
from reconcilers.reasons import Reason
from reconcilers.reports import blocked, report
from reconcilers.resources import KMSKeySpec, KMSKeyStatus
from reconcilers.searches import grace_is_over, nothing_was_made
from reconcilers.states import Account, KeyObject, NotCreated, ObservedKey, Operator, Problem, Seen, Unobservable

KMSKEYS = Resource(GROUP, VERSION, "kmskeys", "KMSKey")
# Record, cancel the deletion, claim, enable, rotate, and once more to see that nothing is left: no path needs more plans.
MAX_ROUNDS = 8
# Resyncs that began together shall not stay together.
RESYNC_JITTER = 0.1

log = structlog.get_logger()


@dataclass(slots=True)
class _Pass:
    """One object in one pass: as it is now (our own writes included), where it lives, and what was seen of its key."""

    obj: KubeObject
    key: KeyObject
    reached: Reached | Unobservable
    seen: Seen
    looked: ObservedKey | None = None  # as it was before this pass wrote anything
    echo: Echo | None = None  # of the passes before

    @property
    def connection(self) -> Connection:
        """The way to AWS, for an object whose plan needs one: no plan observes or writes without an account."""
        assert isinstance(self.reached, Reached)
        return self.reached.connection

    @property
    def account(self) -> Account | Unobservable:
        """As the planner wants it."""
        return self.reached if isinstance(self.reached, Unobservable) else self.reached.account


class KMSKeys:
    """The keys of all namespaces. resync_interval: how long a key goes unseen when nothing happens."""

    def __init__(
        self,
        kube: Kube,
        providers: AWSProviders,
        events: EventRecorder,
        operator: Operator,
        resync_interval: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self.store = Store()
        self.queue: WorkQueue[Ref] = WorkQueue("kmskey")
        self._kube = kube
        self._providers = providers
        self._events = events
        self._operator = operator
        self._resync_interval = resync_interval
        self._now = now
        self._own = OwnWrites(self.store)
        self._made: dict[str, ObservedKey] = {}  # by uid: created, and not yet stored in the object
        self._search = Search()
        self._earlier = EarlierKeys(operator.cluster_id)
        self._keys: dict[str, str | None] = {}  # by uid: the keys that this process has worked on
        self._echoes: dict[str, Echo | None] = {}  # by uid
        self._unresolved: set[Ref] = set()
        providers.wake_keys = self._wake

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells. A change of status alone wakes nobody: our own writes are such changes."""
        count_conditions("KMSKey", old, new)
        if new is None:
            if old is not None:
                self._gone(old)
            return
        self._count_unresolved(new)
        if old is None:
            self.queue.add(new.ref, Priority.USER if new.status == b"{}" else Priority.RESYNC)
        elif _by_user(old) != _by_user(new):
            self.queue.add(new.ref, Priority.USER)

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass. Raises AWSError, FencedError and KubeError where the queue's backoff is the right wait."""
        obj = self._own.get(ref)
        if obj is not None and obj.deletion_timestamp is not None:
            obj = await self._read(ref)
        if obj is None:
            return None
        spec = _spec(obj)
        key = _key_object(obj, KMSKeySpec() if isinstance(spec, Problem) else spec)
        if isinstance(spec, Problem):
            await self._report(
                _Pass(obj, key, Unobservable(spec.reason, spec.message), NotCreated()), self._unreadable(key, spec)
            )
            return None
        not_yet = Unobservable(Reason.PROVIDER_NOT_RESOLVED, "The provider was not looked for yet.")
        current = _Pass(obj, key, not_yet, not_yet)
        try:
            return await self._carry_out(current)
        except AWSError as error:
            return await self._after(error, current)

    async def _carry_out(self, current: _Pass) -> timedelta | None:
        key = current.key
        current.reached = await self._providers.reach(key.namespace, key.spec.provider_ref)
        early = plan_unseen(key, current.account, self._operator, self._now())
        if early is not None:
            return await self._apply_all(current, early)
        current.seen = await self._observe(current)
        self._keys[key.uid] = key.status.key_id
        for _ in range(MAX_ROUNDS):
            plan = plan_kmskey(current.key, current.account, current.seen, self._operator, self._now())
            look_again = await self._apply_all(current, plan)
            if not plan.actions or _is_last(plan):
                return look_again
        raise RuntimeError(f"the plan does not come to an end: {[action.told for action in plan.actions]}")

    async def _observe(self, current: _Pass) -> Seen:
        key = current.key
        if key.uid in self._made:
            return self._made[key.uid]
        if key.status.key_id is not None:
            seen = await kms.observe_key(
                current.connection, key.status.key_arn or key.status.key_id, policy=key.spec.key_policy is not None
            )
            if isinstance(seen, ObservedKey):
                seen, self._echoes[key.uid] = listen(self._echoes.get(key.uid), seen, self._now())
            return seen
        policy = key.spec.key_policy is not None
        earlier = await self._earlier.of(current.connection, owner(key.namespace, key.name), policy=policy)
        untouched = key.status.creation_attempt is None and KMSKEY_FINALIZER not in key.finalizers
        if untouched or nothing_was_made(key):
            return NotCreated(earlier)
        thorough = grace_is_over(key, self._operator, self._now())
        found = await self._search.find_owned(
            current.connection, self._operator.cluster_id, key.uid, thorough=thorough, policy=policy
        )
        return replace(found, earlier=earlier)

    async def _apply_all(self, current: _Pass, plan: Plan) -> timedelta | None:
        """The actions in order; the status first where they depend on its memory, and last in any case."""
        for action in plan.actions:
            if plan.write_ahead and not isinstance(action, AddFinalizer):
                await self._report(current, plan.status, exact=isinstance(action, CreateKey))
            await self._apply(current, action, plan)
        if not plan.actions:
            await self._report(current, plan.status)
        return None if _is_last(plan) else plan.look_again or self._resync(current.key)

    async def _apply(self, current: _Pass, action: Action, plan: Plan) -> None:
        log.info("action", action=type(action).__name__, told=action.told, key=current.key.status.key_id)
        match action:
            case AddFinalizer():
                await self._patch(current, None, add_finalizer(current.obj, KMSKEY_FINALIZER))
                return
            case RemoveFinalizer():
                await self._release(current)
                return
            case RecordKey(found=found):
                current.seen = found
            case CreateKey():
                await finish(self._create(current, action))
            case _:
                await self._write(current, action)
        self._tell(current, action, plan)

    async def _create(self, current: _Pass, action: CreateKey) -> None:
        """Send once; keep the answer in memory until it is stored; store it before anything else happens."""
        made = await kms.create_key(current.connection, action)
        self._made[current.key.uid] = current.seen = made
        self._earlier.remember(current.connection, owner(current.key.namespace, current.key.name), made.arn)
        log.info("key_created", key=made.key_id, attempt=action.attempt.id)
        plan = plan_kmskey(current.key, current.account, made, self._operator, self._now())
        await self._report(current, plan.status)

    async def _write(self, current: _Pass, action: KeyAction) -> None:
        assert isinstance(current.seen, ObservedKey)  # no plan writes to a key that was not seen
        before = current.seen
        if current.looked is None:
            current.looked, current.echo = before, self._echoes.get(current.key.uid)
        answer = await kms.apply(current.connection, action)
        if isinstance(action, CancelKeyDeletion):
            current.looked = before = await self._seen_anew(current, before)  # a pending key shows no rotation
        current.seen = after(before, action, answer)
        self._echoes[current.key.uid] = written(current.echo, current.looked, current.seen, self._now())

    async def _seen_anew(self, current: _Pass, before: ObservedKey) -> ObservedKey:
        seen = await kms.observe_key(current.connection, before.arn, policy=current.key.spec.key_policy is not None)
        return seen if isinstance(seen, ObservedKey) else before

    async def _release(self, current: _Pass) -> None:
        self._keys.pop(current.key.uid, None)
        try:
            await self._patch(current, None, remove_finalizer(current.obj, KMSKEY_FINALIZER))
        except NotFound:
            log.debug("already_released")

    async def _after(self, error: AWSError, current: _Pass) -> timedelta | None:
        """Report a failed call. Raises it again where the queue's backoff is the right wait."""
        failure = error.failure
        if failure.code in AUTHENTICATION_CODES and isinstance(current.reached, Reached):
            self._providers.distrust(current.reached.provider)
            raise error  # the next pass reads the Secret anew, and then knows what to report
        plan = plan_after(failure, current.key, self._operator, self._now())
        await self._report(current, plan.status)
        if plan.look_again is None:
            raise error
        log.warning(
            "aws_refused", operation=failure.operation, code=failure.code, request_id=failure.request_id, error=failure.message
        )
        return plan.look_again

    async def _report(self, current: _Pass, status: KMSKeyStatus, *, exact: bool = False) -> None:
        """Store the status if it differs. exact: only on the very version of the object that was planned for."""
        before = current.key.status
        operations = status_patch(current.obj, _plain(before), _plain(status), exact=exact)
        if not operations:
            return
        await self._patch(current, "status", operations)
        if status.key_id is not None:
            self._made.pop(current.key.uid, None)
            self._keys[current.key.uid] = status.key_id
        told = news(before.conditions, status.conditions)
        if told is not None:
            self._events.record(_regarding(current.key), told.type, told.reason, "Reconcile", told.message)

    async def _patch(self, current: _Pass, subresource: str | None, operations: list[dict[str, Any]]) -> None:
        path = KMSKEYS.path(current.obj.namespace, current.obj.name, subresource)
        current.obj = decode_object(await self._kube.json_patch(path, operations))
        current.key = _key_object(current.obj, current.key.spec)
        self._own.put(current.obj)

    def _tell(self, current: _Pass, action: Action, plan: Plan) -> None:
        seen = current.seen
        key_id = seen.key_id if isinstance(seen, ObservedKey) else "the key"
        if plan.drift:
            note = f"{key_id} was changed outside the operator; corrected: {action.told}."
            self._events.record(_regarding(current.key), "Warning", Reason.DRIFT_CORRECTED, type(action).__name__, note)
        else:
            self._events.record(
                _regarding(current.key), "Normal", action.reason, type(action).__name__, f"{key_id}: {action.told}."
            )

    async def _read(self, ref: Ref) -> KubeObject | None:
        """What is done to a deleted object's key is decided on the object as it is now, not as it was cached."""
        try:
            return decode_object(await self._kube.get(KMSKEYS.path(*ref)))
        except NotFound:
            return None

    def _unreadable(self, key: KeyObject, problem: Problem) -> KMSKeyStatus:
        return report(key, self._operator, blocked(problem), self._now())

    def _gone(self, old: KubeObject) -> None:
        self._own.forget(old.ref)
        self._unresolved.discard(old.ref)
        metrics.CREATE_INTENTS_UNRESOLVED.set(len(self._unresolved))
        self._echoes.pop(old.uid, None)
        made = self._made.pop(old.uid, None)
        lost = self._keys.pop(old.uid, None) or (made and made.key_id)
        if lost is not None:
            metrics.ORPHAN_KEYS.inc()
            log.error(
                "orphan_key",
                namespace=old.namespace,
                name=old.name,
                key=lost,
                reason="its object went away without its finalizer",
            )

    def _count_unresolved(self, obj: KubeObject) -> None:
        (self._unresolved.add if b'"creationAttempt"' in obj.status else self._unresolved.discard)(obj.ref)
        metrics.CREATE_INTENTS_UNRESOLVED.set(len(self._unresolved))

    def _wake(self, namespace: str | None) -> None:
        for obj in self.store:
            if namespace in (None, obj.namespace):
                self.queue.add(obj.ref, Priority.RESYNC)

    def _resync(self, key: KeyObject) -> timedelta:
        own = key.spec.resync_interval
        interval = durations.parse(own) if own else self._resync_interval
        return interval * random.uniform(1 - RESYNC_JITTER, 1 + RESYNC_JITTER)  # noqa: S311 - spreads load, guards nothing


def _is_last(plan: Plan) -> bool:
    """An object without our finalizer is no longer ours to look at."""
    return bool(plan.actions) and isinstance(plan.actions[-1], RemoveFinalizer)


def _by_user(obj: KubeObject) -> tuple[object, ...]:
    """What users change, and we do not."""
    return obj.uid, obj.generation, obj.deletion_timestamp, obj.annotations


def _spec(obj: KubeObject) -> KMSKeySpec | Problem:
    try:
        return KMSKeySpec.model_validate_json(obj.spec)
    except ValidationError as error:
        return Problem(Reason.INVALID_SPEC, f"The spec cannot be read: {tell(error)}. Correct it.")


def _key_object(obj: KubeObject, spec: KMSKeySpec) -> KeyObject:
    return KeyObject(
        namespace=obj.namespace,
        name=obj.name,
        uid=obj.uid,
        generation=obj.generation,
        deleting=obj.deletion_timestamp is not None,
        finalizers=obj.finalizers,
        spec=spec,
        status=_status(obj),
        paused=obj.annotations.get(PAUSED_ANNOTATION) == "true",
        reconcile_requested_at=obj.annotations.get(RECONCILE_ANNOTATION),
    )


def _status(obj: KubeObject) -> KMSKeyStatus:
    """Without the fields that cannot be read, which another version may have written: they must not stop the object for good."""
    try:
        return KMSKeyStatus.model_validate_json(obj.status)
    except ValidationError as error:
        log.warning("status_not_understood", error=tell(error))
        unreadable = {found["loc"][0] for found in error.errors()}
        fields = msgspec.json.decode(obj.status, type=dict[str, Any])
        return KMSKeyStatus.model_validate_json(
            msgspec.json.encode({name: value for name, value in fields.items() if name not in unreadable})
        )


def _plain(status: KMSKeyStatus) -> dict[str, Any]:
    """As the API server holds it: no nulls, nothing that is at its default."""
    plain: dict[str, Any] = status.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return plain


def _regarding(key: KeyObject) -> Regarding:
    return Regarding(API_VERSION, "KMSKey", key.namespace, key.name, key.uid)
