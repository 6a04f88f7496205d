"""The IAM policy that `infra-operator iam-policy` prints is enough and least, at an AWS that asks IAM about every call.

Each action is tried by the call that the operator makes with it: with the whole policy it is allowed, with that action taken out it is denied.
That the operator's whole work is done with this policy is seen in test_each_field.py.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reconcilers.iam import Feature, needed
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from tests.cluster.emulator import ACCOUNT_ID, Backend, boto, emulator
from tests.cluster.least import ALIAS_ACTIONS, allow, as_ministack_asks, least_user, printed_policy, without

CLUSTER = "0b6c7ad2-52a5-4d9e-9a52-0d6f6c1f4f01"
TAGS = [
    {"TagKey": CLUSTER_TAG, "TagValue": CLUSTER},
    {"TagKey": OWNER_TAG, "TagValue": "shop/orders"},
    {"TagKey": UID_TAG, "TagValue": "uid"},
]
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/app"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}, "Action": "kms:*", "Resource": "*"}
        ],
    }
)
# ministack does not know these operations; they are asked about like the others of their statements. The role is made by KMS, if it is.
NOT_THERE = {"kms:RotateKeyOnDemand", "kms:ListKeyRotations", "iam:CreateServiceLinkedRole"}
NOT_ASKED = "sts:TagSession"  # AWS asks the caller's policy and the role's; ministack the role's alone
DENIED = ("AccessDenied", "AccessDeniedException")
_names = itertools.count()


class World:
    """The account's administrator, and the operator with the policy of the moment."""

    def __init__(self, endpoint: str, stack: contextlib.ExitStack) -> None:
        def client(service: str, **who: Any) -> Any:
            return stack.enter_context(contextlib.closing(boto(endpoint, service, "us-east-1", **who)))

        self.printed = printed_policy(CLUSTER)
        self.policy = as_ministack_asks(self.printed)
        self.root, self.iam = client("kms"), client("iam")
        credentials = least_user(self.iam, self.policy)
        self.kms = client("kms", credentials=credentials)
        self.tagging = client("resourcegroupstaggingapi", credentials=credentials)
        self.sts = client("sts", credentials=credentials)
        self.sqs, self.queues = client("sqs", credentials=credentials), client("sqs")

    def key(self, tags: list[dict[str, str]] = TAGS, **more: Any) -> str:
        """A key that the administrator made."""
        return str(self.root.create_key(Tags=tags, **more)["KeyMetadata"]["KeyId"])

    def pending(self) -> str:
        """One whose deletion is scheduled."""
        key_id = self.key()
        self.root.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        return key_id

    def alias(self) -> str:
        """An alias that leads to a key."""
        name = f"alias/least-{next(_names)}"
        self.root.create_alias(AliasName=name, TargetKeyId=self.key())
        return name

    def queue(self) -> str:
        """The URL of a queue with one message."""
        url = str(self.queues.create_queue(QueueName="infra-operator")["QueueUrl"])
        self.queues.send_message(QueueUrl=url, MessageBody="{}")
        return url

    def received(self) -> dict[str, str]:
        """A message that is being read."""
        url = self.queue()
        (message, *_) = self.queues.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
        return {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}

    def granted(self) -> dict[str, str]:
        """A key with a grant."""
        key_id = self.key()
        return {
            "KeyId": key_id,
            "GrantId": self.root.create_grant(KeyId=key_id, GranteePrincipal=ROLE, Operations=["Decrypt"])["GrantId"],
        }

    def role(self) -> str:
        """A role that the account may assume."""
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        made = self.iam.create_role(RoleName=f"role-{next(_names)}", AssumeRolePolicyDocument=document)
        return str(made["Role"]["Arn"])


# What the operator does with each action. What comes first is made by the administrator.
CALLS: dict[str, Callable[[World], object]] = {
    "kms:DescribeKey": lambda w: w.kms.describe_key(KeyId=w.key()),
    "kms:ListResourceTags": lambda w: w.kms.list_resource_tags(KeyId=w.key()),
    "kms:GetKeyRotationStatus": lambda w: w.kms.get_key_rotation_status(KeyId=w.key()),
    "kms:CreateKey": lambda w: w.kms.create_key(Tags=TAGS),
    "kms:TagResource": lambda w: w.kms.tag_resource(KeyId=w.key(), Tags=[{"TagKey": "a", "TagValue": "b"}]),
    "kms:EnableKey": lambda w: w.kms.enable_key(KeyId=w.key()),
    "kms:DisableKey": lambda w: w.kms.disable_key(KeyId=w.key()),
    "kms:CancelKeyDeletion": lambda w: w.kms.cancel_key_deletion(KeyId=w.pending()),
    "kms:UpdateKeyDescription": lambda w: w.kms.update_key_description(KeyId=w.key(), Description="x"),
    "kms:GetKeyPolicy": lambda w: w.kms.get_key_policy(KeyId=w.key(), PolicyName="default"),
    "kms:PutKeyPolicy": lambda w: w.kms.put_key_policy(KeyId=w.key(), PolicyName="default", Policy=POLICY),
    "kms:UntagResource": lambda w: w.kms.untag_resource(KeyId=w.key([*TAGS, {"TagKey": "a", "TagValue": "b"}]), TagKeys=["a"]),
    "kms:ListAliases": lambda w: w.kms.list_aliases(KeyId=w.key()),
    "kms:CreateAlias": lambda w: w.kms.create_alias(AliasName=f"alias/least-{next(_names)}", TargetKeyId=w.key()),
    "kms:UpdateAlias": lambda w: w.kms.update_alias(AliasName=w.alias(), TargetKeyId=w.key()),
    "kms:DeleteAlias": lambda w: w.kms.delete_alias(AliasName=w.alias()),
    "kms:ListGrants": lambda w: w.kms.list_grants(KeyId=w.key()),
    "kms:CreateGrant": lambda w: w.kms.create_grant(KeyId=w.key(), GranteePrincipal=ROLE, Operations=["Decrypt"]),
    "kms:RevokeGrant": lambda w: w.kms.revoke_grant(**w.granted()),
    "kms:EnableKeyRotation": lambda w: w.kms.enable_key_rotation(KeyId=w.key()),
    "kms:DisableKeyRotation": lambda w: w.kms.disable_key_rotation(KeyId=w.key()),
    "kms:ScheduleKeyDeletion": lambda w: w.kms.schedule_key_deletion(KeyId=w.key(), PendingWindowInDays=7),
    "kms:DeleteImportedKeyMaterial": lambda w: w.kms.delete_imported_key_material(KeyId=w.key(Origin="EXTERNAL")),
    "kms:GetPublicKey": lambda w: w.kms.get_public_key(KeyId=w.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")),
    "kms:ReplicateKey": lambda w: w.kms.replicate_key(KeyId=w.key(MultiRegion=True), ReplicaRegion="eu-west-1", Tags=TAGS),
    "kms:ListKeys": lambda w: w.kms.list_keys(),
    "tag:GetResources": lambda w: w.tagging.get_resources(ResourceTypeFilters=["kms"]),
    "sqs:ReceiveMessage": lambda w: w.sqs.receive_message(QueueUrl=w.queue()),
    "sqs:DeleteMessage": lambda w: w.sqs.delete_message(**w.received()),
    "sts:AssumeRole": lambda w: w.sts.assume_role(RoleArn=w.role(), RoleSessionName="infra-operator"),
    "sts:TagSession": lambda w: w.sts.assume_role(
        RoleArn=w.role(), RoleSessionName="infra-operator", Tags=[{"Key": "a", "Value": "b"}]
    ),
}
# What the policy must not let anybody do.
FORBIDDEN: dict[str, Callable[[World], object]] = {
    "encrypt": lambda w: w.kms.encrypt(KeyId=w.key(), Plaintext=b"x"),
    "make a key without the cluster's tag": lambda w: w.kms.create_key(),
    "make a key for another cluster": lambda w: w.kms.create_key(Tags=[{"TagKey": CLUSTER_TAG, "TagValue": "other"}, *TAGS[1:]]),
    "change a key of nobody": lambda w: w.kms.disable_key(KeyId=w.key([])),
    "delete a key of another cluster": lambda w: w.kms.schedule_key_deletion(
        KeyId=w.key([{"TagKey": CLUSTER_TAG, "TagValue": "other"}])
    ),
    "take the owner tags away": lambda w: w.kms.untag_resource(KeyId=w.key(), TagKeys=[CLUSTER_TAG]),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(emulator(tmp_path_factory.mktemp("auth"), Backend.MINISTACK, AUTH="true"))
        yield World(endpoint, stack)


def outcome(call: Callable[[World], object], world: World) -> str:
    """The code of AWS's refusal; nothing when it agreed."""
    try:
        call(world)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_each_action_of_the_policy_has_its_call() -> None:
    assert {permission.action for permission in needed(Feature)} == set(CALLS) | NOT_THERE


def test_the_policy_is_enough(world: World) -> None:
    allow(world.iam, world.policy)
    assert {action: outcome(call, world) for action, call in CALLS.items()} == dict.fromkeys(CALLS, "")


def test_ministack_asks_about_aliases_in_its_own_way(world: World) -> None:
    """When this fails, what as_ministack_asks() adds can go."""
    allow(world.iam, world.printed)
    assert {action for action in CALLS if outcome(CALLS[action], world) in DENIED} == set(ALIAS_ACTIONS)


def test_the_policy_is_least(world: World) -> None:
    """Without one of its actions, that action's call is denied."""
    allowed = []
    for action, call in CALLS.items():
        allow(world.iam, without(world.policy, action))
        if outcome(call, world) not in DENIED:
            allowed.append(action)
    assert allowed == [NOT_ASKED]


def test_what_the_operator_never_does_is_denied(world: World) -> None:
    allow(world.iam, world.policy)
    assert {what: outcome(call, world) for what, call in FORBIDDEN.items() if outcome(call, world) not in DENIED} == {}
