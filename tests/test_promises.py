"""docs/reliability.md is as new as the tests, and every fault has a test."""

import ast

from tests import promises

# Faults that no test holds yet; each is to go.
OPEN: frozenset[str] = frozenset()


def test_the_document_is_as_new_as_the_tests() -> None:
    assert promises.DOCUMENT.read_text() == promises.document(promises.held()), "run `make promises`"


def test_every_fault_has_a_test_and_no_test_names_an_unknown_one() -> None:
    held = promises.held()
    assert promises.unknown(held) == []
    assert {number for number in promises.FAULTS if not held[number]} == OPEN


def test_markers_are_found_on_functions_and_on_whole_files() -> None:
    text = """
pytestmark = [pytest.mark.virtual_time, pytest.mark.holds("F1")]

@pytest.mark.holds("F2", "I3")
async def test_one(): ...

def helper(): ...

def test_two(): ...
"""
    assert sorted(promises._marked(ast.parse(text))) == [("F1", "test_one"), ("F1", "test_two"), ("F2", "test_one"), ("I3", "test_one")]
