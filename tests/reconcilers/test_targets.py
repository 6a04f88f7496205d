from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.key_spec import ProviderRef
from reconcilers.provider_fields import AllowedNamespaces, LabelSelector
from reconcilers.reasons import Reason
from reconcilers.states import Missing, ObservedKey, Problem
from reconcilers.target_fields import DependentSpec, TargetRef
from reconcilers.targets import Known, Target, TargetKMSKey, Way, find_target, lead, unusable, way_back
from tests.reconcilers.builders import CLUSTER, DENIED, KEY_ID, NOW, account
from tests.reconcilers.dependents import GONE, ONE, bare, tagged, way

MINE = TargetKMSKey("shop", "one", provider_ref=ProviderRef(name="theirs"), key_arn=ONE)
THEIRS = replace(MINE, namespace="vault")
OPEN = replace(THEIRS, grantable_from=AllowedNamespaces(names=("shop",)))
REF, FAR_REF = TargetRef(name="one"), TargetRef(name="one", namespace="vault")
OWN_PROVIDER = ProviderRef(name="own")

FOUND = [
    ("its own namespace's", DependentSpec(target_ref=REF), Known(MINE), ("shop", MINE.provider_ref, {"shop"})),
    ("with a provider of its own", DependentSpec(target_ref=REF, provider_ref=OWN_PROVIDER), Known(MINE), ("shop", OWN_PROVIDER, {"shop"})),
    ("one that permits", DependentSpec(target_ref=FAR_REF), Known(OPEN), ("vault", OPEN.provider_ref, {"shop", "vault"})),
    (
        "one that permits, with a provider of its own",
        DependentSpec(target_ref=FAR_REF, provider_ref=OWN_PROVIDER),
        Known(OPEN),
        ("shop", OWN_PROVIDER, {"shop", "vault"}),
    ),
    ("by ARN", DependentSpec(target_key_id=ONE), Known(), ("shop", None, {"shop"})),
    ("by ARN, of one that permits", DependentSpec(target_key_id=ONE), Known(owners=(OPEN,)), ("shop", None, {"shop", "vault"})),
]


@pytest.mark.parametrize(("spec", "known", "expected"), [pytest.param(*rest, id=name) for name, *rest in FOUND])
def test_a_target_is_found_with_the_provider_that_leads_to_it(
    spec: DependentSpec, known: Known, expected: tuple[str, ProviderRef | None, set[str]]
) -> None:
    found = find_target(spec, "shop", known)
    assert isinstance(found, Target)
    assert (found.key, found.namespace, found.provider_ref, set(found.homes)) == (ONE, *expected)


REFUSED = [
    ("no such KMSKey", DependentSpec(target_ref=REF), Known(), Reason.TARGET_NOT_FOUND),
    ("no such KMSKey elsewhere", DependentSpec(target_ref=FAR_REF), Known(), Reason.TARGET_NOT_ALLOWED),
    ("one that does not permit", DependentSpec(target_ref=FAR_REF), Known(THEIRS), Reason.TARGET_NOT_ALLOWED),
    ("one that is being deleted", DependentSpec(target_ref=REF), Known(replace(MINE, deleting=True)), Reason.TARGET_PENDING_DELETION),
    ("one without a key", DependentSpec(target_ref=REF), Known(replace(MINE, key_arn=None)), Reason.TARGET_NOT_READY),
    ("by ARN, of one that does not permit", DependentSpec(target_key_id=ONE), Known(owners=(THEIRS,)), Reason.TARGET_NOT_ALLOWED),
    ("by ARN, of two of which one permits", DependentSpec(target_key_id=ONE), Known(owners=(OPEN, THEIRS)), Reason.TARGET_NOT_ALLOWED),
]


@pytest.mark.parametrize(("spec", "known", "reason"), [pytest.param(*rest, id=name) for name, *rest in REFUSED])
def test_a_target_that_cannot_be_used_is_told_before_anything_is_asked(spec: DependentSpec, known: Known, reason: Reason) -> None:
    found = find_target(spec, "shop", known)
    assert isinstance(found, Problem)
    assert found.reason is reason


@pytest.mark.parametrize(("labels", "permitted"), [(None, False), ({}, False), ({"team": "x"}, True)])
def test_labels_decide_where_they_are_asked_for(labels: dict[str, str] | None, permitted: bool) -> None:
    selecting = replace(THEIRS, grantable_from=AllowedNamespaces(selector=LabelSelector(match_labels={"team": "x"})))
    assert isinstance(find_target(DependentSpec(target_ref=FAR_REF), "shop", Known(selecting), labels), Target) is permitted
    assert Known(selecting).hinges_on_labels("shop")
    assert not Known(OPEN, owners=(MINE,)).hinges_on_labels("shop")


def test_what_is_not_permitted_looks_like_what_is_not_there() -> None:
    spec = DependentSpec(target_ref=FAR_REF)
    assert find_target(spec, "shop", Known()) == find_target(spec, "shop", Known(THEIRS))


@pytest.mark.parametrize(
    ("key", "region", "leads"),
    [(ONE, "us-east-1", True), (ONE, "eu-west-1", False), (KEY_ID, "eu-west-1", True), ("", "eu-west-1", True)],
)
def test_a_provider_has_to_lead_to_where_the_key_is(key: str, region: str, leads: bool) -> None:
    found = lead(Target(key, "shop", None, frozenset()), account(region=region), "shop/main")
    assert isinstance(found, Way) is leads
    if isinstance(found, Problem):
        assert found.reason is Reason.ACCOUNT_MISMATCH
        assert "shop/main" in found.message


def test_the_way_back_is_the_provider_by_which_something_was_made() -> None:
    back = way_back("vault/main")
    assert back is not None
    assert (back.namespace, back.provider_ref) == ("vault", ProviderRef(name="main"))
    assert way_back(None) is None


SEEN: list[tuple[str, ObservedKey | Missing, Reason | None]] = [
    ("nobody's", bare(), None),
    ("disabled", bare(state="Disabled"), None),
    ("its own namespace's", tagged("shop/one"), None),
    ("another cluster's", tagged("vault/one", cluster="another"), None),
    ("another namespace's", tagged("vault/one"), Reason.TARGET_NOT_ALLOWED),
    ("a namespace's that begins alike", tagged("shop-2/one"), Reason.TARGET_NOT_ALLOWED),
    ("of this cluster, without an owner", tagged(""), Reason.TARGET_NOT_ALLOWED),
    ("tags that may not be read", replace(bare(), tags=DENIED), Reason.ACCESS_DENIED),
    ("AWS's own", replace(bare(), manager="AWS"), Reason.TARGET_NOT_ALLOWED),
    ("pending deletion", bare(state="PendingDeletion"), Reason.TARGET_PENDING_DELETION),
    ("pending, and another's", replace(tagged("vault/one"), state="PendingDeletion"), Reason.TARGET_NOT_ALLOWED),
    ("a primary that waits for replicas", bare(state="PendingReplicaDeletion"), Reason.TARGET_PENDING_DELETION),
    ("on its way", bare(state="Creating"), Reason.TARGET_NOT_READY),
    ("missing", GONE, Reason.TARGET_GONE),
]


@pytest.mark.parametrize(("seen", "reason"), [pytest.param(*rest, id=name) for name, *rest in SEEN])
def test_a_key_is_judged_as_it_is_seen(seen: ObservedKey | Missing, reason: Reason | None) -> None:
    problem = unusable(seen, way(), CLUSTER, NOW)
    assert (problem and problem.reason) is reason


def test_owner_tags_of_a_namespace_that_permits_are_no_obstacle() -> None:
    assert unusable(tagged("vault/one"), way(homes=frozenset({"shop", "vault"})), CLUSTER, NOW) is None


@pytest.mark.parametrize(("minutes", "reason"), [(1, Reason.TARGET_NOT_READY), (6, Reason.TARGET_GONE)])
def test_a_key_that_is_new_may_not_show_yet(minutes: int, reason: Reason) -> None:
    there = way()
    new = replace(there, target=replace(there.target, made=NOW - timedelta(minutes=minutes)))
    problem = unusable(GONE, new, CLUSTER, NOW)
    assert problem is not None
    assert (problem.reason, problem.stalled) == (reason, minutes == 6)
