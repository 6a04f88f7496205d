from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.plan_providers import NO_UID, PlanProviders
from controller.provider_access import ProviderRules
from controller.provider_ways import Reached
from reconcilers.key_spec import KMSKeySpec, ProviderRef
from reconcilers.key_status import KMSKeyStatus
from reconcilers.names import IS_DEFAULT_ANNOTATION
from reconcilers.states import KeyObject, Unobservable
from tests.controller.clouds import REGION, SmallAws, SmallCluster, kubernetes, looking
from tests.controller.test_plan_command import manifest

HERE, ELSEWHERE = {"region": REGION}, {"region": "us-east-1"}


class Providers:
    """Providers on small clouds, and what they note."""

    def __init__(self, providers: PlanProviders, notes: list[str]) -> None:
        self.providers = providers
        self.notes = notes

    async def region(self, ref: str | None = None) -> str:
        """Where a key of the namespace shop is led to, or why nowhere."""
        reached = await self.providers.reach("shop", ProviderRef(name=ref) if ref else None)
        return reached.account.region if isinstance(reached, Reached) else reached.reason


@asynccontextmanager
async def providers(cluster: SmallCluster | None, *files: Mapping[str, Any], default: str = "") -> AsyncIterator[Providers]:
    notes: list[str] = []
    async with looking(cluster, SmallAws()) as clouds:
        made = PlanProviders(clouds, ProviderRules(default), notes.append)
        manifests = [manifest("AWSProvider", one["name"], one["spec"], one.get("namespace", "shop")) for one in files]
        await made.know([*manifests, manifest("KMSKey", "orders")], has_cluster=cluster is not None)
        yield Providers(made, notes)


def key(provider: str | None = None) -> KeyObject:
    spec = KMSKeySpec(provider_ref=ProviderRef(name=provider) if provider else None)
    return KeyObject("shop", "orders", NO_UID, 1, False, (), spec, KMSKeyStatus())


async def test_a_provider_of_the_cluster_is_found() -> None:
    async with providers(SmallCluster(kubernetes("AWSProvider", "main", HERE))) as found:
        assert await found.region() == REGION
        assert await found.region("main") == REGION


async def test_a_provider_of_the_files_takes_the_place_of_the_clusters() -> None:
    async with providers(SmallCluster(kubernetes("AWSProvider", "main", HERE)), {"name": "main", "spec": ELSEWHERE}) as found:
        assert await found.region() == "us-east-1"


async def test_between_two_nobody_guesses_wherever_they_come_from() -> None:
    async with providers(SmallCluster(kubernetes("AWSProvider", "main", HERE)), {"name": "other", "spec": ELSEWHERE}) as found:
        assert await found.region() == "ProviderNotResolved"
        assert await found.region("other") == "us-east-1"


async def test_the_mark_of_the_default_counts() -> None:
    marked = kubernetes("AWSProvider", "main", HERE, annotations={IS_DEFAULT_ANNOTATION: "true"})
    async with providers(SmallCluster(marked), {"name": "other", "spec": ELSEWHERE}) as found:
        assert await found.region() == REGION


async def test_the_operators_default_is_read_from_its_own_namespace() -> None:
    async with providers(SmallCluster(kubernetes("AWSProvider", "main", HERE, "platform")), default="platform/main") as found:
        assert await found.region() == REGION


async def test_a_cluster_without_the_kind_is_noted() -> None:
    cluster = SmallCluster()
    cluster.unknown_kinds.add("awsproviders")
    async with providers(cluster) as found:
        (note,) = found.notes
        assert note == "The cluster does not know the kind AWSProvider: install the CRDs (infra-operator crds | kubectl apply -f -)."


# -- without a cluster


@pytest.mark.parametrize(
    ("files", "wanted", "default", "stands_in_for"),
    [
        ([], None, "", "shop/environment"),
        ([], "production", "", "shop/production"),
        ([], None, "platform/main", "platform/main"),
        ([{"name": "other", "spec": ELSEWHERE}], "production", "", "shop/production"),
        ([{"name": "other", "spec": ELSEWHERE}], None, "", None),
        ([{"name": "main", "spec": ELSEWHERE, "namespace": "platform"}], None, "platform/main", None),
        ([{"name": "a", "spec": HERE}, {"name": "b", "spec": HERE}], None, "", None),
    ],
)
async def test_the_shell_stands_in_for_what_only_a_cluster_could_know(
    files: list[Mapping[str, Any]], wanted: str | None, default: str, stands_in_for: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    async with providers(None, *files, default=default) as found:
        found.providers.stand_in(key(wanted))
        words = "is in none of the files: the AWS environment of this shell stands in for it."
        assert found.notes == ([f"AWSProvider {stands_in_for} {words}"] if stands_in_for else [])
        assert not stands_in_for or await found.region(wanted) == REGION


async def test_a_shell_without_a_region_stands_in_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    async with providers(None) as found:
        found.providers.stand_in(key())
        assert found.notes == ["AWS_REGION is not set: with it, the AWS environment of this shell stands in for missing AWSProviders."]
        assert isinstance(await found.providers.reach("shop", None), Unobservable)
