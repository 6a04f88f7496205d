"""Namespaces: who the cluster is (the UID of kube-system), and which labels a namespace has.

Labels are read one namespace at a time, when a provider's allowedNamespaces selects by them, and kept for LABELS_SECONDS: to watch all
namespaces would need the right to list them, and the memory for them, for a question that few clusters ask. A label that was set or taken
away counts when it is read again: a minute later, at the next look at the key.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from controller.kube import Kube
from controller.objects import Resource, decode_object

NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace")
LABELS_SECONDS = 60.0
# More than enough for one minute; what is dropped is read again.
MOST_KNOWN = 10_000


async def cluster_id(kube: Kube) -> str:
    """The UID of kube-system, which lives as long as the cluster, and by which its keys are tagged. Raises KubeError."""
    return decode_object(await kube.get(NAMESPACES.path(name="kube-system"))).uid


class NamespaceLabels:
    """What is known of the labels of namespaces, and since when (loop time)."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known: dict[str, tuple[float, Mapping[str, str]]] = {}

    def known(self, namespace: str) -> Mapping[str, str] | None:
        """Its labels as they were read last; None if they never were."""
        return self._known.get(namespace, (0.0, None))[1]

    async def of(self, namespace: str) -> Mapping[str, str]:
        """Its labels, at most a minute old. Raises KubeError."""
        now = asyncio.get_running_loop().time()
        read_at, labels = self._known.get(namespace, (0.0, None))
        if labels is not None and now - read_at < LABELS_SECONDS:
            return labels
        labels = decode_object(await self._kube.get(NAMESPACES.path(name=namespace))).labels
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[namespace] = (now, labels)
        return labels
