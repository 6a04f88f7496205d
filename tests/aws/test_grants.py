"""Grants against the emulator, and against scripted answers that the emulator never gives."""

from collections.abc import Mapping
from typing import Any

import pytest

from aws.clients import Clients, Connection
from aws.credentials import Access, AccessRequest
from aws.errors import BlockedError, RetryableError
from aws.grants import change_grant, read_grants
from aws.kms import apply, create_key
from reconcilers.actions import CreateGrant, RevokeGrant
from reconcilers.states import Grant
from tests.aws.test_kms import CREATE
from tests.aws.worlds import Answer, FakeAws, refusal, terms

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234"
ROLE = "arn:aws:iam::123456789012:role/app"
PLAIN = Grant("app", ROLE, frozenset({"Decrypt", "Encrypt"}))
FULL = Grant(
    "app/full:1",
    ROLE,
    frozenset({"Decrypt"}),
    retiring="arn:aws:iam::123456789012:root",
    context_equals=(("a", "1"), ("b", "2")),
    context_subset=(("c", "3"),),
    source_arn="arn:aws:s3:eu-west-1:123456789012:bucket",
)


@pytest.mark.parametrize("grant", [PLAIN, FULL], ids=["plain", "full"])
async def test_a_grant_is_seen_as_it_was_made_until_it_is_revoked(connection: Connection, grant: Grant) -> None:
    made = await create_key(connection, CREATE)
    assert await read_grants(connection, made.key_id) == {}
    answer = await apply(connection, CreateGrant(made.arn, grant))
    assert list(answer) == ["GrantId"]
    assert await read_grants(connection, made.key_id) == {answer["GrantId"]: grant}
    await apply(connection, RevokeGrant(made.arn, answer["GrantId"], grant.name))
    assert await read_grants(connection, made.key_id) == {}


async def scripted(**answers: dict[str, Any] | Exception) -> tuple[Connection, FakeAws]:
    def give(answer: dict[str, Any] | Exception) -> Answer:
        def answered(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return answered

    caller = {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/u"}
    aws = FakeAws({name: give(answer) for name, answer in {"GetCallerIdentity": caller, **answers}.items()})
    return await Clients(terms(aws.open), 1.0).connect(AccessRequest("ns/p", "eu-central-1")), aws


async def test_only_what_is_said_is_sent() -> None:
    connection, aws = await scripted(CreateGrant={"GrantId": "g", "GrantToken": "t"})
    await change_grant(connection, CreateGrant(ARN, PLAIN), "1234")
    assert aws.asked[-1][2] == {"KeyId": "1234", "Name": "app", "GranteePrincipal": ROLE, "Operations": ["Decrypt", "Encrypt"]}


async def test_the_token_of_a_grant_goes_nowhere() -> None:
    connection, _ = await scripted(CreateGrant={"GrantId": "g", "GrantToken": "t"})
    assert await change_grant(connection, CreateGrant(ARN, PLAIN), "1234") == {"GrantId": "g"}


async def test_a_grant_that_is_gone_counts_as_revoked() -> None:
    connection, _ = await scripted(RevokeGrant=refusal("NotFoundException"))
    assert await change_grant(connection, RevokeGrant(ARN, "g", "app"), "1234") == {}


async def test_grants_of_aws_s_services_are_seen_too() -> None:
    told = {"GrantId": "g", "GranteeServicePrincipal": "rds.amazonaws.com", "Operations": ["Decrypt"]}
    connection, _ = await scripted(ListGrants={"Grants": [told]})
    assert await read_grants(connection, "1234") == {"g": Grant("", "rds.amazonaws.com", frozenset({"Decrypt"}))}


@pytest.mark.parametrize("garbage", [{}, {"Grants": [{}]}, {"Grants": [{"GrantId": "g"}]}, {"Grants": [], "Truncated": True}])
async def test_garbage_is_no_list(garbage: dict[str, Any]) -> None:
    connection, _ = await scripted(ListGrants=garbage)
    with pytest.raises(RetryableError):
        await read_grants(connection, "1234")


async def test_refusals_and_garbage_are_what_they_are() -> None:
    connection, _ = await scripted(CreateGrant={}, RevokeGrant=refusal("AccessDeniedException"))
    with pytest.raises(RetryableError):
        await change_grant(connection, CreateGrant(ARN, PLAIN), "1234")
    with pytest.raises(BlockedError):
        await change_grant(connection, RevokeGrant(ARN, "g", "app"), "1234")
