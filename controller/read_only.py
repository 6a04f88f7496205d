"""Both clouds for commands that only look: nothing that is done through here changes anything.

Rules:
1. No write to AWS starts: the fence never opens. Assuming a role is no write.
2. Every write to Kubernetes is a dry run.
3. A command takes a small share of AWS's quotas, because an operator may be at work beside it.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aws.channels import Terms
from aws.clients import Clients
from aws.wires import OpenWire
from controller.dry_run import DryRun
from controller.kube import Kube, Transport
from controller.namespaces import cluster_id
from controller.provider_access import ProviderRules
from controller.provider_ways import ProviderWays

QUOTA_FRACTION = 0.25  # with the operator's half, a quarter is left to everybody else


@dataclass(frozen=True, slots=True)
class Clouds:
    """What a command looks at."""

    kube: Kube
    clients: Clients

    def providers(self, rules: ProviderRules) -> ProviderWays:
        """An empty store of providers, to be filled; they are resolved and tried as the operator does it, and nothing is told about it."""
        return ProviderWays(self.kube, self.clients, rules)

    async def cluster_id(self) -> str:
        """The UID of kube-system, by which the cluster's keys are tagged. Raises KubeError."""
        return await cluster_id(self.kube)


@asynccontextmanager
async def read_only(server: Transport | None, given: Mapping[str, bytes], open_wire: OpenWire) -> AsyncIterator[Clouds]:
    """The clouds, closed with the block. server and given: see DryRun."""
    clouds = Clouds(Kube(DryRun(server, given)), Clients(_terms(open_wire), QUOTA_FRACTION))
    try:
        yield clouds
    finally:
        await clouds.clients.close()
        await clouds.kube.close()


def _terms(open_wire: OpenWire) -> Terms:
    """Nothing is measured: the process ends before anybody could ask."""

    def never(_seconds: float) -> bool:
        return False

    def unheard(*_told: object) -> None:
        return None

    return Terms(open_wire, never, observed=unheard, waited=unheard)
