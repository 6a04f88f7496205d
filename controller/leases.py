"""Which Lease a process works by, and which objects are then its own: what the settings say of both, in one place.

    no flag                   one Lease under the usual name; its holder works on all objects
    --watch-selector S        one Lease for each selector (and watched namespaces), its name ending in a hash of them: two Deployments with
                              two selectors work side by side, the replicas of one take turns
    --controller-ring RING    a Lease for each process, named as its holder; the sharder of the ring gives objects to it by a label that names
                              it, and asks them back by another

Beside a Lease for some of the objects there is the usual one, by which one process looks after what is not divided (controller/keeper.py).
Two selectors that overlap are the user's mistake: objects that both match have two owners.

The ring's contract: timebertt/kubernetes-controller-sharding, "Implement Sharding in Your Controller" (2025).
"""

import hashlib
import secrets
from dataclasses import dataclass

from controller.lease_rules import LeaseConfig
from controller.partition import WHOLE, Partition
from controller.selectors import Requirement, Selector
from controller.settings import Settings

LEASE_NAME = "infra-operator.aws-infra-operator.runner.codes"  # the older operator's, so that the two never lead at once
HASH_CHARACTERS = 10
RING_LABEL = "alpha.sharding.timebertt.dev/controllerring"
SHARD_LABELS = "shard.alpha.sharding.timebertt.dev/"
DRAIN_LABELS = "drain.alpha.sharding.timebertt.dev/"
# The value of a label: an object's shard label names the Lease.
LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Seat:
    """work: the Lease by which a process works; partition: on what. keeper: the Lease for what is not divided, where something is."""

    work: LeaseConfig
    partition: Partition
    keeper: LeaseConfig | None


def seat(settings: Settings) -> Seat:
    """A new process's. Two processes are never called the same, also where two pods are."""
    suffix = secrets.token_hex(4)
    holder = f"{settings.pod_name}_{suffix}"
    if settings.controller_ring:
        shard = f"{settings.pod_name[: LONGEST_NAME - len(suffix) - 1].rstrip('-.')}-{suffix}"
        work = _lease(settings, shard, shard, {RING_LABEL: settings.controller_ring})
        return Seat(work, ring_partition(settings.controller_ring, shard), _lease(settings, LEASE_NAME, holder))
    if settings.watch_selector:
        work = _lease(settings, f"{LEASE_NAME}-{_hash(settings)}", holder)
        return Seat(work, Partition(settings.watch_selector), _lease(settings, LEASE_NAME, holder))
    return Seat(_lease(settings, LEASE_NAME, holder), WHOLE, None)


def ring_partition(ring: str, shard: str) -> Partition:
    """The objects that the ring's sharder has given to this shard."""
    return Partition(Selector((Requirement(f"{SHARD_LABELS}{ring}", (shard,)),)), f"{DRAIN_LABELS}{ring}")


def _lease(settings: Settings, name: str, holder: str, labels: dict[str, str] | None = None) -> LeaseConfig:
    return LeaseConfig(
        name=name,
        namespace=settings.lease_namespace,
        holder=holder,
        duration=settings.lease_duration.total_seconds(),
        renew_deadline=settings.renew_deadline.total_seconds(),
        retry_period=settings.retry_period.total_seconds(),
        labels=labels or {},
    )


def _hash(settings: Settings) -> str:
    text = f"{settings.watch_selector} {','.join(settings.watch_namespaces)}"
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
