"""What AWS does, and which emulator does otherwise: one small probe for each fact, with the emulators that are known to fail it.

Rules:
1. A probe states AWS's behaviour (sources: the KMS developer guide and API reference) and fails where the backend does not show it.
2. `but` names the backends that fail it today. test_deviations.py runs each probe on each backend and compares, so that neither an
   emulator's mistake nor its correction goes unseen.
3. A test whose outcome depends on such a fact asks `told(fact, backend)`. Facts that no test depends on stand here too, where a reader of
   a test could take an emulator's silence for a proof.
"""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.cluster.emulator import ACCOUNT_ID, Backend, boto
from tests.cluster.processes import wait_until

MOTO, MINISTACK = Backend.MOTO, Backend.MINISTACK
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/app"

Probe = Callable[[Any], None]  # of a boto3 KMS client

FACTS: dict[str, Probe] = {}
_DEVIATING: dict[str, frozenset[Backend]] = {}


def fact(*but: Backend) -> Callable[[Probe], Probe]:
    """Registers a probe, and who fails it."""

    def register(probe: Probe) -> Probe:
        FACTS[probe.__name__] = probe
        _DEVIATING[probe.__name__] = frozenset(but)
        return probe

    return register


def told(probe: Probe, backend: Backend) -> bool:
    """Whether this backend is known to do as AWS does."""
    return backend not in _DEVIATING[probe.__name__]


def holds(probe: Probe, kms: Any) -> bool:
    """Whether it does so indeed."""
    try:
        probe(kms)
    except (AssertionError, BotoCoreError, ClientError, KeyError, pytest.fail.Exception):
        return False
    return True


def _key(kms: Any, **parameters: Any) -> str:
    return str(kms.create_key(**parameters)["KeyMetadata"]["KeyId"])


def _pending(kms: Any) -> str:
    key_id = _key(kms)
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    return key_id


def _refused(codes: str, call: Callable[..., Any], **parameters: Any) -> None:
    with pytest.raises(ClientError) as refusal:
        call(**parameters)
    assert refusal.value.response["Error"]["Code"] in codes.split()


# What is told


@fact(MOTO)
def the_rotation_period_is_told(kms: Any) -> None:
    key_id = _key(kms)
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=180)
    assert kms.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] == 180


@fact(MOTO, MINISTACK)
def the_next_rotation_is_told(kms: Any) -> None:
    key_id = _key(kms)
    kms.enable_key_rotation(KeyId=key_id)
    assert "NextRotationDate" in kms.get_key_rotation_status(KeyId=key_id)


@fact(MOTO)
def a_key_says_that_it_is_not_multi_region(kms: Any) -> None:
    assert kms.describe_key(KeyId=_key(kms))["KeyMetadata"]["MultiRegion"] is False


@fact(MOTO, MINISTACK)
def a_pending_key_shows_no_rotation(kms: Any) -> None:
    key_id = _key(kms)
    kms.enable_key_rotation(KeyId=key_id)
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False


@fact()
def a_key_that_was_taken_back_is_disabled(kms: Any) -> None:
    key_id = _pending(kms)
    kms.cancel_key_deletion(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"


# What can be done


@fact(MINISTACK)
def a_key_is_rotated_on_demand(kms: Any) -> None:
    key_id = _key(kms)
    kms.rotate_key_on_demand(KeyId=key_id)
    has_begun = "OnDemandRotationStartDate" in kms.get_key_rotation_status(KeyId=key_id)
    assert len(kms.list_key_rotations(KeyId=key_id)["Rotations"]) + has_begun == 1


@fact(MOTO)
def a_grant_of_the_same_name_and_words_is_one_grant(kms: Any) -> None:
    same = {"KeyId": _key(kms), "GranteePrincipal": ROLE, "Operations": ["Decrypt"], "Name": "app"}
    assert kms.create_grant(**same)["GrantId"] == kms.create_grant(**same)["GrantId"]


@fact(MOTO)
def replicas_have_tags_of_their_own(kms: Any) -> None:
    key_id = _key(kms, MultiRegion=True, Tags=[{"TagKey": "a", "TagValue": "primary"}])
    tags = kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1", Tags=[{"TagKey": "a", "TagValue": "replica"}])["ReplicaTags"]
    assert tags == [{"TagKey": "a", "TagValue": "replica"}]


@fact(MOTO)
def a_primary_waits_for_the_deletion_of_its_replicas(kms: Any) -> None:
    key_id = _key(kms, MultiRegion=True)
    kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingReplicaDeletion"


@fact(MOTO, MINISTACK)
def a_primary_waits_also_for_replicas_whose_deletion_is_scheduled(kms: Any) -> None:
    key_id = _key(kms, MultiRegion=True)
    kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")
    with contextlib.closing(boto(kms.meta.endpoint_url, "kms", "eu-west-1")) as there:
        wait_until(lambda: there.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled", 20, "the replica")
        there.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingReplicaDeletion"


@fact(MOTO)
def a_key_can_wait_for_its_material(kms: Any) -> None:
    assert kms.describe_key(KeyId=_key(kms, Origin="EXTERNAL"))["KeyMetadata"]["KeyState"] == "PendingImport"


@fact(MOTO, MINISTACK)
def there_are_keys_of_ml_dsa(kms: Any) -> None:
    _key(kms, KeySpec="ML_DSA_44", KeyUsage="SIGN_VERIFY")


@fact(MOTO)
def there_are_keys_of_ed25519(kms: Any) -> None:
    _key(kms, KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")


# What is refused


@fact(MOTO, MINISTACK)
def a_symmetric_key_cannot_sign(kms: Any) -> None:
    _refused("ValidationException", kms.create_key, KeyUsage="SIGN_VERIFY")


@fact(MOTO, MINISTACK)
def a_description_is_bounded(kms: Any) -> None:
    _refused("ValidationException", kms.create_key, Description="x" * 8193)


@fact(MOTO, MINISTACK)
def tags_of_aws_are_refused(kms: Any) -> None:
    _refused("TagException", kms.create_key, Tags=[{"TagKey": "aws:x", "TagValue": "y"}])


@fact(MOTO, MINISTACK)
def a_key_has_at_most_50_tags(kms: Any) -> None:
    _refused("LimitExceededException TagException", kms.create_key, Tags=[{"TagKey": f"tag-{number}", "TagValue": "x"} for number in range(51)])


@fact(MOTO, MINISTACK)
def a_policy_that_is_no_json_is_refused(kms: Any) -> None:
    _refused("MalformedPolicyDocumentException", kms.create_key, Policy="not json")


@fact(MOTO, MINISTACK)
def a_policy_that_locks_its_author_out_is_refused(kms: Any) -> None:
    other = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "kms:*", "Resource": "*"}
    _refused("MalformedPolicyDocumentException", kms.create_key, Policy=json.dumps({"Version": "2012-10-17", "Statement": [other]}))


@fact(MOTO, MINISTACK)
def a_disabled_key_does_not_rotate(kms: Any) -> None:
    key_id = _key(kms)
    kms.disable_key(KeyId=key_id)
    _refused("DisabledException", kms.enable_key_rotation, KeyId=key_id)


@fact(MOTO, MINISTACK)
def a_key_of_rsa_does_not_rotate(kms: Any) -> None:
    _refused("UnsupportedOperationException", kms.enable_key_rotation, KeyId=_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"))


@fact(MOTO, MINISTACK)
def a_pending_key_takes_no_description(kms: Any) -> None:
    _refused("KMSInvalidStateException", kms.update_key_description, KeyId=_pending(kms), Description="x")


@fact(MOTO, MINISTACK)
def a_deletion_is_scheduled_once(kms: Any) -> None:
    _refused("KMSInvalidStateException", kms.schedule_key_deletion, KeyId=_pending(kms), PendingWindowInDays=7)


@fact(MOTO)
def a_deletion_takes_at_most_30_days(kms: Any) -> None:
    _refused("ValidationException", kms.schedule_key_deletion, KeyId=_key(kms), PendingWindowInDays=31)


@fact()
def an_alias_leads_to_one_key(kms: Any) -> None:
    name = f"alias/one-{time.monotonic_ns()}"
    kms.create_alias(AliasName=name, TargetKeyId=_key(kms))
    _refused("AlreadyExistsException", kms.create_alias, AliasName=name, TargetKeyId=_key(kms))


@fact(MOTO, MINISTACK)
def an_alias_does_not_move_to_a_key_of_another_type(kms: Any) -> None:
    name = f"alias/move-{time.monotonic_ns()}"
    kms.create_alias(AliasName=name, TargetKeyId=_key(kms))
    signing = _key(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    _refused("KMSInvalidStateException ValidationException", kms.update_alias, AliasName=name, TargetKeyId=signing)


@fact(MOTO, MINISTACK)
def aliases_of_aws_are_refused(kms: Any) -> None:
    _refused("InvalidAliasNameException NotAuthorizedException", kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=_key(kms))


@fact(MOTO)
def a_grant_on_a_symmetric_key_cannot_allow_sign(kms: Any) -> None:
    _refused("ValidationException", kms.create_grant, KeyId=_key(kms), GranteePrincipal=ROLE, Operations=["Sign"])


@fact(MOTO)
def a_disabled_key_takes_no_grant(kms: Any) -> None:
    key_id = _key(kms)
    kms.disable_key(KeyId=key_id)
    _refused("DisabledException", kms.create_grant, KeyId=key_id, GranteePrincipal=ROLE, Operations=["Decrypt"])


@fact(MOTO)
def a_replica_is_made_once(kms: Any) -> None:
    key_id = _key(kms, MultiRegion=True)
    kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")
    _refused("AlreadyExistsException", kms.replicate_key, KeyId=key_id, ReplicaRegion="eu-west-1")
