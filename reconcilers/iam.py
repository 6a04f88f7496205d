"""The least IAM policy under which the operator works: which actions each feature needs, on what, under which conditions, and why.

Rules:
1. An action is listed if the operator calls the operation of its name, and no other is; the few that AWS asks for beside it are COMPANIONS.
   Nothing here lets anybody encrypt, decrypt or sign; only `grants` lets somebody be given that.
2. Reading is allowed for every key, because the operator has to see that a key is not its own. Changing is allowed only for keys that carry
   the cluster's tag, and creating only together with that tag.
3. Without a cluster id, any cluster's tag will do. With one, two clusters in one account cannot touch each other's keys.

Not promised: that these are all the doors. A key policy that does not leave it to IAM decides alone about its key. Whoever may create
tagged keys may also put the cluster's tag on another key of the account, because for a creation with tags KMS asks for kms:TagResource on
all keys.

Source: "Actions, resources, and condition keys for AWS Key Management Service", and the same pages for STS and for resource tagging.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final

from reconcilers.names import CLUSTER_TAG, OWNER_TAGS

Json = dict[str, Any]


class Feature(StrEnum):
    """What the operator shall be able to do."""

    CORE = "core"
    CREATE = "create"
    STATE = "state"
    RESTORE = "restore"
    DESCRIPTION = "description"
    POLICY = "policy"
    TAGS = "tags"
    ALIASES = "aliases"
    GRANTS = "grants"
    ADOPT = "adopt"
    ROTATION = "rotation"
    DELETE = "delete"
    IMPORTED_MATERIAL = "imported-material"
    EXPORT = "export"
    SEARCH = "search"
    MULTI_REGION = "multi-region"
    EVENTS = "events"
    ROLES = "roles"


# What is to be asked for by name. `events` is for those who have such a queue, and `roles` is for another identity than the rest: see ASSUME.
# Whoever has `grants` may give anybody the use of the cluster's keys, and `imported-material` ends a key at once.
UNUSUAL: Final = (Feature.MULTI_REGION, Feature.EVENTS, Feature.ROLES, Feature.GRANTS, Feature.IMPORTED_MATERIAL)
USUAL: Final = tuple(feature for feature in Feature if feature not in UNUSUAL)


class Scope(Enum):
    """On what, and under which conditions; the value is the statement's Sid."""

    READ = "ReadKeys"
    FIND = "FindKeys"
    CREATE = "CreateTaggedKeys"
    CHANGE = "ChangeOwnKeys"
    ALIAS = "ChangeAliases"
    UNTAG = "RemoveTagsFromOwnKeys"
    DELETE = "DeleteOwnKeys"
    LINKED_ROLE = "LetKmsSynchronizeMultiRegionKeys"
    QUEUE = "TakeEventsFromQueues"
    ASSUME = "AssumeRoles"


@dataclass(frozen=True, slots=True)
class Permission:
    """One action for one feature, and why."""

    action: str
    feature: Feature
    scope: Scope
    why: str


@dataclass(frozen=True, slots=True)
class Where:
    """To what the policy is narrowed down; None and no roles: not narrowed down. region: leave it out where keys have replicas."""

    partition: str = "aws"
    account_id: str | None = None
    region: str | None = None
    cluster_id: str | None = None
    role_arns: tuple[str, ...] = ()


_WITH_TAGS = "the owner tags are part of the creation, for which KMS asks for this too"
PERMISSIONS: Final = (
    Permission("kms:DescribeKey", Feature.CORE, Scope.READ, "see the key's state"),
    Permission("kms:ListResourceTags", Feature.CORE, Scope.READ, "see whose key it is: without it nothing is ever changed"),
    Permission("kms:GetKeyRotationStatus", Feature.CORE, Scope.READ, "show the rotation, and see whether it differs"),
    Permission("kms:CreateKey", Feature.CREATE, Scope.CREATE, "make keys"),
    Permission("kms:TagResource", Feature.CREATE, Scope.CREATE, _WITH_TAGS),
    Permission("kms:EnableKey", Feature.STATE, Scope.CHANGE, "spec.enabled"),
    Permission("kms:DisableKey", Feature.STATE, Scope.CHANGE, "spec.enabled: false, and deletionPolicy DisableKey"),
    Permission("kms:CancelKeyDeletion", Feature.RESTORE, Scope.CHANGE, "take a key back whose deletion somebody scheduled"),
    Permission("kms:EnableKey", Feature.RESTORE, Scope.CHANGE, "KMS leaves a key disabled that was taken back"),
    Permission("kms:TagResource", Feature.RESTORE, Scope.CHANGE, "give the key of a deleted object to its successor"),
    Permission("kms:UpdateKeyDescription", Feature.DESCRIPTION, Scope.CHANGE, "spec.description"),
    Permission("kms:GetKeyPolicy", Feature.POLICY, Scope.READ, "see whether the policy differs from spec.keyPolicy"),
    Permission("kms:PutKeyPolicy", Feature.POLICY, Scope.CHANGE, "spec.keyPolicy, after the creation"),
    Permission("kms:TagResource", Feature.TAGS, Scope.CHANGE, "spec.tags and the provider's defaultTags, after the creation"),
    Permission("kms:UntagResource", Feature.TAGS, Scope.UNTAG, "a tag that left the spec; never the owner tags"),
    Permission("kms:ListAliases", Feature.ALIASES, Scope.FIND, "see which aliases lead to the key"),
    Permission("kms:CreateAlias", Feature.ALIASES, Scope.CHANGE, "spec.aliases; asked of the key"),
    Permission("kms:CreateAlias", Feature.ALIASES, Scope.ALIAS, "the same, asked of the alias, which has no tags"),
    Permission("kms:UpdateAlias", Feature.ALIASES, Scope.CHANGE, "a KMSAlias with another target; asked of both keys"),
    Permission("kms:UpdateAlias", Feature.ALIASES, Scope.ALIAS, "the same, asked of the alias"),
    Permission("kms:DeleteAlias", Feature.ALIASES, Scope.CHANGE, "an alias that left the spec, or whose key is deleted; asked of the key"),
    Permission("kms:DeleteAlias", Feature.ALIASES, Scope.ALIAS, "the same, asked of the alias"),
    Permission("kms:ListGrants", Feature.GRANTS, Scope.READ, "see which of spec.grants there are"),
    Permission("kms:CreateGrant", Feature.GRANTS, Scope.CHANGE, "spec.grants"),
    Permission("kms:RevokeGrant", Feature.GRANTS, Scope.CHANGE, "a grant that left the spec or was replaced; deletionPolicy ForceDelete"),
    Permission("kms:TagResource", Feature.ADOPT, Scope.CREATE, "spec.adopt: the owner tags are what makes the key the object's"),
    Permission("kms:ListAliases", Feature.ADOPT, Scope.FIND, "spec.adopt.alias: see where it leads without following it"),
    Permission("kms:ListKeyRotations", Feature.ROTATION, Scope.READ, "status.lastRotationDate; see what became of spec.rotateOnDemand"),
    Permission("kms:RotateKeyOnDemand", Feature.ROTATION, Scope.CHANGE, "spec.rotateOnDemand"),
    Permission("kms:EnableKeyRotation", Feature.ROTATION, Scope.CHANGE, "spec.enableKeyRotation and rotationPeriodInDays"),
    Permission("kms:DisableKeyRotation", Feature.ROTATION, Scope.CHANGE, "spec.enableKeyRotation: false"),
    Permission("kms:ScheduleKeyDeletion", Feature.DELETE, Scope.DELETE, "deletionPolicy ScheduleKeyDeletion, Delete and ForceDelete"),
    Permission("kms:DeleteImportedKeyMaterial", Feature.IMPORTED_MATERIAL, Scope.DELETE, "deletionPolicy ForceDelete with origin EXTERNAL"),
    Permission("kms:GetPublicKey", Feature.EXPORT, Scope.READ, "spec.exportTo of a key with a public half"),
    Permission("tag:GetResources", Feature.SEARCH, Scope.FIND, "find the key of a lost answer or of an earlier object, and orphans"),
    Permission("kms:ListKeys", Feature.SEARCH, Scope.FIND, "the same where the tag index is late: prove that there is no key"),
    Permission("kms:ReplicateKey", Feature.MULTI_REGION, Scope.CHANGE, "spec.replicas and the provider's defaultReplicaRegions"),
    Permission("kms:CreateKey", Feature.MULTI_REGION, Scope.CREATE, "the same, asked of the replica's region"),
    Permission("kms:TagResource", Feature.MULTI_REGION, Scope.CREATE, _WITH_TAGS),
    Permission("iam:CreateServiceLinkedRole", Feature.MULTI_REGION, Scope.LINKED_ROLE, "KMS's own role, made with the first such key"),
    Permission("sqs:ReceiveMessage", Feature.EVENTS, Scope.QUEUE, "the provider's spec.events.queueURL"),
    Permission("sqs:DeleteMessage", Feature.EVENTS, Scope.QUEUE, "what was received is not received again"),
    Permission("sts:AssumeRole", Feature.ROLES, Scope.ASSUME, "the provider's roleARN and assumeRoleARN"),
    Permission("sts:TagSession", Feature.ROLES, Scope.ASSUME, "the provider's sessionTags"),
)  # fmt: skip

# Asked for by AWS beside an operation that we call, and no operation of ours.
COMPANIONS: Final = frozenset({"iam:CreateServiceLinkedRole", "sts:TagSession"})
# No policy of the caller is asked about these: everybody may ask who they are, and a web identity is judged by the role's trust policy.
FREE: Final = frozenset({"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"})


def needed(features: Iterable[Feature]) -> tuple[Permission, ...]:
    """What these features need, in the order of PERMISSIONS."""
    chosen = set(features)
    return tuple(permission for permission in PERMISSIONS if permission.feature in chosen)


def policy(features: Iterable[Feature], where: Where) -> Json:
    """The policy document for an identity that shall be able to do this; a statement for each scope."""
    permissions = needed(features)
    statements = [_statement(scope, permissions, where) for scope in Scope if any(p.scope is scope for p in permissions)]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(scope: Scope, permissions: tuple[Permission, ...], where: Where) -> Json:
    statement = {
        "Sid": scope.value,
        "Effect": "Allow",
        "Action": sorted({permission.action for permission in permissions if permission.scope is scope}),
        "Resource": _resource(scope, where),
    }
    conditions = _conditions(scope, where)
    return statement | ({"Condition": conditions} if conditions else {})


def _resource(scope: Scope, where: Where) -> str | list[str]:
    match scope:
        case Scope.FIND | Scope.CREATE:  # the key is not there yet, or not known: these operations name none
            return "*"
        case Scope.ALIAS:
            return f"arn:{where.partition}:kms:{where.region or '*'}:{where.account_id or '*'}:alias/*"
        case Scope.QUEUE:
            return f"arn:{where.partition}:sqs:{where.region or '*'}:{where.account_id or '*'}:*"
        case Scope.LINKED_ROLE:
            role = "role/aws-service-role/mrk.kms.amazonaws.com/AWSServiceRoleForKeyManagementServiceMultiRegionKeys"
            return f"arn:{where.partition}:iam::{where.account_id or '*'}:{role}"
        case Scope.ASSUME:
            return list(where.role_arns) or f"arn:{where.partition}:iam::*:role/*"
        case _:
            return f"arn:{where.partition}:kms:{where.region or '*'}:{where.account_id or '*'}:key/*"


def _conditions(scope: Scope, where: Where) -> Json:
    match scope:
        case Scope.CREATE:
            return _tagged("aws:RequestTag", where)
        case Scope.CHANGE:
            return _tagged("aws:ResourceTag", where)
        case Scope.UNTAG:
            return _tagged("aws:ResourceTag", where) | {"ForAllValues:StringNotEquals": {"aws:TagKeys": list(OWNER_TAGS)}}
        case Scope.DELETE:
            # IfExists: a request without a window means KMS's 30 days.
            window = {"NumericGreaterThanEqualsIfExists": {"kms:ScheduleKeyDeletionPendingWindowInDays": "7"}}
            return _tagged("aws:ResourceTag", where) | window
        case Scope.LINKED_ROLE:
            return {"StringEquals": {"iam:AWSServiceName": "mrk.kms.amazonaws.com"}}
        case _:
            return {}


def _tagged(key: str, where: Where) -> Json:
    """The tag of this cluster; of any cluster where none is named."""
    name = f"{key}/{CLUSTER_TAG}"
    return {"StringEquals": {name: where.cluster_id}} if where.cluster_id else {"Null": {name: "false"}}
