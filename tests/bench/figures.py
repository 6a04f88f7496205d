"""Figures: what was measured, beside what it was before and what the peers need.

Rules:
1. Less is better, for every figure.
2. A figure's name says its size (such as "at 1,000 objects"), so that only equal things are compared: figures of a short run meet no
   baseline where they could mislead.
3. A difference below NOISE is none: on a machine with other work, the same program differs by as much from itself.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

NOISE = 0.2
SMALLEST = 0.02  # in any unit, or as a share: one lease renewal more or less among 150 resyncs
HEADINGS = ("", "now", "baseline", "change", "ACK kms / older Go operator")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. peers: the same of ACK's KMS controller and of the older Go operator, where it is known; note: what it consists of."""

    name: str
    value: float
    unit: str
    peers: str = ""
    note: str = ""


def table(figures: Sequence[Figure], baseline: Mapping[str, float]) -> str:
    """The figures beside the baseline's and the peers', with their notes below."""
    rows = [HEADINGS, *(_row(figure, baseline.get(figure.name)) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_aligned(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in rows]
    notes = [f"{figure.name}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([*(line.rstrip() for line in lines), *(["", *notes] if notes else [])])


def change(now: float, before: float | None) -> str:
    """The difference in percent, and a word where it is more than noise."""
    if before is None:
        return "new"
    if abs(now - before) < max(SMALLEST, before * SMALLEST):
        return "same"
    difference = now / max(before, SMALLEST) - 1
    if abs(difference) < NOISE:
        return f"{difference:+.0%}"
    return f"{difference:+.0%} {'worse' if difference > 0 else 'better'}"


def save(path: Path, figures: Iterable[Figure]) -> None:
    """Writes the figures as JSON, to a thousandth; makes the folder."""
    path.parent.mkdir(exist_ok=True)
    rounded = [asdict(replace(figure, value=round(figure.value, 3))) for figure in figures]
    path.write_text(json.dumps({"figures": rounded}, indent=2, ensure_ascii=False) + "\n")


def load(path: Path) -> dict[str, float]:
    """The values that save() wrote, by name; none if there is no such file."""
    if not path.exists():
        return {}
    return {figure["name"]: figure["value"] for figure in json.loads(path.read_text())["figures"]}


def _row(figure: Figure, before: float | None) -> tuple[str, ...]:
    was = "" if before is None else _told(before, figure.unit)
    return figure.name, _told(figure.value, figure.unit), was, change(figure.value, before), figure.peers


def _told(value: float, unit: str) -> str:
    """Three digits that count, at least."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column in (1, 2) else cell.ljust(width)
