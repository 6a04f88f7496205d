from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconcilers.lag import shows_not_yet
from reconcilers.states import Missing, ObservedKey
from tests.reconcilers.builders import DENIED, KEY_ID, LONG_AGO, NOW, foreign, key, observed, remembered

MINUTE = timedelta(minutes=1)
BARE = replace(observed(), tags={})
ONLY_OTHERS = replace(observed(), tags={"team": "shop"})


@pytest.mark.parametrize(
    ("made", "seen", "not_yet"),
    [
        (NOW, Missing(KEY_ID), True),
        (NOW - 4 * MINUTE, Missing(KEY_ID), True),
        (NOW - 5 * MINUTE, Missing(KEY_ID), False),
        (LONG_AGO, Missing(KEY_ID), False),
        (None, Missing(KEY_ID), False),
        (NOW, BARE, True),
        (NOW, ONLY_OTHERS, True),
        (LONG_AGO, BARE, False),
        (NOW, observed(), False),
        (NOW, foreign(), False),
        (NOW, observed(tags=DENIED), False),
    ],
)
def test_only_a_new_key_may_be_missing_or_without_its_owner(
    made: datetime | None, seen: ObservedKey | Missing, *, not_yet: bool
) -> None:
    assert shows_not_yet(key(status=remembered(creation_date=made)), seen, NOW) is not_yet
