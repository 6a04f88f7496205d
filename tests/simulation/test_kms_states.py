"""What each state of a key allows, and with which code it refuses the rest: the key-state table of the KMS developer guide.

Each state is reached as in KMS, by calls and by time. A state that a kind of key cannot be in has no word in the table.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.simulation.kms_keys import STATES
from tests.simulation.kms_model import Kms
from tests.simulation.kms_policies import default_policy
from tests.simulation.kms_requests import CALLER, EU, GRANT, RSA, TAGS, Clock, call, caller_in, make, outcome

WORDS = {
    "ok": "OK",
    "disabled": "DisabledException",
    "state": "KMSInvalidStateException",
    "never": "UnsupportedOperationException",
}
COLUMNS = (
    "Enabled",
    "Disabled",
    "PendingImport",
    "PendingDeletion",
    "Unavailable",
    "PendingReplicaDeletion",
    "Creating",
    "Updating",
)
OPEN = "ok ok ok ok ok ok ok ok"
KEPT = "ok ok ok state ok state state state"
SWITCH = "ok ok state state ok state state state"
ROTATING = "ok disabled never state never state state state"
ROTATION = "ok ok never ok never ok ok ok"
POLICY = {"Policy": default_policy(CALLER.account_id)}
OWN, OTHERS = "alias/own", "alias/of-another-key"
KEY, ANOTHER = "the key", "another key of its region"
IMPORTED = {"Origin": "EXTERNAL"}


@dataclass(frozen=True)
class Row:
    """more: the parameters beside the key; kind: of key; told: one word for each column."""

    operation: str
    more: dict[str, Any]
    kind: dict[str, Any]
    told: str

    @property
    def words(self) -> dict[str, str]:
        return dict(zip(COLUMNS, self.told.split(), strict=True))


TABLE = [
    Row("DescribeKey", {}, {}, OPEN),
    Row("GetKeyPolicy", {}, {}, OPEN),
    Row("GetKeyLastUsage", {}, {}, OPEN),
    Row("ListKeyPolicies", {}, {}, OPEN),
    Row("ListResourceTags", {}, {}, OPEN),
    Row("ListGrants", {}, {}, OPEN),
    Row("ListAliases", {}, {}, OPEN),
    Row("GetKeyRotationStatus", {}, {}, ROTATION),
    Row("ListKeyRotations", {}, {}, ROTATION),
    Row("GetPublicKey", {}, RSA, "ok disabled - state - state state state"),
    Row(
        "GetParametersForImport",
        {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        IMPORTED,
        "ok ok ok state - state state state",
    ),
    Row("PutKeyPolicy", POLICY, {}, "ok ok ok ok ok ok state state"),
    Row("UpdateKeyDescription", {"Description": ""}, {}, KEPT),
    Row("TagResource", {"Tags": TAGS[:1]}, {}, KEPT),
    Row("UntagResource", {"TagKeys": ["x"]}, {}, KEPT),
    Row("ScheduleKeyDeletion", {}, {}, KEPT),
    Row("CancelKeyDeletion", {}, {}, "state state state ok state ok state state"),
    Row("EnableKey", {}, {}, SWITCH),
    Row("DisableKey", {}, {}, SWITCH),
    Row("EnableKeyRotation", {}, {}, ROTATING),
    Row("DisableKeyRotation", {}, {}, ROTATING),
    Row("RotateKeyOnDemand", {}, {}, ROTATING),
    Row("CreateGrant", GRANT, {}, "ok disabled state state ok state state state"),
    Row("RevokeGrant", {"GrantId": "1"}, {}, OPEN),
    Row("RetireGrant", {"GrantId": "1"}, {}, OPEN),
    Row("CreateAlias", {"AliasName": "alias/new", "TargetKeyId": KEY}, {}, KEPT),
    Row("UpdateAlias", {"AliasName": OTHERS, "TargetKeyId": KEY}, {}, KEPT),
    Row("UpdateAlias", {"AliasName": OWN, "TargetKeyId": ANOTHER}, {}, OPEN),
    Row("DeleteAlias", {"AliasName": OWN}, {}, OPEN),
    Row("ReplicateKey", {"ReplicaRegion": "ap-south-1"}, {}, "ok disabled state state - state state state"),
    Row("DeleteImportedKeyMaterial", {}, IMPORTED, "ok ok state ok - ok state state"),
]
CASES = [(row, state) for row in TABLE for state in COLUMNS if row.words[state] != "-"]


def key_in(state: str, kms: Kms, clock: Clock, kind: dict[str, Any]) -> str:
    """The ARN of such a key in that state."""
    if state == "Unavailable":
        return _without_store(kms)
    kind = kind | (IMPORTED if state == "PendingImport" else {})
    arn = make(kms, MultiRegion=True, **kind)
    if "Origin" in kind and state != "PendingImport":
        kms.edit(arn, state="Enabled", imported=True)
    if state in ("Creating", "Updating", "PendingReplicaDeletion"):
        replica = call(kms, "ReplicateKey", KeyId=arn, ReplicaRegion=EU)["ReplicaKeyMetadata"]["Arn"]
        if state == "Creating":
            return str(replica)
        clock.now += timedelta(minutes=1)
    match state:
        case "Disabled":
            call(kms, "DisableKey", KeyId=arn)
        case "PendingDeletion" | "PendingReplicaDeletion":
            call(kms, "ScheduleKeyDeletion", KeyId=arn)
        case "Updating":
            call(kms, "UpdatePrimaryRegion", KeyId=arn, PrimaryRegion=EU)
    return arn


def _without_store(kms: Kms) -> str:
    kms.stores = {"cks-1": True}
    arn = make(kms, Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1")
    kms.stores = {"cks-1": False}
    return arn


def another_key(kms: Kms, region: str) -> str:
    """The ARN of one that has the other alias."""
    arn = str(kms.handle("kms", "CreateKey", {}, caller_in(region))["KeyMetadata"]["Arn"])
    kms.edit(arn, aliases=frozenset({OTHERS}))
    return arn


@pytest.mark.parametrize(("row", "state"), CASES, ids=[f"{row.operation}-{state}" for row, state in CASES])
def test_a_state_allows_an_operation_or_says_why_not(kms: Kms, clock: Clock, row: Row, state: str) -> None:
    arn = key_in(state, kms, clock, row.kind)
    region = arn.split(":")[3]
    kms.edit(arn, aliases=frozenset({OWN}), grants=({**GRANT, "GrantId": "1", "KeyId": arn, "Name": "before"},))
    named = {KEY: arn, ANOTHER: another_key(kms, region)}
    about = {} if "AliasName" in row.more else {"KeyId": KEY}
    asked = {name: named.get(str(value), value) for name, value in (about | row.more).items()}
    assert call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]["KeyState"] == state
    assert outcome(kms, row.operation, caller_in(region), **asked) == WORDS[row.words[state]]


def test_the_table_has_every_state() -> None:
    assert set(COLUMNS) == STATES
