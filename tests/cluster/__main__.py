"""`make cluster`: the cluster in the foreground until Ctrl-C or SIGTERM; run the operator against it by yourself.

EMULATOR names the AWS: moto (the default), ministack, or strict, the model of tests/strict, which goes wrong on demand: how stands in
tests/strict/switches.py.

The first lines on standard output are NAME=value for KUBECONFIG and AWS_ENDPOINT_URL, for scripts that wait for them.
"""

import contextlib
import os
import signal
import sys

from tests.cluster.binaries import BinariesError
from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.emulator import CREDENTIALS, Backend
from tests.cluster.kubectl import KubectlError
from tests.cluster.processes import ProcessError


def how_to_connect(cluster: Cluster) -> str:
    """What to type in another terminal, where kubectl is the one that was built."""
    settings = {"KUBECONFIG": cluster.kubeconfig, "AWS_ENDPOINT_URL": cluster.aws_endpoint, "AWS_REGION": "us-east-1", **CREDENTIALS}
    exports = "\n".join(f"  export {name}={value}" for name, value in settings.items())
    return f"In another terminal:\n\n{exports}\n  export PATH={cluster.kubectl.binary.parent}:$PATH\n"


def until_interrupted() -> None:
    """Sleeps until Ctrl-C, SIGTERM included once main() has run."""
    print("Ctrl-C ends it and removes everything.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def interrupted_by_sigterm() -> None:
    """Makes SIGTERM what Ctrl-C is: both end the program in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def main() -> int:
    """The exit code: 0 after an interrupt, 1 if it could not start."""
    interrupted_by_sigterm()
    try:
        with running_cluster(Backend(os.environ.get("EMULATOR") or Backend.MOTO)) as cluster:
            cluster.install()
            print(f"KUBECONFIG={cluster.kubeconfig}\nAWS_ENDPOINT_URL={cluster.aws_endpoint}\n", flush=True)
            print(f"{how_to_connect(cluster)}  .venv/bin/infra-operator run --log-format console\n", flush=True)
            until_interrupted()
    except KeyboardInterrupt:
        return 0
    except (BinariesError, KubectlError, ProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
