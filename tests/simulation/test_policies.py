"""Key policies through the whole controller: what is not sent, what is told, and principals that come and go."""

import pytest

from tests.simulation.etcd import Json
from tests.simulation.identities import ACCOUNT_ID
from tests.simulation.scenarios import FULL, POLICY
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

APP = f"arn:aws:iam::{ACCOUNT_ID}:role/app"
APP_ID = "AROAEXAMPLEEXAMPLE01"
USE = f'{{"Effect": "Allow", "Principal": {{"AWS": "{APP}"}}, "Action": "kms:Decrypt", "Resource": "*"}}'


def _with(statement: str) -> Json:
    """FULL, with one statement more in its policy."""
    return FULL | {"keyPolicy": POLICY.replace("]}", f", {statement}]}}")}


FOR_APP = _with(USE)
SHOWN = FOR_APP["keyPolicy"].replace("${AWS_ACCOUNT_ID}", ACCOUNT_ID).replace(APP, APP_ID)
DENIES_ALL = '{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}'
FOR_ALL = _with(USE.replace(APP, "*"))


def _told(world: World, reason: str) -> list[Json]:
    return [event for event in world.events if event["reason"] == reason]


@pytest.mark.holds("F63", "I9")
async def test_a_policy_that_denies_everybody_is_never_sent() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **_with(DENIES_ALL))
        await world.reason("orders", "PolicyLockout")
        await world.advance(1200)
        assert world.traffic.names("aws", 0.0) == {}
        assert world.kms.keys == []
        world.apply("orders", **FULL)
        await world.ready("orders")


@pytest.mark.holds("F63")
@pytest.mark.parametrize("policy", [_with(DENIES_ALL), FULL | {"keyPolicy": POLICY.replace(":root", ":role/others")}])
async def test_the_policy_of_a_key_that_lives_is_not_given_up_for_one_that_shuts_us_out(policy: Json) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        before, began = world.key("orders"), world.time
        world.apply("orders", **policy)
        await world.reason("orders", "PolicyLockout")
        await world.advance(1200)
        assert world.traffic.names("aws", began) == {}
        assert world.key("orders") == before
        world.apply("orders", **FULL)
        await world.ready("orders")
        assert world.traffic.names("aws", began) == {}


async def test_a_policy_for_others_only_is_sent_unchanged_for_kms_to_refuse() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", keyPolicy=POLICY.replace(":root", ":role/others"))
        await world.reason("orders", "PolicyRejected")
        assert "${AWS_ACCOUNT_ID}:root" in world.condition("orders")["message"]
        assert world.kms.keys == []


async def test_an_open_policy_is_told_once_and_kept() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FOR_ALL)
        await world.ready("orders")
        await world.advance(3600)
        world.replicas["a"].kill()
        world.start("b")
        await world.advance(600)
        assert [event["type"] for event in _told(world, "PolicyTooOpen")] == ["Warning"]
        (finding,) = world.status("orders")["policy"]["findings"]
        assert finding.startswith("PolicyTooOpen: statement 2 lets in everybody")
        world.apply("orders", **FULL)
        await world.ready("orders")
        assert "findings" not in world.status("orders")["policy"]


async def test_an_operator_can_refuse_open_policies() -> None:
    async with World() as world:
        world.start("a", refuse_open_policies=True)
        world.apply("orders", **FOR_ALL)
        await world.reason("orders", "PolicyTooOpen")
        await world.advance(600)
        assert world.kms.keys == []
        assert len(_told(world, "PolicyTooOpen")) == 1


@pytest.mark.holds("F64")
async def test_a_principal_that_was_made_anew_gets_its_rights_back_with_one_write() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FOR_APP)
        await world.ready("orders")
        await world.advance(70)
        before, began = world.key("orders"), world.time
        world.kms.edit(before.arn, policy=SHOWN)
        await world.until(lambda: world.key("orders").policy == before.policy)
        await world.ready("orders")
        for _ in range(3):  # a backend that shows the ids in any case
            world.kms.edit(before.arn, policy=SHOWN)
            await world.advance(600)
            assert world.is_ready("orders")
        world.replicas["a"].kill()
        world.start("b")
        await world.advance(600)
        assert world.traffic.names("aws", began) == {"PutKeyPolicy": 1}
        assert world.status("orders")["policy"]["findings"] == [f"PrincipalGone: KMS shows an id in place of {APP}, which was deleted"]
        meddled = SHOWN.replace("kms:Decrypt", "kms:*")
        world.kms.edit(before.arn, policy=meddled)
        await world.until(lambda: world.key("orders").policy == before.policy)


@pytest.mark.holds("F64")
async def test_a_principal_that_is_gone_is_told_and_asked_for_rarely() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FOR_APP)
        await world.ready("orders")
        await world.advance(70)
        world.kms.unknown_principals = frozenset({APP})
        world.kms.edit(world.key("orders").arn, policy=SHOWN)
        await world.reason("orders", "PolicyPrincipalNotFound")
        await world.advance(900)
        began = world.time
        await world.advance(3600)
        assert 0 < len([call for call in world.traffic.calls if call.name == "PutKeyPolicy" and call.at >= began]) <= 13
        assert world.traffic.names("kube", began)["PATCH kmskeys/status"] == 0
        assert world.reasons("orders", began) == {"PolicyPrincipalNotFound"}
        world.kms.unknown_principals = frozenset()
        await world.ready("orders", within=330)


async def test_a_principal_that_iam_does_not_know_everywhere_yet_is_waited_for() -> None:
    async with World() as world:
        world.start("a")
        world.kms.unknown_principals = frozenset({APP})
        world.apply("orders", **FOR_APP)
        await world.reason("orders", "PolicyPrincipalNotFound")
        await world.advance(90)
        world.kms.unknown_principals = frozenset()
        await world.ready("orders", within=120)
        assert len(world.kms.made) == 1
