"""How long a change behind the operator's back lasts, once CloudTrail's event of it is in the queue.

What EventBridge needs to put it there is AWS's part, and is not measured.
"""

import json
import statistics
import time

from controller.key_objects import KMSKEYS
from controller.provider_objects import AWSPROVIDERS
from tests.bench.figures import Figure
from tests.bench.kms_account import ACCOUNT_ID
from tests.bench.world import World
from tests.reconcilers.test_cloudtrail import event

REPAIR = "UpdateKeyDescription"


def repairs(world: World, count: int) -> list[Figure]:
    """Changes so many keys, one after the other, with an event of each. Raises RefusedError and TimeoutError."""
    (region,) = world.regions
    queue = f"https://sqs.{region}.amazonaws.com/{ACCOUNT_ID}/kms-events"
    world.api.merge(AWSPROVIDERS.path(world.namespace, region), {"spec": {"events": {"queueURL": queue}}})
    with world.operator(resync_interval="1h"):
        world.add_keys("drift", count)
        world.wait_for_calls(1, "ReceiveMessage")
        seconds = [_repaired(world, region, f"drift-{number:04}") for number in range(count)]
    note = f"median {statistics.median(seconds):.2f} s of {count}, after the event was in the queue"
    return [Figure("Drift repaired with events, worst", max(seconds), "s", "next resync (10 h) / 5 min", note)]


def _repaired(world: World, region: str, name: str) -> float:
    key_id = world.api.get(KMSKEYS.path(world.namespace, name))["status"]["keyId"]
    done = world.backend.count(REPAIR)
    world.backend.call(REPAIR, region, {"KeyId": key_id, "Description": "changed"})
    began = time.monotonic()
    world.backend.put(json.dumps(event(REPAIR, {"keyId": key_id}, f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{key_id}")))
    world.wait_for_calls(done + 2, REPAIR)
    return time.monotonic() - began
