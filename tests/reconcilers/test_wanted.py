from dataclasses import replace

import pytest

from reconcilers.fields import DeletionPolicy
from reconcilers.grant_fields import GrantSpec
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus, RecordedGrant
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.ownership import owned, owner_tags
from reconcilers.states import Asked, ObservedKey, ProviderDefaults, Wanted
from reconcilers.wanted import asked, deletion_policy, wanted_key, window_in_days
from tests.reconcilers.builders import CLUSTER, DENIED, OWNER_TAGS, UID, account, foreign, key, observed, operator, remembered

GRANT = GrantSpec(name="a", grantee_principal="arn:aws:iam::123456789012:root", operations=("Decrypt",))


def wanted(spec: KMSKeySpec, default_tags: dict[str, str] | None = None) -> Wanted:
    return wanted_key(key(spec), account(default_tags), operator())


def test_an_empty_spec_is_kms_defaults() -> None:
    assert wanted(KMSKeySpec()) == Wanted(
        account_id="123456789012",
        region="us-east-1",
        key_spec="SYMMETRIC_DEFAULT",
        key_usage="ENCRYPT_DECRYPT",
        multi_region=False,
        enabled=True,
        description="",
        policy=None,
        bypass_policy_lockout_safety_check=False,
        rotation_enabled=False,
        rotation_period_in_days=None,
        tags=OWNER_TAGS,
    )


@pytest.mark.parametrize(
    ("spec", "resolved"),
    [
        (KMSKeySpec(key_spec="RSA_2048"), "RSA_2048"),
        (KMSKeySpec(customer_master_key_spec="RSA_2048"), "RSA_2048"),
        (KMSKeySpec(key_spec="RSA_2048", customer_master_key_spec="RSA_2048"), "RSA_2048"),
    ],
)
def test_the_key_spec_has_an_older_name(spec: KMSKeySpec, resolved: str) -> None:
    assert wanted(spec).key_spec == resolved


@pytest.mark.parametrize(("enabled", "wants"), [(None, True), (True, True), (False, False)])
def test_only_an_explicit_false_disables(enabled: bool | None, wants: bool) -> None:
    assert wanted(KMSKeySpec(enabled=enabled)).enabled is wants


@pytest.mark.parametrize(
    ("policy", "substituted"),
    [
        (None, None),
        ('{"a": "${AWS_ACCOUNT_ID}", "b": "${AWS_ACCOUNT_ID}"}', '{"a": "123456789012", "b": "123456789012"}'),
        ("ACCOUNT_ID $AWS_ACCOUNT_ID", "ACCOUNT_ID $AWS_ACCOUNT_ID"),
    ],
)
def test_the_placeholder_becomes_the_provider_s_account(policy: str | None, substituted: str | None) -> None:
    assert wanted(KMSKeySpec(key_policy=policy)).policy == substituted


def test_the_object_s_tags_win_over_the_provider_s_and_the_owner_tags_over_both() -> None:
    tags = wanted(KMSKeySpec(tags={"team": "shop"}), {"team": "all", "env": "test", UID_TAG: "forged"}).tags
    assert tags == {"team": "shop", "env": "test", **OWNER_TAGS}


@pytest.mark.parametrize(("name", "hashed"), [("n" * 250, False), ("n" * 251, False), ("n" * 252, True), ("n" * 253, True)])
def test_an_owner_that_is_too_long_for_a_tag_ends_in_a_hash(name: str, *, hashed: bool) -> None:
    wish = replace(key(), name=name)
    owner = owner_tags(wish, CLUSTER)[OWNER_TAG]
    assert len(owner) <= 256
    assert (owner == f"shop/{name}") is not hashed


def test_long_owners_that_differ_at_the_end_have_different_tags() -> None:
    one, other = (owner_tags(replace(key(), name="n" * 252 + end), CLUSTER)[OWNER_TAG] for end in "ab")
    assert one != other
    assert len(one) == len(other) == 256


@pytest.mark.parametrize(
    ("seen", "ours"),
    [
        (observed(), True),
        (observed(tags={OWNER_TAG: "shop/renamed"}), True),
        (observed(tags={"foreign": "x"}), True),
        (foreign(), False),
        (foreign(owner={CLUSTER_TAG: "another"}), False),
        (foreign(owner={UID_TAG: UID.upper()}), False),
        (observed(tags=DENIED), False),
        (replace(observed(), tags={}), False),
        (replace(observed(), tags={UID_TAG: UID}), False),
    ],
)
def test_a_key_is_ours_by_cluster_and_uid(seen: ObservedKey, *, ours: bool) -> None:
    assert owned(key(), seen, CLUSTER) is ours


@pytest.mark.parametrize(
    ("spec", "status", "read"),
    [
        (KMSKeySpec(), remembered(), Asked()),
        (KMSKeySpec(key_policy="{}"), remembered(), Asked(policy=True)),
        (KMSKeySpec(aliases=("a",)), remembered(), Asked(aliases=frozenset({"alias/a"}))),
        (KMSKeySpec(aliases=()), remembered(aliases=("alias/b", "alias/aws/s3")), Asked(aliases=frozenset({"alias/b"}))),
        (KMSKeySpec(aliases=("a",)), remembered(aliases=("alias/b",)), Asked(aliases=frozenset({"alias/a", "alias/b"}))),
        (KMSKeySpec(grants=(GRANT,)), remembered(), Asked(grants=True)),
        (KMSKeySpec(grants=()), remembered(grants=(RecordedGrant(name="a", hash="x"),)), Asked(grants=True)),
    ],
)
def test_nothing_is_read_that_the_object_neither_manages_nor_ever_did(spec: KMSKeySpec, status: KMSKeyStatus, read: Asked) -> None:
    assert asked(key(spec, status)) == read


@pytest.mark.parametrize("own", [None, *DeletionPolicy])
@pytest.mark.parametrize("default", DeletionPolicy)
def test_the_object_s_deletion_policy_wins(own: DeletionPolicy | None, default: DeletionPolicy) -> None:
    assert deletion_policy(key(KMSKeySpec(deletion_policy=own)), operator(default)) is (own or default)


POLICIES = (None, DeletionPolicy.RETAIN, DeletionPolicy.FORCE_DELETE)


@pytest.mark.parametrize("own", POLICIES)
@pytest.mark.parametrize("provider", POLICIES)
@pytest.mark.parametrize("shown", POLICIES)
def test_then_the_providers_wins_whatever_the_status_shows(
    own: DeletionPolicy | None, provider: DeletionPolicy | None, shown: DeletionPolicy | None
) -> None:
    one = key(
        KMSKeySpec(deletion_policy=own), KMSKeyStatus(effective_deletion_policy=shown), defaults=ProviderDefaults(deletion_policy=provider)
    )
    assert deletion_policy(one, operator(DeletionPolicy.DELETE)) is (own or provider or DeletionPolicy.DELETE)


@pytest.mark.parametrize("own", POLICIES)
@pytest.mark.parametrize("shown", POLICIES)
def test_of_a_provider_that_is_gone_the_last_word_holds(own: DeletionPolicy | None, shown: DeletionPolicy | None) -> None:
    one = key(KMSKeySpec(deletion_policy=own), KMSKeyStatus(effective_deletion_policy=shown), defaults=None)
    assert deletion_policy(one, operator(DeletionPolicy.DELETE)) is (own or shown or DeletionPolicy.DELETE)


@pytest.mark.parametrize(
    ("policy", "window", "days"),
    [
        (DeletionPolicy.DELETE, None, 30),
        (DeletionPolicy.SCHEDULE_KEY_DELETION, 7, 7),
        (DeletionPolicy.FORCE_DELETE, None, 7),
        (DeletionPolicy.FORCE_DELETE, 30, 7),
    ],
)
def test_the_window(policy: DeletionPolicy, window: int | None, days: int) -> None:
    assert window_in_days(key(KMSKeySpec(pending_window_in_days=window)), policy) == days
