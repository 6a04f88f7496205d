"""Plain text tables as kubectl prints them: a heading in capitals, columns as wide as their widest cell, three spaces between them.

Rules:
1. An absent value is "-", so that each row has as many words as the heading has columns.
2. A cell is one line. Characters that are not printable become spaces: a name from elsewhere must not steer the reader's terminal.
"""

from collections.abc import Iterable, Sequence

GAP = "   "
ABSENT = "-"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The lines of the table, without a line break at the end. Each row has as many cells as there are headings; None is absent."""
    lines = [[heading.upper() for heading in headings], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else "".join(char if char.isprintable() else " " for char in str(value))
    return text.strip() or ABSENT
