"""What the planner is given, made in one line: an object, a key in AWS, a provider's account, an operator.

Each builder without arguments fits the others: the key is this object's, in this account, exactly as an empty spec asks for it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconcilers.attempts import Ages, attempts_in
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import CreationAttempt, KMSKeyStatus, RecordedGrant
from reconcilers.names import CLUSTER_TAG, KMSKEY_FINALIZER, OWNER_TAG, UID_TAG
from reconcilers.reasons import Reason
from reconcilers.states import Account, Grant, KeyObject, ObservedKey, Operator, ProviderDefaults, Rotation, Unobservable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
CLUSTER = "0b6c7ad2-52a5-4d9e-9a52-0d6f6c1f4f01"
UID = "7e0c3a54-9f3f-4d0c-8f0a-3c8f5d1f7a02"
ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY_ID = "9876fedc-98fe-76dc-54ba-fedcba987654"
OWNER_TAGS = {CLUSTER_TAG: CLUSTER, OWNER_TAG: "shop/orders", UID_TAG: UID}
DENIED = Unobservable(Reason.ACCESS_DENIED, "Allow kms:Something to the provider's identity.")
NO_ROTATION = Rotation(False)
NO_DEFAULTS = ProviderDefaults()

STATES = (
    "Creating",
    "Enabled",
    "Disabled",
    "PendingDeletion",
    "PendingImport",
    "PendingReplicaDeletion",
    "Unavailable",
    "Updating",
)


def arn(key_id: str = KEY_ID) -> str:
    """The ARN of a key of this account."""
    return f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/{key_id}"


def key(
    spec: KMSKeySpec | None = None,
    status: KMSKeyStatus | None = None,
    *,
    deleting: bool = False,
    finalizers: tuple[str, ...] = (KMSKEY_FINALIZER,),
    generation: int = 1,
    defaults: ProviderDefaults | None = NO_DEFAULTS,
) -> KeyObject:
    """The object shop/orders, with our finalizer, of a provider without defaults. Its attempts are known since the time that they bear."""
    return KeyObject(
        namespace="shop",
        name="orders",
        uid=UID,
        generation=generation,
        deleting=deleting,
        finalizers=finalizers,
        spec=spec or KMSKeySpec(),
        status=status or KMSKeyStatus(),
        defaults=defaults,
        ages=ages(status or KMSKeyStatus()),
    )


def ages(status: KMSKeyStatus, now: datetime = NOW) -> Ages:
    """Of the attempts in it, where every clock is right and this process has always been there."""
    return {attempt: now - attempt.written.time for attempt in attempts_in(status)}


def answered(seen: ObservedKey) -> ObservedKey:
    """The same, once KMS has answered a write of this pass with that state."""
    return replace(seen, state_is_answered=True)


def observed(
    state: str = "Enabled",
    *,
    key_id: str = KEY_ID,
    description: str = "",
    tags: Mapping[str, str] | Unobservable | None = None,
    policy: str | Unobservable | None = None,
    rotation: Rotation | Unobservable | None = NO_ROTATION,
    aliases: Mapping[str, str] | Unobservable | None = None,
    grants: Mapping[str, Grant | None] | Unobservable | None = None,
) -> ObservedKey:
    """A symmetric key that carries the owner tags of shop/orders, and `tags` beside them; Unobservable tags replace both."""
    pending = state in {"PendingDeletion", "PendingReplicaDeletion"}
    return ObservedKey(
        key_id=key_id,
        arn=arn(key_id),
        account_id=ACCOUNT_ID,
        region=REGION,
        state=state,
        manager="CUSTOMER",
        key_spec="SYMMETRIC_DEFAULT",
        key_usage="ENCRYPT_DECRYPT",
        origin="AWS_KMS",
        multi_region=False,
        description=description,
        creation_date=LONG_AGO,
        deletion_date=NOW + timedelta(days=7) if pending else None,
        tags=tags if isinstance(tags, Unobservable) else {**OWNER_TAGS, **(tags or {})},
        policy=policy,
        rotation=rotation,
        aliases=aliases,
        grants=grants,
    )


def leading(*aliases: str, key_id: str = KEY_ID) -> dict[str, str]:
    """Aliases that lead to the key."""
    return dict.fromkeys(aliases, arn(key_id))


def foreign(state: str = "Enabled", owner: Mapping[str, str] | None = None) -> ObservedKey:
    """A key whose owner tags name another object; `owner` says which."""
    return observed(state, tags=owner or {UID_TAG: "00000000-0000-0000-0000-000000000000", OWNER_TAG: "shop/invoices"})


def predecessors(state: str = "Enabled", key_id: str = KEY_ID) -> ObservedKey:
    """The key of an earlier object of the same name."""
    return observed(state, key_id=key_id, tags={UID_TAG: "00000000-0000-0000-0000-000000000000"})


def stray(
    state: str = "Enabled", *, description: str = "", tags: Mapping[str, str] | None = None, rotation: Rotation = NO_ROTATION
) -> ObservedKey:
    """A key that somebody made by hand: without owner tags."""
    return replace(observed(state, description=description, rotation=rotation), tags=tags or {})


def account(default_tags: Mapping[str, str] | None = None, account_id: str = ACCOUNT_ID, region: str = REGION) -> Account:
    """Where the provider leads."""
    return Account(account_id, region, default_tags or {})


def operator(
    default_deletion_policy: DeletionPolicy = DeletionPolicy.SCHEDULE_KEY_DELETION, *, allow_policy_lockout_bypass: bool = False
) -> Operator:
    """An operator as it ships."""
    return Operator(CLUSTER, default_deletion_policy, timedelta(minutes=5), allow_policy_lockout_bypass)


def remembered(
    *,
    managed_tag_keys: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    grants: tuple[RecordedGrant, ...] = (),
    creation_date: datetime | None = LONG_AGO,
) -> KMSKeyStatus:
    """The status of an object whose key was seen before."""
    return KMSKeyStatus(
        key_id=KEY_ID,
        key_arn=arn(),
        account_id=ACCOUNT_ID,
        region=REGION,
        creation_date=creation_date,
        managed_tag_keys=managed_tag_keys,
        aliases=aliases,
        grants=grants,
    )


def attempted(age: timedelta, count: int = 1) -> KMSKeyStatus:
    """The status of an object whose CreateKey was sent `age` ago and never answered."""
    return KMSKeyStatus(creation_attempt=CreationAttempt(id=f"{UID}.{count}", time=NOW - age, count=count))
