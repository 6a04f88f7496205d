import pytest

from reconcilers.actions import (
    Action,
    AddFinalizer,
    CancelKeyDeletion,
    CreateAlias,
    CreateGrant,
    CreateKey,
    DeleteAlias,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    PutKeyPolicy,
    RecordKey,
    RemoveFinalizer,
    RevokeGrant,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.key_status import CreationAttempt
from reconcilers.states import Grant
from tests.reconcilers.builders import KEY_ID, NOW, UID, arn, observed

KEY = arn()
CREATE = CreateKey(
    attempt=CreationAttempt(id=f"{UID}.1", time=NOW, count=1),
    key_spec="RSA_2048",
    key_usage="SIGN_VERIFY",
    multi_region=False,
    description="secret plans",
    policy='{"Statement": "secret"}',
    bypass_policy_lockout_safety_check=False,
    tags={"secret": "secret"},
)

TOLD: list[tuple[Action, str]] = [
    (AddFinalizer(), "add the finalizer"),
    (RemoveFinalizer("its key is gone"), "release the object: its key is gone"),
    (CREATE, "create a RSA_2048 key for SIGN_VERIFY"),
    (RecordKey(observed()), f"take over {KEY_ID}, which carries this object's owner tags"),
    (CancelKeyDeletion(KEY), "cancel the scheduled deletion"),
    (EnableKey(KEY), "enable the key"),
    (PutKeyPolicy(KEY, "secret", bypass_policy_lockout_safety_check=False), "replace the key policy"),
    (UpdateKeyDescription(KEY, "secret"), "update the description"),
    (TagResource(KEY, {"b": "secret", "a": "secret"}), "set the tags a, b"),
    (UntagResource(KEY, ("a", "b")), "remove the tags a, b"),
    (EnableKeyRotation(KEY, None), "enable automatic rotation"),
    (EnableKeyRotation(KEY, 90), "enable automatic rotation every 90 days"),
    (DisableKeyRotation(KEY), "disable automatic rotation"),
    (CreateAlias(KEY, "alias/orders"), "create alias/orders"),
    (DeleteAlias(KEY, "alias/orders"), "delete alias/orders"),
    (CreateGrant(KEY, Grant("reader", "secret", frozenset({"secret"}))), "create the grant reader"),
    (RevokeGrant(KEY, "0123456789abcdef", "reader"), "revoke the grant reader (01234567)"),
    (DisableKey(KEY), "disable the key"),
    (ScheduleKeyDeletion(KEY, 7), "schedule the key's deletion in 7 days"),
]


@pytest.mark.parametrize(("action", "words"), TOLD, ids=lambda value: type(value).__name__)
def test_an_action_is_told_in_words_that_hold_no_values(action: Action, words: str) -> None:
    assert action.told == words
    assert "secret" not in action.told


def test_every_action_has_its_own_event() -> None:
    assert len({action.reason for action, _ in TOLD}) == len({type(action) for action, _ in TOLD})


def test_actions_can_be_kept_in_sets() -> None:
    assert len({action for action, _ in TOLD}) == len(TOLD)
