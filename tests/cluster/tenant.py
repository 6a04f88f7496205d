"""A user of one namespace: kubectl on the one side, AWS's own view of what came of it on the other.

All waits are bounded, and say what they waited for and how the object was instead.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_until

API_VERSION = "aws-infra-operator.runner.codes/v1alpha1"
OWNER_TAGS = tuple(f"aws-infra-operator.runner.codes/{name}" for name in ("cluster-id", "owner", "uid"))
# A pass lasts some 100 ms, a resync of the tests comes each second; the rest is for a busy machine.
SOON_SECONDS = 20.0

# Keys before their provider: an operator that still runs would want it.
KINDS = ("kmsaliases", "kmsgrants", "kmskeys", "awsproviders")

Object = dict[str, Any]

# Kinds as tests call them, by their plurals, and the plurals that are not of our group.
PLURALS = {
    "kmskey": "kmskeys",
    "awsprovider": "awsproviders",
    "kmsalias": "kmsaliases",
    "kmsgrant": "kmsgrants",
    "configmap": "configmaps",
    "secret": "secrets",
    "events.events.k8s.io": "events",
}
GROUPS = {"configmaps": "/api/v1", "secrets": "/api/v1", "events": "/apis/events.k8s.io/v1"}


class Tenant:
    """What one user does and sees; `region` is where the keys are."""

    def __init__(self, cluster: Cluster, namespace: str, region: str = "us-east-1") -> None:
        self.namespace = namespace
        self._cluster = cluster
        self.kms = cluster.boto("kms", region)

    # Kubernetes

    def kubectl(self, *args: str) -> str:
        """kubectl in this namespace. Raises KubectlError."""
        return self._cluster.kubectl(*args, "-n", self.namespace)

    def apply(self, *objects: Object) -> None:
        """kubectl apply; an object that names no namespace lands in this one. Raises KubectlError."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self._cluster.kubectl("apply", "-n", self.namespace, "-f", "-", stdin=text)

    def apply_file(self, path: Path) -> None:
        """kubectl apply -f, as it is. Raises KubectlError."""
        self.kubectl("apply", "-f", str(path))

    def provide(self, name: str = "main", **spec: Any) -> None:
        """An AWSProvider; credentials are the pod's own unless the spec names others."""
        self.apply(provider(name, **spec))

    def declare(self, name: str, **spec: Any) -> None:
        """A KMSKey of exactly this spec."""
        self.apply(key(name, **spec))

    def change(self, name: str, spec: Object) -> None:
        """Merges this into the spec of a key; None unsets. Raises KubectlError."""
        self.kubectl("patch", "kmskey", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def delete(self, name: str) -> None:
        """Deletes a key and waits until the object is gone. Raises KubectlError after 20 s."""
        self.kubectl("delete", "kmskey", name, f"--timeout={SOON_SECONDS:.0f}s")

    def leave(self, within: float = SOON_SECONDS) -> None:
        """Deletes all keys and waits until the operator has let them go. Raises KubectlError if that takes longer."""
        if self.all():
            self.kubectl("delete", "kmskeys", "--all", f"--timeout={within:.0f}s")

    def leave_nothing(self, within: float = SOON_SECONDS) -> None:
        """As leave(), and the rest goes too: each later operator of this cluster would sign in for a provider that stays.

        Raises KubectlError if anything takes longer.
        """
        self.kubectl("delete", "kmsaliases,kmsgrants", "--all", f"--timeout={within:.0f}s")
        self.leave(within)
        self.kubectl("delete", "awsproviders", "--all", f"--timeout={within:.0f}s")

    def sweep(self) -> None:
        """Removes what is left without an operator's help, so that no later one meets it. One that still runs may go on with providers."""
        for kind in KINDS:
            left = [obj["metadata"]["name"] for obj in self.all(kind)]
            for one in left:
                self.kubectl("patch", kind, one, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
            if left:
                self.kubectl("delete", kind, "--all", "--timeout=30s")

    def get(self, name: str, kind: str = "kmskey") -> Object:
        """The object as the server has it. Raises RefusedError."""
        found: Object = self._cluster.api.get(f"{self._path(kind)}/{name}")
        return found

    def managers(self, name: str, kind: str = "kmskey") -> list[Object]:
        """Who has written what of the object: its managedFields. Raises KubectlError."""
        parsed: Object = json.loads(self.kubectl("get", kind, name, "-o", "json", "--show-managed-fields"))
        managers: list[Object] = parsed["metadata"]["managedFields"]
        return managers

    def all(self, kind: str = "kmskeys") -> list[Object]:
        """All objects of a kind."""
        items: list[Object] = self._cluster.api.get(self._path(kind))["items"]
        return items

    def _path(self, kind: str) -> str:
        """Polls go to the server itself: a kubectl for each would take the CPU from the operator that they wait for."""
        plural = PLURALS.get(kind, kind)
        return f"{GROUPS.get(plural, f'/apis/{API_VERSION}')}/namespaces/{self.namespace}/{plural}"

    def until(
        self, name: str, check: Callable[[Object], bool], seconds: float = SOON_SECONDS, kind: str = "kmskey"
    ) -> Object:
        """The object, once it passes the check. Raises TimeoutError with its status."""
        seen: Object = {}

        def passes() -> bool:
            seen.update(self.get(name, kind))
            return check(seen)

        try:
            wait_until(passes, seconds, "the check")
        except TimeoutError:
            raise TimeoutError(f"{kind} {name} after {seconds:.0f} s: {json.dumps(seen.get('status'), indent=1)}") from None
        return seen

    def until_settled(self, name: str, seconds: float = SOON_SECONDS) -> Object:
        """The key's status, once the spec as it is now is reached and nothing is left to do."""
        status: Object = self.until(name, is_settled, seconds)["status"]
        return status

    def until_ready(self, reason: str, name: str, seconds: float = SOON_SECONDS, kind: str = "kmskey") -> Object:
        """The Ready condition, once it has that reason for the spec as it is now."""

        def has_reason(obj: Object) -> bool:
            ready = condition(obj, "Ready")
            return ready.get("reason") == reason and ready.get("observedGeneration") == obj["metadata"]["generation"]

        return condition(self.until(name, has_reason, seconds, kind), "Ready")

    def events(self, name: str) -> list[Object]:
        """The events about an object."""
        return [event for event in self.all("events.events.k8s.io") if event["regarding"]["name"] == name]

    def until_event(self, name: str, reason: str) -> Object:
        """The first event about an object that has that reason. Raises TimeoutError."""
        found: list[Object] = []

        def arrived() -> bool:
            found[:] = [event for event in self.events(name) if event["reason"] == reason]
            return bool(found)

        wait_until(arrived, SOON_SECONDS, f"event {reason} about {name}; there are {[e['reason'] for e in self.events(name)]}")
        return found[0]

    # AWS

    def key_id(self, name: str) -> str:
        """The id that the object's status tells."""
        return str(self.get(name)["status"]["keyId"])

    def kms_in(self, region: str) -> Any:
        """KMS in another region."""
        return self._cluster.boto("kms", region)

    def of_key(self, key_id: str) -> Object:
        """The object whose status names this key."""
        return next(obj for obj in self.all() if obj.get("status", {}).get("keyId") == key_id)

    def described(self, key_id: str) -> Object:
        """DescribeKey."""
        metadata: Object = self.kms.describe_key(KeyId=key_id)["KeyMetadata"]
        return metadata

    def tags(self, key_id: str) -> dict[str, str]:
        """The key's tags, without the owner tags."""
        listed = self.kms.list_resource_tags(KeyId=key_id)["Tags"]
        return {tag["TagKey"]: tag["TagValue"] for tag in listed if tag["TagKey"] not in OWNER_TAGS}

    def policy(self, key_id: str) -> Any:
        """The key policy, parsed."""
        return json.loads(self.kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"])

    def rotates(self, key_id: str) -> bool:
        """Whether automatic rotation is on."""
        return bool(self.kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"])

    def owned(self) -> list[str]:
        """The ids of the keys whose tags name an object of this namespace as their owner, whatever their state."""
        found = self._cluster.boto("resourcegroupstaggingapi", self.kms.meta.region_name)
        pages = found.get_paginator("get_resources").paginate(TagFilters=[{"Key": OWNER_TAGS[1]}], ResourceTypeFilters=["kms"])
        return [
            resource["ResourceARN"].rpartition("/")[2]
            for page in pages
            for resource in page["ResourceTagMappingList"]
            for tag in resource["Tags"]
            if tag["Key"] == OWNER_TAGS[1] and tag["Value"].startswith(f"{self.namespace}/")
        ]


def provider(name: str, **spec: Any) -> Object:
    """An AWSProvider, in us-east-1 unless the spec says otherwise."""
    return {"apiVersion": API_VERSION, "kind": "AWSProvider", "metadata": {"name": name}, "spec": {"region": "us-east-1", **spec}}


def key(name: str, **spec: Any) -> Object:
    """A KMSKey."""
    return {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": name}, "spec": spec}


def secret(name: str, **data: str) -> Object:
    """A Secret; underscores in the names of its keys stay."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def condition(obj: Object, kind: str) -> Object:
    """The condition of that type; empty when there is none."""
    conditions = obj.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), {})


def is_settled(obj: Object) -> bool:
    """Whether the spec as it is now is reached, and nothing is left to do."""
    status, generation = obj.get("status", {}), obj["metadata"]["generation"]
    found = [condition(obj, "Ready"), condition(obj, "Synced")]
    return status.get("observedGeneration") == generation and all(
        one.get("status") == "True" and one["observedGeneration"] == generation for one in found
    )
