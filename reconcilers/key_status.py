"""The status of a KMSKey: what was seen in AWS, and what the operator has to remember."""

from typing import Annotated

from pydantic import Field

from reconcilers.fields import Conditions, DeletionPolicy, Model, ObservedGeneration, Timestamp


class CreationAttempt(Model):
    """Written before CreateKey is sent and taken away when its result is known: the memory of a call that may have made a key."""

    id: Annotated[str, Field(max_length=64)]
    time: Timestamp
    count: Annotated[int, Field(ge=1)]


class RotationAttempt(Model):
    """Written before RotateKeyOnDemand is sent and taken away when its result is known: the memory of a call that may have rotated."""

    token: Annotated[str, Field(max_length=64)]
    time: Timestamp
    rotations_before: Annotated[int | None, Field(ge=0, description="Rotations on demand until then; absent if unknown.")] = None


class Exported(Model):
    """Where the operator exported the key to, or was about to."""

    kind: Annotated[str, Field(max_length=16)]
    name: Annotated[str, Field(max_length=253)]
    public_key_hash: Annotated[str | None, Field(max_length=64, description="By which the public key is known again.")] = None


class LastError(Model):
    """The last refusal or failure of AWS, for a support case."""

    code: Annotated[str, Field(max_length=128)]
    operation: Annotated[str, Field(max_length=128)]
    request_id: Annotated[str | None, Field(max_length=128)] = None
    time: Timestamp


class RecordedGrant(Model):
    """A grant that the operator made, or was about to make when it has no id yet."""

    name: Annotated[str, Field(max_length=256)]
    grant_id: Annotated[str | None, Field(max_length=128)] = None
    hash: Annotated[str, Field(max_length=64, description="Of all that the grant says.")]


class DriftedField(Model):
    """A field that somebody changed in AWS. The values are short, and a policy is a fingerprint."""

    field: Annotated[str, Field(max_length=160, description="As spec.ignoreDrift names it.")]
    expected: Annotated[str, Field(max_length=256)]
    actual: Annotated[str, Field(max_length=256)]
    detected_at: Timestamp


class PolicyStatus(Model):
    """The key policy as it was put, as KMS shows it, and what is worth saying about it."""

    applied_hash: Annotated[str | None, Field(max_length=64, description="Of what spec.keyPolicy says.")] = None
    observed_hash: Annotated[str | None, Field(max_length=64, description="Of the form in which KMS shows it.")] = None
    findings: Annotated[
        tuple[Annotated[str, Field(max_length=256)], ...],
        Field(strict=False, description="What to think of before it is too late; each begins with a word, such as PolicyTooOpen."),
    ] = ()


class ReplicaStatus(Model):
    """The key in another region: what was seen there, and what the operator has to remember of it."""

    region: Annotated[str, Field(max_length=64)]
    arn: str | None = None
    key_state: Annotated[str | None, Field(description="AWS's own word, as for the key.")] = None
    ready: Annotated[bool | None, Field(description="The replica can be used now.")] = None
    message: Annotated[str | None, Field(max_length=32768, description="Why it is not as declared.")] = None
    creation_date: Timestamp | None = None
    managed: Annotated[
        bool | None, Field(description="The operator keeps it as the spec says; false: it only shows it, and changes nothing.")
    ] = None
    creation_attempt: Annotated[
        CreationAttempt | None, Field(description="A ReplicateKey that was sent and not answered yet.")
    ] = None
    managed_tag_keys: Annotated[
        tuple[str, ...], Field(strict=False, description="As of the key.", json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = ()
    aliases: Annotated[
        tuple[str, ...], Field(strict=False, description="As of the key.", json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = ()
    reached: dict[str, str] = Field(default={}, description="As of the key.")


class KMSKeyStatus(Model):
    """What was seen in AWS, and when it was not as declared, why."""

    observed_generation: ObservedGeneration = None
    conditions: Conditions = ()
    ready: Annotated[bool | None, Field(description="The key can be used now.")] = None
    key_id: str | None = None
    key_arn: str | None = None
    account_id: str | None = None
    region: str | None = None
    key_state: Annotated[str | None, Field(description="AWS's own word: Enabled, Disabled, PendingDeletion, ...")] = None
    key_manager: str | None = None
    key_spec: str | None = None
    key_usage: str | None = None
    origin: str | None = None
    multi_region_key_type: Annotated[str | None, Field(description="PRIMARY or REPLICA; absent for a key of one region.")] = None
    creation_date: Timestamp | None = None
    deletion_date: Timestamp | None = None
    rotation_enabled: bool | None = None
    rotation_period_in_days: int | None = None
    last_rotation_date: Annotated[Timestamp | None, Field(description="Absent until there was a rotation.")] = None
    next_rotation_date: Timestamp | None = None
    on_demand_rotations: Annotated[int | None, Field(ge=0, description="How many of KMS's 25 the key has had, as far as known.")] = None
    last_handled_rotate_on_demand: Annotated[
        str | None, Field(max_length=64, description="The spec.rotateOnDemand that was last carried out, or found at the key's making.")
    ] = None
    rotation_attempt: RotationAttempt | None = None
    managed_tag_keys: Annotated[
        tuple[str, ...],
        Field(
            strict=False,
            description="Tag keys that the operator put on the key: it removes no others.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    aliases: Annotated[
        tuple[str, ...],
        Field(
            strict=False,
            description="Aliases that the operator gave the key: it removes no others.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    grants: Annotated[
        tuple[RecordedGrant, ...], Field(strict=False, description="Grants that the operator made: it revokes no others.")
    ] = ()
    policy: PolicyStatus | None = None
    drift: Annotated[
        tuple[DriftedField, ...],
        Field(strict=False, description="What somebody changed in AWS and nobody has set right; not what spec.ignoreDrift names."),
    ] = ()
    reached: dict[str, str] = Field(
        default={},
        description="By field, a hash of the wanted value that was last seen on the key: while it stays the wanted one, a difference is "
        "drift, and not a change of the spec.",
    )
    exported: Exported | None = None
    replicas: Annotated[
        tuple[ReplicaStatus, ...],
        Field(
            strict=False,
            description="The key in other regions, also where somebody else has put it.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["region"]},
        ),
    ] = ()
    creation_attempt: CreationAttempt | None = None
    taken_over: Annotated[
        bool | None, Field(description="The key is an older operator's: what the spec leaves unset stays as it is on the key.")
    ] = None
    plan: Annotated[
        tuple[str, ...], Field(strict=False, description="While the annotation plan is true: what would be done, in order. Nothing is.")
    ] = ()
    effective_deletion_policy: Annotated[DeletionPolicy | None, Field(strict=False)] = None
    last_handled_reconcile_at: Annotated[
        str | None, Field(max_length=256, description="The annotation reconcile-requested-at that was last answered.")
    ] = None
    last_sync_time: Timestamp | None = None
    last_error: LastError | None = None
