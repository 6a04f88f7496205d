from dataclasses import replace

import pytest

from reconcilers.actions import Action, CancelKeyDeletion, EnableKey
from reconcilers.conditions import find
from reconcilers.fields import DriftPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey, plan_unseen
from reconcilers.reasons import Reason
from reconcilers.states import Account, KeyObject, Missing, ObservedKey, Seen
from tests.reconcilers.builders import KEY_ID, NOW, account, arn, foreign, key, observed, operator, remembered

CANCEL, ENABLE = CancelKeyDeletion(arn()), EnableKey(arn())


def wrong(status: KMSKeyStatus | None = None, **fields: object) -> KeyObject:
    spec = KMSKeySpec.model_validate({"keyPolicy": "{}", **fields})
    return key(spec, status or remembered().model_copy(update={"reached": reached(spec)}))


def reached(spec: KMSKeySpec) -> dict[str, str]:
    """What an object with this spec, and no policy, has reached on a key that is as declared."""
    return plan_kmskey(key(spec.model_copy(update={"key_policy": None}), remembered()), account(), observed(), operator(), NOW).status.reached


@pytest.mark.parametrize(
    ("wish", "seen", "due"),
    [
        (wrong(), observed(), ()),
        (wrong(), observed("PendingDeletion"), (CANCEL,)),
        (wrong(), observed("Disabled"), (ENABLE,)),
        (wrong(enabled=False), observed("PendingDeletion"), (CANCEL,)),
        (wrong(enabled=False), observed("Disabled"), ()),
        (wrong(driftPolicy=DriftPolicy.REPORT), observed("PendingDeletion"), ()),
        (wrong(ignoreDrift=["enabled"]), observed("Disabled"), ()),
        (wrong(managementPolicy="Observe"), observed("PendingDeletion"), ()),
        (wrong(), observed(description="meddled", tags={"team": "thieves"}), ()),
        (wrong(), foreign(), ()),
        (wrong(), Missing(KEY_ID), ()),
    ],
)
def test_under_a_refused_spec_the_key_is_kept_and_nothing_else_is_done(wish: KeyObject, seen: Seen, due: tuple[Action, ...]) -> None:
    assert plan_unseen(wish, account(), operator(), NOW) is None
    planned = plan_kmskey(wish, account(), seen, operator(), NOW)
    assert planned.actions == due
    synced = find("Synced", planned.status.conditions)
    assert synced is not None
    assert synced.reason == Reason.INVALID_POLICY


@pytest.mark.parametrize("seen", [observed("PendingDeletion"), observed("Disabled"), observed("Unavailable")])
def test_the_state_of_the_key_is_told_under_a_refused_spec_too(seen: ObservedKey) -> None:
    assert plan_kmskey(wrong(), account(), seen, operator(), NOW).status.key_state == seen.state


@pytest.mark.parametrize(
    ("wish", "where"),
    [
        (wrong(KMSKeyStatus()), account()),
        (wrong(), replace(account(), region="eu-central-1")),
    ],
    ids=["no key", "elsewhere"],
)
def test_a_key_that_is_not_known_or_not_here_is_not_looked_for(wish: KeyObject, where: Account) -> None:
    assert plan_unseen(wish, where, operator(), NOW) is not None
