"""KMSKey and AWSProvider as users write them: the models are the API, and the CRDs are generated from them.

Rules:
1. A limit that one field can break is written at the field; a rule between fields is a CEL rule of the model (`cel`). The API server
   judges by both, and the operator by the fields again when it reads an object. What a refusal says is what to write instead: so a
   pattern reaches the server as a CEL rule with a message, not as a pattern, which would be all that the server could tell.
2. Nothing has a default in the CRD: the server would write it into the user's object. Unset stays unset; the docstring of the field and
   the property beside it say what unset means.
3. Unknown values of keySpec and keyUsage pass, so that tomorrow's specs work; only the known families are judged.
4. Unknown fields are ignored on reading: a newer version's object must not stop an older operator.

Names and limits: AWS::KMS::Key of CloudFormation and the KMS API reference.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from reconcilers.names import TAG_PREFIX

DNS_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
ROLE_ARN = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}$"
# What KMS takes in tags, without spaces at either end, which no diff would show.
TAG_TEXT = r"^([\p{L}\p{N}_.:/=+\-@]([\p{L}\p{Z}\p{N}_.:/=+\-@]*[\p{L}\p{N}_.:/=+\-@])?)?$"
# KMS: "tab, line feed, carriage return, and the printable ASCII and Latin-1 characters"; at least one of them not white space.
POLICY_TEXT = r"^[\t\n\r ]*[\x21-\x{FF}][\t\n\r\x20-\x{FF}]*$"
NO_CONTROLS = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*$"

Rule = dict[str, JsonValue]  # one entry of x-kubernetes-validations

MAX_TAGS = 50  # KMS resource quota: tags of one key
OWN_TAGS = 3  # of these are ours: cluster-id, owner, uid
MAX_ALIASES = 50  # KMS resource quota: aliases of one key
MAX_GRANTS = 100  # ours: KMS takes 50,000, but one object has to hold them
AWS_ALIASES = "alias/aws/"  # AWS's own; to describe one that is not in use makes a key


def cel(rule: str, message: str, field: str | None = None) -> Rule:
    """A rule in CEL, and what to write instead of what breaks it. field: path of the culprit relative to the model, such as `.keySpec`."""
    entry: Rule = {"rule": rule, "message": message}
    return entry | {"fieldPath": field} if field else entry


def text(pattern: str, message: str, **more: Any) -> Any:
    """A string field with a pattern, which must not hold a quote, and the words in which a value that breaks it is refused."""
    rule = cel(f"self.matches(r'{pattern}')", message)
    return Field(pattern=pattern, json_schema_extra={"x-kubernetes-validations": [rule]}, **more)


class Model(BaseModel):
    """What all models share: camelCase on the wire, frozen, strict types, and no input echoed in errors (it may be a secret)."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )
    cel: ClassVar[tuple[Rule, ...]] = ()


Timestamp = Annotated[datetime, Field(strict=False, json_schema_extra={"format": "date-time"})]
TagValue = Annotated[str, text(TAG_TEXT, "a tag value takes letters, digits, spaces inside, and _.:/=+-@ only", max_length=256)]
NAME_MESSAGE = "write a Kubernetes name: lower-case letters, digits, - and ."
ObjectName = Annotated[str, text(DNS_NAME, NAME_MESSAGE, min_length=1, max_length=253)]
NamespaceName = Annotated[str, text(DNS_NAME, NAME_MESSAGE, min_length=1, max_length=63)]
RoleArn = Annotated[str, text(ROLE_ARN, "write the ARN of a role, such as arn:aws:iam::123456789012:role/keys", max_length=2048)]


def tags_field(description: str, most: int) -> Any:
    """A map of tags whose keys the server checks too; schemas cannot bound a map's keys, CEL can."""
    shape = TAG_TEXT.replace("\\", "\\\\")
    rules: list[JsonValue] = [
        cel("self.all(k, size(k) >= 1 && size(k) <= 128)", "a tag key has 1 to 128 characters"),
        cel(
            "self.all(k, !k.lowerAscii().startsWith('aws:'))",
            "tag keys that start with aws: belong to AWS: choose another prefix",
        ),
        cel(
            f"self.all(k, !k.startsWith('{TAG_PREFIX}'))",
            f"tag keys that start with {TAG_PREFIX} are the operator's owner tags: choose another prefix",
        ),
        cel(
            f"self.all(k, k.matches('{shape}'))",
            "a tag key takes letters, digits, spaces inside, and _.:/=+-@ only",
        ),
    ]
    return Field(None, description=description, max_length=most, json_schema_extra={"x-kubernetes-validations": rules})


class DeletionPolicy(StrEnum):
    """What happens to the key in AWS when its object is deleted."""

    SCHEDULE_KEY_DELETION = "ScheduleKeyDeletion"
    DELETE = "Delete"
    RETAIN = "Retain"
    DISABLE_KEY = "DisableKey"
    FORCE_DELETE = "ForceDelete"


class Condition(Model):
    """One aspect of the object's state, as Kubernetes' API conventions define it."""

    type: Annotated[str, Field(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    observed_generation: Annotated[int | None, Field(ge=0)] = None
    last_transition_time: Timestamp
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    message: Annotated[str, Field(max_length=32768)]


Conditions = Annotated[
    tuple[Condition, ...],
    Field(strict=False, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


class ProviderRef(Model):
    """The AWSProvider that says in which account and region, and with which credentials."""

    name: Annotated[ObjectName, Field(description="Name of the AWSProvider.")]
    namespace: Annotated[NamespaceName | None, Field(description="Unset: the namespace of this object.")] = None


# CEL: what a field means when it is unset. Written once, used by the rules on pairs and on changes.
def _resolved_spec(of: str) -> str:
    alias = f"has({of}.customerMasterKeySpec) ? {of}.customerMasterKeySpec : 'SYMMETRIC_DEFAULT'"
    return f"(has({of}.keySpec) ? {of}.keySpec : {alias})"


def _resolved_usage(of: str) -> str:
    return f"(has({of}.keyUsage) ? {of}.keyUsage : 'ENCRYPT_DECRYPT')"


_SPEC, _USAGE = _resolved_spec("self"), _resolved_usage("self")
_SIGNING = (
    "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, ML_DSA_*"
)

EnumLike = Annotated[
    str,
    text(r"^[A-Z0-9_]{1,64}$", "write one of KMS's words, in capitals, such as SYMMETRIC_DEFAULT or SIGN_VERIFY", max_length=64),
]
_GO_DURATION = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$"
Interval = Annotated[
    str,
    Field(
        pattern=_GO_DURATION,
        max_length=32,
        json_schema_extra={
            "x-kubernetes-validations": [
                cel(
                    f"self.matches(r'{_GO_DURATION}') && duration(self) >= duration('30s')",
                    "write a duration of at least 30s, such as 5m or 1h30m",
                )
            ]
        },
    ),
]


def _nobody_elses(alias: str) -> str:
    """Also where the server's rules are an older version's: what follows from a slip here could not be undone."""
    if f"alias/{alias.removeprefix('alias/')}".startswith(AWS_ALIASES):
        raise ValueError(f"aliases that start with {AWS_ALIASES} belong to AWS: choose another name")
    return alias


_ALIAS = r"^[a-zA-Z0-9/_-]+$"
Alias = Annotated[
    str,
    Field(
        pattern=_ALIAS,
        max_length=256,
        json_schema_extra={
            "x-kubernetes-validations": [
                cel(f"self.matches('{_ALIAS}')", "an alias takes letters, digits, /, _ and - only"),
                cel(
                    "self != 'alias/' && (self.startsWith('alias/') || size(self) <= 250)",
                    "an alias has 1 to 256 characters, with alias/ in front of its name",
                ),
                cel(
                    f"!self.startsWith('{AWS_ALIASES}') && !self.startsWith('{AWS_ALIASES.removeprefix('alias/')}')",
                    f"aliases that start with {AWS_ALIASES} belong to AWS: choose another name",
                ),
            ]
        },
    ),
    AfterValidator(_nobody_elses),
]


_ANYBODYS = ("DescribeKey", "CreateGrant", "RetireGrant")
_DATA_KEYS = (
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
)
_ENCRYPTING = ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo")
GrantOperation = Literal[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
]
Principal = Annotated[
    str,
    text(
        r"^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[A-Za-z0-9_+=,.@:/-]+$",
        "write the ARN of one principal, such as arn:aws:iam::123456789012:role/app; there is no grant to everybody",
        max_length=256,
    ),
]
GranteeRole = Annotated[
    str,
    text(
        r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@:/-]+$",
        "write the ARN of a role, such as arn:aws:iam::123456789012:role/app",
        max_length=256,
    ),
]
Context = dict[str, Annotated[str, Field(max_length=384)]]
_CONTEXT_KEYS = cel("self.all(k, size(k) >= 1 && size(k) <= 384)", "a key of an encryption context has 1 to 384 characters")


def _context(description: str) -> Any:
    return Field(None, description=description, max_length=8, json_schema_extra={"x-kubernetes-validations": [_CONTEXT_KEYS]})


class GrantConstraints(Model):
    """Under which conditions the grant may be used."""

    encryption_context_equals: Annotated[Context | None, _context("The encryption context of a request is exactly this.")] = None
    encryption_context_subset: Annotated[Context | None, _context("The encryption context of a request holds these pairs.")] = None
    source_arn: Annotated[
        Annotated[
            str,
            text(
                r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$",
                "write the ARN of the resource with its account",
                min_length=20,
                max_length=512,
            ),
        ]
        | None,
        Field(description="The AWS resource on whose behalf a request is made."),
    ] = None


class GrantSpec(Model):
    """Who may do what with the key."""

    name: Annotated[str, text(r"^[a-zA-Z0-9:/_-]+$", "a grant's name takes letters, digits and :/_- only", min_length=1, max_length=256)]
    grantee_role_arn: Annotated[GranteeRole | None, Field(description="The role that gets the rights.")] = None
    grantee_principal: Annotated[Principal | None, Field(description="The user, account or session that gets the rights.")] = None
    operations: Annotated[
        tuple[GrantOperation, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=17,
            description="What the grantee may do.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    retiring_principal: Annotated[Principal | None, Field(description="Who may retire the grant, beside the grantee.")] = None
    constraints: GrantConstraints | None = None

    cel: ClassVar = (
        cel(
            "has(self.granteeRoleArn) != has(self.granteePrincipal)",
            "a grant is for one principal: write granteeRoleArn or granteePrincipal",
        ),
    )


def _only(which: str, operations: tuple[str, ...], what: str) -> Rule:
    """What grants of some keys may allow: the operations that these keys have."""
    allowed = (*operations, *_ANYBODYS)
    listed = ", ".join(f"'{name}'" for name in allowed)
    return cel(
        f"!has(self.grants) || !({which}) || self.grants.all(g, g.operations.all(o, o in [{listed}]))",
        f"a grant on a key that {what} allows {', '.join(allowed)} only",
        ".grants",
    )


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
        Annotated[str, text(NO_CONTROLS, "a description takes no control characters but tab and line break", max_length=8192)]
        | None,
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
    key_policy: Annotated[
        Annotated[
            str,
            text(
                POLICY_TEXT,
                "write a key policy, a JSON object; KMS takes ASCII and Latin-1 characters only",
                min_length=2,
                max_length=131072,
            ),
        ]
        | None,
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
        Field(
            strict=False,
            max_length=MAX_ALIASES,
            description="Names that lead to the key, with or without alias/ in front. One that leads to another key is never taken from it.",
            json_schema_extra={
                "x-kubernetes-list-type": "set",
                "x-kubernetes-validations": [
                    cel(
                        "self.all(a, a.startsWith('alias/') || !(('alias/' + a) in self))",
                        "an alias is in the list twice, with and without alias/: write it once",
                    )
                ],
            },
        ),
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
    deletion_policy: Annotated[
        DeletionPolicy | None,
        Field(
            strict=False,
            description="What happens to the key when this object is deleted. ScheduleKeyDeletion, Delete (the same): KMS deletes it after "
            "the window. Retain: nothing. DisableKey: it is disabled and kept. ForceDelete: as Delete, with KMS's shortest window of 7 days. "
            "Unset: the operator's --default-deletion-policy.",
        ),
    ] = None
    deletion_protection: Annotated[
        bool | None, Field(description="true: the object's deletion waits until this is switched off. Unset: false.")
    ] = None
    resync_interval: Annotated[
        Interval | None,
        Field(description="How often the key is looked at when nothing happens. Unset: the operator's --resync-interval."),
    ] = None
    suspend: Annotated[bool | None, Field(description="true: the operator leaves object and key alone. Unset: false.")] = None
    pending_window_in_days: Annotated[
        int | None, Field(ge=7, le=30, description="Days between the deletion of this object and of the key. Unset: 30.")
    ] = None

    cel: ClassVar = (
        cel(
            "!has(self.keySpec) || !has(self.customerMasterKeySpec) || self.keySpec == self.customerMasterKeySpec",
            "keySpec and customerMasterKeySpec are two names of one field: write keySpec only",
            ".customerMasterKeySpec",
        ),
        cel(
            f"{_SPEC} != 'SYMMETRIC_DEFAULT' || {_USAGE} != 'SIGN_VERIFY'",
            f"keyUsage SIGN_VERIFY needs a keySpec that can sign: {_SIGNING}",
        ),
        cel(
            f"{_SPEC} != 'SYMMETRIC_DEFAULT' || {_USAGE} != 'GENERATE_VERIFY_MAC'",
            "keyUsage GENERATE_VERIFY_MAC needs a keySpec for MACs: HMAC_224, HMAC_256, HMAC_384 or HMAC_512",
        ),
        cel(
            f"{_SPEC} != 'SYMMETRIC_DEFAULT' || {_USAGE} != 'KEY_AGREEMENT'",
            "keyUsage KEY_AGREEMENT needs a keySpec that can agree on keys: ECC_NIST_P256, ECC_NIST_P384 or ECC_NIST_P521",
        ),
        cel(
            f"{_SPEC} != 'SYMMETRIC_DEFAULT' || {_USAGE} in ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT']",
            "keySpec SYMMETRIC_DEFAULT takes keyUsage ENCRYPT_DECRYPT only: write the keySpec that your keyUsage needs",
        ),
        cel(
            f"!{_SPEC}.startsWith('HMAC_') || {_USAGE} == 'GENERATE_VERIFY_MAC'",
            "keySpec HMAC_* takes keyUsage GENERATE_VERIFY_MAC only: write keyUsage: GENERATE_VERIFY_MAC",
        ),
        cel(
            f"!{_SPEC}.startsWith('ECC_NIST_P') || {_USAGE} in ['SIGN_VERIFY', 'KEY_AGREEMENT']",
            "keySpec ECC_NIST_P* takes keyUsage SIGN_VERIFY or KEY_AGREEMENT: write one of them",
        ),
        cel(
            f"!({_SPEC} in ['ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519'] || {_SPEC}.startsWith('ML_DSA_')) || {_USAGE} == 'SIGN_VERIFY'",
            "this keySpec can only sign: write keyUsage: SIGN_VERIFY",
        ),
        cel(
            f"!{_SPEC}.startsWith('RSA_') || {_USAGE} in ['ENCRYPT_DECRYPT', 'SIGN_VERIFY']",
            "keySpec RSA_* takes keyUsage ENCRYPT_DECRYPT or SIGN_VERIFY: write one of them",
        ),
        cel(
            f"!has(self.enableKeyRotation) || !self.enableKeyRotation || {_SPEC} == 'SYMMETRIC_DEFAULT'",
            "KMS rotates SYMMETRIC_DEFAULT keys only: remove enableKeyRotation, or use keySpec: SYMMETRIC_DEFAULT",
            ".enableKeyRotation",
        ),
        cel(
            "!has(self.rotationPeriodInDays) || (has(self.enableKeyRotation) && self.enableKeyRotation)",
            "rotationPeriodInDays needs enableKeyRotation: true",
            ".rotationPeriodInDays",
        ),
        _only(f"{_SPEC} == 'SYMMETRIC_DEFAULT'", (*_ENCRYPTING, *_DATA_KEYS), "encrypts"),
        _only(
            f"{_SPEC} != 'SYMMETRIC_DEFAULT' && {_USAGE} == 'ENCRYPT_DECRYPT'",
            (*_ENCRYPTING, "GetPublicKey"),
            "encrypts with a public key",
        ),
        _only(f"{_USAGE} == 'SIGN_VERIFY'", ("Sign", "Verify", "GetPublicKey"), "signs"),
        _only(f"{_USAGE} == 'GENERATE_VERIFY_MAC'", ("GenerateMac", "VerifyMac"), "makes MACs"),
        _only(f"{_USAGE} == 'KEY_AGREEMENT'", ("DeriveSharedSecret", "GetPublicKey"), "agrees on keys"),
        cel(
            f"!has(self.grants) || {_SPEC} == 'SYMMETRIC_DEFAULT' || self.grants.all(g, !has(g.constraints) || "
            "!(has(g.constraints.encryptionContextEquals) || has(g.constraints.encryptionContextSubset)))",
            "only SYMMETRIC_DEFAULT keys have an encryption context: remove the constraints encryptionContextEquals and "
            "encryptionContextSubset",
            ".grants",
        ),
    )

    @property
    def resolved_key_spec(self) -> str:
        """keySpec, else its older name, else KMS's default."""
        return self.key_spec or self.customer_master_key_spec or "SYMMETRIC_DEFAULT"

    @property
    def resolved_key_usage(self) -> str:
        """keyUsage, else KMS's default."""
        return self.key_usage or "ENCRYPT_DECRYPT"

    @property
    def wants_enabled(self) -> bool:
        """True unless the user wrote false."""
        return self.enabled is not False


class CreationAttempt(Model):
    """Written before CreateKey is sent and taken away when its result is known: the memory of a call that may have made a key."""

    id: Annotated[str, Field(max_length=64)]
    time: Timestamp
    count: Annotated[int, Field(ge=1)]


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


class KMSKeyStatus(Model):
    """What was seen in AWS, and when it was not as declared, why."""

    observed_generation: Annotated[int | None, Field(ge=0)] = None
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
    creation_date: Timestamp | None = None
    deletion_date: Timestamp | None = None
    rotation_enabled: bool | None = None
    rotation_period_in_days: int | None = None
    next_rotation_date: Timestamp | None = None
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
    creation_attempt: CreationAttempt | None = None
    effective_deletion_policy: Annotated[DeletionPolicy | None, Field(strict=False)] = None
    last_handled_reconcile_at: Annotated[
        str | None, Field(max_length=256, description="The annotation reconcile-requested-at that was last answered.")
    ] = None
    last_sync_time: Timestamp | None = None
    last_error: LastError | None = None


class SecretKeyRef(Model):
    """One key of a Secret in the provider's namespace."""

    name: ObjectName
    key: Annotated[
        str, text(r"^[-._a-zA-Z0-9]+$", "write a key of the Secret: letters, digits, -, _ and .", min_length=1, max_length=253)
    ]


class SecretRef(Model):
    """A Secret in the provider's namespace with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if any, AWS_SESSION_TOKEN."""

    name: ObjectName


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
    account_id: Annotated[
        Annotated[str, text(r"^[0-9]{12}$", "write the account's 12 digits, in quotes", max_length=12)] | None,
        Field(alias="accountID", description="Nothing is written unless the credentials belong to this account."),
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
        cel("!has(self.externalID) || has(self.assumeRoleARN)", "externalID needs assumeRoleARN", ".externalID"),
        cel("!has(self.sessionTags) || has(self.assumeRoleARN)", "sessionTags need assumeRoleARN", ".sessionTags"),
    )


class AWSProviderStatus(Model):
    """Who AWS says that we are."""

    observed_generation: Annotated[int | None, Field(ge=0)] = None
    conditions: Conditions = ()
    ready: bool | None = None
    account_id: Annotated[str | None, Field(alias="accountID")] = None
    caller_identity: str | None = None
    last_authentication_time: Timestamp | None = None


def _unchanged(resolve: str, field: str, what: str) -> Rule:
    """A transition rule of the root: the resolved value may be set right until the key exists, and is fixed from then on."""
    exists = "has(oldSelf.status) && has(oldSelf.status.keyId)"
    before, after = resolve.replace("self.", "oldSelf.spec."), resolve.replace("self.", "self.spec.")
    message = f"{field} cannot change once the key exists, because KMS cannot change {what}: make a new KMSKey"
    return cel(f"!({exists}) || {before} == {after}", message, f".spec.{field}")


_RESOLVED_MULTI_REGION = "(has(self.multiRegion) && self.multiRegion)"


class KMSKey(Model):
    """A key in AWS KMS: exactly one for this object, kept as its spec says."""

    spec: KMSKeySpec
    status: KMSKeyStatus = KMSKeyStatus()

    cel: ClassVar = (
        _unchanged(_SPEC, "keySpec", "the spec of a key"),
        _unchanged(_USAGE, "keyUsage", "the usage of a key"),
        _unchanged(_RESOLVED_MULTI_REGION, "multiRegion", "a key into or out of a multi-Region key"),
    )


class AWSProvider(Model):
    """An account and region of AWS, and the credentials for it."""

    spec: AWSProviderSpec
    status: AWSProviderStatus = AWSProviderStatus()
