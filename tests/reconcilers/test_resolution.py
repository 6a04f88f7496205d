import pytest

from reconcilers.key_spec import ProviderRef
from reconcilers.provider_fields import AllowedNamespaces, LabelSelector
from reconcilers.reasons import Reason
from reconcilers.resolution import ProviderEntry, not_served, resolve, serves_by_labels, serves_by_name
from reconcilers.states import Problem


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
        (ProviderRef(name="shared"), [], "shop/shared", ("shop", "shared")),
        # ... of another namespace, whatever there is: whether it serves is another question
        (ProviderRef(name="a", namespace="platform"), [there("a")], "", ("platform", "a")),
        (ProviderRef(name="a", namespace="platform"), [], "", ("platform", "a")),
        (ProviderRef(name="a", namespace="platform"), [there("a"), here("a")], DEFAULT, ("platform", "a")),
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
    ],
)
def test_the_message_says_what_to_do(ref: ProviderRef | None, known: list[ProviderEntry], words: str) -> None:
    found = resolve(ref, "shop", known, "")
    assert isinstance(found, Problem)
    assert words in found.message


SHOPS = LabelSelector(match_labels={"kind": "shop"})


@pytest.mark.parametrize(
    ("allowed", "by_name", "by_labels"),
    [
        (None, False, False),
        (AllowedNamespaces(), False, False),
        (AllowedNamespaces(names=("mail", "shop")), True, False),
        (AllowedNamespaces(names=("mail",)), False, False),
        (AllowedNamespaces(names=("shops", "sho")), False, False),
        (AllowedNamespaces(selector=SHOPS), None, True),
        (AllowedNamespaces(names=("mail",), selector=SHOPS), None, True),
        (AllowedNamespaces(names=("shop",), selector=SHOPS), True, True),
        (AllowedNamespaces(selector=LabelSelector()), None, True),
        (AllowedNamespaces(selector=LabelSelector(match_labels={"kind": "mail"})), None, False),
    ],
)
def test_a_provider_serves_the_namespaces_that_it_names_or_selects(
    allowed: AllowedNamespaces | None, by_name: bool | None, by_labels: bool
) -> None:
    assert serves_by_name(allowed, "shop") is by_name
    assert serves_by_labels(allowed, {"kind": "shop"}) is by_labels


def test_who_is_not_served_reads_whom_to_ask_for_what() -> None:
    refused = not_served(("platform", "shared"), "shop")
    assert refused.reason == Reason.PROVIDER_NOT_ALLOWED
    assert "ask for shop in the allowedNamespaces of platform/shared" in refused.message
