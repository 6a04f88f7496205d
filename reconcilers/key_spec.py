"""The spec of a KMSKey as users write it."""

from typing import Annotated, ClassVar

from pydantic import Field

from reconcilers.adoption_fields import Adoption, ManagementPolicy
from reconcilers.fields import (
    MAX_TAGS,
    NO_CONTROLS,
    OWN_TAGS,
    DeletionPolicy,
    DriftPolicy,
    ExportKind,
    Interval,
    Model,
    NamespaceName,
    ObjectName,
    Origin,
    TagValue,
    tags_field,
    text,
)
from reconcilers.grant_fields import GrantSpec
from reconcilers.key_fields import Alias, Description, PolicyText, aliases_field
from reconcilers.key_rules import KEY_RULES
from reconcilers.provider_fields import AllowedNamespaces
from reconcilers.replica_fields import REPLICA_RULES, ReplicaSpec, replicas_field

MAX_GRANTS = 100  # ours: KMS takes 50,000, but one object has to hold them


class ProviderRef(Model):
    """The AWSProvider that says in which account and region, and with which credentials."""

    name: Annotated[ObjectName, Field(description="Name of the AWSProvider.")]
    namespace: Annotated[NamespaceName | None, Field(description="Unset: the namespace of this object.")] = None


class ExportTo(Model):
    """An object of the same namespace, for programs that need the key's id or its public half."""

    kind: Annotated[ExportKind, Field(strict=False, description="ConfigMap or Secret. Nothing in it is secret.")]
    name: Annotated[ObjectName, Field(description="Its name. An object of that name that is not this KMSKey's is left alone.")]


EnumLike = Annotated[
    str,
    text(r"^[A-Z0-9_]{1,64}$", "write one of KMS's words, in capitals, such as SYMMETRIC_DEFAULT or SIGN_VERIFY", max_length=64),
]


# The fields that ignoreDrift can name; tags also one by one.
DriftField = Annotated[
    str,
    text(
        r"^(description|enabled|policy|rotation|tags|tags\..{1,128}|aliases|grants|deletionState)$",
        "write description, enabled, policy, rotation, tags, tags.KEY, aliases, grants or deletionState",
        max_length=133,
    ),
]


class KMSKeySpec(Model):
    """The key as it shall be. What is unset has the default that its description names."""

    provider_ref: Annotated[
        ProviderRef | None,
        Field(
            description="Unset: the namespace's AWSProvider annotated is-default, else the only one in the namespace, "
            "else the operator's --default-provider."
        ),
    ] = None
    description: Annotated[
        Description | None,
        Field(description='Shown in AWS. Unset or "": empty.'),
    ] = None
    key_usage: Annotated[
        EnumLike | None,
        Field(
            description="ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT or ENCAPSULATE_DECAPSULATE. "
            "Unset: ENCRYPT_DECRYPT. Fixed once the key exists."
        ),
    ] = None
    key_spec: Annotated[
        EnumLike | None,
        Field(
            description="SYMMETRIC_DEFAULT, RSA_2048, ECC_NIST_P256, HMAC_256, ... Unset: SYMMETRIC_DEFAULT. Fixed once the key exists."
        ),
    ] = None
    customer_master_key_spec: Annotated[EnumLike | None, Field(description="The older name of keySpec.")] = None
    origin: Annotated[
        Origin | None,
        Field(
            strict=False,
            description="Where the key material comes from. AWS_KMS: KMS makes it. EXTERNAL: you import it, and the key is not Ready before. "
            "AWS_CLOUDHSM, EXTERNAL_KEY_STORE: it stays in the custom key store that customKeyStoreId names. Unset: AWS_KMS. "
            "Fixed once the key exists.",
        ),
    ] = None
    custom_key_store_id: Annotated[
        Annotated[str, text(r"^[a-zA-Z0-9-]{1,64}$", "write the id of a custom key store, such as cks-1234567890abcdef0", max_length=64)]
        | None,
        Field(description="The custom key store, which has to be connected. Fixed once the key exists."),
    ] = None
    xks_key_id: Annotated[
        Annotated[str, text(r"^[a-zA-Z0-9._-]{1,128}$", "write the key's id in the external key manager", max_length=128)] | None,
        Field(description="With EXTERNAL_KEY_STORE: the key in the external key manager. Fixed once the key exists."),
    ] = None
    multi_region: Annotated[
        bool | None, Field(description="Make a multi-Region primary key. Unset: false. Fixed once the key exists.")
    ] = None
    enabled: Annotated[
        bool | None, Field(description="false disables the key: nobody can use it, decryption included. Unset: true.")
    ] = None
    enable_key_rotation: Annotated[
        bool | None, Field(description="Rotate the key material automatically; for SYMMETRIC_DEFAULT only. Unset: false.")
    ] = None
    rotation_period_in_days: Annotated[
        int | None, Field(ge=90, le=2560, description="Unset: whatever it is in AWS (365 for a new key).")
    ] = None
    rotate_on_demand: Annotated[
        Annotated[str, text(NO_CONTROLS, "write a token without control characters, such as a date", min_length=1, max_length=64)] | None,
        Field(
            description="A token, such as a date. Whenever it changes to another one the key material is rotated once, beside any automatic "
            "rotation; KMS allows 25 for the life of a key. A token that is there when the key is made, or when the operator takes over a key "
            "of which it remembers nothing, counts as carried out. Removing it does nothing."
        ),
    ] = None
    key_policy: Annotated[
        PolicyText | None,
        Field(
            description="Key policy, a JSON object. ${AWS_ACCOUNT_ID} becomes the provider's account. "
            "Unset: KMS's default policy on creation, and never changed by the operator.",
        ),
    ] = None
    bypass_policy_lockout_safety_check: Annotated[
        bool | None,
        Field(
            description="Let KMS accept a policy under which nobody can change the policy any more. Unset: false. "
            "Needs the operator's --allow-policy-lockout-bypass."
        ),
    ] = None
    tags: Annotated[
        dict[str, TagValue] | None,
        tags_field("Tags of the key, beside the provider's defaultTags, over which they win.", MAX_TAGS - OWN_TAGS),
    ] = None
    aliases: Annotated[
        tuple[Alias, ...] | None,
        aliases_field("Names that lead to the key, with or without alias/ in front. One that leads to another key is never taken from it."),
    ] = None
    grants: Annotated[
        tuple[GrantSpec, ...] | None,
        Field(
            strict=False,
            max_length=MAX_GRANTS,
            description="Rights of others to use the key, beside its policy. A changed grant is made anew before the old one is revoked.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    grantable_from: Annotated[
        AllowedNamespaces | None,
        Field(description="Other namespaces whose KMSGrants and KMSAliases may target this key. Unset: none but its own."),
    ] = None
    replicas: Annotated[
        tuple[ReplicaSpec, ...] | None,
        replicas_field(
            "The key in other regions, with the same id and key material. Needs multiRegion: true. One that leaves the list goes the way "
            "that deletionPolicy names. Unset: the provider's defaultReplicaRegions."
        ),
    ] = None
    export_to: Annotated[
        ExportTo | None,
        Field(
            description="Where to write keyId, keyArn, region, accountId, alias (the first of spec.aliases) and, for a key that has one, "
            "publicKey.pem. The ConfigMap or Secret belongs to this object and goes with it. Unset: nowhere."
        ),
    ] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        Field(
            strict=False,
            description="What happens to the key when this object is deleted. ScheduleKeyDeletion, Delete (the same): KMS deletes it after "
            "the window. Retain: nothing. DisableKey: it is disabled and kept. ForceDelete: as Delete, with KMS's shortest window of 7 days. "
            "Unset: the provider's defaultDeletionPolicy, then the operator's --default-deletion-policy.",
        ),
    ] = None
    deletion_protection: Annotated[
        bool | None, Field(description="true: the object's deletion waits until this is switched off. Unset: false.")
    ] = None
    drift_policy: Annotated[
        DriftPolicy | None,
        Field(
            strict=False,
            description="What happens when somebody else changes the key in AWS. Correct: it is set right, a scheduled deletion included. "
            "Report: nothing is written; status.drift and the condition Synced tell it. A change of this object is carried out in either "
            "case. Unset: Correct.",
        ),
    ] = None
    ignore_drift: Annotated[
        tuple[DriftField, ...] | None,
        Field(
            strict=False,
            max_length=64,
            description="Fields that are set when the key is made and whenever this object changes them, and otherwise left to others: "
            "description, enabled, policy, rotation, tags, tags.KEY, aliases, grants, deletionState.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    adopt: Annotated[
        Adoption | None,
        Field(
            description="Take over an existing key instead of making one. What the spec leaves unset (description, enabled, rotation, "
            "policy, ...) stays as it is on the key. Fixed once the object has its key."
        ),
    ] = None
    management_policy: Annotated[
        ManagementPolicy | None,
        Field(
            strict=False,
            description="Full: the key is kept as declared. Observe: the key that adopt names is shown, and never changed. Unset: Full.",
        ),
    ] = None
    resync_interval: Annotated[
        Interval | None,
        Field(description="How often the key is looked at when nothing happens. Unset: the provider's, then the operator's."),
    ] = None
    suspend: Annotated[bool | None, Field(description="true: the operator leaves object and key alone. Unset: false.")] = None
    pending_window_in_days: Annotated[
        int | None, Field(ge=7, le=30, description="Days between the deletion of this object and of the key. Unset: 30.")
    ] = None

    cel: ClassVar = (*KEY_RULES, *REPLICA_RULES)

    @property
    def resolved_key_spec(self) -> str:
        """keySpec, else its older name, else KMS's default."""
        return self.key_spec or self.customer_master_key_spec or "SYMMETRIC_DEFAULT"

    @property
    def resolved_key_usage(self) -> str:
        """keyUsage, else KMS's default."""
        return self.key_usage or "ENCRYPT_DECRYPT"

    @property
    def observes(self) -> bool:
        """Whether nothing may be written to AWS for this object."""
        return self.management_policy is ManagementPolicy.OBSERVE

    @property
    def wants_enabled(self) -> bool:
        """True unless the user wrote false."""
        return self.enabled is not False
