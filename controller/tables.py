"""Plain text tables as kubectl prints them: a heading in capitals, columns as wide as their widest cell, three spaces between them.

Rules:
1. An absent value is "-", so that each row has as many words as the heading has columns.
2. A cell is one line. Characters that are not printable become spaces: a name from elsewhere must not steer the reader's terminal.
3. Colours come last, and from here only: in_colour() marks words that say how things stand. Whoever prints the table takes the marks out
   again where the output is no terminal.
"""

from collections.abc import Callable, Iterable, Sequence

import click

GAP = "   "
ABSENT = "-"
COLOURS = {
    **dict.fromkeys(("True", "Enabled", "settled"), "green"),
    **dict.fromkeys(("False", "stalled", "PendingDeletion"), "red"),
    **dict.fromkeys(("waiting", "unseen", "Disabled"), "yellow"),
    "working": "cyan",
}


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], paint: Callable[[str], str] = str) -> str:
    """The lines of the table, without a line break at the end. Each row has as many cells as there are headings; None is absent."""
    lines = [[heading.upper() for heading in headings], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths, paint) for line in lines)


def in_colour(cell: str) -> str:
    """A cell of one of the words that have a colour, in it; any other as it is."""
    colour = COLOURS.get(cell.rstrip())
    return click.style(cell, fg=colour) if colour else cell


def _line(cells: Sequence[str], widths: Sequence[int], paint: Callable[[str], str]) -> str:
    return GAP.join(paint(cell.ljust(width)) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    text = "" if value is None else "".join(char if char.isprintable() else " " for char in str(value))
    return text.strip() or ABSENT
