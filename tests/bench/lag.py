"""How late the operator's event loop woke its timers, from its own histogram: bounds of buckets, so each figure is at most what it says."""

from tests.bench.figures import Figure
from tests.bench.meters import Samples

LAG = "event_loop_lag_seconds_bucket"


def lag_figures(samples: Samples, when: str) -> list[Figure]:
    """Of all ticks since the start of the process."""
    return [
        Figure(f"Event loop lag {when}, p99 at most", lag(samples, 0.99) * 1000, "ms"),
        Figure(f"Event loop lag {when}, worst at most", lag(samples, 1.0) * 1000, "ms"),
    ]


def lag(samples: Samples, share: float) -> float:
    """The seconds that this share of the ticks did not exceed."""
    counts = sorted((float(dict(labels)["le"]), count) for (name, labels), count in samples.items() if name == LAG)
    ticks = counts[-1][1]
    return next(bound for bound, count in counts if count >= share * ticks)
