from collections.abc import Mapping

import pytest

from controller.selectors import parse_selector


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("shard=a", "shard=a"),
        (" shard == a ", "shard=a"),
        ("shard in (a)", "shard=a"),
        ("shard!=a", "shard!=a"),
        ("shard notin ( a )", "shard!=a"),
        ("shard in (b, a,b)", "shard in (a,b)"),
        ("shard notin (b,a)", "shard notin (a,b)"),
        ("shard", "shard"),
        ("! shard", "!shard"),
        ("shard=", "shard="),
        ("b=1,a in (x,y),!c", "!c,a in (x,y),b=1"),
        ("a=1,a=1", "a=1"),
        ("shard.example.com/ring=op-7d9f-x2", "shard.example.com/ring=op-7d9f-x2"),
    ],
)
def test_a_selector_has_one_text_however_it_was_typed(text: str, same: str) -> None:
    selector = parse_selector(text)
    assert str(selector) == same
    assert parse_selector(str(selector)) == selector


def test_no_text_selects_all() -> None:
    assert parse_selector("  ") is None


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("shard=a", {"shard": "a"}, True),
        ("shard=a", {"shard": "b"}, False),
        ("shard=a", {}, False),
        ("shard!=a", {"shard": "b"}, True),
        ("shard!=a", {}, True),
        ("shard!=a", {"shard": "a"}, False),
        ("shard in (a,b)", {"shard": "b"}, True),
        ("shard in (a,b)", {"shard": "c"}, False),
        ("shard notin (a,b)", {}, True),
        ("shard notin (a,b)", {"shard": "a"}, False),
        ("shard", {"shard": ""}, True),
        ("shard", {}, False),
        ("!shard", {}, True),
        ("!shard", {"shard": "a"}, False),
        ("shard=", {"shard": ""}, True),
        ("shard=", {}, False),
        ("shard=a,tier!=x", {"shard": "a", "tier": "y"}, True),
        ("shard=a,tier!=x", {"shard": "a", "tier": "x"}, False),
    ],
)
def test_labels_match_as_the_api_server_says(text: str, labels: Mapping[str, str], matches: bool) -> None:
    selector = parse_selector(text)
    assert selector is not None
    assert selector.matches(labels) is matches


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("shard=a", {"shard": "a"}),
        ("shard in (a),tier", {"shard": "a"}),
        ("shard!=a", {}),
        ("shard in (a,b)", {}),
        ("!shard", {}),
    ],
)
def test_it_tells_the_labels_that_all_that_is_selected_bears(text: str, values: Mapping[str, str]) -> None:
    selector = parse_selector(text)
    assert selector is not None
    assert selector.values() == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shard=a=b", "cannot be the value of a label"),
        ("shard=a b", "is no label selector"),
        ("shard in a", "is no label selector"),
        ("shard in (a", "is no label selector"),
        ("shard in (a))", "is no label selector"),
        (",shard=a,,b", "is no label selector"),
        ("shard=a,", "is no label selector"),
        ("-shard=a", "cannot be the name of a label"),
        ("a/b/c=d", "cannot be the name of a label"),
        ("Example.com/a=b", "cannot be the name of a label"),
        ("=a", "is no label selector"),
        ("shard=" + "a" * 64, "cannot be the value of a label"),
        ("s" * 64 + "=a", "cannot be the name of a label"),
        ("shard>3", "cannot be the name of a label"),
    ],
)
def test_what_is_no_selector_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_selector(text)
