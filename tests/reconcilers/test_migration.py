from typing import Any

import pytest

from reconcilers.migration import Found, FoundKey, FoundPart, declared, grant, migration, rotation, slug, tags
from reconcilers.names import API_VERSION

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-central-1:111122223333:key/{ID}"
OTHER = "arn:aws:kms:us-east-1:111122223333:key/9876fedc-98fe-76dc-54ba-fedcba987654"


def key(name: str = "orders", arn: str | None = ARN, key_id: str | None = ID, called: str | None = None, **spec: Any) -> FoundKey:
    return FoundKey(f"Key shop/{name}", name, "shop", key_id, arn, spec, called)


def part(target: str | None, **spec: Any) -> FoundPart:
    return FoundPart("Part shop/part", "part", "shop", target, spec)


def test_a_key_is_adopted_by_its_arn_and_is_safe_from_a_slip() -> None:
    (manifest,) = migration(Found([key(description="Orders")]), "main", None).manifests
    assert manifest == {
        "apiVersion": API_VERSION,
        "kind": "KMSKey",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"providerRef": {"name": "main"}, "adopt": {"arn": ARN}, "description": "Orders", "deletionPolicy": "Retain"},
    }


def test_without_an_arn_the_id_has_to_do() -> None:
    (manifest,) = migration(Found([key(arn=None)]), None, None).manifests
    assert manifest["spec"] == {"adopt": {"keyId": ID}, "deletionPolicy": "Retain"}


def test_a_key_that_does_not_exist_yet_is_left_out() -> None:
    made = migration(Found([key(arn=None, key_id=None)]), None, None)
    assert made.manifests == ()
    assert made.left_out == ("Key shop/orders: it says neither an ARN nor an id of a key: it has made none yet",)


def test_no_two_objects_have_one_name() -> None:
    made = migration(Found([key("a.b"), key("a_b", OTHER), FoundKey("x", "a-b", None, ID, None, {})]), None, "default")
    names = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in made.manifests]
    assert names == [("shop", "a-b"), ("shop", "a-b-2"), ("default", "a-b")]


@pytest.mark.parametrize("target", [ID, ARN, "object/shop/orders"])
def test_what_hangs_on_a_key_of_these_becomes_part_of_it(target: str) -> None:
    terms = {"name": "app", "granteeRoleArn": "arn:aws:iam::111122223333:role/app", "operations": ["Decrypt"]}
    found = Found([key(called="object/shop/orders")], [part(target, aliasName="alias/orders")], [part(target, **terms)])
    (manifest,) = migration(found, None, None).manifests
    assert manifest["spec"]["aliases"] == ["alias/orders"]
    assert manifest["spec"]["grants"] == [terms]


def test_what_hangs_on_another_key_is_an_object_of_its_own() -> None:
    terms = {"name": "app", "granteeRoleArn": "arn:aws:iam::111122223333:role/app", "operations": ["Decrypt"]}
    made = migration(Found([], [part(OTHER, aliasName="alias/a")], [part(ID, **terms)]), "main", None)
    assert [(one["kind"], one["spec"]) for one in made.manifests] == [
        ("KMSAlias", {"providerRef": {"name": "main"}, "targetKeyId": OTHER, "aliasName": "alias/a", "deletionPolicy": "Retain"}),
        ("KMSGrant", {"providerRef": {"name": "main"}, "targetKeyId": ID, **terms, "deletionPolicy": "Retain"}),
    ]


@pytest.mark.parametrize("target", [None, "object/shop/absent"])
def test_what_hangs_on_nothing_known_is_left_out(target: str | None) -> None:
    made = migration(Found([key()], [part(target, aliasName="alias/a")]), None, None)
    assert made.left_out == ("Part shop/part: the key that it is for is not among these",)
    assert "aliases" not in made.manifests[0]["spec"]


def test_a_grant_without_a_name_cannot_be_known_again() -> None:
    made = migration(Found([key()], [], [part(ID, operations=["Decrypt"])]), None, None)
    assert made.left_out[0].startswith("Part shop/part: the grant has no name")
    assert "grants" not in made.manifests[0]["spec"]


def test_the_places_to_which_providers_have_to_lead_are_told() -> None:
    made = migration(Found([key(), key("b"), key("c", OTHER)], notes=["Do this"]), None, None)
    assert made.notes == (
        "Do this",
        "2 of these keys need an AWSProvider that leads to account 111122223333, region eu-central-1",
        "1 of these keys need an AWSProvider that leads to account 111122223333, region us-east-1",
    )


def test_false_says_something_and_emptiness_does_not() -> None:
    assert declared(a=False, b=None, c="", d=[], e={}, f=0) == {"a": False, "f": 0}


@pytest.mark.parametrize(
    ("enabled", "period", "told"),
    [
        (True, 365, {"enableKeyRotation": True, "rotationPeriodInDays": 365}),
        (True, 0, {"enableKeyRotation": True}),
        (False, 365, {"enableKeyRotation": False}),
        (None, 365, {}),
    ],
)
def test_a_period_goes_with_rotation_only(enabled: bool | None, period: int, told: dict[str, Any]) -> None:
    assert rotation(enabled, period) == told


def test_tags_that_tools_and_aws_put_on_for_themselves_stay_behind() -> None:
    given = {"team": "shop", "aws:cloudformation:stack-name": "x", "AWS:x": "y", "crossplane-kind": "key"}
    assert tags(given, "crossplane-") == {"team": "shop"}


@pytest.mark.parametrize(
    ("principal", "name"),
    [
        ("arn:aws:iam::111122223333:role/app", "granteeRoleArn"),
        ("arn:aws:iam::111122223333:user/app", "granteePrincipal"),
        ("arn:aws:sts::111122223333:assumed-role/app/session", "granteePrincipal"),
    ],
)
def test_a_role_is_written_as_one(principal: str, name: str) -> None:
    assert grant(principal, ["Encrypt", "Decrypt"]) == {name: principal, "operations": ["Decrypt", "Encrypt"]}


@pytest.mark.parametrize(
    ("text", "name"),
    [("orders", "orders"), ('shop.main["EU"]', "shop-main-eu"), ("_", "key"), ("a" * 70, "a" * 63), ("a" * 62 + "-b", "a" * 62)],
)
def test_any_text_becomes_a_name(text: str, name: str) -> None:
    assert slug(text) == name
