"""One pass over one KMSKey: observe, plan, apply, report. All decisions are in reconcilers/; here they are carried out, in a safe order.

1. A key that was made, and whose id is not stored yet, is stored before anything else.
2. What needs neither provider nor AWS comes next: a held object, one that is retained and deleted.
3. Reach the provider. Observe the object's key in AWS, or look for it when no id is remembered.
   What it is exported to is looked at before, and a public key that has to be exported is asked for.
4. Plan. Store what the plan says must be stored first (an attempt, a key id, managed tag keys). Apply the actions, fold each answer into
   what was seen, and plan again, until no action is left.
5. Report the status, if it differs.

The object is the user's as it was when the pass began, and ours as we have written it since. Where a patch's answer shows that the user has
changed it meanwhile, nothing more is done: the next pass decides anew. What becomes of a key is never decided by halves of two versions.

A replica in another region that refuses something is left alone for the rest of the pass, which goes on with the key and the other regions.

Guarantees: CreateKey and the patch that stores its answer are one section that no deadline, shutdown or lost lease can cut in two, and so are
ReplicateKey and its patch; whatever could make them wait, such as the quota, is waited for before. When the patch of a new key's id fails,
the answer stays in memory, and nothing else is done for the object until it is stored. The server refuses the write-ahead of an attempt when
the object is not exactly the one that was planned for, so a stale cache can neither create nor rotate.
"""

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from aws import kms
from aws.clients import Connection
from aws.errands import QuotaWaitError
from aws.errors import AWSError, FencedError, InvalidAccessError
from aws.public_keys import read_public_key
from aws.quotas import waiting_as
from aws.replicas import failed, replicate_key
from aws.sight import Sight
from controller.awsproviders import AWSProviders, Reached
from controller.claims import AliasClaims
from controller.decoding import plain, read_status
from controller.events import EventRecorder
from controller.exports import delete_export, look_at_exports, write_export
from controller.key_holders import holder
from controller.key_memory import KeyMemory
from controller.key_notes import KeyNotes
from controller.key_objects import KMSKEYS, asked_of_us, regarding
from controller.kube import Kube, KubeError, NotFound
from controller.objects import KubeObject, decode_object
from controller.own_writes import OwnWrites
from controller.partition import Others
from controller.patches import add_finalizer, remove_finalizer, status_patch
from controller.quota_waits import is_told
from controller.workers import AT_ONCE, finish
from reconcilers.actions import (
    Action,
    AddFinalizer,
    CancelKeyDeletion,
    CreateKey,
    DeleteExport,
    ForgetReplica,
    KeyAction,
    Plan,
    RecordKey,
    RemoveFinalizer,
    ReplicateKey,
    RotateKeyOnDemand,
    TagResource,
    WriteExport,
)
from reconcilers.after import after, with_replica
from reconcilers.arns import region_of
from reconcilers.codes import AUTHENTICATION_CODES
from reconcilers.echoes import Echoes, listen_everywhere, written_everywhere
from reconcilers.exports import public_key_is_needed
from reconcilers.failures import plan_after
from reconcilers.fields import DeletionPolicy, DriftPolicy
from reconcilers.forecast import NOT_NEEDED, forecast
from reconcilers.foretold import planned
from reconcilers.hints import hint_due
from reconcilers.holds import plan_held
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey, plan_unasked, plan_unseen
from reconcilers.lag import LAG
from reconcilers.names import KEY_ID_ANNOTATION, KMSKEY_FINALIZER, OWNER_TAG
from reconcilers.ownership import owner
from reconcilers.quota_waits import waits_for_quota
from reconcilers.reasons import Reason
from reconcilers.replica_fields import MAX_REPLICAS
from reconcilers.replicas import not_sent, replicated, unsent
from reconcilers.reports import remembered
from reconcilers.states import (
    Account,
    Failure,
    FailureKind,
    KeyObject,
    NotCreated,
    ObservedKey,
    Offered,
    Operator,
    Problem,
    Seen,
    Unobservable,
)
from reconcilers.urgency import of_writes, urgency
from reconcilers.wanted import asked, deletion_policy

# Record, cancel the deletion, claim, enable, rotate, and once more to see that nothing is left: no path needs more plans, but for the
# replicas: one for each that is made, and as many for all together as for the key itself.
MAX_ROUNDS = 8 + 6 + MAX_REPLICAS

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Means:
    """What every pass works with."""

    kube: Kube
    providers: AWSProviders
    events: EventRecorder
    operator: Operator
    own: OwnWrites
    memory: KeyMemory
    sight: Sight
    claims: AliasClaims
    others: Others


class KeyPass:
    """One object in one pass: as it is now (our own writes included), where it lives, and what was seen of its key."""

    def __init__(self, means: Means, obj: KubeObject, key: KeyObject, provider: KubeObject | Problem, now: datetime) -> None:
        self._means = means
        self._obj = obj
        self._begun = asked_of_us(obj)
        self.key = key
        self._provider = provider
        self._now = now
        self.urgency = urgency(key, made=key.status.key_id is not None)
        self._reached: Reached | None = None
        self._account: Account | Unobservable
        self._seen: Seen
        self._looked: ObservedKey | None = None  # as it was before this pass wrote anything
        self._echoes: Echoes = {}  # of the passes before
        self._found: dict[str, object] = {}  # what the last plan has found of drift, for the report on a call that fails
        self._notes = KeyNotes(means.events, regarding(obj))
        self._sending: str | None = None  # the operation between the attempt that was written down and the answer

    async def run(self) -> timedelta | None:
        """The whole pass; when to look again, None for the resync. Raises AWSError, FencedError, KubeError: the backoff is the right wait.

        Raises QuotaWaitError where it is not the object's turn yet; nothing was done then that the next pass has to do again.
        """
        try:
            with waiting_as(self.urgency):
                return await self._carry_out()
        except FencedError as error:
            if self._sending is not None:  # nothing was sent, and that is known
                await self._after(Failure(FailureKind.RETRY, self._sending, "Fenced", str(error)))
            raise
        except QuotaWaitError as wait:
            if is_told(wait, self.urgency):
                await self.report(waits_for_quota(self.key, wait.operation, self._means.operator, self._now))
            raise
        except AWSError as error:
            look_again = await self._after(error.failure)
            if look_again is None:
                raise
            return look_again
        finally:
            self._notes.close(self.key.status.key_id)

    async def _carry_out(self) -> timedelta | None:
        await self.store_made()
        begun = self.key
        if begun.plan_only and plan_held(begun, self._means.operator, self._now) is None:
            await self._foretell()
            return None
        early = plan_unasked(self.key, self._means.operator, self._now)
        if early is not None:
            return await self._apply_all(early)
        await self._reach()
        early = plan_unseen(self.key, self._account, self._means.operator, self._now)
        if early is not None:
            return await self._apply_all(early)
        self._seen = await self._observe()
        for _ in range(MAX_ROUNDS):
            await self._read_public_key()
            plan = self._plan()
            with waiting_as(of_writes(self.urgency)):
                look_again = await self._apply_all(plan)
            if not plan.actions or plan.is_last:
                await self._note_key_id(begun)
                return look_again
            if self._is_outdated:
                return AT_ONCE
        raise RuntimeError(f"the plan does not come to an end: {[action.told for action in plan.actions]}")

    def _plan(self) -> Plan:
        plan = plan_kmskey(self.key, self._account, self._seen, self._means.operator, self._now)
        self._found = {"drift": plan.status.drift, "reached": plan.status.reached}
        return plan

    @property
    def _only_reports(self) -> bool:
        return self.key.spec.drift_policy is DriftPolicy.REPORT

    @property
    def _connection(self) -> Connection:
        """The way to AWS, for an object whose plan needs one: no plan observes or writes without an account."""
        assert self._reached is not None
        return self._reached.connection

    async def store_made(self) -> None:
        """The id of a key that was made and could not be stored yet, if there is one. Raises KubeError."""
        made = self._means.memory.made.get(self.key.uid)
        if made is not None:
            await self.report(remembered(self.key, made, self._means.operator, self._now), answer=True)

    async def _foretell(self) -> None:
        """Look at as much as the plan depends on, and write the plan down."""
        operator = self._means.operator
        self._account, self._seen = NOT_NEEDED, NotCreated()
        if plan_unasked(self.key, operator, self._now) is None:
            await self._reach()
            if plan_unseen(self.key, self._account, operator, self._now) is None:
                self._seen = await self._observe()
        await self.report(planned(self.key, forecast(self.key, self._account, self._seen, operator, self._now)))

    async def _note_key_id(self, begun: KeyObject) -> None:
        """For a backup without statuses. A merge, because what else is in the annotations is not all known here."""
        key_id = self.key.status.key_id
        if key_id is not None and hint_due(begun, self._seen, self._means.operator.cluster_id):
            metadata: dict[str, Any] = {"uid": self._obj.uid, "annotations": {KEY_ID_ANNOTATION: key_id}}
            if self._means.own.guard(self._obj):  # a merge cannot test labels
                metadata["resourceVersion"] = self._obj.resource_version
            self._took(await self._means.kube.merge_patch(KMSKEYS.path(*self._obj.ref), {"metadata": metadata}))

    async def _reach(self) -> None:
        reached = await self._means.providers.connect(self._provider, for_new_key=KMSKEY_FINALIZER not in self.key.finalizers)
        if isinstance(reached, Unobservable):
            self._account = reached
        else:
            self._reached, self._account = reached, reached.account

    async def _observe(self) -> Seen:
        self.key = replace(self.key, exports=await look_at_exports(self._means.kube, self.key))
        seen = await self._means.sight.observe(self._connection, self.key, self._now)
        if isinstance(seen, Offered) and seen.found is not None:
            means = self._means
            keys = [*means.own.all(), *await means.others.all(KMSKEYS)]
            return replace(seen, holder=await holder(means.kube, keys, self.key, seen.found, means.operator.cluster_id))
        if not isinstance(seen, ObservedKey):
            return seen
        echoes = self._means.memory.echoes
        patience = LAG if self._only_reports else timedelta()
        shown, echoes[self.key.uid] = listen_everywhere(echoes.get(self.key.uid, {}), seen, self._now, patience)
        return await self._means.claims.on(shown, self.key)

    async def _read_public_key(self) -> None:
        if isinstance(self._seen, ObservedKey) and public_key_is_needed(self.key, self._seen):
            self._seen = replace(self._seen, public_key=await read_public_key(self._connection, self._seen.arn))

    async def _apply_all(self, plan: Plan) -> timedelta | None:
        """The actions in order; the status first where they depend on its memory, and last in any case.

        A key that may not be made yet gets no finalizer either: an object that has one, and no key, is one whose key is searched for.
        """
        if any(isinstance(action, CreateKey) for action in plan.actions):
            await self._connection.take_quota("CreateKey")
        for action in plan.actions:
            if isinstance(action, KeyAction) and self._has_refused(action):
                continue
            once = isinstance(action, CreateKey | ReplicateKey | RotateKeyOnDemand)
            if isinstance(action, ReplicateKey):
                await self._connection.take_replication_quota(action.region)
            elif isinstance(action, RotateKeyOnDemand):
                await self._connection.take_quota("RotateKeyOnDemand")
            if plan.write_ahead and not isinstance(action, AddFinalizer):
                await self.report(plan.status, exact=once)
            if self._is_outdated:
                log.info("changed_meanwhile", left=action.told)
                return AT_ONCE
            await self._apply(action, plan)
        if not plan.actions:
            await self.report(plan.status)
        return plan.look_again

    async def _apply(self, action: Action, plan: Plan) -> None:
        self._means.own.guard(self._obj)
        log.info("action", action=type(action).__name__, told=action.told, key=self.key.status.key_id)
        match action:
            case AddFinalizer():
                assert isinstance(self._provider, KubeObject)  # no plan has an action without an account
                await self._means.providers.protect(self._provider)
                await self._patch(None, add_finalizer(self._obj, KMSKEY_FINALIZER))
                return
            case RemoveFinalizer():
                await self._release()
            case RecordKey(found=found):
                self._seen = found
            case CreateKey():
                await finish(self._create(action))
            case WriteExport() | DeleteExport():
                if not await self._export(action):
                    return
            case ForgetReplica():
                log.info("replica_released", region=action.region)
            case ReplicateKey():
                if not await self._elsewhere(action.region, finish(self._replicate(action))):
                    return
            case _ if self._is_elsewhere(action):
                if not await self._elsewhere(region_of(action.key), self._write(action)):
                    return
            case _:
                await self._write(action)
        self._tell(action, plan)

    async def _create(self, action: CreateKey) -> None:
        """Send once; keep the answer in memory until it is stored; store it before anything else happens."""
        self._sending = "CreateKey"
        made = await kms.create_key(self._connection, action)
        self._sending = None
        self._means.memory.made[self.key.uid] = self._seen = made
        self._means.memory.echoes.pop(self.key.uid, None)  # those of a lost key
        self._means.sight.remember(self._connection, owner(self.key.namespace, self.key.name), made.arn)
        log.info("key_created", key=made.key_id, attempt=action.attempt.id)
        try:
            await self.report(unsent(self._plan()), answer=True)
        except NotFound:  # somebody took the finalizer away meanwhile, and the object is gone
            self._means.memory.gone(self._obj)
            raise

    async def _replicate(self, action: ReplicateKey) -> None:
        """Send once, and store the answer before anything else happens."""
        assert isinstance(self._seen, ObservedKey)  # no plan replicates a key that was not seen
        before = self.key.status
        try:
            made = await replicate_key(self._connection, action)
        except FencedError:  # nothing was sent, and that is known
            await self.report(before.model_copy(update={"replicas": not_sent(before.replicas, action.region)}))
            raise
        self._seen = with_replica(self._seen, made)
        log.info("key_replicated", key=made.arn, attempt=action.attempt.id)
        status = before.model_copy(update={"replicas": replicated(before.replicas, made, action.tags)})
        await self.report(status, answer=True)

    async def _elsewhere(self, region: str, work: Coroutine[Any, Any, None]) -> bool:
        """Whether this was done in another region; a failure there is noted, and is nothing to the key itself."""
        try:
            await work
        except (AWSError, InvalidAccessError) as error:
            assert isinstance(self._seen, ObservedKey)  # no plan writes to a replica of a key that was not seen
            self._seen = failed(self._seen, region, error)
            log.warning("replica_refused", region=region, error=str(error))
            return False
        return True

    def _is_elsewhere(self, action: KeyAction) -> bool:
        return isinstance(self._seen, ObservedKey) and region_of(action.key) in self._seen.replicas

    def _has_refused(self, action: KeyAction) -> bool:
        """Whether the replica that this is about has refused something before, in this pass."""
        there = self._seen.replicas.get(region_of(action.key)) if isinstance(self._seen, ObservedKey) else None
        return isinstance(there, Unobservable)

    async def _write(self, action: KeyAction) -> None:
        assert isinstance(self._seen, ObservedKey)  # no plan writes to a key that was not seen
        before = self._seen
        memory = self._means.memory
        if self._looked is None:
            self._looked, self._echoes = before, memory.echoes.get(self.key.uid, {})
        connection = await self._connection.at(region_of(action.key)) if self._is_elsewhere(action) else self._connection
        self._sending = "RotateKeyOnDemand" if isinstance(action, RotateKeyOnDemand) else None
        answer = await kms.apply(connection, action)
        self._sending = None
        if isinstance(action, TagResource) and OWNER_TAG in action.tags:  # claimed: the tag index will know it in some minutes
            self._means.sight.remember(connection, action.tags[OWNER_TAG], action.key)
        if isinstance(action, CancelKeyDeletion) and action.key == before.arn:  # a pending key shows no rotation
            anew = await self._means.sight.look(self._connection, before.arn, asked(self.key))
            self._looked = before = anew if isinstance(anew, ObservedKey) else before
        self._seen = after(before, action, answer)
        memory.echoes[self.key.uid] = written_everywhere(self._echoes, self._looked, self._seen, self._now)

    async def _export(self, action: WriteExport | DeleteExport) -> bool:
        """Whether it was done; what forbids it is found by the next plan."""
        kube = self._means.kube
        if isinstance(action, WriteExport):
            found = await write_export(kube, self.key, action)
        else:
            found = await delete_export(kube, self.key, action)
        self.key = replace(self.key, exports={**self.key.exports, action.place: found})
        return not isinstance(found, Unobservable)

    async def _release(self) -> None:
        """Forgets the key first: the watch may tell that the object is gone before the answer to the patch does."""
        memory, uid, key_id = self._means.memory, self.key.uid, self.key.status.key_id
        memory.released(uid)
        try:
            await self._patch(None, remove_finalizer(self._obj, KMSKEY_FINALIZER))
        except NotFound:
            log.debug("already_released")
        except KubeError:
            if key_id is not None:
                memory.stored(uid, key_id)
            raise

    async def _after(self, failure: Failure) -> timedelta | None:
        """Report a failed call; when to look again, None where the queue's backoff is the right wait."""
        refused = failure.code in AUTHENTICATION_CODES
        if refused and self._reached is not None:
            self._means.providers.distrust(self._reached.provider)
        if self._sending is not None and failure.kind is not FailureKind.UNKNOWN_RESULT:
            failure = replace(failure, operation=self._sending)  # also where it was the role for it that could not be had
        elif refused:
            return None  # the next pass asks who we are, and knows what to report
        found = replace(self.key, status=self.key.status.model_copy(update=self._found))
        plan = plan_after(failure, found, self._means.operator, self._now)
        await self.report(plan.status)
        if refused:
            return None
        if plan.look_again is not None:
            log.warning(
                "aws_refused",
                operation=failure.operation,
                code=failure.code,
                request_id=failure.request_id,
                error=failure.message,
            )
        return plan.look_again

    async def report(self, status: KMSKeyStatus, *, exact: bool = False, answer: bool = False) -> None:
        """Store the status if it differs. exact: only on the very version of the object that was planned for.

        answer: it holds what AWS has answered to a call that cannot be repeated, and is stored whosever the object is by now.
        """
        before = self.key.status
        operations = status_patch(self._obj, plain(before), plain(status), exact=exact)
        if operations:
            await self._patch("status", operations, answer=answer)
        if status.key_id is not None:
            self._means.memory.stored(self.key.uid, status.key_id)
        self._notes.reported(before, status, only_reports=self._only_reports)

    async def _patch(self, subresource: str | None, operations: list[dict[str, Any]], *, answer: bool = False) -> None:
        path = KMSKEYS.path(self._obj.namespace, self._obj.name, subresource)
        guard = [] if answer else self._means.own.guard(self._obj)
        self._took(await self._means.kube.json_patch(path, [*guard, *operations]))

    def _took(self, answer: bytes) -> None:
        """The object as the server has it after our write."""
        self._obj = decode_object(answer)
        self.key = replace(self.key, finalizers=self._obj.finalizers, status=read_status(self._obj, KMSKeyStatus))
        self._means.own.put(self._obj)

    @property
    def _is_outdated(self) -> bool:
        """Whether the user has changed the object since the pass began."""
        return asked_of_us(self._obj) != self._begun

    def _tell(self, action: Action, plan: Plan) -> None:
        if action in plan.corrections:
            self._notes.corrected(action)
        else:
            self._notes.did(action, self._name_of_key(action), serious=_is_serious(action, self.key, self._means.operator))

    def _name_of_key(self, action: Action) -> str:
        """Its id, and where it is if that is another region."""
        key_id = self.key.status.key_id or "the key"
        if isinstance(action, KeyAction) and self._is_elsewhere(action):
            return f"{key_id} in {region_of(action.key)}"
        return key_id


def _is_serious(action: Action, key: KeyObject, operator: Operator) -> bool:
    """ForceDelete takes less time than the object's own window to think again."""
    return action.reason is Reason.DELETION_SCHEDULED and deletion_policy(key, operator) is DeletionPolicy.FORCE_DELETE
