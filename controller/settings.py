"""What the operator's user may choose, checked: a Settings that exists makes sense.

Rules:
1. It is made once, by the command line, and passed down; nobody else reads a flag, nor an environment variable that is ours.
2. Values are parsed already: durations are timedeltas, addresses are Addresses, lists are tuples.
3. All that is wrong is reported at once, in the words of the flags, and says what to change.

It cannot know whether a namespace exists or a port is free: who uses them finds out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from controller.objects import Ref
from controller.selectors import Selector

# client-go's: two tries are up to 1.2 retry periods apart, so that a shorter deadline would leave a leader with a single try.
JITTER = 1.2
# Specs are held to 30 s, so that no tenant spends the quotas of all; whoever sets flags answers for the quotas, or tests.
MIN_RESYNC = timedelta(seconds=1)
# Below it, a search for a lost key would run before AWS could possibly have listed it.
MIN_CREATE_GRACE = timedelta(seconds=1)
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("json", "console")
# More cannot be used: one process makes about a hundred AWS calls a second.
MAX_WORKERS = 1000

_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class SettingsError(ValueError):
    """The settings contradict each other or are out of range; the message has a line for each problem."""


class Address(NamedTuple):
    """Where to listen: no host means all interfaces, port 0 means any free one."""

    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The operator's settings, named as the flags; pod_name is our own in leases and events. Raises SettingsError."""

    metrics_bind_address: Address | None
    metrics_auth: bool
    metrics_tls_dir: Path | None
    health_bind_address: Address | None
    leader_elect: bool
    lease_namespace: str
    lease_duration: timedelta
    renew_deadline: timedelta
    retry_period: timedelta
    workers: int
    watch_namespaces: tuple[str, ...]
    watch_selector: Selector | None
    controller_ring: str
    resync_interval: timedelta
    create_grace: timedelta
    quota_fraction: float
    default_provider: Ref | None
    default_deletion_policy: str
    allow_custom_endpoints: bool
    allow_policy_lockout_bypass: bool
    refuse_open_policies: bool
    ambient_credentials_namespaces: tuple[str, ...]
    log_level: str
    log_format: str
    pod_name: str

    def __post_init__(self) -> None:
        if problems := [*_lease_problems(self), *_range_problems(self), *_name_problems(self), *_ring_problems(self), *_metrics_problems(self)]:
            raise SettingsError("\n".join(problems))


def parse_address(text: str) -> Address | None:
    """":8080", "127.0.0.1:0" or "[::1]:8080"; "0" is None: do not listen. Raises ValueError, with a message for the user."""
    if text == "0":
        return None
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"'{text}' is not an address: put the IPv6 address in brackets, as in [::1]:8080")
    if not (colon and _PORT.fullmatch(port) and int(port) < 2**16):
        raise ValueError(f"'{text}' is not an address: write :8080, 127.0.0.1:8080, or 0 to switch it off")
    return Address(host, int(port))


def parse_ref(text: str) -> Ref:
    """"NAMESPACE/NAME". Raises ValueError, with a message for the user."""
    namespace, _, name = text.partition("/")
    if not (_LABEL.fullmatch(namespace) and _SUBDOMAIN.fullmatch(name)):
        raise ValueError(f"'{text}' does not name an object: write NAMESPACE/NAME, as in platform/default")
    return Ref(namespace, name)


def parse_namespaces(text: str) -> tuple[str, ...]:
    """The names between the commas, sorted, each once; none for "", which means all namespaces."""
    return tuple(sorted({name.strip() for name in text.split(",") if name.strip()}))


def _lease_problems(settings: Settings) -> Iterator[str]:
    """The order that makes a lease safe: a leader that cannot renew stops before a standby may take over."""
    lease, renew, retry = settings.lease_duration, settings.renew_deadline, settings.retry_period
    if retry <= timedelta():
        yield "--retry-period must be longer than 0: raise it"
    if renew <= retry * JITTER:
        yield (
            f"--renew-deadline ({_seconds(renew)}) must be longer than {JITTER} times --retry-period ({_seconds(retry)}): "
            "raise the first or lower the second"
        )
    if lease <= renew:
        yield (
            f"--lease-duration ({_seconds(lease)}) must be longer than --renew-deadline ({_seconds(renew)}): "
            "raise the first or lower the second"
        )
    if lease % timedelta(seconds=1):
        yield f"--lease-duration ({_seconds(lease)}) must be whole seconds, because a Lease counts in them: round it"


def _ring_problems(settings: Settings) -> Iterator[str]:
    ring = settings.controller_ring
    if not ring:
        return
    if not _LABEL.fullmatch(ring):
        yield f"--controller-ring ('{ring}') is not the name of a ControllerRing: 63 lower-case letters, digits and - at most"
    if settings.watch_selector is not None:
        yield "--controller-ring and --watch-selector exclude each other: a shard's selector is the ring's"
    if not settings.leader_elect:
        yield "--controller-ring needs --leader-elect: a shard works by its Lease"


def _metrics_problems(settings: Settings) -> Iterator[str]:
    if settings.metrics_auth and settings.metrics_tls_dir is None:
        yield "--metrics-auth needs --metrics-tls-dir: a scraper's token is not sent in clear"


def _range_problems(settings: Settings) -> Iterator[str]:
    if not 1 <= settings.workers <= MAX_WORKERS:
        yield f"--workers ({settings.workers}) must be from 1 to {MAX_WORKERS}"
    if settings.resync_interval < MIN_RESYNC:
        yield f"--resync-interval ({_seconds(settings.resync_interval)}) must be at least {_seconds(MIN_RESYNC)}: raise it"
    if settings.create_grace < MIN_CREATE_GRACE:
        yield f"--create-grace ({_seconds(settings.create_grace)}) must be at least {_seconds(MIN_CREATE_GRACE)}: raise it"
    if not 0 < settings.quota_fraction <= 1:  # which also refuses nan
        yield f"--quota-fraction ({settings.quota_fraction}) must be above 0 and at most 1: 0.5 uses half of AWS's quota"


def _name_problems(settings: Settings) -> Iterator[str]:
    if not _LABEL.fullmatch(settings.lease_namespace):
        yield f"--lease-namespace ('{settings.lease_namespace}') is not the name of a namespace"
    chosen = {"--watch-namespaces": settings.watch_namespaces, "--ambient-credentials-namespaces": settings.ambient_credentials_namespaces}
    for flag, names in chosen.items():
        for name in names:
            if not _LABEL.fullmatch(name) and (flag, name) != ("--ambient-credentials-namespaces", "*"):
                yield f"{flag}: '{name}' is not the name of a namespace"


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g}s"
