"""Mishaps around a key: credentials that end, providers that move or cannot be reached, calls that were never sent."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from controller.objects import Ref
from controller.secrets import SECRETS
from tests.simulation import aws_wires
from tests.simulation.faults import Fault
from tests.simulation.world import CANARY, NAMESPACE, World

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
FOR_EVER = 10**9
MINUTE = timedelta(minutes=1)


def conditions(world: World, name: str = "orders") -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in world.status(name)["conditions"]}


@pytest.mark.holds("F36")
async def test_a_key_whose_provider_s_credentials_were_revoked_does_not_stay_in_sync() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        world.aws.identities.revoke(CANARY.access_key_id)
        await world.advance(HOUR)
        assert conditions(world)["Ready"] == ("False", "ProviderNotReady")


@pytest.mark.holds("F40")
async def test_a_retained_key_is_let_go_while_nobody_answers() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", deletionPolicy="Retain")
        await world.ready("orders")
        world.replicas["a"].kill()
        world.traffic.faults.on(aws_wires.not_sent("GetCallerIdentity", times=FOR_EVER))
        world.start("b")
        world.delete("orders")
        await world.gone("orders", within=30)
        assert [key.state for key in world.kms.keys] == ["Enabled"]


async def test_a_held_object_asks_neither_aws_nor_for_secrets() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        world.replicas["a"].kill()
        world.apply("orders", suspend=True)
        world.traffic.faults.on(aws_wires.not_sent("GetCallerIdentity", times=FOR_EVER))
        world.start("b")
        await world.advance(60)
        assert conditions(world)["Synced"] == ("False", "Suspended")
        assert conditions(world)["Ready"] == ("True", "Available")


@pytest.mark.holds("F38")
async def test_a_key_that_may_have_been_made_is_not_looked_for_elsewhere() -> None:
    async with World() as world:
        world.start("a", create_grace=MINUTE)
        world.traffic.faults.on(aws_wires.lost_answer("CreateKey"))
        world.traffic.faults.on(aws_wires.not_sent("GetResources", times=3))
        world.apply("orders")
        await world.until(lambda: len(world.kms.keys) == 1, step=0.01)
        world.patch_provider({"region": "eu-west-1"})
        await world.advance(900)
        assert len(world.kms.keys) == 1
        assert conditions(world)["Ready"] == ("False", "ImmutableFieldConflict")
        world.patch_provider({"region": "us-east-1"})
        await world.ready("orders", within=900)
        assert len(world.kms.keys) == 1


def refused() -> ClientError | BotoCoreError:
    return ClientError(
        {"Error": {"Code": "UnrecognizedClientException", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "CreateKey"
    )


@pytest.mark.parametrize("refusal", [refused])
async def test_a_creation_that_was_refused_needs_no_grace(refusal: Callable[[], ClientError | BotoCoreError]) -> None:
    async with World() as world:
        world.start("a", create_grace=5 * MINUTE)
        world.traffic.faults.on(Fault("CreateKey", refusal, times=1))
        world.apply("orders")
        await world.ready("orders", within=60)
        assert len(world.kms.made) == 1


async def test_without_the_tag_index_s_endpoint_keys_are_made_all_the_same() -> None:
    async with World() as world:
        world.traffic.faults.on(aws_wires.not_sent("GetResources", times=FOR_EVER))
        world.start("a")
        world.apply("orders")
        await world.ready("orders", within=30)


@pytest.mark.holds("F37")
async def test_a_secret_that_went_away_is_told_by_provider_and_key_and_its_return_noticed_within_a_minute() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        world.user("DELETE", SECRETS.path(NAMESPACE, "aws-credentials"))
        await world.advance(HOUR)
        assert conditions(world)["Ready"] == ("False", "ProviderNotReady")
        found = world.etcd.get("awsproviders", Ref(NAMESPACE, "main"))
        assert found is not None
        assert found["status"]["ready"] is False
        world.set_secret(CANARY)
        await world.ready("orders", within=60)


@pytest.mark.holds("F36")
async def test_a_new_provider_that_cannot_be_reached_says_so() -> None:
    async with World() as world:
        world.traffic.faults.on(aws_wires.not_sent("GetCallerIdentity", times=FOR_EVER))
        world.start("a")
        await world.advance(60)
        found = world.etcd.get("awsproviders", Ref(NAMESPACE, "main"))
        assert found is not None
        assert [c["reason"] for c in found["status"]["conditions"] if c["type"] == "Ready"] == ["AWSUnavailable"]


async def test_a_finalizer_taken_from_a_living_object_is_put_back_at_once() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        await world.advance(1)
        world.patch("orders", {"metadata": {"finalizers": None}})
        await world.advance(5)
        found = world.find("orders")
        assert found is not None
        assert found["metadata"]["finalizers"]
