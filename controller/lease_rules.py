"""The rules of the lease, as pure functions: what we know of it, what to do next, and what to write.

A Lease object names a holder, and lasts for a duration after each renewal. Clocks of different machines disagree, so that the
timestamps inside are for people: they are written, and never compared with anything. What counts is how long we have been
looking at one and the same version of the object, by our own monotonic clock.

Rules:
1. A rival's lease has expired once we have seen the same version for the duration that it names. Any write starts that anew.
2. A lease that vanishes counts as its last holder's for that duration too, since it may still believe in it.
3. An empty holder has released the lease: it is free at once.
4. Who leads and sees another holder, or none, has lost. It does not take the lease back: somebody else may have led meanwhile.
5. All writes carry the version they are based on, so of two that decide alike only one succeeds.

Not promised: safety against people. Who empties or renames the holder by hand, or deletes the lease before a new contender has
ever seen it, can have two leaders until the old one's next renewal.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec

API_VERSION = "coordination.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class LeaseConfig:
    """Whose lease, and how fast. Times are in seconds. Raises ValueError where they cannot work together.

    `duration`         how long others respect the lease after a renewal
    `renew_deadline`   how long we act on it after a renewal; the rest, up to `duration`, is the margin for calls under way
    `retry_period`     how long after one renewal the next is tried
    `labels`           what the Lease bears beside the labels of others
    """

    name: str
    namespace: str
    holder: str
    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.retry_period <= 0:
            raise ValueError(f"the retry period must be longer than 0 s, not {self.retry_period:g} s")
        # client-go's factor: with its jitter, a retry may come that much later.
        if self.renew_deadline <= 1.2 * self.retry_period:
            raise ValueError(
                f"a renew deadline of {self.renew_deadline:g} s leaves no time for a retry after {self.retry_period:g} s: "
                f"make it longer than {1.2 * self.retry_period:g} s, or the retry period shorter"
            )
        if self.duration <= self.renew_deadline:
            raise ValueError(
                f"a lease duration of {self.duration:g} s could end before the renew deadline of {self.renew_deadline:g} s: "
                f"make the duration longer, or the deadline shorter"
            )


class LeaseSpec(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The spec of a Lease. The times are RFC 3339 texts."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class LeaseObject(msgspec.Struct, frozen=True, rename="camel"):
    """A Lease. The metadata is kept whole, so that a PUT does not lose what others wrote there."""

    metadata: dict[str, object]
    spec: LeaseSpec = LeaseSpec()
    api_version: str = API_VERSION
    kind: str = "Lease"

    @property
    def resource_version(self) -> object:
        """Changes with every write."""
        return self.metadata.get("resourceVersion")


def decode_lease(raw: bytes) -> LeaseObject:
    """Reads a Lease from JSON. Raises ValueError, also where there is no version: a PUT without one would overwrite anything."""
    lease = msgspec.json.decode(raw, type=LeaseObject)
    if not lease.resource_version:
        raise ValueError("the answer is no Lease: it has no resourceVersion")
    return lease


@dataclass(frozen=True, slots=True)
class Seen:
    """What we know: the newest lease (None: there is none), its holder ("": free), and since when it has looked like that.

    `since` is in seconds of the monotonic clock; `duration`, in seconds, is how long the holder may rely on it. Seen() is what
    we know at the start.
    """

    lease: LeaseObject | None = None
    holder: str = ""
    duration: float = 0.0
    since: float = -math.inf


class Step(enum.Enum):
    """What to do next."""

    CREATE = "there is no lease, and nobody who could believe in one"
    TAKE = "the lease is free, or its holder is gone"
    RENEW = "the lease is ours"
    WAIT = "somebody else holds the lease"
    LOST = "the lease was ours, and is not any more"


def observe(before: Seen, lease: LeaseObject | None, config: LeaseConfig, now: float) -> Seen:
    """What we know after an answer that arrived `now`, given what we knew before it."""
    if lease is None:
        return before if before.lease is None else replace(before, lease=None, since=now)
    if before.lease is not None and before.lease.resource_version == lease.resource_version:
        return before
    duration = lease.spec.lease_duration_seconds
    return Seen(lease, lease.spec.holder_identity or "", config.duration if duration is None else duration, since=now)


def decide(seen: Seen, me: str, leading: bool, now: float) -> Step:
    """The next step of `me`, which has been `leading` until now or not."""
    ours = seen.holder == me
    free = not seen.holder or now >= seen.since + seen.duration
    if leading and not ours:
        return Step.LOST
    if not ours and not free:
        return Step.WAIT
    if seen.lease is None:
        return Step.CREATE
    return Step.RENEW if ours else Step.TAKE


def claimed(seen: Seen, config: LeaseConfig, wall_clock: datetime) -> LeaseObject:
    """The lease as we write it to create, take or renew it."""
    now = timestamp(wall_clock)
    spec = LeaseSpec(config.holder, math.ceil(config.duration), acquire_time=now, renew_time=now, lease_transitions=0)
    if seen.lease is None:
        return LeaseObject(_labelled({"name": config.name, "namespace": config.namespace}, config), spec)
    old = seen.lease.spec
    transitions = old.lease_transitions or 0
    if old.holder_identity == config.holder:
        spec = msgspec.structs.replace(spec, acquire_time=old.acquire_time, lease_transitions=transitions)
    else:
        spec = msgspec.structs.replace(spec, lease_transitions=transitions + 1)
    return LeaseObject(_labelled(seen.lease.metadata, config), spec)


def released(lease: LeaseObject, wall_clock: datetime) -> LeaseObject:
    """Our lease as we write it to give it back. client-go, too, leaves a duration of one second, the least that is valid."""
    now = timestamp(wall_clock)
    spec = msgspec.structs.replace(lease.spec, holder_identity="", lease_duration_seconds=1, acquire_time=now, renew_time=now)
    return LeaseObject(lease.metadata, spec)


def _labelled(metadata: dict[str, object], config: LeaseConfig) -> dict[str, object]:
    if not config.labels:
        return metadata
    labels = metadata.get("labels")
    return {**metadata, "labels": {**(labels if isinstance(labels, dict) else {}), **config.labels}}


def timestamp(wall_clock: datetime) -> str:
    """RFC 3339 with microseconds, the form that the API server takes for a MicroTime."""
    return wall_clock.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
