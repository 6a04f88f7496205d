"""resource_condition: how many objects have each condition, kept up to date from what a store's informer tells.

Counts only: a label for each object would make a series for each object, which Prometheus pays for long after it is gone.
"""

import msgspec
from prometheus_client import Gauge

from controller import metrics
from controller.objects import KubeObject


class _Condition(msgspec.Struct, gc=False):
    type: str = ""
    status: str = ""
    reason: str = ""


class _Status(msgspec.Struct, gc=False):
    conditions: tuple[_Condition, ...] = ()


_decoder = msgspec.json.Decoder(_Status)


def count_conditions(kind: str, old: KubeObject | None, new: KubeObject | None) -> None:
    """Takes the old version's conditions out of the counts and the new one's in."""
    if old and new and old.status == new.status:
        return
    for condition in _conditions(old):
        _series(kind, condition).dec()
    for condition in _conditions(new):
        _series(kind, condition).inc()


def _series(kind: str, condition: _Condition) -> Gauge:
    return metrics.RESOURCE_CONDITION.labels(kind=kind, type=condition.type, status=condition.status, reason=condition.reason)


def _conditions(obj: KubeObject | None) -> tuple[_Condition, ...]:
    """A status that is no status, which only a hand edit can make, counts as none."""
    try:
        return _decoder.decode(obj.status).conditions if obj else ()
    except msgspec.ValidationError:
        return ()
