"""How tests read a plan: the conditions that it reports, as tables."""

from reconcilers.actions import Plan
from reconcilers.conditions import find
from reconcilers.reasons import Reason


def told(made: Plan) -> dict[str, tuple[str, str]]:
    """The conditions of a plan: type to status and reason."""
    return {c.type: (c.status, c.reason) for c in made.status.conditions}


def message(made: Plan, kind: str = "Ready") -> str:
    found = find(kind, made.status.conditions)
    assert found is not None
    return found.message


def stalled(reason: Reason) -> dict[str, tuple[str, str]]:
    return {"Ready": ("False", reason), "Stalled": ("True", reason), "Synced": ("False", reason)}


def working(reason: Reason) -> dict[str, tuple[str, str]]:
    return {"Ready": ("False", reason), "Reconciling": ("True", reason), "Synced": ("False", reason)}
