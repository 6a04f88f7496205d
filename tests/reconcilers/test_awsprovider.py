from datetime import timedelta

import pytest

from reconcilers.awsprovider import Identity, ProviderEntry, plan_awsprovider, resolve
from reconcilers.key_spec import ProviderRef
from reconcilers.provider_fields import AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.states import Problem, Unobservable
from tests.reconcilers.builders import ACCOUNT_ID, NOW

LATER = NOW + timedelta(days=1)


def here(name: str, *, default: bool = False) -> ProviderEntry:
    return ProviderEntry("shop", name, default)


def there(name: str, *, default: bool = False) -> ProviderEntry:
    return ProviderEntry("platform", name, default)


DEFAULT = "platform/shared"


@pytest.mark.parametrize(
    ("ref", "known", "default", "resolved"),
    [
        # providerRef
        (ProviderRef(name="a"), [here("a")], "", ("shop", "a")),
        (ProviderRef(name="a"), [here("a"), here("b", default=True)], DEFAULT, ("shop", "a")),
        (ProviderRef(name="a", namespace="shop"), [here("a")], "", ("shop", "a")),
        (ProviderRef(name="a"), [], DEFAULT, Reason.PROVIDER_NOT_FOUND),
        (ProviderRef(name="a"), [here("b")], "", Reason.PROVIDER_NOT_FOUND),
        (ProviderRef(name="a"), [there("a")], "", Reason.PROVIDER_NOT_FOUND),
        (ProviderRef(name="a", namespace="platform"), [there("a")], "", Reason.PROVIDER_NOT_ALLOWED),
        (ProviderRef(name="a", namespace="platform"), [], "", Reason.PROVIDER_NOT_ALLOWED),
        (ProviderRef(name="a", namespace="platform"), [there("a"), here("a")], DEFAULT, Reason.PROVIDER_NOT_ALLOWED),
        (ProviderRef(name="shared", namespace="platform"), [there("shared")], DEFAULT, ("platform", "shared")),
        # the namespace's own
        (None, [here("a")], "", ("shop", "a")),
        (None, [here("a")], DEFAULT, ("shop", "a")),
        (None, [here("a"), there("b")], "", ("shop", "a")),
        (None, [here("a"), here("b", default=True)], "", ("shop", "b")),
        (None, [here("a"), there("b", default=True)], "", ("shop", "a")),
        (None, [here("a"), here("b")], "", Reason.PROVIDER_NOT_RESOLVED),
        (None, [here("a"), here("b")], DEFAULT, Reason.PROVIDER_NOT_RESOLVED),
        (None, [here("a", default=True), here("b", default=True), here("c")], "", Reason.PROVIDER_NOT_RESOLVED),
        # the operator's
        (None, [], DEFAULT, ("platform", "shared")),
        (None, [there("a")], DEFAULT, ("platform", "shared")),
        (None, [there("a", default=True)], "", Reason.PROVIDER_NOT_RESOLVED),
        (None, [], "", Reason.PROVIDER_NOT_RESOLVED),
    ],
)
def test_a_key_belongs_to_one_provider_or_to_none(
    ref: ProviderRef | None, known: list[ProviderEntry], default: str, resolved: tuple[str, str] | Reason
) -> None:
    found = resolve(ref, "shop", known, default)
    assert (found.reason if isinstance(found, Problem) else found) == resolved


@pytest.mark.parametrize(
    ("ref", "known", "words"),
    [
        (None, [here("b"), here("a")], "Several AWSProviders could be meant: a, b."),
        (None, [here("a", default=True), here("b", default=True), here("c")], "could be meant: a, b."),
        (None, [], "There is no AWSProvider in the namespace shop: create one"),
        (ProviderRef(name="a"), [], "There is no AWSProvider a in the namespace shop: create it"),
        (ProviderRef(name="a", namespace="platform"), [], "which keys of shop may not use"),
    ],
)
def test_the_message_says_what_to_do(ref: ProviderRef | None, known: list[ProviderEntry], words: str) -> None:
    found = resolve(ref, "shop", known, "")
    assert isinstance(found, Problem)
    assert words in found.message


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
