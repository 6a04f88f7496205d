"""KMSAliases: where one stands among the other users of its name, and the calls that it takes.

Where other processes work on some of these users, they are read from the server: all KMSKeys and KMSAliases, for an alias that this object has
not put where it is. One that it has put there is its own, whoever else names it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from aws import kms
from aws.clients import Connection
from aws.errors import BlockedError
from aws.targets import follow_alias, look_at_alias
from controller.decoding import read_status
from controller.dependent_objects import dependent_object, read_dependent
from controller.dependent_pass import Craft
from controller.key_objects import KMSKEYS, read_spec
from controller.objects import KubeObject, Resource
from controller.partition import Others
from controller.store import Store
from reconcilers.actions import CreateAlias, DeleteAlias, DependentChange, UpdateAlias
from reconcilers.alias_fields import KMSAliasSpec, KMSAliasStatus
from reconcilers.aliases import PREFIX, alias_names
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmsalias import (
    AliasObject,
    AliasPlan,
    AliasSight,
    AliasUser,
    after_alias,
    alias_of,
    is_own,
    plan_kmsalias,
    rivals,
)
from reconcilers.names import GROUP, KMSALIAS_FINALIZER, VERSION
from reconcilers.states import Operator, Problem
from reconcilers.targets import Way

KMSALIASES = Resource(GROUP, VERSION, "kmsaliases", "KMSAlias")


class AliasCraft(Craft[KMSAliasSpec, KMSAliasStatus, AliasSight]):
    """keys: the KMSKeys, which may use a name too. aliases: the store of this kind."""

    resource = KMSALIASES
    finalizer = KMSALIAS_FINALIZER
    spec = KMSAliasSpec
    status = KMSAliasStatus

    def __init__(self, operator: Operator, keys: Store, aliases: Store, others: Others) -> None:
        self.store = aliases
        self._others = others
        self._operator = operator
        self._keys = keys

    def has_made(self, status: KMSAliasStatus) -> bool:
        """It has put its alias somewhere, or was about to."""
        return bool(status.placed_on)

    async def observe(self, connection: Connection, obj: AliasObject, way: Way) -> AliasSight:
        """The alias, its target, and who else uses its name. Raises AWSError and KubeError."""
        alias = alias_of(obj.spec)
        seen = await look_at_alias(connection, alias, way.target.key or None)
        if obj.deleting:
            return seen
        elsewhere = () if is_own(obj, seen) else await self._elsewhere(obj)
        return AliasSight(seen.holder, seen.target, rivals(alias, way, (*self._users(alias, obj), *elsewhere)))

    def plan(self, obj: AliasObject, way: Way, seen: AliasSight, now: datetime) -> AliasPlan:
        """Pure."""
        return plan_kmsalias(obj, way, seen, self._operator.cluster_id, now)

    async def apply(self, connection: Connection, action: DependentChange, seen: AliasSight) -> AliasSight:
        """Raises AWSError and FencedError."""
        assert isinstance(action, CreateAlias | UpdateAlias | DeleteAlias)  # no plan for an alias does anything else
        try:
            await kms.apply(connection, action)
        except BlockedError as error:
            if error.failure.code != "AlreadyExistsException":
                raise
            return replace(seen, holder=await follow_alias(connection, action.alias))  # it did not show before
        return after_alias(seen, action)

    def _users(self, alias: str, me: AliasObject) -> Iterator[AliasUser]:
        """Other objects of this process with this name."""
        return _named(alias, self._keys, (obj for obj in self.store if obj.uid != me.uid))

    async def _elsewhere(self, me: AliasObject) -> list[AliasUser]:
        """Those of other processes. Raises KubeError."""
        ours = {me.uid, *(obj.uid for obj in (*self._keys, *self.store))} if self._others.there else set()
        keys, aliases = [[obj for obj in await self._others.all(kind) if obj.uid not in ours] for kind in (KMSKEYS, KMSALIASES)]
        return list(_named(alias_of(me.spec), keys, aliases))


def _named(alias: str, keys: Iterable[KubeObject], aliases: Iterable[KubeObject]) -> Iterator[AliasUser]:
    """Those with this name. Most objects are told apart without being read."""
    short = alias.removeprefix(PREFIX).encode()
    for obj in keys:
        if short in obj.status or short in obj.spec:
            yield _key_user(obj)
    for obj in aliases:
        if short in obj.spec:
            yield _alias_user(obj)


def _key_user(obj: KubeObject) -> AliasUser:
    spec, status = read_spec(obj), read_status(obj, KMSKeyStatus)
    wanted = () if isinstance(spec, Problem) else spec.aliases or ()
    return AliasUser(f"KMSKey {obj.ref}", (status.account_id, status.region), alias_names((*wanted, *status.aliases)))


def _alias_user(obj: KubeObject) -> AliasUser:
    """One that has put its alias nowhere yet has no claim to it."""
    spec = read_dependent(obj, KMSAliasSpec)
    if isinstance(spec, Problem):
        return AliasUser(f"KMSAlias {obj.ref}", (None, None), frozenset())
    user = dependent_object(obj, spec, KMSAliasStatus)
    aliases = frozenset({alias_of(spec)}) if user.status.placed_on else frozenset()
    return AliasUser(f"KMSAlias {obj.ref}", (user.status.account_id, user.status.region), aliases)
