"""The annotation plan: what would be done for an object, in words, in its status; and nothing else in the status changes."""

from reconcilers.conditions import find
from reconcilers.forecast import Forecast
from reconcilers.key_status import KMSKeyStatus
from reconcilers.states import KeyObject

NOTHING = "nothing: the key is as declared"


def planned(key: KeyObject, told: Forecast) -> KMSKeyStatus:
    """The object's status with its plan. The same plan again is the same status."""
    return key.status.model_copy(update={"plan": _lines(told)})


def _lines(told: Forecast) -> tuple[str, ...]:
    """The actions in order, and then what would still be amiss."""
    done = tuple(action.told for action in told.actions)
    if told.lets_go:
        return done
    synced, ready = (find(kind, told.status.conditions) for kind in ("Synced", "Ready"))
    amiss = next((one for one in (ready, synced) if one is not None and one.status == "False"), None)
    if amiss is not None:
        return (*done, f"then {amiss.reason}: {amiss.message}")
    return done or (NOTHING,)
