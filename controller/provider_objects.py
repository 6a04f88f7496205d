"""An AWSProvider as the API server holds it."""

import msgspec

from controller.events import Regarding
from controller.objects import KubeObject, Resource
from reconcilers.names import API_VERSION, GROUP, VERSION

AWSPROVIDERS = Resource(GROUP, VERSION, "awsproviders", "AWSProvider")


class _Ready(msgspec.Struct, gc=False):
    ready: bool = False


def matters_to_keys(old: KubeObject, new: KubeObject) -> bool:
    """A new spec or default mark, or a change from not ready to ready or back."""
    if old.generation != new.generation or old.annotations != new.annotations:
        return True
    return msgspec.json.decode(old.status, type=_Ready) != msgspec.json.decode(new.status, type=_Ready)


def regarding(obj: KubeObject) -> Regarding:
    """The object as an event names it."""
    return Regarding(API_VERSION, "AWSProvider", obj.namespace, obj.name, obj.uid)
