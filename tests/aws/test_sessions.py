"""The chain of roles and its renewal, on virtual time and with STS as a scripted wire."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from aws.credentials import Access, AccessRequest, StaticCredentials
from aws.errors import BlockedError, RetryableError
from aws.sessions import Session
from aws.wires import Wire
from tests.aws.worlds import FakeAws, refusal, terms

pytestmark = pytest.mark.virtual_time

ROLE = "arn:aws:iam::111122223333:role/keys"
SECOND_ROLE = "arn:aws:iam::444455556666:role/more"
POD = AccessRequest("ns/p", "eu-central-1", role_arn=ROLE)
CHAINED = AccessRequest("ns/p", "eu-central-1", static=StaticCredentials("AKIA", "s"), assume_role_arn=SECOND_ROLE)
SIX_MINUTES = 360


class Sts(FakeAws):
    """Numbers the sessions that it hands out; each lasts an hour of the loop's clock."""

    def __init__(self, pod_arn: str | None = "arn:aws:iam::111122223333:user/pod") -> None:
        super().__init__(
            {"GetCallerIdentity": self._identity, "AssumeRole": self._session, "AssumeRoleWithWebIdentity": self._session}
        )
        self.pod_arn = pod_arn
        self.down = self.hangs = False
        self.handed_out = 0

    async def open(self, access: Access, service: str) -> Wire:
        wire = await super().open(access, service)
        self.opened[-1].gate = asyncio.Event() if self.hangs else None
        return wire

    def _identity(self, _: Access, __: Mapping[str, Any]) -> dict[str, Any]:
        if self.pod_arn is None:
            raise NoCredentialsError
        return {"Account": "111122223333", "Arn": self.pod_arn}

    def _session(self, _: Access, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if self.down:
            raise refusal("InternalFailure", status=500)
        self.handed_out += 1
        now = datetime(2026, 1, 1, tzinfo=UTC)
        credentials = {
            "AccessKeyId": f"session-{self.handed_out}",
            "SecretAccessKey": "s",
            "SessionToken": "t",
            "Expiration": now + timedelta(seconds=parameters["DurationSeconds"]),
        }
        return {"Credentials": credentials, "ResponseMetadata": {"HTTPHeaders": {"date": "Thu, 01 Jan 2026 00:00:00 GMT"}}}


async def who(session: Session) -> str:
    credentials = (await session.channel()).access.credentials
    return credentials.access_key_id if credentials else "pod"


async def test_without_roles_nothing_is_asked() -> None:
    sts = Sts()
    assert await who(Session(terms(sts.open), AccessRequest("ns/p", "eu-central-1"))) == "pod"
    assert sts.asked == []


async def test_a_pod_that_works_as_the_role_already_uses_it_as_it_is() -> None:
    sts = Sts("arn:aws:sts::111122223333:assumed-role/keys/pod-1")
    assert await who(Session(terms(sts.open), POD)) == "pod"
    assert sts.operations() == ["GetCallerIdentity"]


async def test_a_pod_without_a_token_assumes_the_role() -> None:
    sts = Sts()
    assert await who(Session(terms(sts.open), POD)) == "session-1"
    assert sts.asked[-1] == ("pod", "AssumeRole", {"DurationSeconds": 3600, "RoleArn": ROLE, "RoleSessionName": "infra-operator"})
    assert sts.open_wires == 0


@pytest.mark.holds("F36")
async def test_a_pod_without_credentials_and_token_is_blocked() -> None:
    sts = Sts(pod_arn=None)
    with pytest.raises(BlockedError):
        await who(Session(terms(sts.open), POD))
    assert sts.open_wires == 0


async def test_a_second_role_is_assumed_with_all_that_the_provider_says() -> None:
    sts = Sts()
    request = AccessRequest(
        "ns/p", "eu-central-1", role_arn=ROLE, assume_role_arn=SECOND_ROLE, external_id="ext", session_tags={"team": "a"}
    )
    assert await who(Session(terms(sts.open), request)) == "session-2"
    asked_by, operation, parameters = sts.asked[-1]
    assert (asked_by, operation) == ("session-1", "AssumeRole")
    assert parameters["RoleArn"] == SECOND_ROLE
    assert parameters["ExternalId"] == "ext"
    assert parameters["Tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.holds("F35")
async def test_credentials_are_renewed_ahead_of_their_end_and_by_one_caller_only() -> None:
    sts = Sts()
    session = Session(terms(sts.open), CHAINED)
    assert await asyncio.gather(*(who(session) for _ in range(20))) == ["session-1"] * 20
    await asyncio.sleep(3600 - SIX_MINUTES - 1)
    assert await who(session) == "session-1"
    await asyncio.sleep(2)
    assert set(await asyncio.gather(*(who(session) for _ in range(20)))) <= {"session-1", "session-2"}
    assert await who(session) == "session-2"
    assert sts.handed_out == 2


@pytest.mark.holds("F36")
async def test_when_sts_is_down_the_old_credentials_serve_until_they_end() -> None:
    sts = Sts()
    session = Session(terms(sts.open), CHAINED)
    await who(session)
    sts.down = True
    await asyncio.sleep(3600 - SIX_MINUTES + 1)
    for _ in range(100):
        assert await who(session) == "session-1"
    assert sts.operations().count("AssumeRole") == 2
    await asyncio.sleep(SIX_MINUTES)
    with pytest.raises(RetryableError):
        await who(session)
    sts.down = False
    assert await who(session) == "session-2"


async def test_a_hanging_sts_holds_up_only_the_one_who_asks_it() -> None:
    sts = Sts()
    session = Session(terms(sts.open), CHAINED)
    await who(session)
    await asyncio.sleep(3600 - SIX_MINUTES + 1)
    sts.hangs = True
    loop = asyncio.get_running_loop()
    first = asyncio.create_task(who(session))
    await asyncio.sleep(1)
    began = loop.time()
    assert await who(session) == "session-1"
    assert loop.time() == began
    assert await first == "session-1"


@pytest.mark.holds("F35")
async def test_refused_credentials_of_a_role_are_assumed_anew() -> None:
    sts = Sts()
    session = Session(terms(sts.open), CHAINED)
    channel = await session.channel()
    assert session.refused(channel)
    assert await who(session) == "session-2"
    assert session.refused(channel), "a call that was under way meanwhile goes on with the new ones"
    assert await who(session) == "session-2"


async def test_refused_credentials_of_a_secret_stay_refused() -> None:
    session = Session(terms(Sts().open), AccessRequest("ns/p", "eu-central-1", static=StaticCredentials("AKIA", "s")))
    assert not session.refused(await session.channel())


async def test_a_retired_session_leaves_nothing_open_even_if_used_again() -> None:
    sts = Sts()
    session = Session(terms(sts.open), CHAINED)
    await session.channel()
    await session.retire()
    await asyncio.sleep(3600)
    await (await session.channel()).call("sts", "GetCallerIdentity", {})
    assert sts.open_wires == 0
