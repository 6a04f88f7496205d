from dataclasses import replace

import pytest

from reconcilers.hindrances import hindrance
from reconcilers.key_spec import KMSKeySpec
from reconcilers.reasons import Reason
from reconcilers.states import ObservedKey
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import DENIED, OTHER_KEY_ID, account, key, leading, observed, operator

WISH = KMSKeySpec(key_policy="{}", enable_key_rotation=True, aliases=("a",))


@pytest.mark.parametrize(
    ("seen", "reason", "passes"),
    [
        (observed(policy=DENIED), Reason.ACCESS_DENIED, False),
        (observed(rotation=DENIED), Reason.ACCESS_DENIED, False),
        (observed(aliases=DENIED), Reason.ACCESS_DENIED, False),
        (observed(grants=DENIED), Reason.ACCESS_DENIED, False),
        (observed("Creating"), Reason.KEY_NOT_USABLE_YET, True),
        (observed("Updating"), Reason.KEY_NOT_USABLE_YET, True),
        (observed("PendingImport"), Reason.KEY_PENDING_IMPORT, False),
        (observed("Unavailable"), Reason.KEY_UNAVAILABLE, False),
        (observed("Frozen"), Reason.KEY_UNAVAILABLE, False),
        (observed(aliases=leading("alias/a", key_id=OTHER_KEY_ID)), Reason.ALIAS_CONFLICT, False),
    ],
)
def test_what_keeps_a_key_from_being_as_declared(seen: ObservedKey, reason: Reason, passes: bool) -> None:
    found = hindrance(wanted_key(key(WISH), account(), operator()), seen)
    assert found is not None
    assert (found[0].reason, found[0].stalled) == (reason, not passes)


@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
def test_what_is_not_wanted_need_not_be_readable(state: str) -> None:
    seen = replace(observed(state), policy=DENIED, rotation=DENIED)
    assert hindrance(wanted_key(key(), account(), operator()), seen) is None
