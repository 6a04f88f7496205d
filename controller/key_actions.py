"""The actions of a plan for a KMSKey, carried out in a safe order.

Rules:
1. What the plan says must be stored first (an attempt, a key id, managed tag keys) is stored before the first action that is not the finalizer.
   The server refuses the write-ahead of what is sent once when the object is not exactly the one that was planned for, so a stale cache can
   neither create nor rotate. Nor can it schedule a deletion: a patch that changes nothing is refused in the same way before.
2. CreateKey and the patch that stores its answer are one section that no deadline, shutdown or lost lease can cut in two, and so are
   ReplicateKey and its patch. Whatever could make them wait, such as the quota, is waited for before.
3. Nothing is written to AWS on the word of a watch alone, which may be minutes late after a lease is taken over: the object is looked at
   once more before the first write, unless the server has answered about it in this pass (own_object.py).
4. When the patch of a new key's id fails, the answer stays in memory, and nothing else is done for the object until it is stored.
5. Each answer is folded into what was seen, so that the next plan is made from it.
6. A replica in another region that refuses something is left alone for the rest of the pass, which goes on with the key and the other regions.
"""

from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from aws import kms
from aws.errors import AWSError, FencedError, InvalidAccessError
from aws.replicas import failed, replicate_key
from controller.exports import delete_export, write_export
from controller.key_means import Means
from controller.key_view import KeyView
from controller.kube import NotFound
from controller.objects import KubeObject
from controller.own_key import OwnKey
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
    ScheduleKeyDeletion,
    TagResource,
    WriteExport,
)
from reconcilers.after import after, confirmed, subject, with_replica
from reconcilers.arns import region_of
from reconcilers.disposal import proves
from reconcilers.echoes import Echoes, written_everywhere
from reconcilers.fields import DeletionPolicy
from reconcilers.names import KMSKEY_FINALIZER, OWNER_TAG
from reconcilers.ownership import owner
from reconcilers.reasons import Reason
from reconcilers.replica_records import not_sent, replicated, unsent
from reconcilers.states import KeyObject, ObservedKey, Operator, Unobservable
from reconcilers.wanted import asked, deletion_policy

log = structlog.get_logger()


class KeyActions:
    """Those of one pass. `sending`: the operation between the attempt that was written down and the answer."""

    def __init__(self, means: Means, own: OwnKey, view: KeyView, now: datetime) -> None:
        self.sending: str | None = None
        self._means = means
        self._own = own
        self._view = view
        self._now = now
        self._looked: ObservedKey | None = None  # as it was before this pass wrote anything
        self._echoes: Echoes = {}  # of the passes before

    async def apply_all(self, plan: Plan) -> timedelta | None:
        """The actions in order; the status first where they depend on its memory, and last in any case.

        A key that may not be made yet gets no finalizer either: an object that has one, and no key, is one whose key is searched for.
        """
        if any(isinstance(action, CreateKey) for action in plan.actions):
            await self._view.connection.take_quota("CreateKey")
        if any(isinstance(action, ScheduleKeyDeletion) for action in plan.actions):
            await self._prove()
        for action in plan.actions:
            if isinstance(action, KeyAction) and self._has_refused(action):
                continue
            once = isinstance(action, CreateKey | ReplicateKey | RotateKeyOnDemand)
            if isinstance(action, ReplicateKey):
                await self._view.connection.take_replication_quota(action.region)
            elif isinstance(action, RotateKeyOnDemand):
                await self._view.connection.take_quota("RotateKeyOnDemand")
            if plan.write_ahead and not isinstance(action, AddFinalizer):
                await self._own.report(plan.status, exact=once)
            if not isinstance(action, AddFinalizer):  # of which the server itself sees to it that it is this object's
                await self._own.look()
            if self._own.is_outdated:
                log.info("changed_meanwhile", left=action.told)
                return AT_ONCE
            await self._apply(action, plan)
        if not plan.actions:
            await self._own.report(plan.status)
        return plan.look_again

    async def _prove(self) -> None:
        """That the object is what a deletion is planned for. A late watch may not show yet that the spec asks for the replica again."""
        await self._own.look()
        if not self._own.is_outdated:
            await self._own.confirm()

    async def _apply(self, action: Action, plan: Plan) -> None:
        self._own.guard()
        log.info("action", action=type(action).__name__, told=action.told, key=self._own.key.status.key_id)
        match action:
            case AddFinalizer():
                assert isinstance(self._view.provider, KubeObject)  # no plan has an action without an account
                await self._means.ways.protect(self._view.provider)
                await self._own.protect(KMSKEY_FINALIZER)
                return
            case RemoveFinalizer():
                await self._own.release(KMSKEY_FINALIZER)
            case RecordKey(found=found):
                self._view.seen = found
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
            case _:
                if not await self._write(action):
                    return
        self._tell(action, plan)

    async def _create(self, action: CreateKey) -> None:
        """Send once; keep the answer in memory until it is stored; store it before anything else happens."""
        key, memory = self._own.key, self._means.memory
        self.sending = "CreateKey"
        made = await kms.create_key(self._view.connection, action)
        self.sending = None
        memory.made[key.uid] = self._view.seen = made
        memory.echoes.pop(key.uid, None)  # those of a lost key
        self._means.sight.remember(self._view.connection, owner(key.namespace, key.name), made.arn)
        log.info("key_created", key=made.key_id, attempt=action.attempt.id)
        try:
            await self._own.report(unsent(self._view.plan()), answer=True)
        except NotFound:  # somebody took the finalizer away meanwhile, and the object is gone
            memory.gone(self._own.obj)
            raise

    async def _replicate(self, action: ReplicateKey) -> bool:
        """Send once, and store the answer before anything else happens. Raises where nothing was made."""
        assert isinstance(self._view.seen, ObservedKey)  # no plan replicates a key that was not seen
        before = self._own.key.status
        try:
            made = await replicate_key(self._view.connection, action)
        except FencedError:  # nothing was sent, and that is known
            await self._own.report(before.model_copy(update={"replicas": not_sent(before.replicas, action.region)}))
            raise
        self._view.seen = with_replica(self._view.seen, made)
        log.info("key_replicated", key=made.arn, attempt=action.attempt.id)
        status = before.model_copy(update={"replicas": replicated(before.replicas, made, action.tags)})
        await self._own.report(status, answer=True)
        return True

    async def _elsewhere(self, region: str, work: Coroutine[Any, Any, bool]) -> bool:
        """What this has come to in another region; a failure there is noted, and is nothing to the key itself."""
        try:
            return await work
        except (AWSError, InvalidAccessError) as error:
            assert isinstance(self._view.seen, ObservedKey)  # no plan writes to a replica of a key that was not seen
            self._view.seen = failed(self._view.seen, region, error)
            log.warning("replica_refused", region=region, error=str(error))
            return False

    def _is_elsewhere(self, action: KeyAction) -> bool:
        seen = self._view.seen
        return isinstance(seen, ObservedKey) and region_of(action.key) in seen.replicas

    def _has_refused(self, action: KeyAction) -> bool:
        """Whether the replica that this is about has refused something before, in this pass."""
        seen = self._view.seen
        return isinstance(seen, ObservedKey) and isinstance(seen.replicas.get(region_of(action.key)), Unobservable)

    async def _write(self, action: KeyAction) -> bool:
        """Whether anything is different now."""
        if self._is_elsewhere(action):
            return await self._elsewhere(region_of(action.key), self._send(action))
        return await self._send(action)

    async def _send(self, action: KeyAction) -> bool:
        before, connection, echoes = self._view.seen, self._view.connection, self._means.memory.echoes
        assert isinstance(before, ObservedKey)  # no plan writes to a key that was not seen
        if self._looked is None:
            self._looked, self._echoes = before, echoes.get(self._own.key.uid, {})
        if self._is_elsewhere(action):
            connection = await connection.at(region_of(action.key))
        self.sending = "RotateKeyOnDemand" if isinstance(action, RotateKeyOnDemand) else None
        self._means.memory.names.sending(self._own.key.uid, action)
        try:
            answer = await kms.apply(connection, action)
        except AWSError as error:
            if error.failure.request_id is None:
                self._means.memory.names.unanswered(self._own.key.uid, action)
            if not proves(error.failure, action, subject(before, action)):
                raise
            self._answered(action, confirmed(before, action))
            return False
        self.sending = None
        self._means.memory.names.sent(self._own.key.uid, action)
        if isinstance(action, TagResource) and OWNER_TAG in action.tags:  # claimed: the tag index will know it in some minutes
            self._means.sight.remember(connection, action.tags[OWNER_TAG], action.key)
        if isinstance(action, CancelKeyDeletion) and action.key == before.arn:  # a pending key shows no rotation
            anew = await self._means.sight.look(self._view.connection, before.arn, asked(self._own.key))
            self._looked = before = anew if isinstance(anew, ObservedKey) else before
        now = after(before, action, answer)
        self._answered(action, now)
        echoes[self._own.key.uid] = written_everywhere(self._echoes, self._looked, now, self._now)
        return True

    def _answered(self, action: KeyAction, seen: ObservedKey) -> None:
        self._view.seen = seen
        if self._own.key.deleting and subject(seen, action).state_is_answered:
            self._means.memory.ended[self._own.key.uid].add(action.key)

    async def _export(self, action: WriteExport | DeleteExport) -> bool:
        """Whether it was done; what forbids it is found by the next plan."""
        kube, key = self._means.kube, self._own.key
        if isinstance(action, WriteExport):
            found = await write_export(kube, key, action)
        else:
            found = await delete_export(kube, key, action)
        self._own.key = replace(key, exports={**key.exports, action.place: found})
        return not isinstance(found, Unobservable)

    def _tell(self, action: Action, plan: Plan) -> None:
        if action in plan.corrections:
            self._own.notes.corrected(action)
        else:
            self._own.notes.did(action, self._name_of_key(action), serious=_is_serious(action, self._own.key, self._means.operator))

    def _name_of_key(self, action: Action) -> str:
        """Its id, and where it is if that is another region."""
        key_id = self._own.key.status.key_id or "the key"
        if isinstance(action, KeyAction) and self._is_elsewhere(action):
            return f"{key_id} in {region_of(action.key)}"
        return key_id


def _is_serious(action: Action, key: KeyObject, operator: Operator) -> bool:
    """ForceDelete takes less time than the object's own window to think again."""
    return action.reason is Reason.DELETION_SCHEDULED and deletion_policy(key, operator) is DeletionPolicy.FORCE_DELETE
