import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aws.channels import Terms
from aws.clients import MOST_CONNECTIONS, Clients
from aws.credentials import Access, AccessRequest, StaticCredentials
from aws.errors import BlockedError, InvalidAccessError, RetryableError
from aws.quotas import waiting_as
from aws.sessions import TOKEN_FILE
from aws.wires import AwsWires
from reconcilers.urgency import Urgency
from tests.aws.conftest import TEST
from tests.aws.worlds import FakeAws, refusal, terms

ROLE = "arn:aws:iam::111122223333:role/keys"
SECOND_ROLE = "arn:aws:iam::444455556666:role/more"
REQUEST = AccessRequest("ns/p", "eu-central-1", static=StaticCredentials("AKIA1", "s"))


class World(FakeAws):
    """An AWS in which everybody is known, until `refuses` names an access key."""

    def __init__(self) -> None:
        super().__init__({"GetCallerIdentity": self._identity, "ListKeys": self._list, "AssumeRole": self._assume})
        self.refuses: set[str] = set()
        self.roles = 0

    def _check(self, access: Access) -> None:
        if access.credentials and access.credentials.access_key_id in self.refuses:
            raise refusal("UnrecognizedClientException")

    def _identity(self, access: Access, _: Mapping[str, Any]) -> dict[str, Any]:
        self._check(access)
        return {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/u"}

    def _list(self, access: Access, _: Mapping[str, Any]) -> dict[str, Any]:
        self._check(access)
        return {"Keys": []}

    def _assume(self, access: Access, _: Mapping[str, Any]) -> dict[str, Any]:
        self._check(access)
        self.roles += 1
        credentials = {"AccessKeyId": f"session-{self.roles}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**credentials, "Expiration": datetime.now(UTC) + timedelta(hours=1)}}


async def settle() -> None:
    """Lets the tasks run that close what was replaced."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_provider_keeps_its_connection_while_its_request_is_the_same() -> None:
    aws = World()
    clients = Clients(terms(aws.open), 0.5)
    connections = await asyncio.gather(*(clients.connect(replace(REQUEST)) for _ in range(20)))
    assert len(set(connections)) == 1
    assert (connections[0].account_id, connections[0].caller_arn) == ("111122223333", "arn:aws:iam::111122223333:user/u")
    assert aws.operations() == ["GetCallerIdentity"]
    await clients.close()
    assert aws.open_wires == 0


@pytest.mark.holds("F37")
async def test_a_rotated_secret_makes_a_new_connection_and_closes_the_old_one_after_its_calls() -> None:
    aws = World()
    clients = Clients(terms(aws.open), 0.5)
    old = await clients.connect(REQUEST)
    await old.call("kms", "ListKeys", {})
    under_way = asyncio.create_task(old.call("kms", "ListKeys", {}))
    gate = aws.opened[-1].gate = asyncio.Event()
    await settle()
    new = await clients.connect(replace(REQUEST, static=StaticCredentials("AKIA2", "s")))
    await settle()
    await new.call("kms", "ListKeys", {})
    gate.set()
    assert await under_way == {"Keys": []}
    assert {wire.access.credentials and wire.access.credentials.access_key_id for wire in aws.opened if not wire.closed} == {"AKIA2"}
    assert await old.call("kms", "ListKeys", {}) == {"Keys": []}, "who holds the old connection can finish with it"
    await clients.close()
    assert aws.open_wires == 0


async def test_only_so_many_connections_are_kept() -> None:
    aws = World()
    clients = Clients(terms(aws.open), 0.5)
    for number in range(MOST_CONNECTIONS + 20):
        await clients.connect(replace(REQUEST, provider=f"ns/p{number}"))
        await clients.connect(replace(REQUEST, provider="ns/p0"))
    await settle()
    assert aws.open_wires == MOST_CONNECTIONS
    await clients.connect(replace(REQUEST, provider="ns/p0"))
    assert aws.operations().count("GetCallerIdentity") == MOST_CONNECTIONS + 20, "the one in use was kept"
    await clients.close()
    assert aws.open_wires == 0


async def test_a_failure_is_told_to_all_who_wait_and_is_not_kept() -> None:
    aws = World()
    aws.refuses = {"AKIA1"}
    clients = Clients(terms(aws.open), 0.5)
    told = await asyncio.gather(*(clients.connect(REQUEST) for _ in range(5)), return_exceptions=True)
    assert [type(error) for error in told] == [BlockedError] * 5
    aws.refuses = set()
    assert (await clients.connect(REQUEST)).account_id == "111122223333"
    await clients.close()
    assert aws.open_wires == 0


async def test_who_gives_up_waiting_does_not_stop_the_others() -> None:
    aws = World()
    clients = Clients(terms(aws.open), 0.5)
    first = asyncio.create_task(clients.connect(REQUEST))
    await asyncio.sleep(0)
    second = asyncio.create_task(clients.connect(REQUEST))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).account_id == "111122223333"
    await clients.close()


async def test_a_region_that_does_not_exist_is_not_looked_up() -> None:
    aws = World()
    with pytest.raises(InvalidAccessError):
        await Clients(terms(aws.open), 0.5).connect(replace(REQUEST, region="eu-nowhere-1"))
    assert aws.opened == []


@pytest.mark.holds("F35")
async def test_a_revoked_role_session_is_assumed_anew_within_the_same_call() -> None:
    aws = World()
    clients = Clients(terms(aws.open), 0.5)
    connection = await clients.connect(replace(REQUEST, assume_role_arn=SECOND_ROLE))
    aws.refuses = {"session-1"}
    assert await connection.call("kms", "ListKeys", {}) == {"Keys": []}
    assert aws.asked[-1][0] == "session-2"
    aws.refuses = {"session-2", "session-3"}
    with pytest.raises(BlockedError):
        await connection.call("kms", "ListKeys", {})
    await clients.close()


async def test_refused_credentials_of_a_secret_are_told_after_one_call() -> None:
    aws = World()
    clients = Clients(terms(aws.open), 0.5)
    connection = await clients.connect(REQUEST)
    aws.refuses = {"AKIA1"}
    with pytest.raises(BlockedError):
        await connection.call("kms", "ListKeys", {})
    assert aws.operations() == ["GetCallerIdentity", "ListKeys"]
    await clients.close()


@pytest.mark.virtual_time
async def test_calls_wait_for_their_quota_which_all_connections_share_and_throttling_slows_down() -> None:
    aws = World()
    waits: list[tuple[object, ...]] = []
    told = Terms(aws.open, lambda _: True, lambda *_: None, lambda *wait: waits.append(wait))
    clients = Clients(told, 0.002)
    for provider in ("ns/a", "ns/b"):
        with waiting_as(Urgency.RESYNC):
            await (await clients.connect(replace(REQUEST, provider=provider))).call("kms", "ListKeys", {})
    assert waits == [("ListKeys", Urgency.RESYNC, 0), ("ListKeys", Urgency.RESYNC, pytest.approx(1))]
    aws.answers["ListKeys"] = _throttled
    connection = await clients.connect(replace(REQUEST, provider="ns/a"))
    with pytest.raises(RetryableError):
        await connection.call("kms", "ListKeys", {})
    with pytest.raises(RetryableError):
        await connection.call("kms", "ListKeys", {})
    assert waits[-1] == ("ListKeys", Urgency.USER, pytest.approx(2, rel=0.3))
    await clients.close()


def _throttled(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
    raise refusal("ThrottlingException")


async def test_an_emulator_tells_account_and_caller(moto: str, sdk_terms: Terms) -> None:
    clients = Clients(sdk_terms, 1.0)
    connection = await clients.connect(AccessRequest("ns/p", "eu-nowhere-1", endpoint=moto, static=TEST))
    assert connection.account_id == "123456789012"
    await clients.close()


async def test_a_chain_of_roles_ends_in_the_last_ones_account(moto: str, sdk_terms: Terms) -> None:
    clients = Clients(sdk_terms, 1.0)
    connection = await clients.connect(
        AccessRequest(
            "ns/p", "eu-central-1", endpoint=moto, static=TEST, assume_role_arn=SECOND_ROLE, external_id="ext", session_name="keys-1"
        )
    )
    assert connection.account_id == "444455556666"
    assert connection.caller_arn == "arn:aws:sts::444455556666:assumed-role/more/keys-1"
    await clients.close()


async def test_a_pod_with_a_token_file_works_as_its_role(
    moto: str, sdk_terms: Terms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("header.payload.signature\n")
    monkeypatch.setenv(TOKEN_FILE, str(token))
    request = AccessRequest("ns/p", "eu-central-1", endpoint=moto, role_arn=ROLE, assume_role_arn=SECOND_ROLE)
    clients = Clients(sdk_terms, 1.0)
    assert (await clients.connect(request)).account_id == "444455556666"
    token.unlink()
    with pytest.raises(BlockedError, match="token file"):
        await clients.connect(replace(request, provider="ns/other"))
    await clients.close()


async def test_the_environments_endpoint_and_credentials_serve_a_provider_that_names_none(
    moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    clients = Clients(terms(AwsWires().open), 1.0)  # of its own: the SDK remembers the credentials that it once found
    connection = await clients.connect(AccessRequest("ns/p", "eu-central-1", role_arn=ROLE))
    assert connection.account_id == "111122223333"
    await clients.close()
