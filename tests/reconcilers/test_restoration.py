from dataclasses import replace
from typing import Any

import pytest

from reconcilers.key_spec import KMSKeySpec
from reconcilers.names import API_VERSION, OWNER_TAG, UID_TAG
from reconcilers.restoration import NotRestorableError, gaps, restored, the_lost_key
from reconcilers.states import Grant, Missing, ObservedKey, Rotation
from tests.reconcilers.builders import DENIED, KEY_ID, OTHER_KEY_ID, OWNER_TAGS, UID, observed


def lost(key_id: str = KEY_ID, **changes: Any) -> ObservedKey:
    return replace(observed(), key_id=key_id, **{"tags": OWNER_TAGS, **changes})


def spec(key: ObservedKey, **default_tags: str) -> dict[str, Any]:
    manifest = restored(key, "shop", "orders", {}, default_tags)
    found: dict[str, Any] = manifest["spec"]
    KMSKeySpec.model_validate(found)
    return found


def test_the_key_with_the_owner_tags_is_the_one() -> None:
    others = [lost("a", tags={**OWNER_TAGS, OWNER_TAG: "shop/other"}), lost("b", tags=DENIED)]
    assert the_lost_key([*others, lost()], "shop", "orders", set(), set()).key_id == KEY_ID


@pytest.mark.parametrize(
    ("keys", "uids", "key_ids", "words"),
    [
        ([], set(), set(), "no key of this cluster's carries the owner tag shop/orders"),
        ([lost()], {UID}, set(), f"the key {KEY_ID} of shop/orders has an object"),
        ([lost()], set(), {KEY_ID}, f"the key {KEY_ID} of shop/orders has an object"),
        ([lost(), lost(OTHER_KEY_ID)], set(), set(), f"several keys were shop/orders's: {KEY_ID} (Enabled, of 2026-"),
    ],
)
def test_none_or_several_are_refused(keys: list[ObservedKey], uids: set[str], key_ids: set[str], words: str) -> None:
    with pytest.raises(NotRestorableError, match=words.replace("(", r"\(")):
        the_lost_key(keys, "shop", "orders", uids, key_ids)


def test_of_two_the_one_without_an_object_is_the_lost_one() -> None:
    living = lost(OTHER_KEY_ID, tags={**OWNER_TAGS, UID_TAG: "another"})
    assert the_lost_key([living, lost()], "shop", "orders", {"another"}, set()).key_id == KEY_ID


def test_the_object_of_a_plain_key_says_little() -> None:
    assert restored(lost(), "shop", "orders", {"name": "main"}, {}) == {
        "apiVersion": API_VERSION,
        "kind": "KMSKey",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"providerRef": {"name": "main"}, "deletionPolicy": "Retain"},
    }


GRANT = Grant("app", "arn:aws:iam::123456789012:role/app", frozenset({"Encrypt", "Decrypt"}), context_equals=(("a", "b"),))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"description": "Orders"}, {"description": "Orders"}),
        ({"key_spec": "RSA_2048", "key_usage": "SIGN_VERIFY"}, {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}),
        ({"multi_region": True}, {"multiRegion": True}),
        ({"state": "Disabled"}, {"enabled": False}),
        ({"state": "PendingDeletion"}, {}),
        ({"origin": "EXTERNAL"}, {"origin": "EXTERNAL"}),
        ({"policy": '{"Statement":[]}'}, {"keyPolicy": '{"Statement":[]}'}),
        ({"rotation": Rotation(True, 180)}, {"enableKeyRotation": True, "rotationPeriodInDays": 180}),
        ({"rotation": Rotation(True)}, {"enableKeyRotation": True}),
        ({"rotation": Rotation(False, 180)}, {}),
        ({"tags": {**OWNER_TAGS, "team": "shop", "aws:x": "y", "by": "default"}}, {"tags": {"team": "shop"}}),
        ({"aliases": {"alias/b": lost().arn, "alias/a": lost().arn, "alias/c": "another"}}, {"aliases": ["alias/a", "alias/b"]}),
        ({"grants": {"1": None, "2": Grant("", GRANT.grantee, frozenset({"Decrypt"}))}}, {}),
        ({"grants": {"1": Grant("rds", "rds.eu-central-1.amazonaws.com", frozenset({"Decrypt"}))}}, {}),
        (
            {"grants": {"1": GRANT}},
            {
                "grants": [
                    {
                        "name": "app",
                        "granteeRoleArn": "arn:aws:iam::123456789012:role/app",
                        "operations": ["Decrypt", "Encrypt"],
                        "constraints": {"encryptionContextEquals": {"a": "b"}},
                    }
                ]
            },
        ),
        ({"tags": DENIED, "policy": DENIED, "rotation": DENIED, "aliases": DENIED, "grants": DENIED}, {}),
    ],
)
def test_the_object_says_what_aws_shows(changes: dict[str, Any], told: dict[str, Any]) -> None:
    assert spec(lost(**changes), by="default") == {**told, "deletionPolicy": "Retain"}


POLICY = '{"Statement":[]}'
AS_THE_KEY = lost(policy=POLICY)
PRIMARY: dict[str, Any] = {"multi_region": True, "multi_region_key_type": "PRIMARY", "policy": POLICY}


@pytest.mark.parametrize(
    ("replica", "told"),
    [
        (AS_THE_KEY, [{"region": "eu-west-1"}]),
        (lost(policy=POLICY, state="PendingDeletion"), [{"region": "eu-west-1"}]),
        (lost(policy='{"Statement":[1]}'), [{"region": "eu-west-1", "keyPolicy": '{"Statement":[1]}'}]),
        (lost(policy=POLICY, description="There"), [{"region": "eu-west-1", "description": "There"}]),
        (lost(policy=POLICY, state="Disabled"), [{"region": "eu-west-1", "enabled": False}]),
        (lost(policy=POLICY, tags={**OWNER_TAGS, "a": "b"}), [{"region": "eu-west-1", "tags": {"a": "b"}}]),
        (lost(policy=DENIED), None),
        (lost(policy=POLICY, tags=DENIED), None),
        (DENIED, None),
        (Missing(KEY_ID), None),
    ],
)
def test_a_replica_is_named_with_what_differs_there(replica: Any, told: list[dict[str, Any]] | None) -> None:
    key = lost(**PRIMARY, replicas={"eu-west-1": replica})
    assert spec(key).get("replicas") == told
    assert ("the replica in eu-west-1 cannot be read, and is not in spec.replicas" in gaps(key)) is (told is None)


def test_a_replica_is_not_restored_by_itself() -> None:
    with pytest.raises(NotRestorableError, match="no key of this cluster's"):
        the_lost_key([lost(multi_region_key_type="REPLICA")], "shop", "orders", set(), set())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"policy": DENIED}, ["keyPolicy cannot be read: Allow kms:Something"]),
        ({"state": "PendingDeletion"}, ["its aliases, if it had any, were freed"]),
        ({"state": "PendingReplicaDeletion"}, ["its aliases, if it had any, were freed"]),
        ({"state": "Disabled"}, ["the key is disabled"]),
    ],
)
def test_what_to_think_of_is_told(changes: dict[str, Any], words: list[str]) -> None:
    *told, last = gaps(lost(**changes))
    assert last == "spec.deletionPolicy is Retain, because AWS does not show what it was"
    assert [one.startswith(word) for one, word in zip(told, words, strict=True)] == [True] * len(words)
