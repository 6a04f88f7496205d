import pytest

from reconcilers.provider_fields import LabelSelector, Requirement
from reconcilers.selectors import selects

LABELS = {"team": "shop", "stage": "prod", "empty": ""}


def needs(key: str, operator: str, *values: str) -> LabelSelector:
    one = {"key": key, "operator": operator} | ({"values": values} if values else {})
    return LabelSelector(match_expressions=(Requirement.model_validate(one),))


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (LabelSelector(), True),
        (LabelSelector(match_labels={}), True),
        (LabelSelector(match_labels={"team": "shop"}), True),
        (LabelSelector(match_labels={"team": "shop", "stage": "prod"}), True),
        (LabelSelector(match_labels={"team": "shop", "stage": "test"}), False),
        (LabelSelector(match_labels={"other": "shop"}), False),
        (LabelSelector(match_labels={"other": ""}), False),
        (needs("team", "In", "mail", "shop"), True),
        (needs("team", "In", "mail"), False),
        (needs("other", "In", "shop"), False),
        (needs("team", "NotIn", "mail"), True),
        (needs("team", "NotIn", "mail", "shop"), False),
        (needs("other", "NotIn", "shop"), True),
        (needs("empty", "Exists"), True),
        (needs("other", "Exists"), False),
        (needs("other", "DoesNotExist"), True),
        (needs("empty", "DoesNotExist"), False),
        (LabelSelector(match_labels={"team": "shop"}, match_expressions=needs("stage", "In", "test").match_expressions), False),
    ],
)
def test_all_that_is_written_must_hold(selector: LabelSelector, selected: bool) -> None:
    assert selects(selector, LABELS) is selected
