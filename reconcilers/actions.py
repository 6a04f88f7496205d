"""Everything that the operator can do, one frozen dataclass per act, and the plan that puts them in order.

Rules:
1. Each action can be repeated without harm, except CreateKey, ReplicateKey and RotateKeyOnDemand: these are written ahead, sent once and
   looked for when their answer is lost.
2. `key` is the ARN that AWS gave us, never an alias: an alias may point elsewhere by the time the call arrives.
3. An action says in words what it does (`told`), for events, logs and plans that people read. The words hold no secrets and no policies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from reconcilers.key_status import CreationAttempt, KMSKeyStatus, RotationAttempt
from reconcilers.reasons import Reason
from reconcilers.states import OWN_MATERIAL, ExportedObject, Grant, Material, ObservedKey, Place


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Keeps the object until its key is dealt with. Before it is stored, no AWS write is made."""

    reason: ClassVar = Reason.FINALIZER_ADDED
    told: ClassVar = "add the finalizer"


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Lets the object go."""

    why: str
    reason: ClassVar = Reason.KEY_RELEASED

    @property
    def told(self) -> str:
        """In words."""
        return f"release the object: {self.why}"


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Makes the key. The attempt is persisted before the call, the answer before any other call."""

    attempt: CreationAttempt
    key_spec: str
    key_usage: str
    multi_region: bool
    description: str
    policy: str | None
    bypass_policy_lockout_safety_check: bool
    tags: Mapping[str, str] = field(hash=False)
    material: Material = OWN_MATERIAL
    reason: ClassVar = Reason.KEY_CREATED

    @property
    def told(self) -> str:
        """In words."""
        where = "" if self.material == OWN_MATERIAL else f", origin {self.material.origin}"
        return f"create a {self.key_spec} key for {self.key_usage}{where}"


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Takes over a key that is there already, such as an unanswered CreateKey has made: from here on its id is remembered. No AWS call."""

    found: ObservedKey = field(hash=False)
    why: str = "which carries this object's owner tags"
    reason: ClassVar = Reason.KEY_FOUND

    @property
    def told(self) -> str:
        """In words."""
        return f"take over {self.found.key_id}, {self.why}"


@dataclass(frozen=True, slots=True)
class ReplicateKey:
    """Makes the key in another region. `key` is the primary. Attempt and answer are persisted as CreateKey's are."""

    key: str
    region: str
    attempt: CreationAttempt
    description: str
    policy: str | None
    bypass_policy_lockout_safety_check: bool
    tags: Mapping[str, str] = field(hash=False)
    reason: ClassVar = Reason.KEY_REPLICATED

    @property
    def told(self) -> str:
        """In words."""
        return f"replicate the key to {self.region}"


@dataclass(frozen=True, slots=True)
class ForgetReplica:
    """Lets go of a replica that is not wanted any more and dealt with. No AWS call."""

    key: str
    region: str
    why: str
    reason: ClassVar = Reason.REPLICA_RELEASED

    @property
    def told(self) -> str:
        """In words."""
        return f"release the replica in {self.region}: {self.why}"


@dataclass(frozen=True, slots=True)
class CancelKeyDeletion:
    """Takes the key back from deletion; KMS leaves it disabled."""

    key: str
    reason: ClassVar = Reason.DELETION_CANCELLED
    told: ClassVar = "cancel the scheduled deletion"


@dataclass(frozen=True, slots=True)
class EnableKey:
    """Makes a disabled key usable."""

    key: str
    reason: ClassVar = Reason.KEY_ENABLED
    told: ClassVar = "enable the key"


@dataclass(frozen=True, slots=True)
class PutKeyPolicy:
    """Replaces the key policy."""

    key: str
    policy: str
    bypass_policy_lockout_safety_check: bool
    reason: ClassVar = Reason.POLICY_UPDATED
    told: ClassVar = "replace the key policy"


@dataclass(frozen=True, slots=True)
class UpdateKeyDescription:
    """Sets the description; empty clears it."""

    key: str
    description: str
    reason: ClassVar = Reason.DESCRIPTION_UPDATED
    told: ClassVar = "update the description"


@dataclass(frozen=True, slots=True)
class TagResource:
    """Adds and changes tags. Comes before UntagResource, so that access by tags has no gap."""

    key: str
    tags: Mapping[str, str] = field(hash=False)
    reason: ClassVar = Reason.TAGS_UPDATED

    @property
    def told(self) -> str:
        """In words."""
        return f"set the tags {', '.join(sorted(self.tags))}"


@dataclass(frozen=True, slots=True)
class UntagResource:
    """Removes tags that we had put there."""

    key: str
    tag_keys: tuple[str, ...]
    reason: ClassVar = Reason.TAGS_REMOVED

    @property
    def told(self) -> str:
        """In words."""
        return f"remove the tags {', '.join(self.tag_keys)}"


@dataclass(frozen=True, slots=True)
class EnableKeyRotation:
    """Turns rotation on, or changes its period; period None keeps KMS's."""

    key: str
    period_in_days: int | None
    reason: ClassVar = Reason.ROTATION_ENABLED

    @property
    def told(self) -> str:
        """In words."""
        every = f" every {self.period_in_days} days" if self.period_in_days else ""
        return f"enable automatic rotation{every}"


@dataclass(frozen=True, slots=True)
class DisableKeyRotation:
    """Turns rotation off."""

    key: str
    reason: ClassVar = Reason.ROTATION_DISABLED
    told: ClassVar = "disable automatic rotation"


@dataclass(frozen=True, slots=True)
class RotateKeyOnDemand:
    """Gives the key new material, one of 25 times in its life. The attempt is persisted before the call."""

    key: str
    attempt: RotationAttempt
    reason: ClassVar = Reason.KEY_ROTATED

    @property
    def told(self) -> str:
        """In words."""
        return f"rotate the key on demand ({self.attempt.token})"


@dataclass(frozen=True, slots=True)
class CreateAlias:
    """Makes a name that leads to the key. A name that leads there already counts as made; one that leads elsewhere is refused."""

    key: str
    alias: str
    reason: ClassVar = Reason.ALIAS_CREATED

    @property
    def told(self) -> str:
        """In words."""
        return f"create {self.alias}"


@dataclass(frozen=True, slots=True)
class UpdateAlias:
    """Makes a name that leads to another key of the same type and usage lead to this one, without a moment in which it leads nowhere."""

    key: str
    alias: str
    before: str
    reason: ClassVar = Reason.ALIAS_MOVED

    @property
    def told(self) -> str:
        """In words."""
        return f"move {self.alias} here from {self.before}"


@dataclass(frozen=True, slots=True)
class DeleteAlias:
    """Frees a name that leads to the key; the key stays as it is."""

    key: str
    alias: str
    reason: ClassVar = Reason.ALIAS_DELETED

    @property
    def told(self) -> str:
        """In words."""
        return f"delete {self.alias}"


@dataclass(frozen=True, slots=True)
class CreateGrant:
    """Gives somebody rights on the key. KMS makes no second grant of the same name that says the same."""

    key: str
    grant: Grant
    reason: ClassVar = Reason.GRANT_CREATED

    @property
    def told(self) -> str:
        """In words."""
        return f"create the grant {self.grant.name}"


@dataclass(frozen=True, slots=True)
class RevokeGrant:
    """Ends the rights of a grant that we made."""

    key: str
    grant_id: str
    name: str
    reason: ClassVar = Reason.GRANT_REVOKED

    @property
    def told(self) -> str:
        """In words."""
        return f"revoke the grant {self.name} ({self.grant_id[:8]})"


@dataclass(frozen=True, slots=True)
class DisableKey:
    """Makes the key unusable, decryption included. Last of all writes: a disabled key refuses some of the others."""

    key: str
    reason: ClassVar = Reason.KEY_DISABLED_EVENT
    told: ClassVar = "disable the key"


@dataclass(frozen=True, slots=True)
class DeleteImportedKeyMaterial:
    """Makes the key useless at once. Whoever still has the material may import it again until the key is deleted."""

    key: str
    reason: ClassVar = Reason.KEY_MATERIAL_DELETED
    told: ClassVar = "delete the imported key material"


@dataclass(frozen=True, slots=True)
class ScheduleKeyDeletion:
    """Starts the end: KMS deletes the key after the window."""

    key: str
    window_in_days: int
    reason: ClassVar = Reason.DELETION_SCHEDULED

    @property
    def told(self) -> str:
        """In words."""
        return f"schedule the key's deletion in {self.window_in_days} days"


@dataclass(frozen=True, slots=True)
class WriteExport:
    """Puts what the cluster's programs need to know of the key into an object of ours; found: what is there now. No AWS call."""

    place: Place
    data: Mapping[str, str] = field(hash=False, repr=False)  # all of it, the entries of others included
    found: ExportedObject | None = field(hash=False)
    reason: ClassVar = Reason.EXPORTED

    @property
    def told(self) -> str:
        """In words."""
        return f"{'create' if self.found is None else 'update'} the {self.place}"


@dataclass(frozen=True, slots=True)
class DeleteExport:
    """Removes such an object. No AWS call."""

    place: Place
    found: ExportedObject = field(hash=False)
    reason: ClassVar = Reason.EXPORT_REMOVED

    @property
    def told(self) -> str:
        """In words."""
        return f"delete the {self.place}"


# What the Kubernetes side carries out, and what the AWS side does.
ExportAction = WriteExport | DeleteExport
ObjectAction = AddFinalizer | RemoveFinalizer | RecordKey | ForgetReplica | ExportAction
KeyChange = (
    CancelKeyDeletion
    | EnableKey
    | PutKeyPolicy
    | UpdateKeyDescription
    | TagResource
    | UntagResource
    | EnableKeyRotation
    | DisableKeyRotation
    | RotateKeyOnDemand
    | DisableKey
    | DeleteImportedKeyMaterial
    | ScheduleKeyDeletion
)
AliasChange = CreateAlias | DeleteAlias
GrantChange = CreateGrant | RevokeGrant
KeyAction = KeyChange | AliasChange | GrantChange
Action = ObjectAction | CreateKey | ReplicateKey | KeyAction
# What is done for an object that hangs something on a key.
DependentChange = AliasChange | UpdateAlias | GrantChange
DependentAction = AddFinalizer | RemoveFinalizer | DependentChange


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, what to report, and when to look again (None: at the next resync).

    write_ahead: the status holds a memory (an attempt, a key id, what is ours on the key) without which the actions must not start:
    it is stored first. corrections: those of the actions that set right what somebody changed behind our back.
    """

    actions: tuple[Action, ...]
    status: KMSKeyStatus
    look_again: timedelta | None = None
    write_ahead: bool = False
    corrections: tuple[Action, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether it lets the object go: without our finalizer it is no longer ours to look at."""
        return bool(self.actions) and isinstance(self.actions[-1], RemoveFinalizer)
