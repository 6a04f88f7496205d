"""A key as KMS keeps it, its history, and what each state allows.

Source of the table: "Key states of AWS KMS keys" in the KMS developer guide.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.kms_errors import RefusedError, disabled, invalid_state, unsupported

STATES = frozenset(
    {"Creating", "Enabled", "Disabled", "PendingDeletion", "PendingImport", "PendingReplicaDeletion", "Unavailable", "Updating"}
)
_SETTLED = STATES - {"Creating", "Updating"}
_PENDING_DELETION = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
_KEPT = _SETTLED - _PENDING_DELETION

# Every operation that is not named here works in every state.
ALLOWED: dict[str, frozenset[str]] = {
    "CancelKeyDeletion": _PENDING_DELETION,
    "ReplicateKey": frozenset({"Enabled"}),
    "CreateAlias": _KEPT,
    "CreateGrant": frozenset({"Enabled", "Unavailable"}),
    "DeleteImportedKeyMaterial": frozenset({"Enabled", "Disabled"}) | _PENDING_DELETION,
    "DisableKey": frozenset({"Enabled", "Disabled", "Unavailable"}),
    "DisableKeyRotation": frozenset({"Enabled"}),
    "EnableKey": frozenset({"Enabled", "Disabled", "Unavailable"}),
    "EnableKeyRotation": frozenset({"Enabled"}),
    "GetParametersForImport": _KEPT,
    "GetPublicKey": frozenset({"Enabled"}),
    "ImportKeyMaterial": _KEPT,
    "PutKeyPolicy": _SETTLED,
    "RotateKeyOnDemand": frozenset({"Enabled"}),
    "ScheduleKeyDeletion": _KEPT,
    "TagResource": _KEPT,
    "UntagResource": _KEPT,
    "UpdatePrimaryRegion": frozenset({"Enabled"}),
    "UpdateKeyDescription": _KEPT,
}
_ROTATING = frozenset({"DisableKeyRotation", "EnableKeyRotation", "RotateKeyOnDemand"})


@dataclass(frozen=True)
class Key:
    """One version of a key. rotation_days: None when it does not rotate; deletion_date: only while deletion is pending.

    rotates_from: when rotation was enabled, or the key was rotated automatically last.
    """

    key_id: str
    arn: str
    account_id: str
    region: str
    created: datetime
    spec: str
    usage: str
    multi_region: bool
    description: str
    policy: str
    tags: Mapping[str, str]
    state: str = "Enabled"
    rotation_days: int | None = None
    rotates_from: datetime | None = None
    deletion_date: datetime | None = None
    aliases: frozenset[str] = frozenset()
    grants: tuple[Mapping[str, Any], ...] = ()  # each as ListGrants tells it
    grants_made: int = 0
    rotations: tuple[Mapping[str, Any], ...] = ()  # each as ListKeyRotations tells it, when it is over
    origin: str = "AWS_KMS"
    store: str | None = None
    xks_key: str | None = None
    imported: bool = False  # whether there is imported material
    material: str = ""  # the digest of what was imported first; nothing else is taken from then on
    valid_to: datetime | None = None  # when imported material goes by itself
    primary_region: str | None = None  # of a multi-Region key: where its primary is
    window: int | None = None  # days that a primary waits after its last replica is gone
    updating: tuple[datetime, str] | None = None  # while the primary is moved: since when, and the state before
    on_reconnect: str | None = None  # the state of a key that is Unavailable, once its store is there again
    used: Mapping[str, Any] | None = None  # the last use of it, as GetKeyLastUsage tells it
    manager: str = "CUSTOMER"

    @property
    def has_rotation(self) -> bool:
        return self.spec == "SYMMETRIC_DEFAULT" and self.origin == "AWS_KMS"

    @property
    def can_rotate(self) -> bool:
        """Rotation is set on the primary alone."""
        return self.has_rotation and not self.is_replica

    @property
    def is_replica(self) -> bool:
        return self.primary_region not in (None, self.region)

    @property
    def is_leaving(self) -> bool:
        """A primary waits for its replicas to be gone, and has no date until then."""
        return self.state in _PENDING_DELETION

    def metadata(self, family: Iterable["Key"] = ()) -> dict[str, Any]:
        """As DescribeKey and CreateKey tell it. family: the other keys of the same id."""
        told: dict[str, Any] = {
            "AWSAccountId": self.account_id,
            "KeyId": self.key_id,
            "Arn": self.arn,
            "CreationDate": self.created,
            "Enabled": self.state == "Enabled",
            "Description": self.description,
            "KeyUsage": self.usage,
            "KeyState": self.state,
            "Origin": self.origin,
            "KeyManager": self.manager,
            "CustomerMasterKeySpec": self.spec,
            "KeySpec": self.spec,
            "MultiRegion": self.multi_region,
        }
        if self.store is not None:
            told["CustomKeyStoreId"] = self.store
        if self.xks_key is not None:
            told["XksKeyConfiguration"] = {"Id": self.xks_key}
        if self.imported:
            told |= {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": self.valid_to} if self.valid_to else {}
            told.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
        if self.multi_region:
            told["MultiRegionConfiguration"] = self._related(sorted([self, *family], key=lambda key: key.region))
        return told | ({"DeletionDate": self.deletion_date} if self.deletion_date else {})

    def _related(self, family: list["Key"]) -> dict[str, Any]:
        primary = next((key for key in family if not key.is_replica), self)
        return {
            "MultiRegionKeyType": "REPLICA" if self._is_shown_as_replica else "PRIMARY",
            "PrimaryKey": {"Arn": primary.arn, "Region": primary.region},
            "ReplicaKeys": [{"Arn": key.arn, "Region": key.region} for key in family if key._is_shown_as_replica],
        }

    @property
    def _is_shown_as_replica(self) -> bool:
        """While the primary is moved, DescribeKey may show the old and the new one as replicas."""
        return self.is_replica or self.updating is not None


@dataclass
class History:
    """All versions of one key, so that a read can be answered from the past."""

    versions: list[tuple[datetime, Key]] = field(default_factory=list)

    @property
    def newest(self) -> Key:
        return self.versions[-1][1]

    def at(self, moment: datetime) -> Key | None:
        """The key as it was then; None before it was made."""
        return next((key for since, key in reversed(self.versions) if since <= moment), None)

    def change(self, moment: datetime, key: Key) -> None:
        self.versions.append((moment, key))


def check_state(operation: str, key: Key) -> None:
    """Raises RefusedError where the key's state does not allow the operation; what a key can never do is said in every state."""
    if operation in _ROTATING and key.origin != "AWS_KMS":
        raise unsupported(f"{key.arn} origin is {key.origin} which is not valid for this operation.")
    if key.state not in ALLOWED.get(operation, STATES):
        raise _state_error(operation, key)


def _state_error(operation: str, key: Key) -> RefusedError:
    if key.state == "Disabled" and operation != "CancelKeyDeletion":
        return disabled(key.arn)
    return invalid_state(key.arn, "not pending deletion" if operation == "CancelKeyDeletion" else key.state)
