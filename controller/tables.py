"""Plain text tables as kubectl prints them: a heading in capitals, columns as wide as their widest cell, three spaces between them.

Rules:
1. An absent value is "-", so that each row has as many words as the heading has columns.
2. A cell is one line. Characters that are not printable become spaces: a name from elsewhere must not steer the reader's terminal.
3. Colours come last: in_colour() marks cells that say how things stand, in the text of any table. Whoever prints it takes the marks out
   again where the output is no terminal.
"""

import re
from collections.abc import Iterable, Sequence

import click

GAP = "   "
ABSENT = "-"
COLOURS = {
    **dict.fromkeys(("True", "Enabled", "settled", "(unchanged)"), "green"),
    **dict.fromkeys(("False", "stalled", "PendingDeletion", "(refused)"), "red"),
    **dict.fromkeys(("waiting", "unseen", "Disabled", "(unknown)"), "yellow"),
    **dict.fromkeys(("working", "(waits)"), "cyan"),
}
_WORDS = re.compile(rf"(?:^|(?<={GAP}))(?:{'|'.join(map(re.escape, COLOURS))})(?=$|{GAP})", re.MULTILINE)  # a whole cell


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The lines of the table, without a line break at the end. Each row has as many cells as there are headings; None is absent."""
    lines = [[heading.upper() for heading in headings], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def in_colour(text: str) -> str:
    """The text of tables, with each cell that is one of the words in its colour."""
    return _WORDS.sub(lambda found: click.style(found[0], fg=COLOURS[found[0]]), text)


def _cell(value: object) -> str:
    text = "" if value is None else "".join(char if char.isprintable() else " " for char in str(value))
    return text.strip() or ABSENT
