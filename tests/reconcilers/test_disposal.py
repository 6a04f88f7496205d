import pytest

from reconcilers.actions import Action, DeleteAlias, DisableKey, ScheduleKeyDeletion
from reconcilers.disposal import disposal
from reconcilers.fields import DeletionPolicy
from tests.reconcilers.builders import arn, leading, observed

KEY, OURS = arn(), ("alias/a", "alias/gone")
FREE, SCHEDULE, DISABLE = DeleteAlias(KEY, "alias/a"), ScheduleKeyDeletion(KEY, 9), DisableKey(KEY)


@pytest.mark.parametrize(
    ("policy", "state", "due"),
    [
        (DeletionPolicy.RETAIN, "Enabled", ()),
        (DeletionPolicy.DISABLE_KEY, "Enabled", (DISABLE,)),
        (DeletionPolicy.DISABLE_KEY, "Disabled", ()),
        (DeletionPolicy.DISABLE_KEY, "PendingDeletion", ()),
        (DeletionPolicy.DELETE, "Enabled", (FREE, SCHEDULE)),
        (DeletionPolicy.SCHEDULE_KEY_DELETION, "Disabled", (FREE, SCHEDULE)),
        (DeletionPolicy.FORCE_DELETE, "PendingDeletion", (FREE,)),
        (DeletionPolicy.SCHEDULE_KEY_DELETION, "PendingReplicaDeletion", (FREE,)),
    ],
)
def test_a_key_goes_as_the_policy_says_and_only_once(policy: DeletionPolicy, state: str, due: tuple[Action, ...]) -> None:
    seen = observed(state, aliases=leading("alias/a", "alias/theirs"))
    assert disposal(seen, policy, OURS, 9) == due
