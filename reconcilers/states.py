"""What is wanted beside what was seen, under the same field names; and the ways in which there is nothing to see.

Rules:
1. An observation holds what AWS said, never what we hope. A field that was not asked for is None; one that could not be read is
   Unobservable. The difference matters: the first is not ours to manage, the second stops the rule that needs it and no other.
2. Missing is AWS's word that a key does not exist. It is not proof: right after a write KMS may not know its own key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from reconcilers.attempts import Ages
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.reasons import Reason


class FailureKind(Enum):
    """A failed call by what to do next."""

    RETRY = "retry"  # throttled, unavailable, connection lost: the same call will work later
    WAIT_FOR_CAUSE = "wait for cause"  # denied, quota reached, unknown principal: somebody has to act outside the object
    STALLED = "stalled"  # invalid for good: the spec has to change
    UNKNOWN_RESULT = "unknown result"  # sent, and nobody knows whether it took effect


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed AWS call. code: AWS's error code, or the client's exception name; message: AWS's words, without secrets."""

    kind: FailureKind
    operation: str
    code: str
    message: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unobservable:
    """Could not be read, and why; reason and message go to the condition as they are. failure: the AWS call behind it, if any."""

    reason: Reason
    message: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """GetKeyRotationStatus. period_in_days and next_date are None where the backend does not say.

    on_demand_started: since when a rotation on demand is under way; KMS forgets it when that is done.
    """

    enabled: bool
    period_in_days: int | None = None
    next_date: datetime | None = None
    on_demand_started: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rotations:
    """ListKeyRotations: those that are completed, in short."""

    last: datetime | None = None
    on_demand: int = 0  # how many of them
    last_on_demand: datetime | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """Where a key's material comes from: KMS's own, imported, or kept in a custom key store."""

    origin: str = "AWS_KMS"
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None


OWN_MATERIAL = Material()


@dataclass(frozen=True, slots=True)
class Grant:
    """All that a grant says. The two contexts are the pairs of an encryption context, sorted."""

    name: str
    grantee: str
    operations: frozenset[str]
    retiring: str | None = None
    context_equals: tuple[tuple[str, str], ...] = ()
    context_subset: tuple[tuple[str, str], ...] = ()
    source_arn: str | None = None


@dataclass(frozen=True, slots=True)
class ObservedKey:
    """One key as AWS shows it. key_id is the id, arn the whole ARN; dates are aware."""

    key_id: str
    arn: str
    account_id: str
    region: str
    state: str
    manager: str
    key_spec: str
    key_usage: str
    origin: str
    multi_region: bool
    description: str
    creation_date: datetime
    deletion_date: datetime | None
    tags: Mapping[str, str] | Unobservable
    policy: str | Unobservable | None  # None: not asked for
    rotation: Rotation | Unobservable | None  # None: not asked for, or a key that cannot rotate
    # Where each alias leads that is this key's or was asked about, as an ARN; one that is missing does not exist. None: not asked for.
    aliases: Mapping[str, str] | Unobservable | None = None
    # By id; one that is None is known to be revoked. None: not asked for.
    grants: Mapping[str, Grant | None] | Unobservable | None = None
    replaced_policy: str | None = field(default=None, compare=False)  # what it was until this pass put another
    rotations: Rotations | Unobservable | None = None  # None: not asked for, or nothing new
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None
    has_imported_material: bool = False
    public_key: str | Unobservable | None = None  # as PEM; None: not asked for
    multi_region_key_type: str | None = None  # PRIMARY or REPLICA; None: a key of one region
    state_is_answered: bool = field(default=False, compare=False)  # by KMS, to a write of ours; a read may be late
    # By region: the same key elsewhere, as far as KMS lists it or it was asked about. One that is not here is not known to exist.
    replicas: "Mapping[str, ObservedKey | Missing | Unobservable]" = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """aws, aws-cn, ...: ARNs of other principals of this account begin like the key's."""
        return self.arn.split(":")[1]


@dataclass(frozen=True, slots=True)
class NotCreated:
    """No key of this very object can exist. earlier: keys that an object of the same name had before it."""

    earlier: "tuple[ObservedKey, ...]" = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """The keys that carry the object's owner tags, when no key id is remembered."""

    keys: tuple[ObservedKey, ...]
    thorough: bool  # every key of the account and region was looked at, not only the tag index, which may be minutes late
    earlier: tuple[ObservedKey, ...] = ()  # keys that an object of the same name had before this one
    unshown: tuple[str, ...] = ()  # ARNs of keys that are listed or indexed, may be the object's, and are not known to KMS everywhere yet


@dataclass(frozen=True, slots=True)
class Missing:
    """AWS says that the remembered key does not exist. replicas: what there is of it in other regions that its object remembers."""

    key_id: str
    replicas: "Mapping[str, ObservedKey | Missing | Unobservable]" = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Offered:
    """A key that is not this object's, and that the object may take over: the one that spec.adopt names, or an older operator's.

    otherwise: what there is to see of a key of the object's own, where the named one does not exist.
    """

    found: ObservedKey | None  # None: AWS knows no such key
    is_replica: bool = False
    holder: str | None = None  # the living object that has the key, in words
    otherwise: NotCreated | Candidates = NotCreated()


Seen = NotCreated | Candidates | ObservedKey | Missing | Offered | Unobservable


@dataclass(frozen=True, slots=True)
class Asked:
    """What an observation shall read beside what it always reads.

    aliases: whole names to follow, wherever they lead; the aliases of the key are read with them, and not at all if there are none.
    rotations: what was rotated and when; without it this is read only of a key that rotates and whose next date is not next_rotation.
    replicas: what to read in other regions, whether or not KMS lists the key there.
    """

    policy: bool = False
    aliases: frozenset[str] = frozenset()
    grants: bool = False
    rotation: bool = True
    rotations: bool = False
    next_rotation: datetime | None = None
    replicas: "Mapping[str, Asked]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """Where a provider leads: checked against STS before anything else is called."""

    account_id: str
    region: str
    default_tags: Mapping[str, str]
    caller_arn: str = ""  # whom AWS sees when we call
    default_replica_regions: tuple[str, ...] = ()


class Place(NamedTuple):
    """Where a key is exported to, in the namespace of its object."""

    kind: str  # ConfigMap or Secret
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Owner(NamedTuple):
    """An entry of ownerReferences."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class ExportedObject:
    """A ConfigMap or Secret as it was looked at. data: empty unless the looking object owns it; not shown, because it may be a Secret's."""

    uid: str
    resource_version: str
    owners: tuple[Owner, ...]
    data: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ProviderDefaults:
    """What a provider says for those of its keys that do not say it themselves."""

    deletion_policy: DeletionPolicy | None = None
    resync_interval: str | None = None


# By the ARN of a key or replica, and an alias or the name of a tag: whether KMS has answered that it is there. Else it may be.
LateNames = Mapping[tuple[str, str], bool]


@dataclass(frozen=True, slots=True)
class KeyObject:
    """A KMSKey as the API server holds it, decoded. defaults: its provider's; None where no provider is known that serves it.

    ages: of the attempts that the status remembers, as far as this process has known of them. late_names: what this process has put on the key
    within KMS's lag, so that KMS need not show it yet.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    spec: KMSKeySpec
    status: KMSKeyStatus
    paused: bool = False  # by annotation
    plan_only: bool = False  # by annotation
    reconcile_requested_at: str | None = None  # by annotation
    recreate: str | None = None  # by annotation: the id of the lost key that may be replaced
    key_id_hint: str | None = None  # by annotation: the id of the key, for the time when the status got lost
    defaults: ProviderDefaults | None = None
    ages: Ages = field(default_factory=dict)
    late_names: LateNames = field(default_factory=dict)
    exports: Mapping[Place, ExportedObject | Unobservable | None] = field(default_factory=dict)  # what is where it exports to, or did


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator was started with, as far as it decides about keys. cluster_id: the UID of the namespace kube-system."""

    cluster_id: str
    default_deletion_policy: DeletionPolicy
    create_grace: timedelta
    allow_policy_lockout_bypass: bool
    refuse_open_policies: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands in the way. stalled: waiting cannot help, somebody has to change something."""

    reason: Reason
    message: str
    stalled: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """The key as it shall be, all defaults resolved. None: not managed."""

    account_id: str
    region: str
    key_spec: str
    key_usage: str
    multi_region: bool
    enabled: bool
    description: str
    policy: str | None
    bypass_policy_lockout_safety_check: bool
    rotation_enabled: bool
    rotation_period_in_days: int | None
    tags: Mapping[str, str]  # the provider's, the object's and the owner tags
    aliases: frozenset[str] = frozenset()  # whole names
    grants: tuple[Grant, ...] = ()
    caller_arn: str = ""  # who has to be able to change the policy
    material: Material = OWN_MATERIAL
    replicas: "Mapping[str, Wanted]" = field(default_factory=dict)  # by region
