"""Everything that the operator meets, on this machine: an API server, an AWS, and the operator itself.

    with running_cluster() as cluster:
        cluster.install()
        with cluster.operator(resync_interval="2s"):
            cluster.kubectl("apply", "-f", "key.yaml")

Rules:
1. When the block ends, or the process does, nothing is left: no process, no file.
2. Nothing listens on anything but 127.0.0.1, and nothing connects to anything else.
3. The administrator's kubeconfig is `cluster.kubeconfig`; everybody else has a ServiceAccount's token.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cluster.api import Api
from tests.cluster.apiserver import ApiServer, api_server
from tests.cluster.binaries import assets
from tests.cluster.emulator import REPOSITORY, Backend, boto, emulator
from tests.cluster.kubectl import Kubectl, write_kubeconfig
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT, Operator, Surroundings, running_operator
from tests.cluster.processes import scratch_folder

BASE = REPOSITORY / "manifests" / "base"


class Cluster:
    """A cluster that runs; made by running_cluster()."""

    def __init__(self, folder: Path, binaries: Path, server: ApiServer, aws_endpoint: str, backend: Backend = Backend.MOTO) -> None:
        self.folder = folder
        self.aws_endpoint = aws_endpoint
        self.backend = backend
        self.kubeconfig = write_kubeconfig(folder / "admin.kubeconfig", server, server.admin_token)
        self.kubectl = Kubectl(binaries / "kubectl", self.kubeconfig)
        self._server = server
        self._clients = contextlib.ExitStack()
        self.api = self._clients.enter_context(contextlib.closing(Api(server)))

    def install(self) -> None:
        """Applies the CRDs and the base of the manifests, and waits until the kinds are served."""
        self.kubectl("apply", "-k", str(BASE))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")

    def kubeconfig_for(self, namespace: str, service_account: str) -> Path:
        """A kubeconfig that is good for one hour of being that ServiceAccount."""
        path = self.folder / f"{namespace}-{service_account}.kubeconfig"
        return write_kubeconfig(path, self._server, self.kubectl.token(namespace, service_account))

    def kubectl_as(self, namespace: str, service_account: str) -> Kubectl:
        """kubectl in the hands of that ServiceAccount."""
        return Kubectl(self.kubectl.binary, self.kubeconfig_for(namespace, service_account))

    def boto(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client that sees what AWS sees; closed with the cluster."""
        return self._clients.enter_context(contextlib.closing(boto(self.aws_endpoint, service, region)))

    @contextlib.contextmanager
    def operator(self, replica: int = 1, **flags: str | bool) -> Iterator[Operator]:
        """A ready operator with `run`'s flags: resync_interval="2s", leader_elect=False. Raises ProcessError."""
        with running_operator(self.surroundings(), f"{SERVICE_ACCOUNT}-{replica}", flags) as operator:
            yield operator

    def surroundings(self, *program: str) -> Surroundings:
        """What an operator finds here; program: what starts it, if it is not this checkout's."""
        return Surroundings(self.folder, self.kubeconfig_for(NAMESPACE, SERVICE_ACCOUNT), self.aws_endpoint, program)

    @contextlib.contextmanager
    def beside(self, backend: Backend, **settings: str) -> Iterator["Cluster"]:
        """The same cluster with another AWS, which starts empty. settings: the emulator's."""
        with emulator(self.folder, backend, **settings) as endpoint:
            other = Cluster(self.folder, self.kubectl.binary.parent, self._server, endpoint, backend)
            with contextlib.closing(other):
                yield other

    def close(self) -> None:
        """Closes the clients."""
        self._clients.close()


@contextlib.contextmanager
def running_cluster(backend: Backend = Backend.MOTO) -> Iterator[Cluster]:
    """An empty cluster and an empty AWS, ready. Raises BinariesError and ProcessError."""
    binaries = assets()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        aws_endpoint = stack.enter_context(emulator(folder, backend))
        server = stack.enter_context(api_server(binaries, folder))
        yield stack.enter_context(contextlib.closing(Cluster(folder, binaries, server, aws_endpoint, backend)))
