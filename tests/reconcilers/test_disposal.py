import pytest

from reconcilers.actions import Action, DeleteAlias, DisableKey, KeyAction, ScheduleKeyDeletion
from reconcilers.disposal import disposal, proves
from reconcilers.fields import DeletionPolicy
from reconcilers.states import Failure, FailureKind
from tests.reconcilers.builders import answered, arn, leading, observed

KEY, OURS = arn(), ("alias/a", "alias/gone")
INVALID = "KMSInvalidStateException"
FREE, SCHEDULE, DISABLE = DeleteAlias(KEY, "alias/a"), ScheduleKeyDeletion(KEY, 9), DisableKey(KEY)


@pytest.mark.parametrize(
    ("policy", "state", "due"),
    [
        (DeletionPolicy.RETAIN, "Enabled", ()),
        (DeletionPolicy.DISABLE_KEY, "Enabled", (DISABLE,)),
        (DeletionPolicy.DISABLE_KEY, "Disabled", (DISABLE,)),
        (DeletionPolicy.DISABLE_KEY, "PendingDeletion", (DISABLE,)),
        (DeletionPolicy.DISABLE_KEY, "Unavailable", (DISABLE,)),
        (DeletionPolicy.DELETE, "Enabled", (FREE, SCHEDULE)),
        (DeletionPolicy.SCHEDULE_KEY_DELETION, "Disabled", (FREE, SCHEDULE)),
        (DeletionPolicy.FORCE_DELETE, "PendingDeletion", (FREE, SCHEDULE)),
        (DeletionPolicy.SCHEDULE_KEY_DELETION, "PendingReplicaDeletion", (FREE, SCHEDULE)),
    ],
)
def test_a_key_goes_as_the_policy_says_whatever_a_late_read_shows(policy: DeletionPolicy, state: str, due: tuple[Action, ...]) -> None:
    seen = observed(state, aliases=leading("alias/a", "alias/theirs"))
    assert disposal(seen, policy, OURS, 9) == due


@pytest.mark.parametrize(
    ("policy", "state", "due"),
    [
        (DeletionPolicy.DISABLE_KEY, "Disabled", ()),
        (DeletionPolicy.DISABLE_KEY, "PendingDeletion", ()),
        (DeletionPolicy.DISABLE_KEY, "PendingImport", ()),
        (DeletionPolicy.DISABLE_KEY, "Enabled", (DISABLE,)),
        (DeletionPolicy.DELETE, "PendingDeletion", (FREE,)),
        (DeletionPolicy.FORCE_DELETE, "PendingReplicaDeletion", (FREE,)),
        (DeletionPolicy.DELETE, "Disabled", (FREE, SCHEDULE)),
    ],
)
def test_what_kms_has_answered_is_not_asked_for_again(policy: DeletionPolicy, state: str, due: tuple[Action, ...]) -> None:
    seen = answered(observed(state, aliases=leading("alias/a", "alias/theirs")))
    assert disposal(seen, policy, OURS, 9) == due


@pytest.mark.parametrize(
    ("action", "state", "code", "is_proof"),
    [
        (SCHEDULE, "PendingDeletion", INVALID, True),
        (SCHEDULE, "PendingReplicaDeletion", INVALID, True),
        (SCHEDULE, "Enabled", INVALID, False),
        (SCHEDULE, "PendingDeletion", "AccessDeniedException", False),
        (DISABLE, "PendingDeletion", INVALID, True),
        (DISABLE, "PendingImport", INVALID, True),
        (DISABLE, "Disabled", INVALID, False),
        (FREE, "PendingDeletion", INVALID, False),
    ],
)
def test_a_refusal_proves_what_a_read_has_shown_and_no_more(action: KeyAction, state: str, code: str, is_proof: bool) -> None:
    refused = Failure(FailureKind.STALLED, type(action).__name__, code, "no")
    assert proves(refused, action, observed(state)) is is_proof
