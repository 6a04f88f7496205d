from datetime import timedelta

import pytest

from reconcilers.awsprovider import Identity, Users, plan_awsprovider, plan_leaving, shall_be_held
from reconcilers.provider_fields import AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable
from tests.reconcilers.builders import ACCOUNT_ID, NOW

LATER = NOW + timedelta(days=1)


NOBODY = Users(0, 0)
WHO = Identity(ACCOUNT_ID, "arn:aws:sts::123456789012:assumed-role/operator/infra-operator")
REFUSED = Unobservable(Reason.CREDENTIALS_INVALID, "The Secret aws-credentials has no key AWS_ACCESS_KEY_ID.")


def told(status: AWSProviderStatus) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in status.conditions}


def test_credentials_that_work_make_a_provider_ready() -> None:
    made = plan_awsprovider(3, AWSProviderStatus(), WHO, Users(7, 5), NOW)
    assert made.look_again == timedelta(seconds=30)
    assert told(made.status) == {"Ready": ("True", Reason.AUTHENTICATION_SUCCEEDED)}
    assert (made.status.ready, made.status.account_id, made.status.caller_identity) == (True, ACCOUNT_ID, WHO.arn)
    assert (made.status.observed_generation, made.status.last_authentication_time, made.status.keys_in_use) == (3, NOW, 5)


def test_credentials_that_do_not_are_tried_again_within_a_minute() -> None:
    before = plan_awsprovider(1, AWSProviderStatus(), WHO, NOBODY, NOW).status
    made = plan_awsprovider(1, before, REFUSED, NOBODY, LATER)
    assert made.look_again == timedelta(seconds=30)
    assert told(made.status) == {
        "Ready": ("False", Reason.CREDENTIALS_INVALID),
        "Stalled": ("True", Reason.CREDENTIALS_INVALID),
    }
    assert (made.status.ready, made.status.last_authentication_time) == (False, NOW)
    assert made.status.conditions[0].message == REFUSED.message


@pytest.mark.parametrize("identity", [WHO, REFUSED])
def test_the_same_answer_again_writes_nothing(identity: Identity | Unobservable) -> None:
    first = plan_awsprovider(1, AWSProviderStatus(), identity, NOBODY, NOW).status
    stored = AWSProviderStatus.model_validate_json(first.model_dump_json(by_alias=True, exclude_none=True))
    assert plan_awsprovider(1, stored, identity, NOBODY, LATER).status == first


def test_another_answer_moves_the_time() -> None:
    first = plan_awsprovider(1, AWSProviderStatus(), WHO, NOBODY, NOW).status
    other = plan_awsprovider(1, first, Identity(ACCOUNT_ID, "arn:aws:iam::123456789012:user/other"), NOBODY, LATER).status
    assert other.last_authentication_time == LATER


def test_a_provider_that_goes_waits_for_its_keys_and_says_so() -> None:
    before = plan_awsprovider(1, AWSProviderStatus(), WHO, Users(3, 2), NOW).status
    waiting = plan_leaving(2, before, Users(3, 2), LATER).status
    assert told(waiting) == {"Ready": ("False", Reason.DELETING), "Reconciling": ("True", Reason.DELETING)}
    assert (waiting.ready, waiting.keys_in_use, waiting.account_id) == (False, 2, ACCOUNT_ID)
    assert plan_leaving(2, waiting, Users(3, 2), LATER + timedelta(hours=1)).status == waiting


@pytest.mark.parametrize(
    ("users", "deleting", "is_held", "shall_be"),
    [
        (Users(0, 0), False, True, False),
        (Users(0, 0), False, False, False),
        (Users(2, 0), False, True, True),
        (Users(2, 0), False, False, False),
        (Users(2, 1), False, False, True),
        (Users(2, 1), True, True, True),
        (Users(2, 0), True, True, False),
        (Users(0, 0), True, True, False),
    ],
)
def test_keys_hold_a_provider_and_objects_without_one_only_while_nobody_deletes_it(
    users: Users, deleting: bool, is_held: bool, shall_be: bool
) -> None:
    assert shall_be_held(users, deleting=deleting, is_held=is_held) is shall_be
