"""`make demo`: the operator at work on a real API server and an AWS emulator, told as a user's session.

Rules:
1. The operator runs as it is shipped: its own process, its ServiceAccount's token, the RBAC of the manifests. One thing differs:
   it compares with AWS every 2 s and not every 10 minutes, so that nobody has to wait for a repair.
2. Nothing is only told: each step checks what it says, and the exit code is 1 when something is not so.
3. KEEP=1 leaves everything running at the end, until Ctrl-C.
"""

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from tests.cluster.__main__ import how_to_connect, interrupted_by_sigterm, until_interrupted
from tests.cluster.binaries import BinariesError, assets
from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.operator_process import Operator
from tests.cluster.processes import ProcessError
from tests.cluster.tour import Tour, TourError, expect

QUICKSTART = "manifests/samples/quickstart"
SYMMETRIC, SIGNING = "e2e-symmetric-key", "e2e-rsa-signing-key"
STOP_SECONDS = 30.0  # the operator's own bound for finishing what runs


def main() -> int:
    """The exit code."""
    interrupted_by_sigterm()
    try:
        assets()  # before the clock starts: the first time, they are built
        started = time.monotonic()
        with running_cluster() as cluster:
            _demo(cluster)
            print(f"\n== Done in {time.monotonic() - started:.0f} s; all of it was so.", flush=True)
    except KeyboardInterrupt:
        return 130
    except (BinariesError, ClientError, KubectlError, ProcessError, TimeoutError, TourError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


def _demo(cluster: Cluster) -> None:
    tour = Tour(cluster)
    tour.say("An API server, an AWS emulator, and the operator installed with kubectl apply -k manifests/base")
    cluster.install()
    tour.kubectl("get deployment,serviceaccount,poddisruptionbudget -n infra-operator-system")
    tour.say("There are no nodes here, so the operator starts as a process, with the token of its ServiceAccount")
    with cluster.operator(resync_interval="2s", log_level="info") as operator:
        try:
            _story(tour)
        except (ClientError, KubectlError, TimeoutError, TourError):
            print(f"\nThe operator's last words:\n{operator.process.tail()}", file=sys.stderr)
            raise
        if os.environ.get("KEEP") == "1":
            print(f"\nEverything stays up. {how_to_connect(cluster)}", flush=True)
            until_interrupted()
        _stop(tour, operator)


def _story(tour: Tour) -> None:
    _create(tour)
    key_id, signing_id = (_key_id(tour, name) for name in (SYMMETRIC, SIGNING))
    _look(tour, key_id)
    _change(tour, key_id)
    _drift(tour, key_id)
    _delete(tour, signing_id)


def _create(tour: Tour) -> None:
    tour.say("An AWS account and two keys, as YAML")
    tour.kubectl(f"apply -f {QUICKSTART}")
    tour.kubectl("wait --for=condition=Ready awsprovider/localstack --timeout=30s")
    tour.kubectl(f"wait --for=condition=Ready kmskey/{SYMMETRIC} kmskey/{SIGNING} --timeout=30s")
    tour.kubectl("get awsprovider")
    tour.kubectl("get kmskeys")
    tour.kubectl("get kmskeys -o wide")
    tour.until_kubectl(lambda text: "<none>" not in text.rpartition("Events:")[2], f"describe kmskey {SYMMETRIC}")


def _key_id(tour: Tour, name: str) -> str:
    return tour.kubectl(f"get kmskey {name} -o jsonpath={{.status.keyId}}").strip()


def _look(tour: Tour, key_id: str) -> None:
    tour.say("What AWS says")
    key = tour.kms("describe-key", "KeyMetadata", KeyId=key_id)
    expect(key["KeyState"] == "Enabled", "the key is enabled")
    tags = _tags(tour.kms("list-resource-tags", "Tags", KeyId=key_id))
    expect(tags.get("purpose") == "e2e-testing", "the tags are the object's")
    expect(tour.kms("get-key-rotation-status", KeyId=key_id)["KeyRotationEnabled"], "rotation is on")


def _change(tour: Tour, key_id: str) -> None:
    tour.say("A change of the object: a new description, one tag more, one less")
    patch = '{"spec":{"description":"Changed by kubectl","tags":{"team":"payments","purpose":null}}}'
    tour.kubectl(f"patch kmskey {SYMMETRIC} --type=merge -p '{patch}'")
    tour.until_kms(lambda key: key["Description"] == "Changed by kubectl", "describe-key", "KeyMetadata", KeyId=key_id)
    tour.until_kms(lambda tags: _is_changed(_tags(tags)), "list-resource-tags", "Tags", KeyId=key_id)


def _drift(tour: Tour, key_id: str) -> None:
    tour.say("A change behind the operator's back, and its repair")
    tour.kms("update-key-description", KeyId=key_id, Description="Changed by hand")
    tour.kms("disable-key-rotation", KeyId=key_id)
    tour.until_kms(lambda key: key["Description"] == "Changed by kubectl", "describe-key", "KeyMetadata", KeyId=key_id)
    tour.until_kms(bool, "get-key-rotation-status", "KeyRotationEnabled", KeyId=key_id)
    tour.kubectl(f"events --for kmskey/{SYMMETRIC}")


def _delete(tour: Tour, key_id: str) -> None:
    tour.say("Deletion: the object goes at once, the key after its window")
    tour.kubectl(f"delete kmskey {SIGNING} --timeout=30s")
    key = tour.kms("describe-key", "KeyMetadata", KeyId=key_id)
    expect(key["KeyState"] == "PendingDeletion" and "DeletionDate" in key, "AWS will delete the key, and says when")


def _stop(tour: Tour, operator: Operator) -> None:
    tour.say("SIGTERM: the operator finishes what runs, gives its Lease back and ends")
    code = operator.process.terminate(STOP_SECONDS)
    expect(code == 0, f"the operator ends with code 0 (it was {code})")


def _tags(listed: Iterable[Any]) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in listed}


def _is_changed(tags: dict[str, str]) -> bool:
    return tags.get("team") == "payments" and "purpose" not in tags


if __name__ == "__main__":
    sys.exit(main())
