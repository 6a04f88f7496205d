"""What others do in the AWS accounts of a random life: they change, disable, delete and take back keys, and make keys of their own.

What they make bears the mark "theirs". They never take a name or an owner tag that belongs to an object, for that ends in a conflict
which only they can end.
"""

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from reconcilers.names import OWNER_TAG
from tests.simulation.etcd import Json
from tests.simulation.identities import Credentials
from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_keys import Key
from tests.simulation.kms_writes import Caller
from tests.simulation.machine_base import Life
from tests.simulation.machine_specs import OTHER_PROVIDER, WHO, account_of
from tests.simulation.scenarios import OTHER_POLICY
from tests.simulation.watched import WATCHED
from tests.simulation.world import CANARY, NAMESPACE

OTHER_CANARY = Credentials("AKIACANARYCANARY0002", "canary/secret+access+key/0000000000000002", account_of("abroad"))
CREDENTIALS = {"main": CANARY, OTHER_PROVIDER: OTHER_CANARY}
WHICH = st.integers(0, 11)
CHANGES: dict[str, Json] = {
    "DisableKey": {},
    "EnableKey": {},
    "UpdateKeyDescription": {"Description": "mine now"},
    "TagResource": {"Tags": [{"TagKey": "theirs", "TagValue": "x"}]},
    "UntagResource": {"TagKeys": ["team"]},
    "DisableKeyRotation": {},
    "RotateKeyOnDemand": {},
    "ScheduleKeyDeletion": {"PendingWindowInDays": 7},
    "CancelKeyDeletion": {},
    "PutKeyPolicy": {},
}


class Others(Life):
    """With every right in both accounts."""

    @rule(which=WHICH, operation=st.sampled_from([*CHANGES, "CreateKey", "DeleteAlias", "RevokeGrant"]))
    def change_outside(self, which: int, operation: str) -> None:
        keys = self._keys()
        if keys:
            key = keys[which % len(keys)]
            for parameters in _parameters(operation, key, which):
                self.outside(key, operation, **parameters)

    @rule(who=WHO)
    def change_a_tag_outside(self, who: int) -> None:
        """Only one that the operator has put there: any other is somebody else's, and stays."""
        for key in self.world.kms.keys:
            if "team" in key.tags and key.tags.get(OWNER_TAG, "").endswith(f"/{self.cast[who]}"):
                self.outside(key, "TagResource", KeyId=key.arn, Tags=[{"TagKey": "team", "TagValue": "thieves"}])

    @rule(who=WHO)
    def take_back_outside(self, who: int) -> None:
        """The key of an object that is gone: from now on it is nobody's but theirs."""
        name = self.cast[who]
        for key in self.world.kms.keys:
            if self.world.find(name) is None and key.tags.get(OWNER_TAG) == f"{NAMESPACE}/{name}" and key.is_leaving:
                self.outside(key, "CancelKeyDeletion", KeyId=key.arn)
                self.promises.taken_back.add(key.arn)

    @precondition(lambda self: self.live and WATCHED in self.cast)
    @rule(operation=st.sampled_from(["DisableKey", "EnableKey", "ScheduleKeyDeletion", "CancelKeyDeletion", "DeleteAlias"]))
    def change_what_is_watched(self, operation: str) -> None:
        """It is theirs, whatever becomes of the object."""
        for key in self.world.kms.keys:
            if key.arn in self.promises.watched:
                for parameters in _parameters(operation, key, 0):
                    self.outside(key, operation, **parameters)

    @precondition(lambda self: self._replicas_there())
    @rule(which=WHICH)
    def move_a_primary(self, which: int) -> None:
        """To where a replica is, or back."""
        replicas = self._replicas_there()
        for target in replicas[which % len(replicas) :][:1] if replicas else []:
            for primary in self._keys():
                if primary.key_id == target.key_id and not primary.is_replica:
                    self.outside(primary, "UpdatePrimaryRegion", KeyId=primary.arn, PrimaryRegion=target.region)

    @precondition(lambda self: self._replicas_there())
    @rule(which=WHICH)
    def move_it_once_more(self, which: int) -> None:
        self.move_a_primary(which)

    @rule(how=st.sampled_from(["work again", "refused", "expired"]), provider=st.sampled_from(sorted(CREDENTIALS)))
    def change_credentials(self, how: str, provider: str) -> None:
        self.did(f"credentials {how}")
        credentials, identities = CREDENTIALS[provider], self.world.aws.identities
        match how:
            case "work again":
                identities.add(credentials)
            case "expired":
                identities.expire(credentials.access_key_id)
            case _:
                identities.revoke(credentials.access_key_id)

    def outside(self, key: Key, operation: str, **parameters: Any) -> None:
        """What is refused is not done."""
        admin = Caller(key.account_id, f"arn:aws:iam::{key.account_id}:user/admin", key.region)
        with suppress(RefusedError):
            self.world.kms.handle("kms", operation, parameters, admin)
            self.did(f"outside {operation}")

    def _replicas_there(self) -> list[Key]:
        return [key for key in self._keys() if key.is_replica] if self.live else []

    def _keys(self) -> list[Key]:
        """Those of living objects, and their replicas."""
        objects = [self.world.find(name) for name in self.cast]
        ids = {obj.get("status", {}).get("keyId") for obj in objects if obj and "deletionTimestamp" not in obj["metadata"]}
        return [key for key in self.world.kms.keys if key.key_id in ids]


def _parameters(operation: str, key: Key, which: int) -> list[Json]:
    """Of the call; none where there is nothing to call for."""
    match operation:
        case "CreateKey":
            return [{"Description": "foreign"}]
        case "DeleteAlias":
            return [{"AliasName": sorted(key.aliases)[which % len(key.aliases)]}] if key.aliases else []
        case "RevokeGrant":
            return [{"KeyId": key.arn, "GrantId": key.grants[which % len(key.grants)]["GrantId"]}] if key.grants else []
        case "PutKeyPolicy":
            return [{"KeyId": key.arn, "Policy": OTHER_POLICY.replace("${AWS_ACCOUNT_ID}", key.account_id)}]
        case _:
            return [{"KeyId": key.arn, **CHANGES[operation]}]
