"""The keys on which dependents hang something, as far as that needs them to be seen; and where an alias leads.

A target is described and its tags are read, which tell whose it is. A target that a dependent makes no grant on costs these two calls.
"""

from aws.aliases import HIDDEN
from aws.answers import reading
from aws.clients import Connection
from aws.errors import BlockedError
from aws.kms import describe_named, observe_key
from reconcilers.codes import DENIED_CODES
from reconcilers.kmsalias import AliasSight
from reconcilers.kmsgrant import GrantSight
from reconcilers.reasons import Reason
from reconcilers.states import Asked, Missing, ObservedKey, Unobservable

BARE = Asked(rotation=False)
WITH_GRANTS = Asked(rotation=False, grants=True)


async def look_at_alias(connection: Connection, alias: str, target: str | None) -> AliasSight:
    """Where the alias leads, and its target if there is one, at the same time. The holder's tags are not read. Raises AWSError."""
    async with reading() as group:
        holder = group.create_task(follow_alias(connection, alias))
        wanted = group.create_task(observe_key(connection, target, BARE)) if target else None
    return AliasSight(holder.result(), wanted.result() if wanted else None)


async def look_at_grants(connection: Connection, target: str | None, others: frozenset[str]) -> GrantSight:
    """The target and the other keys (ARNs), with their grants. Raises AWSError."""
    async with reading() as group:
        wanted = group.create_task(observe_key(connection, target, WITH_GRANTS)) if target else None
        asked = {arn: group.create_task(observe_key(connection, arn, WITH_GRANTS)) for arn in sorted(others - {target})}
    seen = wanted.result() if wanted else None
    keys = {arn: task.result() for arn, task in asked.items()}
    return GrantSight(seen, keys | ({seen.arn: seen} if isinstance(seen, ObservedKey) else {}))


async def follow_alias(connection: Connection, alias: str) -> ObservedKey | Unobservable | None:
    """The key that the alias leads to; None where there is no such alias. Raises AWSError."""
    try:
        described = await describe_named(connection, alias)
    except BlockedError as error:
        if error.failure.code not in DENIED_CODES:
            raise
        return Unobservable(Reason.ALIAS_CONFLICT, f"{alias} leads to {HIDDEN}", error.failure)
    return None if isinstance(described, Missing) else described.key
