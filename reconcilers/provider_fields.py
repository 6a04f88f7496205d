"""Spec and status of an AWSProvider as users write and read them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from reconcilers.fields import (
    MAX_TAGS,
    OWN_TAGS,
    Conditions,
    DeletionPolicy,
    Interval,
    Model,
    NamespaceName,
    ObjectName,
    ObservedGeneration,
    RoleArn,
    TagValue,
    Timestamp,
    cel,
    tags_field,
    text,
)
from reconcilers.replica_fields import MAX_REPLICAS, Region


class SecretKeyRef(Model):
    """One key of a Secret in the provider's namespace."""

    name: ObjectName
    key: Annotated[
        str, text(r"^[-._a-zA-Z0-9]+$", "write a key of the Secret: letters, digits, -, _ and .", min_length=1, max_length=253)
    ]


class SecretRef(Model):
    """A Secret in the provider's namespace with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if any, AWS_SESSION_TOKEN."""

    name: ObjectName


_LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
_LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
LabelKey = Annotated[str, text(_LABEL_KEY, "write the key of a label, such as team or example.com/team", min_length=1, max_length=317)]
LabelValue = Annotated[str, text(_LABEL_VALUE, "write the value of a label: letters, digits, -, _ and .", max_length=63)]


class Requirement(Model):
    """One condition on a label."""

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[tuple[LabelValue, ...] | None, Field(strict=False, max_length=64)] = None

    cel: ClassVar = (
        cel(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values, Exists and DoesNotExist take none",
            ".values",
        ),
    )


class LabelSelector(Model):
    """As everywhere in Kubernetes: all that is written must hold, and {} selects every namespace."""

    match_labels: Annotated[dict[str, LabelValue] | None, Field(max_length=32)] = None
    match_expressions: Annotated[tuple[Requirement, ...] | None, Field(strict=False, max_length=32)] = None


class AllowedNamespaces(Model):
    """Namespaces beside its own: those that are named, and those that the selector selects."""

    names: Annotated[
        tuple[NamespaceName, ...] | None, Field(strict=False, max_length=256, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = None
    selector: Annotated[LabelSelector | None, Field(description="By the labels of the namespaces; {} selects all.")] = None


# KMS's operations that make, keep and delete keys; what they protect is nothing that we do.
KMS_OPERATIONS = (
    "CancelKeyDeletion", "CreateAlias", "CreateGrant", "CreateKey", "DeleteAlias", "DeleteImportedKeyMaterial", "DescribeCustomKeyStores",
    "DescribeKey", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "GetKeyLastUsage", "GetKeyPolicy",
    "GetKeyRotationStatus", "GetParametersForImport", "GetPublicKey", "ImportKeyMaterial", "ListAliases", "ListGrants", "ListKeyPolicies",
    "ListKeyRotations", "ListKeys", "ListResourceTags", "ListRetirableGrants", "PutKeyPolicy", "ReplicateKey", "RetireGrant", "RevokeGrant",
    "RotateKeyOnDemand", "ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateAlias", "UpdateKeyDescription", "UpdatePrimaryRegion",
)  # fmt: skip
MAX_RATE = 100_000  # more than any quota of KMS


def _rate(most: int, message: str) -> Any:
    """A number above 0. What is too high the schema refuses by itself."""
    return Field(gt=0, le=most, json_schema_extra={"x-kubernetes-validations": [cel("self > 0.0", message)]})


class Limits(Model):
    """How much of KMS's request quotas may be used. AWS counts them for each account and region, whoever asks."""

    fraction: Annotated[
        Annotated[float, _rate(1, "write a share above 0 and at most 1, such as 0.5")] | None,
        Field(description="Share of each quota. Unset: the operator's --quota-fraction."),
    ] = None
    per_operation: Annotated[
        dict[str, Annotated[float, _rate(MAX_RATE, "write requests a second, more than 0")]] | None,
        Field(
            max_length=len(KMS_OPERATIONS),
            description="Requests a second by KMS's name of the operation; wins over fraction, and is at most KMS's quota.",
            json_schema_extra={
                "x-kubernetes-validations": [
                    cel(
                        f"self.all(k, k in [{', '.join(repr(name) for name in KMS_OPERATIONS)}])",
                        "write the name of a KMS operation that manages keys, such as CreateKey",
                    )
                ]
            },
        ),
    ] = None


class EventSource(Model):
    """Where AWS tells of changes to keys."""

    queue_url: Annotated[
        str,
        text(
            r"^https://([a-z0-9-]+\.)?sqs\.[a-z0-9-]+\.[a-z0-9.-]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}$",
            "write the URL of a standard SQS queue, such as https://sqs.us-east-1.amazonaws.com/111122223333/kms-events",
            max_length=512,
            alias="queueURL",
            description="An SQS queue in the provider's account and region, into which an EventBridge rule puts CloudTrail's events about KMS.",
        ),
    ]


class AWSProviderSpec(Model):
    """Which account and region, with which credentials."""

    region: Annotated[
        str,
        text(
            r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$", "write a region, such as us-east-1", max_length=64, description="Such as us-east-1."
        ),
    ]
    endpoint: Annotated[
        Annotated[
            str,
            text(
                r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
                "write an http or https URL without user, password and query, such as https://kms.internal.example",
                max_length=2048,
            ),
        ]
        | None,
        Field(description="For emulators and private endpoints; needs the operator's --allow-custom-endpoints."),
    ] = None
    role_arn: Annotated[
        RoleArn | None,
        Field(alias="roleARN", description="Role to work as: by web identity where the pod has a token, else by AssumeRole."),
    ] = None
    assume_role_arn: Annotated[
        RoleArn | None, Field(alias="assumeRoleARN", description="A further role, assumed with the credentials from above.")
    ] = None
    external_id: Annotated[
        Annotated[
            str,
            text(
                r"^[a-zA-Z0-9_+=,.@:/-]+$",
                "an external id takes letters, digits and _+=,.@:/- only",
                min_length=2,
                max_length=1224,
            ),
        ]
        | None,
        Field(alias="externalID", description="For assumeRoleARN."),
    ] = None
    session_name: Annotated[
        Annotated[
            str,
            text(r"^[a-zA-Z0-9_+=,.@-]+$", "a session name takes letters, digits and _+=,.@- only", min_length=2, max_length=64),
        ]
        | None,
        Field(description="Shown in CloudTrail. Unset: infra-operator."),
    ] = None
    session_tags: Annotated[dict[str, TagValue] | None, tags_field("Session tags for assumeRoleARN.", MAX_TAGS)] = None
    access_key_id_ref: Annotated[SecretKeyRef | None, Field(alias="accessKeyIDRef")] = None
    secret_access_key_ref: SecretKeyRef | None = None
    session_token_ref: SecretKeyRef | None = None
    credentials_secret: SecretRef | None = None
    default_tags: Annotated[
        dict[str, TagValue] | None, tags_field("Tags for every key of this provider; a key's own tags win.", MAX_TAGS - OWN_TAGS)
    ] = None
    default_replica_regions: Annotated[
        tuple[Region, ...] | None,
        Field(
            strict=False,
            max_length=MAX_REPLICAS,
            description="Where the multi-Region keys of this provider are replicated to whose own spec.replicas is unset. "
            "A region that leaves the list is dealt with as one that leaves spec.replicas.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    account_id: Annotated[
        Annotated[str, text(r"^[0-9]{12}$", "write the account's 12 digits, in quotes", max_length=12)] | None,
        Field(alias="accountID", description="Nothing is written unless the credentials belong to this account."),
    ] = None
    default_deletion_policy: Annotated[
        DeletionPolicy | None,
        Field(
            strict=False,
            description="For the keys of this provider that have no deletionPolicy. Unset: the operator's --default-deletion-policy.",
        ),
    ] = None
    resync_interval: Annotated[
        Interval | None,
        Field(description="For the keys of this provider that have no resyncInterval. Unset: the operator's --resync-interval."),
    ] = None
    rate_limits: Annotated[
        Limits | None,
        Field(description="How fast AWS is called. Of several providers of one account and region, the smallest number holds for all."),
    ] = None
    events: Annotated[
        EventSource | None,
        Field(description="Keys that somebody changes in AWS are looked at within seconds. Unset: with the next resync."),
    ] = None
    allowed_namespaces: Annotated[
        AllowedNamespaces | None, Field(description="Other namespaces whose keys may name this provider. Unset: none.")
    ] = None

    cel: ClassVar = (
        cel(
            "has(self.accessKeyIDRef) == has(self.secretAccessKeyRef)",
            "accessKeyIDRef and secretAccessKeyRef go together: write both or neither",
        ),
        cel(
            "!has(self.sessionTokenRef) || has(self.accessKeyIDRef)",
            "sessionTokenRef needs accessKeyIDRef and secretAccessKeyRef",
            ".sessionTokenRef",
        ),
        cel(
            "!has(self.credentialsSecret) || !has(self.accessKeyIDRef)",
            "credentialsSecret and accessKeyIDRef are two ways to say the same: write one of them",
            ".credentialsSecret",
        ),
        cel(
            "!has(self.roleARN) || !(has(self.credentialsSecret) || has(self.accessKeyIDRef))",
            "roleARN is for the pod's own identity: to assume a role with credentials from a Secret, write it as assumeRoleARN",
            ".roleARN",
        ),
        cel(
            "!has(self.defaultReplicaRegions) || !(self.region in self.defaultReplicaRegions)",
            "the provider's own region holds the key itself: remove it from defaultReplicaRegions",
            ".defaultReplicaRegions",
        ),
        cel(
            "!has(self.events) || self.events.queueURL.contains('sqs.' + self.region + '.')",
            "the queue must be in the provider's region",
            ".events.queueURL",
        ),
        cel("!has(self.externalID) || has(self.assumeRoleARN)", "externalID needs assumeRoleARN", ".externalID"),
        cel("!has(self.sessionTags) || has(self.assumeRoleARN)", "sessionTags need assumeRoleARN", ".sessionTags"),
    )


class AWSProviderStatus(Model):
    """Who AWS says that we are."""

    observed_generation: ObservedGeneration = None
    conditions: Conditions = ()
    ready: bool | None = None
    account_id: Annotated[str | None, Field(alias="accountID")] = None
    caller_identity: str | None = None
    last_authentication_time: Timestamp | None = None
    keys_in_use: Annotated[
        int | None,
        Field(
            ge=0,
            description="KMSKeys that have, or may have, a key through this provider, and KMSAliases and KMSGrants that need it to undo what "
            "they have made; seconds late.",
        ),
    ] = None
