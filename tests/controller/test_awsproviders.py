import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.awsproviders import AWSProviders, Reached
from controller.kube import Request, Response
from controller.namespaces import LABELS_SECONDS, NAMESPACES
from controller.objects import Ref, decode_object
from controller.provider_access import ProviderAccess, ProviderRules
from reconcilers.key_spec import ProviderRef
from reconcilers.states import Unobservable
from tests.controller.clouds import ACCOUNT, REGION, Json, SmallAws, SmallCluster, kubernetes, looking

pytestmark = pytest.mark.virtual_time

SHARED = ProviderRef(name="shared", namespace="platform")


class Ground:
    """The provider platform/shared, and who is led to it."""

    def __init__(self, cluster: SmallCluster, aws: SmallAws, providers: AWSProviders) -> None:
        self.cluster = cluster
        self.aws = aws
        self.providers = providers

    def label(self, namespace: str, **labels: str) -> None:
        """Sets the labels of a namespace."""
        metadata: Json = {"name": namespace, "uid": f"uid of {namespace}", "resourceVersion": "1", "labels": labels}
        self.cluster.objects[NAMESPACES.path(name=namespace)] = {"metadata": metadata}

    async def leads(self, namespace: str = "shop", ref: ProviderRef | None = SHARED) -> str:
        """To which account, or the reason why to none."""
        reached = await self.providers.reach(namespace, ref)
        return reached.account.account_id if isinstance(reached, Reached) else reached.reason


@asynccontextmanager
async def ground(rules: ProviderRules | None = None, **spec: Any) -> AsyncIterator[Ground]:
    cluster, aws = SmallCluster(), SmallAws()
    async with looking(cluster, aws) as clouds:
        providers = clouds.providers(rules or ProviderRules())
        shared: Json = kubernetes("AWSProvider", "shared", {"region": REGION, **spec}, "platform")
        providers.store.put(decode_object(json.dumps(shared).encode()))
        yield Ground(cluster, aws, providers)


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
        told = [await found.providers.reach("shop", ProviderRef(name=name, namespace="platform")) for name in ("shared", "none")]
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


class Patched(SmallCluster):
    """One that takes each patch of a provider and changes nothing, as if its watch had never shown it."""

    async def send(self, request: Request) -> Response:
        if request.method == "PATCH":
            return Response(200, json.dumps(kubernetes("AWSProvider", "main", {"region": REGION})).encode())
        return await super().send(request)


async def test_a_failure_that_only_keys_have_met_does_not_hold_them_up_once_it_is_over() -> None:
    aws = SmallAws()
    woken: list[Ref] = []
    async with looking(Patched(), aws) as clouds:
        providers = clouds.providers(ProviderRules())
        providers.wakers.append(woken.append)
        main = decode_object(json.dumps(kubernetes("AWSProvider", "main", {"region": REGION})).encode())
        providers.store.put(main)
        aws.refused = {"GetCallerIdentity": "ExpiredToken"}
        assert isinstance(await providers.connect(main), Unobservable)
        await providers.reconcile(main.ref)
        assert woken == [], "it works as little as before"
        aws.refused = {}
        for _ in range(2):
            await providers.reconcile(main.ref)
        assert woken == [main.ref]


async def test_a_spec_is_parsed_once_for_as_long_as_it_is_the_same() -> None:
    async with looking(None, SmallAws()) as clouds:
        access = ProviderAccess(clouds.kube, clouds.clients, ProviderRules())
        first, same, other = (
            decode_object(json.dumps(kubernetes("AWSProvider", "main", {"region": region}, resourceVersion=version)).encode())
            for region, version in ((REGION, "1"), (REGION, "2"), ("us-east-1", "3"))
        )
        assert access.spec(first) is access.spec(same)
        assert access.spec(other) != access.spec(same)
