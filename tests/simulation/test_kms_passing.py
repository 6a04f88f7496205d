"""What becomes of a key by itself in the model of KMS: rotations, windows, stores, and imported material."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.simulation.kms_model import Kms
from tests.simulation.kms_requests import EU, Clock, call, make, outcome, refusal
from tests.simulation.kms_rotations import ROTATION_LASTS

DAY = timedelta(days=1)
ALGORITHM = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
FOR_EVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def next_date(kms: Kms, arn: str) -> datetime:
    date: datetime = call(kms, "GetKeyRotationStatus", KeyId=arn)["NextRotationDate"]
    return date


def rotations(kms: Kms, arn: str) -> list[tuple[datetime, str]]:
    kms.page_size = 100
    return [(one["RotationDate"], one["RotationType"]) for one in call(kms, "ListKeyRotations", KeyId=arn)["Rotations"]]


def state(kms: Kms, arn: str) -> str:
    return str(call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]["KeyState"])


# -- rotation


def test_an_automatic_rotation_is_counted_from_when_it_was_enabled_and_comes_with_its_date(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    clock.now += 200 * DAY
    enabled = clock.now
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=100)
    assert next_date(kms, arn) == enabled + 100 * DAY
    clock.now += 250 * DAY
    assert rotations(kms, arn) == [(enabled + days * DAY, "AUTOMATIC") for days in (100, 200)]
    assert next_date(kms, arn) == enabled + 300 * DAY


def test_a_period_that_is_told_again_moves_no_date_and_another_one_does(kms: Kms, clock: Clock) -> None:
    arn, began = make(kms), clock.now
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=100)
    clock.now += 50 * DAY
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=100)
    assert next_date(kms, arn) == began + 100 * DAY
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=90)
    assert next_date(kms, arn) == began + 140 * DAY


def test_a_rotation_on_demand_moves_no_date(kms: Kms, clock: Clock) -> None:
    arn, began = make(kms), clock.now
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=100)
    clock.now += 50 * DAY
    call(kms, "RotateKeyOnDemand", KeyId=arn)
    assert next_date(kms, arn) == began + 100 * DAY


@pytest.mark.parametrize("back", [("DisableKey", "EnableKey"), ("ScheduleKeyDeletion", "CancelKeyDeletion", "EnableKey")])
def test_what_cannot_be_used_is_rotated_as_soon_as_it_can(kms: Kms, clock: Clock, back: tuple[str, ...]) -> None:
    arn = make(kms)
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=100)
    clock.now += 90 * DAY
    call(kms, back[0], KeyId=arn)
    clock.now += 20 * DAY
    assert rotations(kms, arn) == []
    for operation in back[1:]:
        call(kms, operation, KeyId=arn)
    assert rotations(kms, arn) == [(clock.now, "AUTOMATIC")]
    assert next_date(kms, arn) == clock.now + 100 * DAY


def test_replicas_are_rotated_with_their_primary(kms: Kms, clock: Clock) -> None:
    arn = make(kms, MultiRegion=True)
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=100)
    replica = call(kms, "ReplicateKey", KeyId=arn, ReplicaRegion=EU)["ReplicaKeyMetadata"]["Arn"]
    clock.now += 100 * DAY
    assert rotations(kms, replica) == rotations(kms, arn) == [(clock.now, "AUTOMATIC")]
    assert next_date(kms, replica) == next_date(kms, arn) == clock.now + 100 * DAY
    kms.destroy(arn)
    assert call(kms, "GetKeyRotationStatus", KeyId=replica)["KeyRotationEnabled"] is False


def test_a_rotation_on_demand_is_under_way_first_and_listed_then(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    call(kms, "RotateKeyOnDemand", KeyId=arn)
    assert call(kms, "GetKeyRotationStatus", KeyId=arn)["OnDemandRotationStartDate"] == clock.now
    assert rotations(kms, arn) == []
    assert refusal(kms, "RotateKeyOnDemand", KeyId=arn) == "ConflictException"
    clock.now += timedelta(minutes=1)
    assert "OnDemandRotationStartDate" not in call(kms, "GetKeyRotationStatus", KeyId=arn)
    assert [kind for _, kind in rotations(kms, arn)] == ["ON_DEMAND"]


def test_a_key_is_rotated_on_demand_25_times_and_automatic_ones_do_not_count(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=90)
    clock.now += 91 * DAY
    for _ in range(25):
        call(kms, "RotateKeyOnDemand", KeyId=arn)
        clock.now += timedelta(minutes=1)
    assert refusal(kms, "RotateKeyOnDemand", KeyId=arn) == "LimitExceededException"


def test_no_rotation_on_demand_is_made_20_minutes_before_an_automatic_one_nor_while_it_lasts(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=90)
    clock.now += timedelta(days=90, minutes=-20)
    assert refusal(kms, "RotateKeyOnDemand", KeyId=arn) == "ConflictException"
    clock.now += timedelta(minutes=20)
    assert refusal(kms, "RotateKeyOnDemand", KeyId=arn) == "ConflictException"
    clock.now += ROTATION_LASTS
    call(kms, "RotateKeyOnDemand", KeyId=arn)


# -- windows and stores


def test_a_key_is_gone_when_its_window_is_over_and_its_alias_is_free_then(kms: Kms, clock: Clock) -> None:
    arn, other = make(kms), make(kms)
    call(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=arn)
    call(kms, "ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
    assert refusal(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=other) == "AlreadyExistsException"
    clock.now += timedelta(days=7)
    assert refusal(kms, "DescribeKey", KeyId=arn) == "NotFoundException"
    call(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=other)


def test_a_primary_has_its_window_once_the_last_replica_is_gone(kms: Kms, clock: Clock) -> None:
    arn = make(kms, MultiRegion=True)
    replica = call(kms, "ReplicateKey", KeyId=arn, ReplicaRegion=EU)["ReplicaKeyMetadata"]["Arn"]
    clock.now += timedelta(minutes=1)
    call(kms, "ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=9)
    call(kms, "ScheduleKeyDeletion", KeyId=replica, PendingWindowInDays=7)
    clock.now += 7 * DAY
    told = call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]
    assert (told["KeyState"], told["DeletionDate"]) == ("PendingDeletion", clock.now + 9 * DAY)


@pytest.mark.parametrize(("switch", "then"), [(None, "Enabled"), ("DisableKey", "Disabled"), ("EnableKey", "Enabled")])
def test_what_is_switched_while_the_store_is_away_shows_once_it_is_back(kms: Kms, switch: str | None, then: str) -> None:
    kms.stores = {"cks-1": True}
    arn = make(kms, Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1")
    kms.stores = {"cks-1": False}
    if switch:
        call(kms, switch, KeyId=arn)
    assert state(kms, arn) == "Unavailable"
    kms.stores = {"cks-1": True}
    assert state(kms, arn) == then


def test_a_key_that_was_put_out_of_reach_is_not_brought_back_by_enabling_it(kms: Kms) -> None:
    arn = make(kms)
    kms.edit(arn, state="Unavailable")
    call(kms, "EnableKey", KeyId=arn)
    assert state(kms, arn) == "Unavailable"


# -- imported material


def imports(kms: Kms, arn: str, material: bytes = b"mine", token: bytes = b"", **more: Any) -> str:
    token = token or call(kms, "GetParametersForImport", KeyId=arn, **ALGORITHM)["ImportToken"]
    return outcome(kms, "ImportKeyMaterial", KeyId=arn, ImportToken=token, EncryptedKeyMaterial=material, **(more or FOR_EVER))


def test_imported_material_is_waited_for_and_goes_at_once_and_only_the_same_comes_back(kms: Kms) -> None:
    arn = make(kms, Origin="EXTERNAL")
    assert state(kms, arn) == "PendingImport"
    assert imports(kms, arn) == "OK"
    assert (state(kms, arn), call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]["ExpirationModel"]) == (
        "Enabled",
        *FOR_EVER.values(),
    )
    call(kms, "DeleteImportedKeyMaterial", KeyId=arn)
    assert state(kms, arn) == "PendingImport"
    assert "ExpirationModel" not in call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]
    assert imports(kms, arn, b"another") == "IncorrectKeyMaterialException"
    assert imports(kms, arn) == "OK"


def test_a_token_is_for_one_key_and_24_hours(kms: Kms, clock: Clock) -> None:
    arn, other = make(kms, Origin="EXTERNAL"), make(kms, Origin="EXTERNAL")
    parameters = call(kms, "GetParametersForImport", KeyId=arn, **ALGORITHM)
    assert parameters["ParametersValidTo"] == clock.now + DAY
    assert imports(kms, other, token=parameters["ImportToken"]) == "InvalidImportTokenException"
    clock.now += timedelta(hours=24, seconds=1)
    assert imports(kms, arn, token=parameters["ImportToken"]) == "ExpiredImportTokenException"


def test_material_that_expires_goes_by_itself(kms: Kms, clock: Clock) -> None:
    arn = make(kms, Origin="EXTERNAL")
    for date in (None, clock.now, clock.now + timedelta(days=365, seconds=1)):
        more: dict[str, Any] = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", **({"ValidTo": date} if date else {})}
        assert imports(kms, arn, **more) == "ValidationException"
    assert imports(kms, arn, ValidTo=clock.now + 365 * DAY) == "OK"
    clock.now += 365 * DAY
    assert state(kms, arn) == "PendingImport"
    assert refusal(kms, "GetParametersForImport", KeyId=make(kms), **ALGORITHM) == "UnsupportedOperationException"
