"""What one pass sees of a KMSKey's key: the provider that leads to it, the key in AWS, the places of its exports; and the plan from that.

Rules:
1. The key that the object remembers is observed; where it remembers none, its key is looked for (aws/sight.py).
2. What it is exported to is looked at before, and a public key that has to be exported is asked for.
3. What our last writes replaced may still be shown, and is not taken for a change by others (reconcilers/echoes.py).
4. `seen` changes with what is done: each answer is folded into it, and it is planned again.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aws.clients import Connection
from aws.public_keys import read_public_key
from controller.exports import look_at_exports
from controller.key_holders import found_by_tags, holder, without_held
from controller.key_means import Means
from controller.key_objects import KMSKEYS
from controller.objects import KubeObject
from controller.own_key import OwnKey
from reconcilers.actions import Plan
from reconcilers.after import still_answered
from reconcilers.echoes import listen_everywhere
from reconcilers.exports import public_key_is_needed
from reconcilers.forecast import NOT_NEEDED, forecast
from reconcilers.foretold import planned
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey, plan_unasked, plan_unseen
from reconcilers.lag import LAG
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.states import Account, Candidates, KeyObject, NotCreated, ObservedKey, Offered, Problem, Seen, Unobservable

if TYPE_CHECKING:
    from controller.provider_ways import Reached


class KeyView:
    """provider: the object's own, as it was found."""

    def __init__(self, means: Means, own: OwnKey, provider: KubeObject | Problem, now: datetime) -> None:
        self.provider = provider
        self.reached: Reached | None = None
        self.account: Account | Unobservable
        self.seen: Seen
        self._means = means
        self._own = own
        self._now = now
        self._found: dict[str, object] = {}  # what the last plan has found of drift

    @property
    def connection(self) -> Connection:
        """The way to AWS, for an object whose plan needs one: no plan observes or writes without an account."""
        assert self.reached is not None
        return self.reached.connection

    async def reach(self) -> None:
        """The provider. Raises AWSError (only what passes by itself) and KubeError."""
        is_new = KMSKEY_FINALIZER not in self._own.key.finalizers
        reached = await self._means.ways.connect(self.provider, for_new_key=is_new)
        if isinstance(reached, Unobservable):
            self.account = reached
        else:
            self.reached, self.account = reached, reached.account

    async def observe(self) -> None:
        """The key and its exports. Raises AWSError and KubeError."""
        self.seen = await self._look()

    async def read_public_key(self) -> None:
        """Where it has to be exported. Raises AWSError."""
        if isinstance(self.seen, ObservedKey) and public_key_is_needed(self._own.key, self.seen):
            self.seen = replace(self.seen, public_key=await read_public_key(self.connection, self.seen.arn))

    def plan(self) -> Plan:
        """What there is to do, from all that is seen now."""
        key = replace(self._own.key, late_names=self._means.memory.names.of(self._own.key.uid))
        plan = plan_kmskey(key, self.account, self.seen, self._means.operator, self._now)
        self._found = {"drift": plan.status.drift, "reached": plan.status.reached}
        return plan

    async def foretell(self) -> KMSKeyStatus:
        """The plan in words; only what it depends on is looked at. Raises AWSError and KubeError."""
        own, operator = self._own, self._means.operator
        self.account, self.seen = NOT_NEEDED, NotCreated()
        if plan_unasked(own.key, operator, self._now) is None:
            await self.reach()
            if plan_unseen(own.key, self.account, operator, self._now) is None:
                await self.observe()
        return planned(own.key, forecast(own.key, self.account, self.seen, operator, self._now))

    def as_planned_last(self) -> KeyObject:
        """The object with what the last plan has found of drift, for the report on a call that fails."""
        key = self._own.key
        return replace(key, status=key.status.model_copy(update=self._found))

    async def _look(self) -> Seen:
        means, own = self._means, self._own
        own.key = replace(own.key, exports=await look_at_exports(means.kube, own.key))
        seen = await means.sight.observe(self.connection, own.key, self._now)
        if not isinstance(seen, ObservedKey):
            return await self._held_by_nobody_else(seen)
        echoes = means.memory.echoes
        patience = LAG if own.only_reports else timedelta()
        shown, echoes[own.key.uid] = listen_everywhere(echoes.get(own.key.uid, {}), seen, self._now, patience)
        if own.key.deleting:
            shown = still_answered(shown, means.memory.ended[own.key.uid])
        return await means.claims.on(shown, own.key)

    async def _held_by_nobody_else(self, seen: Seen) -> Seen:
        """The tags of a key may be late, and name its former object: whose status names the key has it."""
        means, key = self._means, self._own.key
        match seen:
            case Offered(found=ObservedKey() as found):
                return replace(seen, holder=await holder(means.kube, await self._all(), key, found, means.operator.cluster_id))
            case Offered() if found_by_tags(seen.otherwise):
                return replace(seen, otherwise=without_held(seen.otherwise, await self._all(), key))
            case NotCreated() | Candidates() if found_by_tags(seen):
                return without_held(seen, await self._all(), key)
            case _:
                return seen

    async def _all(self) -> list[KubeObject]:
        return [*self._means.own.all(), *await self._means.ways.others.all(KMSKEYS)]
