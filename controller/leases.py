"""Which Lease a process works by, and which objects are then its own: what the settings say of both, in one place.

    neither flag           one Lease under the usual name; its holder works on all objects
    --watch-selector S     one Lease for each selector (and watched namespaces), its name ending in a hash of them: two Deployments with
                           two selectors work side by side, the replicas of one take turns

Beside a Lease for some of the objects there is the usual one, by which one process looks after what is not divided (controller/keeper.py).
Two selectors that overlap are the user's mistake: objects that both match have two owners.
"""

import hashlib
import secrets

from controller.lease_rules import LeaseConfig
from controller.partition import WHOLE, Partition
from controller.settings import Settings

LEASE_NAME = "infra-operator.aws-infra-operator.runner.codes"  # the older operator's, so that the two never lead at once
HASH_CHARACTERS = 10


def partition(settings: Settings) -> Partition:
    """The objects that are this process's."""
    return Partition(settings.watch_selector) if settings.watch_selector else WHOLE


def work_lease(settings: Settings) -> LeaseConfig:
    """The Lease by which the process works."""
    return _config(settings, LEASE_NAME if settings.watch_selector is None else f"{LEASE_NAME}-{_hash(settings)}")


def keeper_lease(settings: Settings) -> LeaseConfig:
    """The Lease of the one who looks after what is not divided."""
    return _config(settings, LEASE_NAME)


def _config(settings: Settings, name: str) -> LeaseConfig:
    return LeaseConfig(
        name=name,
        namespace=settings.lease_namespace,
        holder=f"{settings.pod_name}_{secrets.token_hex(4)}",
        duration=settings.lease_duration.total_seconds(),
        renew_deadline=settings.renew_deadline.total_seconds(),
        retry_period=settings.retry_period.total_seconds(),
    )


def _hash(settings: Settings) -> str:
    text = f"{settings.watch_selector} {','.join(settings.watch_namespaces)}"
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
