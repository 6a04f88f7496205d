"""Every reason that a condition or an event of ours can carry: one CamelCase word each, in one place.

A reason is an API: users write `kubectl wait`, alerts and health checks against it. Add, never rename.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition is what it is; the condition's message says what to do about it."""

    # The key or the provider is as declared.
    AVAILABLE = "Available"
    DISABLED_AS_REQUESTED = "DisabledAsRequested"
    AUTHENTICATION_SUCCEEDED = "AuthenticationSucceeded"
    IN_SYNC = "InSync"

    # Something is under way, and nobody has to act.
    CREATING = "Creating"
    CREATION_UNKNOWN = "CreationUnknown"
    ADOPTING = "Adopting"
    UPDATING = "Updating"
    DELETING = "Deleting"
    SUSPENDED = "Suspended"
    KEY_NOT_USABLE_YET = "KeyNotUsableYet"
    ROTATION_PENDING = "RotationPending"
    ROTATION_UNKNOWN = "RotationUnknown"
    THROTTLED = "Throttled"
    WAITING_FOR_QUOTA = "WaitingForQuota"
    AWS_UNAVAILABLE = "AWSUnavailable"

    # The object asks for something that cannot be; AWS was not asked.
    INVALID_SPEC = "InvalidSpec"
    INVALID_POLICY = "InvalidPolicy"
    POLICY_LOCKOUT = "PolicyLockout"
    POLICY_TOO_OPEN = "PolicyTooOpen"
    POLICY_TOO_LARGE = "PolicyTooLarge"
    BYPASS_NOT_ALLOWED = "BypassNotAllowed"
    TOO_MANY_TAGS = "TooManyTags"
    IMMUTABLE_FIELD_CONFLICT = "ImmutableFieldConflict"

    # The provider stands in the way.
    PROVIDER_NOT_RESOLVED = "ProviderNotResolved"
    PROVIDER_NOT_FOUND = "ProviderNotFound"
    PROVIDER_NOT_ALLOWED = "ProviderNotAllowed"
    PROVIDER_NOT_READY = "ProviderNotReady"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    EVENTS_UNAVAILABLE = "EventsUnavailable"
    CREDENTIALS_INVALID = "CredentialsInvalid"
    ACCOUNT_MISMATCH = "AccountMismatch"
    ENDPOINT_NOT_ALLOWED = "EndpointNotAllowed"
    AMBIENT_CREDENTIALS_NOT_ALLOWED = "AmbientCredentialsNotAllowed"
    INVALID_REGION = "InvalidRegion"
    INVALID_ROLE_ARN = "InvalidRoleARN"

    # AWS said no, and somebody must act.
    ACCESS_DENIED = "AccessDenied"
    LIMIT_EXCEEDED = "LimitExceeded"
    POLICY_REJECTED = "PolicyRejected"
    POLICY_PRINCIPAL_NOT_FOUND = "PolicyPrincipalNotFound"
    UNSUPPORTED_KEY_SPEC = "UnsupportedKeySpec"
    KEY_STORE_NOT_CONNECTED = "KeyStoreNotConnected"
    KEY_STORE_REFUSED = "KeyStoreRefused"
    REJECTED_BY_AWS = "RejectedByAWS"

    # The key is not in a state in which the spec can be reached.
    KEY_LOST = "KeyLost"
    KEY_NOT_OWNED = "KeyNotOwned"
    KEY_PENDING_DELETION = "KeyPendingDeletion"
    DRIFT_DETECTED = "DriftDetected"
    ADOPTION_REFUSED = "AdoptionRefused"
    KEY_NOT_FOUND = "KeyNotFound"
    KEY_PENDING_IMPORT = "KeyPendingImport"
    KEY_UNAVAILABLE = "KeyUnavailable"
    AMBIGUOUS_KEY = "AmbiguousKey"
    KEY_DISABLED = "KeyDisabled"
    DELETION_BLOCKED = "DeletionBlocked"
    ALIAS_CONFLICT = "AliasConflict"
    EXPORT_CONFLICT = "ExportConflict"
    EXPORT_FAILED = "ExportFailed"
    REPLICA_NOT_READY = "ReplicaNotReady"

    # The key that an alias or a grant is for.
    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_NOT_READY = "TargetNotReady"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    TARGET_PENDING_DELETION = "TargetPendingDeletion"
    TARGET_GONE = "TargetGone"
    UNSUPPORTED_OPERATIONS = "UnsupportedOperations"

    # Events only: what was done.
    FINALIZER_ADDED = "FinalizerAdded"
    KEY_CREATED = "KeyCreated"
    KEY_FOUND = "KeyFound"
    KEY_REPLICATED = "KeyReplicated"
    REPLICA_RELEASED = "ReplicaReleased"
    DELETION_CANCELLED = "DeletionCancelled"
    KEY_ENABLED = "KeyEnabled"
    POLICY_UPDATED = "PolicyUpdated"
    DESCRIPTION_UPDATED = "DescriptionUpdated"
    TAGS_UPDATED = "TagsUpdated"
    TAGS_REMOVED = "TagsRemoved"
    ROTATION_ENABLED = "RotationEnabled"
    ROTATION_DISABLED = "RotationDisabled"
    KEY_ROTATED = "KeyRotated"
    GRANT_CREATED = "GrantCreated"
    GRANT_REVOKED = "GrantRevoked"
    ALIAS_CREATED = "AliasCreated"
    ALIAS_MOVED = "AliasMoved"
    ALIAS_DELETED = "AliasDeleted"
    EXPORTED = "Exported"
    EXPORT_REMOVED = "ExportRemoved"
    KEY_DISABLED_EVENT = "DisabledKey"
    KEY_MATERIAL_DELETED = "KeyMaterialDeleted"
    DELETION_SCHEDULED = "DeletionScheduled"
    KEY_RELEASED = "KeyReleased"
    CREDENTIALS_TRIMMED = "CredentialsTrimmed"
    DRIFT_CORRECTED = "DriftCorrected"
