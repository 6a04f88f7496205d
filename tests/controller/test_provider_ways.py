import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.namespaces import LABELS_SECONDS, NAMESPACES
from controller.objects import decode_object
from controller.provider_access import ProviderRules
from controller.provider_ways import ProviderWays, Reached
from reconcilers.key_spec import ProviderRef
from tests.controller.clouds import ACCOUNT, REGION, Json, SmallAws, SmallCluster, kubernetes, looking

pytestmark = pytest.mark.virtual_time

SHARED = ProviderRef(name="shared", namespace="platform")


class Ground:
    """The provider platform/shared, and who is led to it."""

    def __init__(self, cluster: SmallCluster, aws: SmallAws, ways: ProviderWays) -> None:
        self.cluster = cluster
        self.aws = aws
        self.ways = ways

    def label(self, namespace: str, **labels: str) -> None:
        """Sets the labels of a namespace."""
        metadata: Json = {"name": namespace, "uid": f"uid of {namespace}", "resourceVersion": "1", "labels": labels}
        self.cluster.objects[NAMESPACES.path(name=namespace)] = {"metadata": metadata}

    async def leads(self, namespace: str = "shop", ref: ProviderRef | None = SHARED) -> str:
        """To which account, or the reason why to none."""
        reached = await self.ways.reach(namespace, ref)
        return reached.account.account_id if isinstance(reached, Reached) else reached.reason


@asynccontextmanager
async def ground(rules: ProviderRules | None = None, **spec: Any) -> AsyncIterator[Ground]:
    cluster, aws = SmallCluster(), SmallAws()
    async with looking(cluster, aws) as clouds:
        ways = clouds.providers(rules or ProviderRules())
        shared: Json = kubernetes("AWSProvider", "shared", {"region": REGION, **spec}, "platform")
        ways.store.put(decode_object(json.dumps(shared).encode()))
        yield Ground(cluster, aws, ways)


async def test_a_provider_serves_its_own_namespace() -> None:
    async with ground() as found:
        assert await found.leads("platform", None) == ACCOUNT
        assert await found.leads("platform", SHARED) == ACCOUNT


async def test_it_serves_others_that_it_names() -> None:
    async with ground(allowedNamespaces={"names": ["shop"]}) as found:
        assert await found.leads("shop") == ACCOUNT
        assert await found.leads("mail") == "ProviderNotAllowed"
        assert await found.leads("shop", None) == "ProviderNotResolved"  # it has to be named


@pytest.mark.parametrize("spec", [{}, {"allowedNamespaces": {}}, {"allowedNamespaces": {"names": ["mail"]}}])
async def test_where_it_does_not_serve_nothing_is_read_and_aws_is_not_called(spec: Json) -> None:
    async with ground(**spec, credentialsSecret={"name": "aws"}) as found:
        assert await found.leads() == "ProviderNotAllowed"
        assert (found.cluster.read, found.aws.asked) == ([], [])


async def test_one_that_does_not_exist_looks_the_same_to_those_it_would_not_serve() -> None:
    async with ground() as found:
        told = [await found.ways.reach("shop", ProviderRef(name=name, namespace="platform")) for name in ("shared", "none")]
        assert [str(one).replace("none", "shared") for one in told] == [str(told[0])] * 2


async def test_it_serves_those_that_it_selects_and_a_new_label_counts_within_a_minute() -> None:
    async with ground(allowedNamespaces={"selector": {"matchLabels": {"kms": "shared"}}}) as found:
        found.label("shop")
        assert await found.leads() == "ProviderNotAllowed"
        found.label("shop", kms="shared")
        await asyncio.sleep(LABELS_SECONDS)
        assert await found.leads() == ACCOUNT
        found.label("shop")
        await asyncio.sleep(LABELS_SECONDS)
        assert await found.leads() == "ProviderNotAllowed"
        await found.leads()
        assert found.cluster.read == [NAMESPACES.path(name="shop")] * 3


async def test_where_labels_cannot_be_read_nobody_is_selected() -> None:
    async with ground(allowedNamespaces={"selector": {}}) as found:
        assert await found.leads() == "ProviderNotAllowed"


async def test_the_operators_default_serves_everybody() -> None:
    async with ground(ProviderRules(default="platform/shared")) as found:
        assert await found.leads("shop", None) == ACCOUNT
        assert await found.leads("shop", SHARED) == ACCOUNT


async def test_the_pods_own_identity_is_for_those_whom_the_operators_user_names() -> None:
    async with ground(ProviderRules(ambient_namespaces=("trusted",))) as found:
        assert await found.leads("platform", None) == "ProviderNotReady"
        assert found.aws.asked == []
    async with ground(ProviderRules(ambient_namespaces=("trusted", "platform"))) as found:
        assert await found.leads("platform", None) == ACCOUNT
