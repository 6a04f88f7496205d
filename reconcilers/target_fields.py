"""What the kinds share that hang something on a key which another object, or nobody here, owns: how the key is named, and what is remembered.

KMSAlias and KMSGrant are such kinds. Here they are called dependents, and the key is their target.
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from reconcilers.fields import Conditions, Model, NamespaceName, ObjectName, ObservedGeneration, Rule, Timestamp, cel, text
from reconcilers.key_spec import ProviderRef
from reconcilers.key_status import LastError


class TargetRef(Model):
    """A KMSKey. In another namespace only if its grantableFrom permits this one."""

    name: Annotated[ObjectName, Field(description="Name of the KMSKey.")]
    namespace: Annotated[NamespaceName | None, Field(description="Unset: the namespace of this object.")] = None


class DependentDeletionPolicy(StrEnum):
    """What happens in AWS when the object is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


TargetKeyId = Annotated[
    str,
    text(
        r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/)?[a-zA-Z0-9-]{1,128}$",
        "write the id or the ARN of a key; an alias can come to mean another key",
        max_length=256,
    ),
]
ONE_TARGET: Rule = cel(
    "has(self.targetRef) != has(self.targetKeyId)",
    "there is one target: write targetRef for a KMSKey of this cluster, or targetKeyId for any other key",
)


class DependentSpec(Model):
    """On which key, through which provider, and what is left when the object goes."""

    target_ref: Annotated[TargetRef | None, Field(description="The KMSKey whose key is meant.")] = None
    target_key_id: Annotated[
        TargetKeyId | None,
        Field(description="Id or ARN of a key that no KMSKey of this cluster owns; of one that does, the same permission is needed."),
    ] = None
    provider_ref: Annotated[
        ProviderRef | None,
        Field(
            description="Unset: with targetRef the provider of that KMSKey; with targetKeyId the namespace's, as for a KMSKey. "
            "It must lead to the account and region of the key."
        ),
    ] = None
    deletion_policy: Annotated[
        DependentDeletionPolicy | None,
        Field(strict=False, description="Retain leaves what the object made in AWS. Unset: Delete."),
    ] = None
    suspend: Annotated[bool | None, Field(description="true: the operator leaves object and key alone. Unset: false.")] = None

    cel: ClassVar[tuple[Rule, ...]] = (ONE_TARGET,)


class DependentStatus(Model):
    """What was seen of the target, and what the operator has to remember."""

    observed_generation: ObservedGeneration = None
    conditions: Conditions = ()
    target_key_id: Annotated[str | None, Field(description="Id of the key that the target was last found to be.")] = None
    account_id: str | None = None
    region: str | None = None
    provider: Annotated[
        str | None,
        Field(description="Namespace and name of the AWSProvider that was last used: what was made through it is undone through it."),
    ] = None
    last_handled_reconcile_at: Annotated[
        str | None, Field(max_length=256, description="The annotation reconcile-requested-at that was last answered.")
    ] = None
    last_sync_time: Timestamp | None = None
    last_error: LastError | None = None
