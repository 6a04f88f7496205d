"""Where an alias leads and what its target is, seen at the wire."""

import uuid

import pytest

from aws.clients import Connection
from aws.errors import AWSError
from aws.kms import apply, create_key
from aws.targets import follow_alias, look_at_alias, look_at_grants
from reconcilers.actions import CreateAlias, CreateGrant, UpdateAlias
from reconcilers.reasons import Reason
from reconcilers.states import Grant, Missing, ObservedKey, Unobservable
from tests.aws.test_aliases import ALIAS, scripted
from tests.aws.test_kms import CREATE
from tests.aws.worlds import refusal

NO_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


async def test_an_alias_is_seen_where_it_leads_and_follows_a_move(connection: Connection) -> None:
    one, two = (await create_key(connection, CREATE)).arn, (await create_key(connection, CREATE)).arn
    alias = f"alias/orders/{uuid.uuid4()}"
    assert (await look_at_alias(connection, alias, None)).holder is None
    await apply(connection, CreateAlias(one, alias))
    seen = await look_at_alias(connection, alias, two)
    assert isinstance(seen.holder, ObservedKey)
    assert isinstance(seen.target, ObservedKey)
    assert (seen.holder.arn, seen.target.arn, seen.target.tags) == (one, two, CREATE.tags)
    await apply(connection, UpdateAlias(two, alias, one))
    moved = await follow_alias(connection, alias)
    assert isinstance(moved, ObservedKey)
    assert moved.arn == two


async def test_a_target_that_is_not_there_is_missing(connection: Connection) -> None:
    assert (await look_at_alias(connection, f"alias/{uuid.uuid4()}", NO_KEY)).target == Missing(NO_KEY)


async def test_an_alias_of_a_key_that_may_not_be_seen_leads_somewhere_all_the_same() -> None:
    connection, _ = await scripted(DescribeKey=refusal("AccessDeniedException"))
    holder = await follow_alias(connection, ALIAS)
    assert isinstance(holder, Unobservable)
    assert holder.reason is Reason.ALIAS_CONFLICT


async def test_any_other_refusal_is_raised() -> None:
    connection, _ = await scripted(DescribeKey=refusal("ThrottlingException"))
    with pytest.raises(AWSError, match="ThrottlingException"):
        await follow_alias(connection, ALIAS)


async def test_the_grants_of_the_target_and_of_other_keys_are_seen(connection: Connection) -> None:
    one, two = (await create_key(connection, CREATE)).arn, (await create_key(connection, CREATE)).arn
    grant = Grant("reader", "arn:aws:iam::111122223333:role/app", frozenset({"Decrypt"}))
    answer = await apply(connection, CreateGrant(two, grant))
    seen = await look_at_grants(connection, one.rpartition("/")[2], frozenset({two}))
    found = {arn: key.grants for arn, key in seen.keys.items() if isinstance(key, ObservedKey)}
    assert found == {one: {}, two: {answer["GrantId"]: grant}}
    assert seen.target == seen.keys[one]
    assert (await look_at_grants(connection, None, frozenset({one}))).target is None
