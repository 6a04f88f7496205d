"""kubectl as a user runs it, and the kubeconfigs that say who the user is."""

import json
import subprocess
from pathlib import Path

from tests.cluster.apiserver import ApiServer
from tests.cluster.processes import Process

TIMEOUT_SECONDS = 90  # above every --timeout that we give to kubectl wait


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it printed."""


def write_kubeconfig(path: Path, server: ApiServer, token: str) -> Path:
    """Writes a kubeconfig for whom the token stands for, and returns its path. JSON is YAML."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server.url, "certificate-authority": str(server.ca)}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))
    return path


class Kubectl:
    """The built kubectl with one kubeconfig."""

    def __init__(self, binary: Path, kubeconfig: Path) -> None:
        self.binary = binary
        self.kubeconfig = kubeconfig
        # kubectl keeps what it learnt about a server by host and port; a port may have been another cluster's yesterday.
        self._env = {"KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(kubeconfig.with_suffix(".cache")), "HOME": "/nonexistent"}

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises KubectlError if it fails or takes longer than 90 s."""
        command = [str(self.binary), *args]
        try:
            done = subprocess.run(
                command, check=False, env=self._env, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise KubectlError(f"kubectl {' '.join(args)}: no end after {TIMEOUT_SECONDS} s") from None
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(self, log: Path, *args: str) -> Process:
        """A kubectl that runs until its `with` block ends, and prints into `log`."""
        return Process([str(self.binary), *args], log, self._env)

    def token(self, namespace: str, service_account: str) -> str:
        """A ServiceAccount's token of one hour, from the TokenRequest API."""
        return self("create", "token", service_account, "--namespace", namespace, "--duration", "1h").strip()
