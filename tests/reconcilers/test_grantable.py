import pytest

from reconcilers.grantable import needs_labels, permits
from reconcilers.provider_fields import AllowedNamespaces, LabelSelector

TEAM = LabelSelector(match_labels={"team": "x"})
CASES = [
    ("its own namespace, nothing said", None, "shop", {}, True),
    ("its own namespace, others named", AllowedNamespaces(names=("mail",)), "shop", {}, True),
    ("another, nothing said", None, "mail", {}, False),
    ("another, nothing named", AllowedNamespaces(), "mail", {}, False),
    ("another that is named", AllowedNamespaces(names=("web", "mail")), "mail", {}, True),
    ("another that is not", AllowedNamespaces(names=("web",)), "mail", {}, False),
    ("a part of a name is no name", AllowedNamespaces(names=("mail-2",)), "mail", {}, False),
    ("another that is selected", AllowedNamespaces(selector=TEAM), "mail", {"team": "x"}, True),
    ("another that is not selected", AllowedNamespaces(selector=TEAM), "mail", {"team": "y"}, False),
    ("another of unknown labels", AllowedNamespaces(selector=LabelSelector()), "mail", None, False),
    ("named, of unknown labels", AllowedNamespaces(names=("mail",), selector=TEAM), "mail", None, True),
]


@pytest.mark.parametrize(("said", "namespace", "labels", "permitted"), [pytest.param(*rest, id=name) for name, *rest in CASES])
def test_a_key_may_be_used_by_its_own_namespace_and_by_those_it_says(
    said: AllowedNamespaces | None, namespace: str, labels: dict[str, str] | None, permitted: bool
) -> None:
    assert permits("shop", said, namespace, labels) is permitted


@pytest.mark.parametrize(
    ("said", "namespace", "needed"),
    [(AllowedNamespaces(selector=TEAM), "mail", True), (AllowedNamespaces(selector=TEAM), "shop", False), (None, "mail", False)],
)
def test_labels_are_needed_only_where_they_decide(said: AllowedNamespaces | None, namespace: str, needed: bool) -> None:
    assert needs_labels("shop", said, namespace) is needed
