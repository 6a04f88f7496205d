"""The policy is compared with the code: with every operation that aws/ names, and with what it really sends."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from botocore.loaders import create_loader

from reconcilers.actions import KeyAction
from reconcilers.failures import iam_action
from reconcilers.iam import COMPANIONS, FREE, PERMISSIONS, USUAL, Feature, Permission, Scope, Where, needed, policy
from reconcilers.names import CLUSTER_TAG, OWNER_TAGS

AWS = Path(__file__).parents[2] / "aws"
SERVICES = ("kms", "sts", "resourcegroupstaggingapi", "sqs")
CLUSTER = "0b6c7ad2-52a5-4d9e-9a52-0d6f6c1f4f01"
WIDE = Where()
NARROW = Where("aws-cn", "111122223333", "cn-north-1", CLUSTER, ("arn:aws-cn:iam::111122223333:role/keys",))
EACH = [pytest.param(feature, id=feature.value) for feature in Feature]
# What would read, make or use what keys protect.
FORBIDDEN = ("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateMac", "VerifyMac", "GenerateRandom", "Sign", "Verify",
             "DeriveSharedSecret", "ImportKeyMaterial")  # fmt: skip


def known_operations() -> Mapping[str, str]:
    """IAM's name of every operation that the four services have, by AWS's name of the operation."""
    loader = create_loader()
    return {
        operation: iam_action(operation)
        for service in SERVICES
        for operation in loader.load_service_model(service, "service-2")["operations"]
    }


def named_in_the_code() -> set[str]:
    """Every operation that any module of aws/ names, as a literal or as the class of an action that is sent under its own name."""
    known = known_operations()
    return {known[name] for path in AWS.glob("*.py") for name in _names(ast.parse(path.read_text())) if name in known}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id


def actions(document: Mapping[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def statement(scope: Scope, where: Where) -> Mapping[str, Any]:
    found: Mapping[str, Any]
    (found,) = (one for one in policy(Feature, where)["Statement"] if one["Sid"] == scope.value)
    return found


def test_the_policy_allows_exactly_the_operations_that_the_code_names() -> None:
    assert actions(policy(Feature, WIDE)) - COMPANIONS == named_in_the_code() - FREE


def test_every_action_on_a_key_is_allowed() -> None:
    assert {iam_action(action.__name__) for action in get_args(KeyAction)} <= actions(policy(Feature, WIDE))


@pytest.mark.parametrize("feature", EACH)
def test_a_feature_brings_what_it_needs_and_nothing_else(feature: Feature) -> None:
    assert actions(policy([feature], WIDE)) == {permission.action for permission in PERMISSIONS if permission.feature is feature}
    assert actions(policy([feature], WIDE))


def test_features_add_up() -> None:
    for feature in Feature:
        others = [one for one in Feature if one is not feature]
        assert actions(policy(Feature, WIDE)) == actions(policy(others, WIDE)) | actions(policy([feature], WIDE))


def test_no_feature_uses_or_shares_what_keys_protect() -> None:
    assert not [action for action in actions(policy(Feature, WIDE)) if action.partition(":")[2].startswith(FORBIDDEN)]


def test_only_those_who_ask_for_events_may_take_them() -> None:
    assert Feature.EVENTS not in USUAL
    assert statement(Scope.QUEUE, NARROW)["Action"] == ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
    assert statement(Scope.QUEUE, NARROW)["Resource"] == "arn:aws-cn:sqs:cn-north-1:111122223333:*"


def test_only_those_who_ask_for_grants_may_share_what_keys_protect() -> None:
    assert Feature.GRANTS not in USUAL
    assert [one for one in Feature if "kms:CreateGrant" in actions(policy([one], WIDE))] == [Feature.GRANTS]


def test_nothing_is_allowed_by_pattern() -> None:
    assert not [action for action in actions(policy(Feature, WIDE)) if "*" in action or "?" in action]


def test_what_is_free_is_not_asked_for() -> None:
    assert not FREE & actions(policy(Feature, WIDE))


def test_the_roles_are_for_another_identity() -> None:
    assert Feature.ROLES not in USUAL
    assert {action.partition(":")[0] for action in actions(policy(USUAL, WIDE))} == {"kms", "tag"}


@pytest.mark.parametrize("scope", [Scope.CHANGE, Scope.UNTAG, Scope.DELETE])
def test_only_keys_of_this_cluster_are_changed(scope: Scope) -> None:
    found = statement(scope, NARROW)
    assert found["Resource"] == "arn:aws-cn:kms:cn-north-1:111122223333:key/*"
    assert found["Condition"]["StringEquals"] == {f"aws:ResourceTag/{CLUSTER_TAG}": CLUSTER}


@pytest.mark.parametrize("scope", [Scope.CHANGE, Scope.UNTAG, Scope.DELETE])
def test_without_a_cluster_id_the_tag_of_any_cluster_will_do(scope: Scope) -> None:
    found = statement(scope, WIDE)
    assert found["Resource"] == "arn:aws:kms:*:*:key/*"
    assert found["Condition"]["Null"] == {f"aws:ResourceTag/{CLUSTER_TAG}": "false"}


def test_a_key_is_created_only_with_the_tag_of_the_cluster() -> None:
    assert statement(Scope.CREATE, NARROW)["Action"] == ["kms:CreateKey", "kms:TagResource"]
    assert statement(Scope.CREATE, NARROW)["Condition"] == {"StringEquals": {f"aws:RequestTag/{CLUSTER_TAG}": CLUSTER}}
    assert statement(Scope.CREATE, WIDE)["Condition"] == {"Null": {f"aws:RequestTag/{CLUSTER_TAG}": "false"}}


def test_owner_tags_cannot_be_removed() -> None:
    untag = statement(Scope.UNTAG, NARROW)
    assert untag["Action"] == ["kms:UntagResource"]
    assert untag["Condition"]["ForAllValues:StringNotEquals"] == {"aws:TagKeys": list(OWNER_TAGS)}


def test_no_key_goes_in_less_than_a_week() -> None:
    window = {"kms:ScheduleKeyDeletionPendingWindowInDays": "7"}
    assert statement(Scope.DELETE, WIDE)["Condition"]["NumericGreaterThanEqualsIfExists"] == window


def test_aliases_are_changed_together_with_keys_of_this_cluster_only() -> None:
    every = {"kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"}
    assert set(statement(Scope.ALIAS, NARROW)["Action"]) == every
    assert statement(Scope.ALIAS, NARROW)["Resource"] == "arn:aws-cn:kms:cn-north-1:111122223333:alias/*"
    assert every <= set(statement(Scope.CHANGE, NARROW)["Action"])


def test_reading_and_searching_have_no_condition() -> None:
    for scope in (Scope.READ, Scope.FIND):
        assert "Condition" not in statement(scope, NARROW)


def test_roles_can_be_named() -> None:
    assert statement(Scope.ASSUME, NARROW)["Resource"] == ["arn:aws-cn:iam::111122223333:role/keys"]
    assert statement(Scope.ASSUME, WIDE)["Resource"] == "arn:aws:iam::*:role/*"


def test_kms_makes_its_own_role_and_no_other() -> None:
    found = statement(Scope.LINKED_ROLE, NARROW)
    assert found["Resource"].startswith("arn:aws-cn:iam::111122223333:role/aws-service-role/mrk.kms.amazonaws.com/")
    assert found["Condition"] == {"StringEquals": {"iam:AWSServiceName": "mrk.kms.amazonaws.com"}}


def test_each_statement_has_a_name_of_its_own_that_iam_takes() -> None:
    names = [one["Sid"] for one in policy(Feature, WIDE)["Statement"]]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)


def test_needed_explains_every_action_of_the_policy() -> None:
    chosen = [Feature.CORE, Feature.RESTORE]
    told: tuple[Permission, ...] = needed(chosen)
    assert {permission.action for permission in told} == actions(policy(chosen, WIDE))
    assert all(permission.why for permission in told)


def test_naming_a_key_is_asked_on_the_alias_and_on_the_key() -> None:
    naming = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    assert statement(Scope.ALIAS, NARROW)["Action"] == naming
    assert statement(Scope.ALIAS, NARROW)["Resource"] == "arn:aws-cn:kms:cn-north-1:111122223333:alias/*"
    assert "Condition" not in statement(Scope.ALIAS, NARROW)  # an alias has no tags
    assert set(naming) <= set(statement(Scope.CHANGE, NARROW)["Action"])
