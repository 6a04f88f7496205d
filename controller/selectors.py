"""Label selectors: as kubectl and the API server spell them, and whether labels match one.

Rules:
1. All of the API server's forms are understood: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, with commas between.
2. One selector has one text, however it was typed: so a text can stand for what it selects.
3. Labels match as the server says: `!=` and `notin` also match objects without the label.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:(?=[^/]{{1,253}}/){_SUBDOMAIN}/)?{_NAME}")
_VALUE = re.compile(rf"({_NAME})?")
# A part ends at a comma that no list of values surrounds.
_PART = re.compile(r"(?:[^,()]|\([^()]*\))+")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(r"([^=!\s]+)\s*(==|=|!=)\s*(\S*)")
_EXISTS = re.compile(r"(!?)\s*([^=!\s]+)")


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """One part. values: sorted; None asks only whether there is such a label. negated: everything else matches."""

    key: str
    values: tuple[str, ...] | None
    negated: bool = False

    def __str__(self) -> str:
        if self.values is None:
            return f"!{self.key}" if self.negated else self.key
        if len(self.values) == 1:
            return f"{self.key}{'!=' if self.negated else '='}{self.values[0]}"
        return f"{self.key} {'notin' if self.negated else 'in'} ({','.join(self.values)})"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Rule 3."""
        value = labels.get(self.key)
        found = value is not None and (self.values is None or value in self.values)
        return found != self.negated


@dataclass(frozen=True, slots=True)
class Selector:
    """All of its requirements together; none matches everything."""

    requirements: tuple[Requirement, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def values(self) -> dict[str, str]:
        """The labels that everything selected bears with just this value."""
        asked = (one for one in self.requirements if not one.negated and one.values is not None)
        return {one.key: one.values[0] for one in asked if one.values is not None and len(one.values) == 1}


def parse_selector(text: str) -> Selector | None:
    """None for "", which means all objects. Raises ValueError, with a message for the user."""
    if not text.strip():
        return None
    return Selector(tuple(sorted(set(_requirements(text)), key=str)))


def is_label_value(text: str) -> bool:
    """Whether a label may have it, and is not empty."""
    return bool(text) and _VALUE.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Whether a label may be called so."""
    return _KEY.fullmatch(text) is not None


def _requirements(text: str) -> Iterator[Requirement]:
    end = 0
    for part in _PART.finditer(text):
        if text[end : part.start()].strip() not in {"", ","}:
            break
        end = part.end()
        yield _requirement(part.group().strip(), text)
    if text[end:].strip():
        raise _refusal(text)


def _requirement(part: str, text: str) -> Requirement:
    if match := _SET.fullmatch(part):
        made = Requirement(match[1], tuple(sorted({value.strip() for value in match[3].split(",")})), match[2] == "notin")
    elif match := _EQUAL.fullmatch(part):
        made = Requirement(match[1], (match[3],), match[2] == "!=")
    elif match := _EXISTS.fullmatch(part):
        made = Requirement(match[2], None, bool(match[1]))
    else:
        raise _refusal(text)
    if not is_label_key(made.key):
        raise ValueError(f"'{made.key}' in the selector '{text}' cannot be the name of a label")
    for value in made.values or ():
        if _VALUE.fullmatch(value) is None:
            raise ValueError(f"'{value}' in the selector '{text}' cannot be the value of a label")
    return made


def _refusal(text: str) -> ValueError:
    return ValueError(f"'{text}' is no label selector: write shard=a, shard!=a, shard in (a,b), shard or !shard, with commas between")
