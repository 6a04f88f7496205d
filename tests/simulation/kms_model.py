"""A strict model of KMS, STS and the tagging API: the accounts of one AWS, without a wire.

Rules:
1. handle() is atomic, takes AWS's own parameters and returns AWS's own answer; it raises RefusedError, or ParamValidationError for what the
   SDK would not send. It knows neither an event loop nor HTTP, so that either can be put in front of it.
2. Where AWS's documentation says no, the model says no: it is never kinder than KMS.
3. `lags` makes reads come from the past, by operation: that is all that eventual consistency is. A write under a lag does not find a key that
   is newer than that, but changes the newest version of one that it finds.
4. Lists are paged, and pages are small, so that whoever forgets the second page is found out.
5. A key whose window is over is gone, as if it had never been.
6. `quotas` are taken first, and there are none by default: what comes too fast is refused, whatever it is.
7. What passes by itself (kms_passing.py) has passed before a request is looked at. A store is connected or not as `stores` says.
8. What is made on the way needs its own permission, and counts against its own quota: the tags of a new key, and a replica in its region.
9. A dry run is checked like any call, and then refused with the word that it was one.

Not modelled: key policies as permissions, for which `denied` stands; who may retire a grant; ListRetirableGrants; custom key stores as more
than a name in `stores`; the rotation of imported material; and everything that uses a key, from Encrypt to VerifyMac: `edit` sets `used`.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.simulation import identities, tagging
from tests.simulation.kms_access import check_manager, check_place, permissions
from tests.simulation.kms_aliases import check_follows, create_alias, delete_alias, is_of_service, move_alias, written_aliases
from tests.simulation.kms_creation import aws_managed_key, new_key
from tests.simulation.kms_errors import alias_not_found, denied, dry_run, limit_exceeded, not_found, replica_exists
from tests.simulation.kms_grants import retired
from tests.simulation.kms_keys import History, Key, check_state
from tests.simulation.kms_passing import is_gone, next_change
from tests.simulation.kms_quotas import MAX_KEYS, RequestQuotas
from tests.simulation.kms_reads import READS, page
from tests.simulation.kms_replicas import moved_primary, new_replica, schedule_primary
from tests.simulation.kms_rotations import shared_with
from tests.simulation.kms_tags import written_tags
from tests.simulation.kms_writes import WRITES, Answer, Caller, Parameters, Scene
from tests.simulation.service_models import check_answer, check_request

Clock = Callable[[], datetime]
Lag = Callable[[], float]

PAGE_SIZE = 2


@dataclass(frozen=True)
class _Call:
    operation: str
    parameters: Parameters
    caller: Caller


class Kms:
    """One AWS. Set `denied`, `lags` and `unknown_principals` at any time; look at `keys` from outside."""

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self.denied: set[str] = set()  # operations for which the caller lacks a permission
        self.lags: dict[str, Lag] = {}  # by operation: how many seconds behind its view of the keys is
        self.unknown_principals: frozenset[str] = frozenset()
        self.quotas = RequestQuotas({})
        self.page_size = PAGE_SIZE
        self.most_keys = MAX_KEYS
        self.stores: dict[str, bool] = {}  # custom key stores by id: whether they are connected
        self.made: list[Key] = []  # each key as CreateKey made it, also those that are gone since
        self._clock = clock
        self._random = Random(seed)  # noqa: S311 - ids that are the same on every run
        self._histories: dict[str, History] = {}  # by ARN

    @property
    def keys(self) -> list[Key]:
        """All keys as they are now, in the order of their making."""
        self._pass_time()
        return [history.newest for history in self._histories.values()]

    def as_it_was(self, key: str, moment: datetime) -> Key | None:
        """The key of this id or ARN at that time; None before it was made, and once it is gone."""
        history = next((one for arn, one in self._histories.items() if key in (arn, one.newest.key_id)), None)
        return history.at(moment) if history else None

    def edit(self, arn: str, **changes: Any) -> None:
        """What nobody could do with a call: a new state, or a tag of the past."""
        history = self._histories[arn]
        history.change(self._clock(), replace(history.newest, **changes))

    def destroy(self, arn: str) -> None:
        """The end of a key's window, now."""
        del self._histories[arn]

    def handle(self, service: str, operation: str, parameters: Parameters, caller: Caller) -> Answer:
        """One request of an authenticated caller."""
        check_request(service, operation, parameters)
        self._pass_time()
        self.quotas.admit(caller.account_id, caller.region, operation, self._clock().timestamp())
        for action in permissions(operation, parameters):
            if action in self.denied:
                prefix = {"resourcegroupstaggingapi": "tag"}.get(service, service)
                raise denied(caller.arn, f"{prefix}:{action}", parameters.get("KeyId", "*"))
        if operation.startswith("List"):
            parameters = {**parameters, "Limit": min(parameters.get("Limit", self.page_size), self.page_size)}
        answer = self._answer(_Call(operation, parameters, caller))
        check_answer(service, operation, answer)
        return answer

    def _answer(self, call: _Call) -> Answer:
        match call.operation:
            case "CreateKey":
                return self._create(call)
            case "ReplicateKey":
                return self._replicate(call)
            case "UpdatePrimaryRegion":
                return self._move_primary(call)
            case "DescribeKey":
                _, seen = self._find(call)
                return {"KeyMetadata": seen.metadata(self._family(seen))}
            case "ListKeys":
                return self._list_keys(call)
            case "CreateAlias" | "UpdateAlias" | "DeleteAlias":
                return self._change_alias(call)
            case "ListAliases":
                return self._list_aliases(call)
            case "GetResources":
                return tagging.get_resources(list(self._visible(call)), call.parameters, self.page_size)
            case "GetCallerIdentity" | "AssumeRole" | "AssumeRoleWithWebIdentity":
                return identities.answer(call.operation, call.parameters, call.caller, self._clock())
            case "RetireGrant":
                named = retired(self._newest(call.caller), call.parameters)
                return self._about_one_key(replace(call, parameters={**call.parameters, **named}))
            case _:
                return self._about_one_key(call)

    def _about_one_key(self, call: _Call) -> Answer:
        history, seen = self._find(call)
        if call.operation in WRITES:
            check_manager(history.newest, call.operation, call.caller)
        check_state(call.operation, history.newest if call.operation in WRITES else seen)
        moment = self._moment(call.operation)
        if call.operation not in WRITES:
            told = shared_with(seen, self._primary(seen, moment)) if seen.is_replica else seen
            return READS[call.operation](told, call.parameters, moment)
        write = WRITES[call.operation]
        if call.operation == "ScheduleKeyDeletion" and not seen.is_replica and self._family(history.newest):
            write = schedule_primary
        key, answer = write(history.newest, call.parameters, self._scene(call.caller))
        if call.parameters.get("DryRun"):
            raise dry_run()
        history.change(self._clock(), key)
        return answer

    def _create(self, call: _Call) -> Answer:
        key = new_key(call.parameters, self._scene(call.caller), self._random)
        self._check_room(call.caller)
        self._histories[key.arn] = History([(self._clock(), key)])
        self.made.append(key)
        return {"KeyMetadata": key.metadata()}

    def _replicate(self, call: _Call) -> Answer:
        history, _ = self._find(call)
        check_state("ReplicateKey", history.newest)
        key = new_replica(history.newest, call.parameters, self._scene(call.caller))
        if key.arn in self._histories:
            raise replica_exists(key.arn)
        self._check_room(replace(call.caller, region=key.region))
        self.quotas.admit(key.account_id, key.region, "CreateKey", self._clock().timestamp(), calls=2)
        self._histories[key.arn] = History([(self._clock(), key)])
        self.made.append(key)
        tags = written_tags(key.tags)
        return {"ReplicaKeyMetadata": key.metadata(self._family(key)), "ReplicaPolicy": key.policy, "ReplicaTags": tags}

    def _move_primary(self, call: _Call) -> Answer:
        history, _ = self._find(call)
        primary, region, now = history.newest, call.parameters["PrimaryRegion"], self._clock()
        check_state("UpdatePrimaryRegion", primary)
        moved = moved_primary(primary, self._family(primary), region, now)
        self.quotas.admit(call.caller.account_id, region, call.operation, now.timestamp())
        for key in moved:
            self._histories[key.arn].change(now, key)
        return {}

    def _family(self, key: Key) -> list[Key]:
        """The same multi-Region key in other regions, as it is now."""
        keys = (history.newest for history in self._histories.values())
        return [other for other in keys if key.multi_region and other.key_id == key.key_id and other.arn != key.arn]

    def _primary(self, replica: Key, moment: datetime) -> Key | None:
        """As it was then; None where it is gone."""
        arns = (other.arn for other in self._family(replica) if not other.is_replica)
        return next((self._histories[arn].at(moment) for arn in arns), None)

    def _check_room(self, caller: Caller) -> None:
        """Raises RefusedError where the account has as many keys as it may."""
        if len(self._histories) >= self.most_keys and sum(key.manager != "AWS" for key in self._newest(caller)) >= self.most_keys:
            raise limit_exceeded("The number of keys of this account has reached its quota")

    def _list_keys(self, call: _Call) -> Answer:
        listed = [{"KeyId": key.key_id, "KeyArn": key.arn} for key in self._visible(call)]
        return page("Keys", listed, call.parameters)

    def _list_aliases(self, call: _Call) -> Answer:
        keys = [self._find(call)[1]] if "KeyId" in call.parameters else list(self._visible(call))
        return page("Aliases", [alias for key in keys for alias in written_aliases(key)], call.parameters)

    def _change_alias(self, call: _Call) -> Answer:
        """An alias is part of the key that it leads to; a change may concern two keys, and is seen on both at once."""
        alias, here = call.parameters["AliasName"], list(self._newest(call.caller))
        if call.operation == "DeleteAlias":
            changed = delete_alias(here, alias)
        else:
            target = self._find(_Call(call.operation, {"KeyId": call.parameters["TargetKeyId"]}, call.caller))[0].newest
            check_manager(target, call.operation, call.caller)
            changed = (create_alias if call.operation == "CreateAlias" else move_alias)(here, target, alias)
        for key in changed:
            self._histories[key.arn].change(self._clock(), key)
        return {}

    def _newest(self, caller: Caller) -> Iterator[Key]:
        for history in self._histories.values():
            if (history.newest.account_id, history.newest.region) == (caller.account_id, caller.region):
                yield history.newest

    def _find(self, call: _Call) -> tuple[History, Key]:
        named = call.parameters["KeyId"]
        resource = named if named.startswith("alias/") else f"key/{named}"
        arn = named if named.startswith("arn:") else f"arn:aws:kms:{call.caller.region}:{call.caller.account_id}:{resource}"
        check_place(arn, call.operation, call.caller)
        resource = arn.split(":")[5]
        if resource.startswith("alias/"):
            arn = self._follow(call, resource, arn)
        history = self._histories.get(arn)
        seen = history.at(self._moment(call.operation)) if history else None
        if history is None or seen is None:
            raise not_found(arn)
        return history, seen

    def _follow(self, call: _Call, alias: str, alias_arn: str) -> str:
        """The ARN of the key behind the alias. One of AWS's own that is not in use yet gets its key now."""
        check_follows(call.operation)
        arn = next((key.arn for key in self._visible(call) if alias in key.aliases), None)
        if arn is not None:
            return arn
        if not is_of_service(alias) or any(alias in key.aliases for key in self._newest(call.caller)):
            raise alias_not_found(alias_arn)
        key = aws_managed_key(alias, self._scene(call.caller), self._random)
        self._histories[key.arn] = History([(self._clock(), key)])
        return key.arn

    def _visible(self, call: _Call) -> Iterator[Key]:
        """The keys of the caller's account and region, as this operation sees them."""
        for history in self._histories.values():
            key = history.at(self._moment(call.operation))
            if key and (key.account_id, key.region) == (call.caller.account_id, call.caller.region):
                yield key

    def _moment(self, operation: str) -> datetime:
        lag = self.lags.get(operation)
        return self._clock() - timedelta(seconds=lag() if lag else 0)

    def _scene(self, caller: Caller) -> Scene:
        return Scene(caller, self._clock(), self.unknown_principals, self.stores)

    def _pass_time(self) -> None:
        now = self._clock()
        for arn in [arn for arn, history in self._histories.items() if is_gone(history.newest, now)]:
            del self._histories[arn]
        for history in self._histories.values():
            while change := next_change(history.newest, history.versions[-1][0], now, self.stores, self._has_replicas):
                history.change(*change)

    def _has_replicas(self, key: Key) -> bool:
        return any(other.is_replica for other in self._family(key))


def late(seconds: float) -> Lag:
    """A view that is always so far behind."""
    return lambda: seconds


def in_turn(*seconds: float) -> Lag:
    """Servers that answer in turn, each so far behind."""
    answers = itertools.cycle(seconds)
    return lambda: next(answers)


def flapping(seconds: float) -> Lag:
    """Two servers that answer in turn, the first of which is behind."""
    return in_turn(seconds, 0.0)
