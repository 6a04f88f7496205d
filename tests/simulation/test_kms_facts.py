"""What KMS does beyond the states of keys (test_kms_states.py): a line for each rule, with the code of the refusal or what is seen then."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.simulation.identities import OTHER_ACCOUNT_ID
from tests.simulation.kms_model import Kms
from tests.simulation.kms_requests import EU, GRANT, RSA, TAGS, Clock, call, caller_in, make, outcome, refused
from tests.simulation.kms_stages import ALIAS_ARN, ANOTHER, AWSS, GRANT_ID, GRANT_TOKEN, KEY, REPLICA, WAIT, Stage, Step
from tests.simulation.kms_writes import Caller

HMAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
MULTI = {"MultiRegion": True}
NAMED: Step = ("CreateAlias", {"AliasName": "alias/a", "TargetKeyId": KEY})
GRANTED: Step = ("CreateGrant", GRANT)
SCHEDULED: Step = ("ScheduleKeyDeletion", {"PendingWindowInDays": 7})
ROTATING: Step = ("EnableKeyRotation", {"RotationPeriodInDays": 100})
REPLICATED: tuple[Step, Step] = (("ReplicateKey", {"ReplicaRegion": EU}), (WAIT, {"minutes": 1}))
NEW_TAG = {"Tags": TAGS[:1]}
UNKNOWN = "arn:aws:iam::123456789012:role/too-young"
POLICY = (
    f'{{"Statement": [{{"Effect": "Allow", "Principal": {{"AWS": ["{UNKNOWN}", "*"]}}, "Action": "kms:*", "Resource": "*"}}]}}'
)


@dataclass(frozen=True)
class Fact:
    """An operation after some others on the same key, and how it is answered."""

    operation: str
    answer: str
    more: dict[str, Any] = field(default_factory=dict)
    before: tuple[Step, ...] = ()
    key: dict[str, Any] = field(default_factory=dict)
    denied: str = ""


@dataclass(frozen=True)
class Effect:
    """What a read tells after some operations: a value, or None where there is none."""

    steps: tuple[Step, ...]
    read: str
    path: str
    value: object
    more: dict[str, Any] = field(default_factory=dict)
    key: dict[str, Any] = field(default_factory=dict)


ANSWERS = {
    "tags of a new key need a permission": Fact("CreateKey", "AccessDeniedException", NEW_TAG, denied="TagResource"),
    "a new key without tags does not": Fact("CreateKey", "OK", denied="TagResource"),
    "tags of a new replica need it": Fact(
        "ReplicateKey", "AccessDeniedException", {"ReplicaRegion": EU, **NEW_TAG}, key=MULTI, denied="TagResource"
    ),
    "a replica is a key that is created": Fact(
        "ReplicateKey", "AccessDeniedException", {"ReplicaRegion": EU}, key=MULTI, denied="CreateKey"
    ),
    "a role too young for a policy": Fact("CreateKey", "MalformedPolicyDocumentException", {"Policy": POLICY}),
    "a role too young for a new policy": Fact("PutKeyPolicy", "MalformedPolicyDocumentException", {"Policy": POLICY}),
    "no other policy is read": Fact("GetKeyPolicy", "NotFoundException", {"PolicyName": "other"}),
    "no other policy is put": Fact("PutKeyPolicy", "ValidationException", {"PolicyName": "other", "Policy": POLICY}),
    "a description has 8192 characters": Fact("UpdateKeyDescription", "ValidationException", {"Description": "x" * 8193}),
    "an RSA key does not rotate": Fact("EnableKeyRotation", "UnsupportedOperationException", key=RSA),
    "an RSA key is not rotated on demand": Fact("RotateKeyOnDemand", "UnsupportedOperationException", key=RSA),
    "an HMAC key does not rotate": Fact("EnableKeyRotation", "UnsupportedOperationException", key=HMAC),
    "imported material does not rotate": Fact("EnableKeyRotation", "UnsupportedOperationException", key={"Origin": "EXTERNAL"}),
    "nor when it is to be deleted": Fact(
        "EnableKeyRotation", "UnsupportedOperationException", before=(SCHEDULED,), key={"Origin": "EXTERNAL"}
    ),
    "rotation is set on the primary": Fact(
        "EnableKeyRotation", "UnsupportedOperationException", {"KeyId": REPLICA}, REPLICATED, MULTI
    ),
    "a deletion is scheduled once": Fact("ScheduleKeyDeletion", "KMSInvalidStateException", before=(SCHEDULED,)),
    "a window has at most 30 days": Fact("ScheduleKeyDeletion", "ValidationException", {"PendingWindowInDays": 31}),
    "a window has at least 7 days": Fact("ScheduleKeyDeletion", "ValidationException", {"PendingWindowInDays": 5}),
    "a deletion that is cancelled is cancelled": Fact(
        "CancelKeyDeletion", "KMSInvalidStateException", before=(SCHEDULED, ("CancelKeyDeletion", {}))
    ),
    "a missing tag can be removed": Fact("UntagResource", "OK", {"TagKeys": ["missing"]}),
    "a key has 50 tags": Fact(
        "TagResource", "LimitExceededException", {"Tags": TAGS[50:]}, (("TagResource", {"Tags": TAGS[:50]}),)
    ),
    "aws: is AWS's": Fact("TagResource", "TagException", {"Tags": [{"TagKey": "aws:x", "TagValue": ""}]}),
    "a tag's value has 256 characters": Fact(
        "TagResource", "ValidationException", {"Tags": [{"TagKey": "x", "TagValue": "x" * 257}]}
    ),
    "an alias exists to its own repetition": Fact("CreateAlias", "AlreadyExistsException", NAMED[1], (NAMED,)),
    "an alias keeps to its kind of key": Fact(
        "UpdateAlias", "KMSInvalidStateException", {"AliasName": "alias/a", "TargetKeyId": ANOTHER}, (NAMED,), RSA
    ),
    "an alias/aws/ cannot be made": Fact(
        "CreateAlias", "InvalidAliasNameException", {"AliasName": "alias/aws/s3", "TargetKeyId": KEY}
    ),
    "an alias begins with alias/": Fact("CreateAlias", "ValidationException", {"AliasName": "a", "TargetKeyId": KEY}),
    "an alias has letters of some kinds": Fact(
        "CreateAlias", "InvalidAliasNameException", {"AliasName": "alias/a:b", "TargetKeyId": KEY}
    ),
    "an alias that is gone is not deleted": Fact("DeleteAlias", "NotFoundException", {"AliasName": "alias/a"}),
    "an alias that is free leads nowhere": Fact("DescribeKey", "NotFoundException", {"KeyId": "alias/a"}),
    "AWS has no key for any alias": Fact("DescribeKey", "NotFoundException", {"KeyId": "alias/aws/nonsense"}),
    "a key of AWS's own is AWS's": Fact("CreateAlias", "AccessDeniedException", {"AliasName": "alias/x", "TargetKeyId": AWSS}),
    "a grant names no alias": Fact("CreateGrant", "InvalidArnException", {"KeyId": "alias/a", **GRANT}, (NAMED,)),
    "nor an alias's ARN": Fact("CreateGrant", "InvalidArnException", {"KeyId": ALIAS_ARN, **GRANT}, (NAMED,)),
    "a dry run makes no grant": Fact("CreateGrant", "DryRunOperationException", {**GRANT, "DryRun": True}),
    "a dry run is checked": Fact("CreateGrant", "DisabledException", {**GRANT, "DryRun": True}, (("DisableKey", {}),)),
    "a dry run revokes nothing": Fact(
        "RevokeGrant", "DryRunOperationException", {"GrantId": GRANT_ID, "DryRun": True}, (GRANTED,)
    ),
    "a dry run retires nothing": Fact(
        "RetireGrant", "DryRunOperationException", {"GrantId": GRANT_ID, "DryRun": True}, (GRANTED,)
    ),
    "a call has 10 grant tokens": Fact("CreateGrant", "ValidationException", {**GRANT, "GrantTokens": ["t"] * 11}),
    "a grant that is gone is not revoked": Fact("RevokeGrant", "NotFoundException", {"GrantId": "1"}),
    "nor retired": Fact("RetireGrant", "NotFoundException", {"GrantId": "1"}),
    "a grant is not retired by a key's id": Fact("RetireGrant", "InvalidArnException", {"KeyId": "1", "GrantId": "1"}),
    "a replica is made once": Fact("ReplicateKey", "AlreadyExistsException", {"ReplicaRegion": EU}, REPLICATED, MULTI),
    "and not while it is to be deleted": Fact(
        "ReplicateKey",
        "AlreadyExistsException",
        {"ReplicaRegion": EU},
        (*REPLICATED, ("ScheduleKeyDeletion", {"KeyId": REPLICA})),
        MULTI,
    ),
    "only a multi-Region key is replicated": Fact("ReplicateKey", "UnsupportedOperationException", {"ReplicaRegion": EU}),
    "a symmetric key has no public half": Fact("GetPublicKey", "UnsupportedOperationException"),
    "a marker is KMS's": Fact("ListGrants", "InvalidMarkerException", {"Marker": "mine"}),
    "on-demand rotation is for KMS's material": Fact(
        "RotateKeyOnDemand", "UnsupportedOperationException", key={"Origin": "EXTERNAL"}
    ),
    "its history too": Fact("ListKeyRotations", "UnsupportedOperationException", key={"Origin": "EXTERNAL"}),
    "and its status": Fact("GetKeyRotationStatus", "UnsupportedOperationException", key={"Origin": "EXTERNAL"}),
    "only imported material is deleted": Fact("DeleteImportedKeyMaterial", "UnsupportedOperationException"),
}

STATUS, STATE, ENABLED = "GetKeyRotationStatus", "KeyMetadata.KeyState", "KeyRotationEnabled"
EFFECTS = {
    "an empty description clears it": Effect(
        (("UpdateKeyDescription", {"Description": ""}),), "DescribeKey", "KeyMetadata.Description", "", key={"Description": "x"}
    ),
    "rotation is enabled with another period": Effect(
        (ROTATING, ("EnableKeyRotation", {"RotationPeriodInDays": 200})), STATUS, "RotationPeriodInDays", 200
    ),
    "rotation has a period of a year": Effect((("EnableKeyRotation", {}),), STATUS, "RotationPeriodInDays", 365),
    "an RSA key has no rotation": Effect((), STATUS, ENABLED, False, key=RSA),
    "an HMAC key has no rotation": Effect((), STATUS, ENABLED, False, key=HMAC),
    "rotation is off while a deletion is pending": Effect((ROTATING, SCHEDULED), STATUS, ENABLED, False),
    "and while replicas are waited for": Effect((ROTATING, *REPLICATED, SCHEDULED), STATUS, ENABLED, False, key=MULTI),
    "rotation comes back with the key": Effect(
        (ROTATING, SCHEDULED, ("CancelKeyDeletion", {})), STATUS, "RotationPeriodInDays", 100
    ),
    "replicas share the rotation": Effect(
        (ROTATING, *REPLICATED), STATUS, "RotationPeriodInDays", 100, {"KeyId": REPLICA}, MULTI
    ),
    "and lose it with the primary's": Effect(
        (ROTATING, *REPLICATED, ("DisableKeyRotation", {})), STATUS, ENABLED, False, {"KeyId": REPLICA}, MULTI
    ),
    "a new replica is not settled": Effect((REPLICATED[0],), "DescribeKey", STATE, "Creating", {"KeyId": REPLICA}, MULTI),
    "a replica is enabled soon": Effect(REPLICATED, "DescribeKey", STATE, "Enabled", {"KeyId": REPLICA}, MULTI),
    "a replica stays enabled by itself": Effect(
        (*REPLICATED, ("DisableKey", {})), "DescribeKey", STATE, "Enabled", {"KeyId": REPLICA}, MULTI
    ),
    "a replica has a description of its own": Effect(
        REPLICATED, "DescribeKey", "KeyMetadata.Description", "", {"KeyId": REPLICA}, MULTI | {"Description": "x"}
    ),
    "a replica has tags of its own": Effect(REPLICATED, "ListResourceTags", "Tags", [], {"KeyId": REPLICA}, MULTI | NEW_TAG),
    "a replica has aliases of its own": Effect((NAMED, *REPLICATED), "ListAliases", "Aliases", [], {"KeyId": REPLICA}, MULTI),
    "a replica has grants of its own": Effect((GRANTED, *REPLICATED), "ListGrants", "Grants", [], {"KeyId": REPLICA}, MULTI),
    "a primary waits for its replicas": Effect(
        (*REPLICATED, SCHEDULED), "DescribeKey", STATE, "PendingReplicaDeletion", key=MULTI
    ),
    "for ever": Effect(
        (*REPLICATED, SCHEDULED, (WAIT, {"days": 400})), "DescribeKey", STATE, "PendingReplicaDeletion", key=MULTI
    ),
    "without a date": Effect((*REPLICATED, SCHEDULED), "DescribeKey", "KeyMetadata.DeletionDate", None, key=MULTI),
    "a cancelled deletion leaves the key disabled": Effect(
        (SCHEDULED, ("CancelKeyDeletion", {})), "DescribeKey", STATE, "Disabled"
    ),
    "an alias stays on a key that is to be deleted": Effect(
        (NAMED, SCHEDULED, (WAIT, {"days": 6})), "ListAliases", "Aliases.0.AliasName", "alias/a"
    ),
    "an alias leads to its key": Effect((NAMED,), "DescribeKey", "KeyMetadata.Arn", KEY, {"KeyId": "alias/a"}),
    "and so does its ARN": Effect((NAMED,), "DescribeKey", "KeyMetadata.Arn", KEY, {"KeyId": ALIAS_ARN}),
    "an alias leads to the public half": Effect((NAMED,), "GetPublicKey", "KeyId", KEY, {"KeyId": "alias/a"}, RSA),
    "an alias of AWS's makes AWS's key": Effect((), "DescribeKey", "KeyMetadata.KeyManager", "AWS", {"KeyId": "alias/aws/s3"}),
    "a dry run leaves no grant": Effect((("CreateGrant", {**GRANT, "DryRun": True}),), "ListGrants", "Grants", []),
    "a dry run leaves the grant": Effect(
        (GRANTED, ("RevokeGrant", {"GrantId": GRANT_ID, "DryRun": True})), "ListGrants", "Grants.0.Name", "g"
    ),
    "grant tokens are for the call": Effect(
        (("CreateGrant", {**GRANT, "GrantTokens": ["t"]}),), "ListGrants", "Grants.0.Name", "g"
    ),
    "a grant is retired by its ARN and id": Effect((GRANTED, ("RetireGrant", {"GrantId": GRANT_ID})), "ListGrants", "Grants", []),
    "a grant is retired by its token": Effect(
        (GRANTED, ("RetireGrant", {"KeyId": None, "GrantToken": GRANT_TOKEN})), "ListGrants", "Grants", []
    ),
    "grants are found by who has them": Effect((GRANTED,), "ListGrants", "Grants", [], {"GranteePrincipal": UNKNOWN}),
    "grants are found by their ids": Effect((GRANTED,), "ListGrants", "Grants", [], {"GrantId": "1"}),
    "a policy is called default": Effect((), "ListKeyPolicies", "PolicyNames", ["default"]),
    "a key that was never used says so": Effect((), "GetKeyLastUsage", "KeyLastUsage", None),
}


@pytest.mark.parametrize("says", ANSWERS)
def test_kms_answers(kms: Kms, clock: Clock, says: str) -> None:
    fact = ANSWERS[says]
    kms.unknown_principals = frozenset({UNKNOWN})
    stage = Stage(kms, clock, fact.key)
    stage.play(fact.before)
    kms.denied = {fact.denied}
    asked = stage.parameters(fact.operation, fact.more)
    if fact.answer == "OK":
        call(kms, fact.operation, **asked)
        return
    error = refused(kms, fact.operation, **asked)
    assert error.code == fact.answer
    assert f"kms:{fact.denied}" in error.message or not fact.denied


@pytest.mark.parametrize("says", EFFECTS)
def test_kms_shows(kms: Kms, clock: Clock, says: str) -> None:
    effect = EFFECTS[says]
    stage = Stage(kms, clock, effect.key)
    stage.play(effect.steps)
    found: Any = call(kms, effect.read, **stage.parameters(effect.read, effect.more))
    for step in effect.path.split("."):
        found = found[int(step)] if step.isdecimal() else found.get(step)
    assert found == stage.names.get(str(effect.value), effect.value)


def test_the_use_of_a_key_is_told_to_its_account_and_of_each_region_by_itself(kms: Kms, clock: Clock) -> None:
    stage = Stage(kms, clock, MULTI)
    arn = stage.names[KEY]
    kms.edit(arn, used={"Operation": "Decrypt", "Timestamp": clock.now})
    stage.play(REPLICATED)
    assert call(kms, "GetKeyLastUsage", KeyId=arn)["KeyLastUsage"]["Operation"] == "Decrypt"
    assert "KeyLastUsage" not in call(kms, "GetKeyLastUsage", KeyId=stage.names[REPLICA])
    stranger = Caller(OTHER_ACCOUNT_ID, f"arn:aws:iam::{OTHER_ACCOUNT_ID}:user/eve", "us-east-1")
    assert outcome(kms, "GetKeyLastUsage", stranger, KeyId=arn) == "AccessDeniedException"


def test_an_account_has_so_many_keys_in_a_region(kms: Kms) -> None:
    assert kms.most_keys == 100_000
    kms.most_keys = 2
    arn = make(kms, MultiRegion=True)
    call(kms, "DescribeKey", KeyId="alias/aws/s3")  # AWS's own do not count
    make(kms)
    assert outcome(kms, "CreateKey") == "LimitExceededException"
    call(kms, "ReplicateKey", KeyId=arn, ReplicaRegion=EU)
    call(kms, "CreateKey", caller_in(EU))
    other = call(kms, "CreateKey", caller_in("ap-south-1"), MultiRegion=True)["KeyMetadata"]["Arn"]
    assert outcome(kms, "ReplicateKey", KeyId=other, ReplicaRegion=EU) == "LimitExceededException"


def test_a_key_has_so_many_grants_and_aliases_and_no_other_key_can_give_it_more(kms: Kms) -> None:
    arn, other = make(kms), make(kms)
    kms.edit(
        arn,
        grants=({**GRANT, "GrantId": "1", "KeyId": arn, "Name": "x"},) * 50_000,
        aliases=frozenset(f"alias/{n}" for n in range(50)),
    )
    call(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=other)
    nameless = {name: value for name, value in GRANT.items() if name != "Name"}
    assert outcome(kms, "CreateGrant", KeyId=arn, **nameless) == "LimitExceededException"
    for operation, alias in (("CreateAlias", "alias/50"), ("UpdateAlias", "alias/a")):
        assert outcome(kms, operation, AliasName=alias, TargetKeyId=arn) == "LimitExceededException"
    call(kms, "UpdateAlias", AliasName="alias/0", TargetKeyId=arn)
