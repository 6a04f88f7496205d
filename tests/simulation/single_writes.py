"""For each operation of KMS's that writes, a change of a key that takes this one and no other; all at once, each at a key of its own.

The key of an operation has its name, in lower case.
"""

from tests.simulation.etcd import Json
from tests.simulation.scenarios import FULL, READER
from tests.simulation.world import World

# The spec of a key that is ready when it begins (None: there is none), and the one that it gets (None: deleted).
WRITES: dict[str, tuple[Json | None, Json | None]] = {
    "CreateKey": (None, {}),
    "UpdateKeyDescription": ({}, {"description": "x"}),
    "PutKeyPolicy": ({}, {"keyPolicy": FULL["keyPolicy"]}),
    "TagResource": ({}, {"tags": {"a": "b"}}),
    "UntagResource": ({"tags": {"a": "b"}}, {}),
    "EnableKeyRotation": ({}, {"enableKeyRotation": True}),
    "DisableKeyRotation": ({"enableKeyRotation": True}, {"enableKeyRotation": False}),
    "RotateKeyOnDemand": ({"rotateOnDemand": "1"}, {"rotateOnDemand": "2"}),
    "DisableKey": ({}, {"enabled": False}),
    "EnableKey": ({"enabled": False}, {"enabled": True}),
    "CreateAlias": ({}, {"aliases": ["orders"]}),
    "DeleteAlias": ({"aliases": ["sales"]}, {"aliases": []}),
    "CreateGrant": ({}, {"grants": [READER]}),
    "RevokeGrant": ({"grants": [READER]}, {"grants": []}),
    "ReplicateKey": ({"multiRegion": True}, {"multiRegion": True, "replicas": [{"region": "eu-west-1"}]}),
    "ScheduleKeyDeletion": ({}, None),
}


async def prepare(world: World) -> None:
    """Make the state from which they begin."""
    ready = {operation.lower(): before for operation, (before, _) in WRITES.items() if before is not None}
    for name, spec in ready.items():
        world.apply(name, **spec)
    await world.ready(*ready)


def act(world: World) -> None:
    """Do it."""
    for operation, (_, after) in WRITES.items():
        if after is None:
            world.delete(operation.lower())
        else:
            world.apply(operation.lower(), **after)


async def settle(world: World) -> None:
    """Wait for the end."""
    for operation, (_, after) in WRITES.items():
        await (world.gone(operation.lower()) if after is None else world.ready(operation.lower()))
