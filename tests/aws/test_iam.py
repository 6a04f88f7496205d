"""What each feature of the IAM policy really sends, seen at the wire: exactly the operations that the policy allows for it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from aws.adoption import named_key
from aws.clients import Clients, Connection
from aws.cluster_keys import cluster_keys
from aws.credentials import AccessRequest
from aws.event_queue import delete, receive
from aws.kms import apply, create_key, observe_key
from aws.public_keys import read_public_key
from aws.replicas import replicate_key
from aws.search import Search
from reconcilers.actions import (
    CancelKeyDeletion,
    CreateAlias,
    CreateGrant,
    DeleteAlias,
    DeleteImportedKeyMaterial,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    KeyAction,
    PutKeyPolicy,
    ReplicateKey,
    RevokeGrant,
    RotateKeyOnDemand,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateAlias,
    UpdateKeyDescription,
)
from reconcilers.adoption_fields import Adoption
from reconcilers.failures import iam_action
from reconcilers.iam import COMPANIONS, FREE, Feature, Where, policy
from reconcilers.key_status import RotationAttempt
from reconcilers.states import Asked, Grant
from tests.aws.test_kms import CREATE
from tests.aws.worlds import Answer, FakeAws, terms

ACCOUNT, REGION = "111122223333", "eu-central-1"
ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
METADATA = {"AWSAccountId": ACCOUNT, "KeyId": "k", "Arn": ARN, "CreationDate": datetime(2026, 1, 1, tzinfo=UTC), "KeyState": "Enabled"}
ROLE = {"AccessKeyId": "r", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": datetime(2100, 1, 1, tzinfo=UTC)}
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "GetCallerIdentity": {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/u"},
    "AssumeRole": {"Credentials": ROLE},
    "CreateKey": {"KeyMetadata": METADATA},
    "ReplicateKey": {"ReplicaKeyMetadata": METADATA},
    "DescribeKey": {"KeyMetadata": METADATA},
    "ListResourceTags": {"Tags": []},
    "ListAliases": {"Aliases": []},
    "ListGrants": {"Grants": []},
    "ListKeyRotations": {"Rotations": []},
    "GetPublicKey": {"PublicKey": b"x"},
    "CreateGrant": {"GrantId": "1"},
    "ListKeys": {"Keys": [{"KeyArn": ARN}]},
    "GetResources": {"ResourceTagMappingList": [{"ResourceARN": ARN, "Tags": []}]},
    "GetKeyPolicy": {"Policy": "{}"},
    "GetKeyRotationStatus": {"KeyRotationEnabled": False},
    "ReceiveMessage": {"Messages": [{"Body": "", "ReceiptHandle": "r"}]},
}
# With the creation, KMS asks for the permission to tag.
BESIDE: Mapping[Feature, frozenset[str]] = {
    Feature.CREATE: frozenset({"kms:TagResource"}),
    Feature.MULTI_REGION: frozenset({"kms:CreateKey", "kms:TagResource"}),
}
REPLICATE = ReplicateKey(ARN, "eu-west-1", CREATE.attempt, "", None, False, {})

Act = Callable[[Connection], Awaitable[object]]


class Answers(dict[str, Answer]):
    """An answer to every operation, the shortest that is understood."""

    def __missing__(self, operation: str) -> Answer:
        return lambda *_: dict(ANSWERS.get(operation, {}))


def writes(*actions: KeyAction) -> Act:
    async def act(connection: Connection) -> None:
        for action in actions:
            await apply(connection, action)

    return act


async def observe(connection: Connection) -> None:
    await observe_key(connection, ARN, Asked())


async def keep_the_policy(connection: Connection) -> None:
    await observe_key(connection, ARN, Asked(policy=True))
    await apply(connection, PutKeyPolicy(ARN, "{}", False))


async def keep_the_aliases(connection: Connection) -> None:
    await observe_key(connection, ARN, Asked(aliases=frozenset({"alias/a"})))
    await apply(connection, CreateAlias(ARN, "alias/a"))
    await apply(connection, UpdateAlias(ARN, "alias/a", before=ARN))
    await apply(connection, DeleteAlias(ARN, "alias/a"))


async def keep_the_grants(connection: Connection) -> None:
    await observe_key(connection, ARN, Asked(grants=True))
    await apply(connection, CreateGrant(ARN, Grant("g", "arn:aws:iam::111122223333:role/app", frozenset({"Decrypt"}))))
    await apply(connection, RevokeGrant(ARN, "1", "g"))


async def adopt(connection: Connection) -> None:
    await named_key(connection, Adoption(alias="a"), Asked())
    await apply(connection, TagResource(ARN, {"a": "b"}))


async def keep_the_rotation(connection: Connection) -> None:
    await observe_key(connection, ARN, Asked(rotations=True))
    attempt = RotationAttempt(token="1", time=datetime(2026, 1, 1, tzinfo=UTC))
    for action in (EnableKeyRotation(ARN, 90), RotateKeyOnDemand(ARN, attempt), DisableKeyRotation(ARN)):
        await apply(connection, action)


async def search(connection: Connection) -> None:
    await Search().find_owned(connection, "cluster", "uid", thorough=True, asked=Asked())
    await cluster_keys(connection, "cluster")


async def take_events(connection: Connection) -> None:
    queue = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/kms-events"
    await delete(connection, queue, await receive(connection, queue))


async def nothing(_: Connection) -> None:
    """To connect is enough."""


FEATURES: Mapping[Feature, Act] = {
    Feature.CORE: observe,
    Feature.CREATE: lambda connection: create_key(connection, CREATE),
    Feature.MULTI_REGION: lambda connection: replicate_key(connection, REPLICATE),
    Feature.STATE: writes(EnableKey(ARN), DisableKey(ARN)),
    Feature.RESTORE: writes(CancelKeyDeletion(ARN), EnableKey(ARN), TagResource(ARN, {"a": "b"})),
    Feature.DESCRIPTION: writes(UpdateKeyDescription(ARN, "x")),
    Feature.POLICY: keep_the_policy,
    Feature.TAGS: writes(TagResource(ARN, {"a": "b"}), UntagResource(ARN, ("a",))),
    Feature.ALIASES: keep_the_aliases,
    Feature.GRANTS: keep_the_grants,
    Feature.ADOPT: adopt,
    Feature.ROTATION: keep_the_rotation,
    Feature.EXPORT: lambda connection: read_public_key(connection, ARN),
    Feature.IMPORTED_MATERIAL: writes(DeleteImportedKeyMaterial(ARN)),
    Feature.DELETE: writes(ScheduleKeyDeletion(ARN, 7)),
    Feature.SEARCH: search,
    Feature.EVENTS: take_events,
    Feature.ROLES: nothing,
}


def allowed(feature: Feature) -> set[str]:
    return {action for statement in policy([feature], Where())["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize("feature", Feature)
async def test_a_feature_sends_exactly_what_the_policy_allows_for_it(feature: Feature) -> None:
    aws = FakeAws(Answers())
    role = f"arn:aws:iam::{ACCOUNT}:role/keys" if feature is Feature.ROLES else None
    clients = Clients(terms(aws.open), quota_fraction=1.0)
    connection = await clients.connect(AccessRequest("ns/p", REGION, assume_role_arn=role))
    await FEATURES[feature](connection)
    await clients.close()
    sent = {iam_action(operation) for operation in aws.operations()} - FREE
    core = set() if feature is Feature.CORE else allowed(Feature.CORE)
    assert sent - core == allowed(feature) - COMPANIONS - BESIDE.get(feature, frozenset())
