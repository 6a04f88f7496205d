"""Commands as a user would type them, each followed by what it really printed.

kubectl is kubectl. The aws commands are carried out by boto3, since the AWS CLI may not be installed here: operation, parameters
and answer are the CLI's, written as JSON.
"""

import json
import shlex
from collections.abc import Callable
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_until

FOLLOW_SECONDS = 15.0  # the operator compares with AWS every 2 s here; the rest is for a busy machine


class TourError(Exception):
    """The world is not as the tour says."""


class Tour:
    """Prints and runs; stops the tour where something is not as it says."""

    def __init__(self, cluster: Cluster) -> None:
        self._kubectl = cluster.kubectl
        self._kms = cluster.boto("kms")

    def say(self, text: str) -> None:
        """A heading."""
        print(f"\n== {text}", flush=True)

    def kubectl(self, command: str) -> str:
        """Runs kubectl with these words, prints both, and returns the output. Raises KubectlError."""
        output = self._kubectl(*shlex.split(command))
        _show(f"kubectl {command}", output)
        return output

    def kms(self, operation: str, query: str = "", **parameters: Any) -> Any:
        """One call to KMS: kms("describe-key", "KeyMetadata", KeyId=id). `query` names the part of the answer to show and return."""
        answer = self._call(operation, query, parameters)
        words = [word for name, value in parameters.items() for word in (f"--{_kebab(name)}", str(value))]
        command = ["aws", "kms", operation, *words, *(["--query", query] if query else [])]
        _show(shlex.join(command), json.dumps(answer, indent=2, default=str) if answer else "")
        return answer

    def until_kms(self, check: Callable[[Any], bool], operation: str, query: str, **parameters: Any) -> None:
        """Waits in silence until AWS's answer passes, then shows it. Raises TimeoutError after 15 s."""
        wait_until(lambda: check(self._call(operation, query, parameters)), FOLLOW_SECONDS, f"aws kms {operation}")
        self.kms(operation, query, **parameters)

    def until_kubectl(self, check: Callable[[str], bool], command: str) -> None:
        """Waits in silence until kubectl's output passes, then shows it. Raises TimeoutError after 15 s."""
        wait_until(lambda: check(self._kubectl(*shlex.split(command))), FOLLOW_SECONDS, f"kubectl {command}")
        self.kubectl(command)

    def _call(self, operation: str, query: str, parameters: dict[str, Any]) -> Any:
        answer = getattr(self._kms, operation.replace("-", "_"))(**parameters)
        del answer["ResponseMetadata"]
        return answer[query] if query else answer


def expect(true: bool, what: str) -> None:
    """Raises TourError, which names the thing that is not so."""
    if not true:
        raise TourError(f"not so: {what}")


def _show(command: str, output: str) -> None:
    print(f"\n$ {command}\n{output}".rstrip(), flush=True)


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("-")
