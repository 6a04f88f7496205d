import click
import pytest

from controller.tables import in_colour, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(["name", "state"], [["a-long-name", "Enabled"], ["b", "Disabled"]]) == (
        "NAME          STATE\n"
        "a-long-name   Enabled\n"
        "b             Disabled"
    )  # fmt: skip


def test_without_rows_there_is_the_heading() -> None:
    assert table(["name", "state"], []) == "NAME   STATE"


@pytest.mark.parametrize("value", [None, "", " ", "\n"])
def test_what_is_absent_is_a_dash(value: object) -> None:
    assert table(["name", "key", "told"], [["a", value, "x"]]).splitlines()[1] == "a      -     x"


@pytest.mark.parametrize("steering", ["\x1b[31mred", "two\nlines", "back\rwards", "bell\x07", "\u202eright to left"])
def test_a_cell_cannot_steer_the_terminal(steering: str) -> None:
    text = table(["name", "told"], [[steering, "x"]])
    assert len(text.splitlines()) == 2
    assert all(line.isprintable() for line in text.splitlines())


def test_numbers_are_shown_as_they_are() -> None:
    assert table(["keys"], [[0], [12]]) == "KEYS\n0\n12"


def test_a_row_of_another_length_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        table(["name", "state"], [["only one"]])


def test_cells_that_say_how_things_stand_are_in_colour_and_the_columns_stay() -> None:
    plain = table(["name", "is", "told"], [["a", "True", "x"], ["b", "waiting", "True"], ["c", "other", "True to itself"], ["(waits)", "", ""]])
    painted = in_colour(plain)
    assert click.unstyle(painted) == plain
    assert painted.count("\x1b[0m") == 4
    assert click.style("waiting", fg="yellow") in painted
    assert painted.splitlines()[2].endswith(click.style("True", fg="green"))
    assert painted.splitlines()[4].startswith(click.style("(waits)", fg="cyan"))
