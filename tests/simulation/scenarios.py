"""What users do to an object, each with the state from which it begins and the one in which it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconcilers.names import RECREATE_ANNOTATION
from tests.simulation.etcd import Json
from tests.simulation.world import World

NAME = "orders"
PATIENCE_SECONDS = 1800.0  # a rotation whose answer is lost is looked for for five minutes, and so may be the next one
OLD_SECONDS = 400.0  # by then a key that is missing is not taken for a new one

POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::${AWS_ACCOUNT_ID}:root"},'
    ' "Action": "kms:*", "Resource": "*"}]}'
)
OTHER_POLICY = POLICY.replace('"Action"', '"Sid": "Administration", "Action"')
OTHERS_POLICY = POLICY.replace(":root", ":role/others")  # the operator may not change it again
FULL: Json = {
    "description": "Orders",
    "enableKeyRotation": True,
    "rotationPeriodInDays": 180,
    "keyPolicy": POLICY,
    "tags": {"team": "shop", "stage": "prod", "cost": "17"},
}

SIGNING: Json = {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}
CONFIG_MAP: Json = {"kind": "ConfigMap", "name": "key"}
READER: Json = {
    "name": "reader",
    "granteeRoleArn": "arn:aws:iam::123456789012:role/reader",
    "operations": ["Decrypt", "DescribeKey"],
    "constraints": {"encryptionContextSubset": {"app": "orders"}},
}
WRITER: Json = {"name": "writer", "granteePrincipal": "arn:aws:iam::123456789012:user/writer", "operations": ["Encrypt"]}
WIDER: Json = READER | {"operations": ["Decrypt", "Encrypt", "DescribeKey"]}

GIVEN: Json = {"Description": "theirs", "Tags": [{"TagKey": "team", "TagValue": "mail"}]}
REPLICATED: Json = FULL | {"multiRegion": True, "replicas": [{"region": "eu-west-1"}]}
EUROPE: Json = {
    "region": "eu-west-1",
    "description": "Europe",
    "keyPolicy": OTHER_POLICY,
    "tags": {"team": "europe", "law": "gdpr"},
    "enabled": False,
}
# What a key is not changed by.
ASIDE: Json = {
    "grantableFrom": {"names": ["mail"]},
    "driftPolicy": "Report",
    "ignoreDrift": ["description", "tags.team"],
    "deletionPolicy": "Retain",
    "resyncInterval": "45s",
}


@dataclass(frozen=True)
class Scenario:
    """`before` is the spec of a key that is ready when it begins (None: there is none), `after` the one that it gets (None: deleted).

    `given` is a key that somebody else has made: its CreateKey; alias/theirs leads to it. is_lost: the key is gone, and to be replaced.
    settings: what differs from the defaults, of all processes.
    """

    before: Json | None
    after: Json | None
    given: Json | None = None
    is_lost: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    async def prepare(self, world: World) -> None:
        if self.given is not None:
            made = world.outside("CreateKey", **self.given)
            world.outside("CreateAlias", AliasName="alias/theirs", TargetKeyId=made["KeyMetadata"]["KeyId"])
        if self.before is not None:
            world.apply(NAME, **self.before)
            await world.ready(NAME)
        if self.is_lost:
            await world.advance(OLD_SECONDS)

    def act(self, world: World) -> None:
        if self.after is None:
            world.delete(NAME)
        elif self.is_lost:
            lost = world.key(NAME)
            world.kms.destroy(lost.arn)
            world.patch(NAME, {"metadata": {"annotations": {RECREATE_ANNOTATION: lost.key_id}}})
        else:
            world.apply(NAME, **self.after)

    async def settle(self, world: World) -> None:
        if self.after is None:
            await world.gone(NAME)
        else:
            await world.until(lambda: not self.is_lost or world.status(NAME)["keyId"] != world.kms.made[0].key_id)
            await world.ready(NAME, within=PATIENCE_SECONDS)

    def find(self, world: World) -> Json | None:
        return world.find(NAME)


SCENARIOS: dict[str, Scenario] = {
    "create": Scenario(None, FULL),
    "create disabled": Scenario(None, FULL | {"enabled": False}),
    "create to sign": Scenario(None, {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}),
    "change the description": Scenario(FULL, FULL | {"description": "All orders"}),
    "clear the description": Scenario(FULL, FULL | {"description": ""}),
    "change the policy": Scenario(FULL, FULL | {"keyPolicy": OTHER_POLICY}),
    "change tags": Scenario(FULL, FULL | {"tags": {"team": "mail", "owner": "me"}}),
    "change the rotation": Scenario(FULL, FULL | {"rotationPeriodInDays": 90}),
    "begin the rotation": Scenario({"description": "Orders", "tags": FULL["tags"]}, FULL),
    "stop the rotation": Scenario(FULL, {"description": "Orders", "tags": FULL["tags"]}),
    "rotate on demand": Scenario(FULL | {"rotateOnDemand": "1"}, FULL | {"rotateOnDemand": "2"}),
    "rotate on demand and change": Scenario(FULL, {"description": "x", "rotateOnDemand": "now", "enableKeyRotation": True}),
    "create and export": Scenario(None, SIGNING | {"exportTo": CONFIG_MAP, "aliases": ["orders"]}),
    "export elsewhere": Scenario(SIGNING | {"exportTo": CONFIG_MAP}, SIGNING | {"exportTo": CONFIG_MAP | {"kind": "Secret"}}),
    "export no more": Scenario(FULL | {"exportTo": CONFIG_MAP}, FULL),
    "disable": Scenario(FULL, FULL | {"enabled": False}),
    "enable": Scenario(FULL | {"enabled": False}, FULL),
    "create with aliases": Scenario(None, FULL | {"aliases": ["orders", "alias/shop/orders", "sales"], "enabled": False}),
    "change aliases": Scenario(FULL | {"aliases": ["orders", "sales"]}, FULL | {"aliases": ["alias/sales", "shop/orders", "all"]}),
    "unset aliases": Scenario(FULL | {"aliases": ["orders", "sales"]}, FULL),
    **{
        f"delete with aliases and {policy}": Scenario(FULL | {"aliases": ["orders", "sales"], "deletionPolicy": policy}, None)
        for policy in ("ScheduleKeyDeletion", "Retain", "DisableKey", "ForceDelete")
    },
    "create with grants": Scenario(None, FULL | {"grants": [READER, WRITER], "enabled": False}),
    "change grants": Scenario(FULL | {"grants": [READER, WRITER]}, FULL | {"grants": [WIDER]}),
    "unset grants": Scenario(FULL | {"grants": [READER, WRITER]}, FULL),
    "enable with other grants": Scenario(FULL | {"grants": [READER], "enabled": False}, FULL | {"grants": [WIDER]}),
    **{
        f"delete with grants and {policy}": Scenario(FULL | {"grants": [READER, WRITER], "deletionPolicy": policy}, None)
        for policy in ("ScheduleKeyDeletion", "ForceDelete")
    },
    "adopt": Scenario(None, {"adopt": {"alias": "theirs"}}, GIVEN),
    "adopt and change all": Scenario(
        None, FULL | {"adopt": {"alias": "theirs", "policy": "AdoptOrCreate"}, "enabled": False, "aliases": ["theirs"]}, GIVEN
    ),
    "adopt or create": Scenario(None, FULL | {"adopt": {"alias": "orders", "policy": "AdoptOrCreate"}, "aliases": ["orders"]}),
    "observe": Scenario(None, {"adopt": {"alias": "theirs"}, "managementPolicy": "Observe"}, GIVEN),
    "manage what was observed": Scenario(
        {"adopt": {"alias": "theirs"}, "managementPolicy": "Observe"}, FULL | {"adopt": {"alias": "theirs"}}, GIVEN
    ),
    "observe what was managed": Scenario(
        FULL | {"adopt": {"alias": "theirs"}, "aliases": ["orders"]},
        {"adopt": {"alias": "theirs"}, "managementPolicy": "Observe", "description": "x"},
        GIVEN,
    ),
    "recreate": Scenario(FULL | {"aliases": ["orders"]}, FULL | {"aliases": ["orders"]}, is_lost=True),
    "create with replicas": Scenario(None, REPLICATED | {"enabled": False, "aliases": ["orders"]}),
    "change replicas": Scenario(REPLICATED, REPLICATED | {"replicas": [{"region": "ap-south-1", "aliases": ["asia"]}]}),
    "change a replica": Scenario(REPLICATED, REPLICATED | {"replicas": [EUROPE]}),
    "let a replica be as its key": Scenario(REPLICATED | {"replicas": [EUROPE]}, REPLICATED),
    "delete with replicas": Scenario(
        REPLICATED | {"aliases": ["orders"], "replicas": [{"region": "eu-west-1", "pendingWindowInDays": 7}]}, None
    ),
    "bypass the check of the policy, and change what no key shows": Scenario(
        FULL,
        FULL | ASIDE | {"keyPolicy": OTHERS_POLICY, "bypassPolicyLockoutSafetyCheck": True},
        settings={"allow_policy_lockout_bypass": True},
    ),
    "change all": Scenario(FULL, {"description": "x", "keyPolicy": OTHER_POLICY, "tags": {"a": "b"}, "enabled": False}),
    **{
        f"delete with {policy}": Scenario(FULL | {"deletionPolicy": policy}, None)
        for policy in ("ScheduleKeyDeletion", "Delete", "Retain", "DisableKey", "ForceDelete")
    },
}
