"""Aliases against the emulator, and against scripted answers that the emulator never gives."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from aws.aliases import HIDDEN, change_alias, read_aliases
from aws.clients import Clients, Connection
from aws.credentials import Access, AccessRequest
from aws.errors import BlockedError, RetryableError
from aws.kms import apply, create_key
from reconcilers.actions import CreateAlias, DeleteAlias
from tests.aws.test_kms import CREATE
from tests.aws.worlds import Answer, FakeAws, refusal, terms

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234"
OTHER = ARN.replace("1234", "9876")
ALIAS = "alias/orders"
TAKEN = refusal("AlreadyExistsException")


def fresh() -> str:
    """An alias that no other test has: they share one emulator."""
    return f"alias/orders/{uuid.uuid4()}"


async def made(connection: Connection) -> str:
    return (await create_key(connection, CREATE)).arn


async def test_aliases_are_made_once_and_seen_with_those_that_were_asked_about(connection: Connection) -> None:
    mine, other, alias, theirs = await made(connection), await made(connection), fresh(), fresh()
    for _ in range(2):
        assert await apply(connection, CreateAlias(mine, alias)) == {}
    await apply(connection, CreateAlias(other, theirs))
    seen = await read_aliases(connection, mine, frozenset({alias, theirs, fresh()}))
    assert seen == {alias: mine, theirs: other}
    assert await read_aliases(connection, mine, frozenset()) == {alias: mine}


async def test_an_alias_is_deleted_once(connection: Connection) -> None:
    mine, alias = await made(connection), fresh()
    await apply(connection, CreateAlias(mine, alias))
    for _ in range(2):
        assert await apply(connection, DeleteAlias(mine, alias)) == {}
    assert await read_aliases(connection, mine, frozenset({alias})) == {}


async def test_an_alias_of_another_key_is_refused_with_the_name_of_that_key(connection: Connection) -> None:
    mine, other, alias = await made(connection), await made(connection), fresh()
    await apply(connection, CreateAlias(other, alias))
    with pytest.raises(BlockedError, match=f"{alias} leads to {other}"):
        await apply(connection, CreateAlias(mine, alias))


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


async def test_an_alias_that_exists_already_counts_as_made_if_it_is_ours() -> None:
    connection, _ = await scripted(CreateAlias=TAKEN, DescribeKey={"KeyMetadata": {"Arn": ARN}})
    await change_alias(connection, CreateAlias(ARN, ALIAS), "1234")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"KeyMetadata": {"Arn": OTHER}}, BlockedError, OTHER),
        (refusal("AccessDeniedException"), BlockedError, HIDDEN),
        (refusal("NotFoundException"), RetryableError, "AlreadyExistsException"),
        ({"KeyMetadata": {}}, RetryableError, "could not be read"),
    ],
)
async def test_an_alias_that_exists_already_is_followed(answer: Any, error: type[Exception], words: str) -> None:
    connection, _ = await scripted(CreateAlias=TAKEN, DescribeKey=answer)
    with pytest.raises(error, match=words):
        await change_alias(connection, CreateAlias(ARN, ALIAS), "1234")


async def test_a_key_that_may_not_be_seen_holds_its_alias_all_the_same() -> None:
    connection, _ = await scripted(ListAliases={"Aliases": []}, DescribeKey=refusal("AccessDeniedException"))
    assert await read_aliases(connection, ARN, frozenset({ALIAS})) == {ALIAS: HIDDEN}


async def test_other_refusals_are_what_they_are() -> None:
    connection, _ = await scripted(CreateAlias=refusal("LimitExceededException"), DeleteAlias=refusal("AccessDeniedException"))
    for action in (CreateAlias(ARN, ALIAS), DeleteAlias(ARN, ALIAS)):
        with pytest.raises(BlockedError):
            await change_alias(connection, action, "1234")


async def test_a_listed_alias_is_not_followed() -> None:
    connection, aws = await scripted(ListAliases={"Aliases": [{"AliasName": ALIAS}]})
    assert await read_aliases(connection, ARN, frozenset({ALIAS})) == {ALIAS: ARN}
    assert aws.operations().count("DescribeKey") == 0
