"""The fields of a key, each as it is wanted beside what was seen."""

import pytest

from reconcilers.key_spec import KMSKeySpec
from reconcilers.parts import ABSENT, LONGEST_VALUE, parts, wished
from reconcilers.states import ObservedKey, Rotation, Wanted
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import DENIED, KEY_ID, OTHER_KEY_ID, account, arn, key, leading, observed, operator, remembered

ALLOW = '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "kms:*", "Resource": "*"}}'
DENY = ALLOW.replace("Allow", "Deny")
READER = {"name": "reader", "granteePrincipal": "arn:aws:iam::123456789012:user/x", "operations": ["Decrypt"]}


def wanted(**spec: object) -> Wanted:
    return wanted_key(key(KMSKeySpec.model_validate(spec)), account(), operator())


def differing(wish: Wanted, seen: ObservedKey) -> dict[str, tuple[str, str]]:
    return {part.field: (part.expected, part.actual) for part in parts(wish, seen, remembered(), wished(wish, seen)) if not part.agrees}


@pytest.mark.parametrize(
    ("wish", "seen", "told"),
    [
        (wanted(), observed(), {}),
        (wanted(), observed("PendingDeletion", description="x"), {"deletionState": ("kept", "PendingDeletion")}),
        (wanted(), observed("Updating", description="x"), {}),
        (wanted(), observed("PendingImport", description="x"), {"description": (ABSENT, "x")}),
        (wanted(), observed("Disabled"), {"enabled": ("true", "false")}),
        (wanted(enabled=False), observed(), {"enabled": ("false", "true")}),
        (wanted(description="a" * 500), observed(), {"description": ("a" * (LONGEST_VALUE - 1) + "…", ABSENT)}),
        (wanted(keyPolicy=ALLOW), observed(policy=ALLOW.replace(" ", "")), {}),
        (wanted(keyPolicy=ALLOW), observed(policy=DENIED), {}),
        (wanted(), observed(policy=DENY), {}),
        (wanted(enableKeyRotation=True), observed(), {"rotation": ("on", "off")}),
        (
            wanted(enableKeyRotation=True, rotationPeriodInDays=90),
            observed(rotation=Rotation(True, 365)),
            {"rotation": ("every 90 days", "every 365 days")},
        ),
        (wanted(enableKeyRotation=True, rotationPeriodInDays=90), observed(rotation=Rotation(True)), {}),
        (wanted(enableKeyRotation=True), observed(rotation=DENIED), {}),
        (wanted(tags={"a": "1", "b": "2"}), observed(tags={"a": "9", "c": "3"}), {"tags.a": ("1", "9"), "tags.b": ("2", ABSENT)}),
        (wanted(tags={"a": "1"}), observed(tags=DENIED), {}),
        (
            wanted(aliases=["a", "b", "c"]),
            observed(aliases=leading("alias/c") | leading("alias/b", key_id=OTHER_KEY_ID)),
            {"aliases": ("alias/a, alias/b, alias/c", f"alias/a {ABSENT}, alias/b leads to {arn(OTHER_KEY_ID)}")},
        ),
        (wanted(aliases=["a"]), observed(aliases=DENIED), {}),
        (wanted(grants=[READER]), observed(grants={}), {"grants": ("reader", f"reader {ABSENT}")}),
        (wanted(grants=[READER]), observed(grants={"id": wanted(grants=[READER]).grants[0]}), {}),
        (wanted(grants=[READER]), observed(grants=DENIED), {}),
    ],
)
def test_what_differs_is_told_in_words(wish: Wanted, seen: ObservedKey, told: dict[str, tuple[str, str]]) -> None:
    assert differing(wish, seen) == told


def test_a_policy_is_told_as_a_fingerprint() -> None:
    expected, actual = differing(wanted(keyPolicy=ALLOW), observed(policy=DENY))["policy"]
    assert expected.startswith("1 statement, ")
    assert expected != actual
    assert "kms" not in expected + actual


@pytest.mark.parametrize(
    "changed",
    [
        {"enabled": False},
        {"description": "x"},
        {"keyPolicy": ALLOW},
        {"enableKeyRotation": True},
        {"enableKeyRotation": True, "rotationPeriodInDays": 90},
        {"tags": {"a": "1"}},
        {"aliases": ["a"]},
        {"grants": [READER]},
    ],
)
def test_each_wish_has_its_digest(changed: dict[str, object]) -> None:
    before, after = wished(wanted(), observed()), wished(wanted(**changed), observed())
    assert len({*before.items()} ^ {*after.items()}) in (1, 2)
    assert wished(wanted(**changed), observed(key_id=KEY_ID, description="seen")) == after
