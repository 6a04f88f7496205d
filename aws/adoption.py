"""The key that spec.adopt names: by id or ARN described, by alias looked up in the list of aliases.

Rules:
1. An alias is never described: to describe alias/aws/x where that is not in use makes a key.
2. Of a key that cannot be adopted anyway, no more is read than what says so: the tags of AWS's own keys are not for everybody.
"""

from aws.answers import ALIASES, decode
from aws.clients import Connection
from aws.kms import describe_key, observe_rest
from reconcilers.adoption_fields import Adoption
from reconcilers.states import Asked, Missing, Offered


async def named_key(connection: Connection, adopt: Adoption, asked: Asked) -> Offered:
    """The key as AWS shows it. Raises AWSError."""
    name = adopt.key_id or adopt.arn or await _target(connection, adopt.alias_name)
    described = await describe_key(connection, name) if name else None
    if described is None or isinstance(described, Missing):
        return Offered(None)
    if described.is_replica or described.key.manager != "CUSTOMER":
        return Offered(described.key, described.is_replica)
    return Offered(await observe_rest(connection, described, asked))


async def _target(connection: Connection, alias: str | None) -> str | None:
    """The id of the key that the alias leads to; None where there is no such alias, or none of its own leads anywhere."""
    listed = await ALIASES.read(connection, {"Limit": 100})
    return decode("ListAliases", lambda: next((one.get("TargetKeyId") for one in listed if one["AliasName"] == alias), None))
