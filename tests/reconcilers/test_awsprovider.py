from datetime import timedelta

import pytest

from reconcilers.awsprovider import Identity, plan_awsprovider
from reconcilers.provider_fields import AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable
from tests.reconcilers.builders import ACCOUNT_ID, NOW

LATER = NOW + timedelta(days=1)


WHO = Identity(ACCOUNT_ID, "arn:aws:sts::123456789012:assumed-role/operator/infra-operator")
REFUSED = Unobservable(Reason.CREDENTIALS_INVALID, "The Secret aws-credentials has no key AWS_ACCESS_KEY_ID.")


def told(status: AWSProviderStatus) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in status.conditions}


def test_credentials_that_work_make_a_provider_ready() -> None:
    made = plan_awsprovider(3, AWSProviderStatus(), WHO, NOW)
    assert made.look_again == timedelta(seconds=30)
    assert told(made.status) == {"Ready": ("True", Reason.AUTHENTICATION_SUCCEEDED)}
    assert (made.status.ready, made.status.account_id, made.status.caller_identity) == (True, ACCOUNT_ID, WHO.arn)
    assert (made.status.observed_generation, made.status.last_authentication_time) == (3, NOW)


def test_credentials_that_do_not_are_tried_again_within_a_minute() -> None:
    before = plan_awsprovider(1, AWSProviderStatus(), WHO, NOW).status
    made = plan_awsprovider(1, before, REFUSED, LATER)
    assert made.look_again == timedelta(seconds=30)
    assert told(made.status) == {
        "Ready": ("False", Reason.CREDENTIALS_INVALID),
        "Stalled": ("True", Reason.CREDENTIALS_INVALID),
    }
    assert (made.status.ready, made.status.last_authentication_time) == (False, NOW)
    assert made.status.conditions[0].message == REFUSED.message


@pytest.mark.parametrize("identity", [WHO, REFUSED])
def test_the_same_answer_again_writes_nothing(identity: Identity | Unobservable) -> None:
    first = plan_awsprovider(1, AWSProviderStatus(), identity, NOW).status
    stored = AWSProviderStatus.model_validate_json(first.model_dump_json(by_alias=True, exclude_none=True))
    assert plan_awsprovider(1, stored, identity, LATER).status == first


def test_another_answer_moves_the_time() -> None:
    first = plan_awsprovider(1, AWSProviderStatus(), WHO, NOW).status
    other = plan_awsprovider(1, first, Identity(ACCOUNT_ID, "arn:aws:iam::123456789012:user/other"), LATER).status
    assert other.last_authentication_time == LATER
