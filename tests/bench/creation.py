"""What it costs to make a key: from the moment that its object is applied until nothing more happens.

A run's figures are those of one batch, less what an idle operator needs in the same time; of several runs the least counts, because other
work on the machine can only add to it.
"""

import statistics
import time

from tests.bench.figures import Figure
from tests.bench.meters import Meter, Usage
from tests.bench.world import World

# Ten Events' worth of time: what the last key left to write is written.
SETTLE_SECONDS = 0.5


class MiscountError(Exception):
    """The operator's count of AWS calls is not the KMS's."""


def first_call(world: World, count: int) -> Figure:
    """From sending an object to the arrival of its first AWS call, CreateKey, with nothing else to do."""
    batch, delays = "single", []
    for number in range(count):
        made = world.backend.count("EnableKeyRotation")
        applied = time.monotonic()
        world.add_key(batch, number)
        world.wait_for_calls(made + 1, "EnableKeyRotation")
        asked = world.backend.calls().asked_at[f"{world.namespace}/{batch}-{number:04}"]
        delays.append((asked - applied) * 1000)
        time.sleep(SETTLE_SECONDS)
    note = f"least {min(delays):.0f} ms, most {max(delays):.0f} ms of {count}"
    return Figure("Apply to first AWS call, p50, idle", statistics.median(delays), "ms", "33-55 / 19 ms", note)


def creation(world: World, meter: Meter, background: Usage, keys: int, runs: int) -> list[Figure]:
    """The cost of each of `keys` keys that are applied at once. Raises MiscountError and TimeoutError."""
    made = [_run(world, meter, background, f"run-{run}", keys) for run in range(runs)]
    return [
        _least("AWS calls per new key", [run.aws_calls / keys for run, _ in made], "", "12 / 9-28"),
        _least("Kubernetes calls per new key", [run.kube_calls / keys for run, _ in made], ""),
        _least("Operator CPU per new key", [run.operator_cpu / keys * 1000 for run, _ in made], "ms", "15-25 / 16-48 ms"),
        _least("kube-apiserver and etcd CPU per new key", [run.servers_cpu / keys * 1000 for run, _ in made], "ms", "31-47 / 28-30 ms"),
        _least(f"{keys} keys from apply to Ready, no quotas", [seconds for _, seconds in made], "s"),
    ]


def together(world: World, keys: int) -> Figure:
    """How long it takes until so many keys are Ready that are applied at once. Raises TimeoutError."""
    began = time.monotonic()
    world.add_keys("together", keys)
    peers = "63, at best 37 / 102 s" if keys == 1000 else ""
    return Figure(f"{keys:,} keys from apply to Ready, no quotas", time.monotonic() - began, "s", peers)


def under_quotas(world: World, keys: int) -> list[Figure]:
    """How long it takes to make keys in one region, with KMS's real quotas. Raises TimeoutError."""
    began = time.monotonic()
    world.add_keys("quota", keys)
    seconds = time.monotonic() - began
    throttled = world.backend.calls().throttled
    note = "refused: " + (", ".join(f"{operation} {count}" for operation, count in throttled.items()) or "nothing")
    peers = ("50.6 / 57.6 s", "41 / 104") if keys == 200 else ("", "")
    return [
        Figure(f"{keys} keys from apply to Ready, KMS's quotas", seconds, "s", peers[0]),
        Figure(f"Throttled calls for {keys} keys, KMS's quotas", sum(throttled.values()), "", peers[1], note),
    ]


def _run(world: World, meter: Meter, background: Usage, batch: str, keys: int) -> tuple[Usage, float]:
    """The whole usage until quiet, and the seconds until all keys were Ready."""
    asked = world.backend.count()
    began = time.monotonic()
    with meter.window() as window:
        world.add_keys(batch, keys)
        ready = time.monotonic() - began
        world.wait_for_quiet()
    counted = world.backend.count() - asked
    if window.usage.aws_calls != counted:
        raise MiscountError(f"the operator counted {window.usage.aws_calls:.0f} AWS calls, the KMS {counted}")
    return window.usage.above(background), ready


def _least(name: str, values: list[float], unit: str, peers: str = "") -> Figure:
    note = f"runs: {', '.join(f'{value:.3g}' for value in values)}" if len(values) > 1 else ""
    return Figure(name, min(values), unit, peers, note)
