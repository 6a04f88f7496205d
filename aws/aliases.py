"""Aliases: where they lead, and the calls that change them.

Rules:
1. The aliases of a key are listed by its id; a name that is asked about and not among them is followed, to tell a free one from one that
   leads elsewhere. A key that we may not see holds it all the same.
2. CreateAlias says "already exists" to its own repetition too: the alias is followed, and ours counts as made.
3. What is gone when it shall be deleted counts as deleted.
"""

from collections.abc import Mapping
from dataclasses import replace

from aws.answers import ALIASES, decode, reading
from aws.clients import Connection
from aws.errors import BlockedError, NotFoundError, RetryableError
from reconcilers.actions import AliasChange, CreateAlias, DeleteAlias, UpdateAlias
from reconcilers.codes import DENIED_CODES
from reconcilers.states import FailureKind

HIDDEN = "a key that the provider's identity may not see"


async def read_aliases(connection: Connection, key: str, asked: frozenset[str]) -> Mapping[str, str]:
    """Where each alias of the key (an ARN), and each that is asked about, leads; without those that do not exist. Raises AWSError."""
    listed = await ALIASES.read(connection, {"KeyId": key})
    own = decode("ListAliases", lambda: {alias["AliasName"]: key for alias in listed})
    async with reading() as group:
        followed = {alias: group.create_task(_follow(connection, alias)) for alias in sorted(asked - own.keys())}
    found = {alias: task.result() for alias, task in followed.items()}
    return own | {alias: target for alias, target in found.items() if target is not None}


async def change_alias(connection: Connection, action: AliasChange | UpdateAlias, key_id: str) -> None:
    """Carries the action out on the key of that id. Raises AWSError and FencedError."""
    match action:
        case CreateAlias():
            await _create(connection, action, key_id)
        case UpdateAlias(alias=alias):
            await connection.call("kms", "UpdateAlias", {"AliasName": alias, "TargetKeyId": key_id})
        case DeleteAlias(alias=alias):
            try:
                await connection.call("kms", "DeleteAlias", {"AliasName": alias})
            except NotFoundError:
                return


async def _create(connection: Connection, action: CreateAlias, key_id: str) -> None:
    try:
        await connection.call("kms", "CreateAlias", {"AliasName": action.alias, "TargetKeyId": key_id})
        return
    except BlockedError as error:
        if error.failure.code != "AlreadyExistsException":
            raise
        failure = error.failure
    target = await _follow(connection, action.alias)
    if target is None:  # taken, and not to be seen yet
        raise RetryableError(replace(failure, kind=FailureKind.RETRY))
    if target != action.key:
        raise BlockedError(replace(failure, message=f"{action.alias} leads to {target}"))


async def _follow(connection: Connection, alias: str) -> str | None:
    """The ARN of the key that the alias leads to; None where there is no such alias."""
    try:
        answer = await connection.call("kms", "DescribeKey", {"KeyId": alias})
    except NotFoundError:
        return None
    except BlockedError as error:
        if error.failure.code in DENIED_CODES:
            return HIDDEN
        raise
    return decode("DescribeKey", lambda: str(answer["KeyMetadata"]["Arn"]))
