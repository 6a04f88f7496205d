"""Aliases: an alias is part of the key that it leads to, and no two keys of an account and region share one.

Source: CreateAlias, UpdateAlias, DeleteAlias and "Resource quotas" of the KMS documentation.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tests.simulation.kms_errors import alias_exists, alias_not_found, invalid_alias, invalid_state, limit_exceeded, validation
from tests.simulation.kms_keys import Key, check_state

MAX_ALIASES = 50
_AWSS_OWN = "alias/aws/"
_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")


def create_alias(keys: Iterable[Key], target: Key, alias: str) -> list[Key]:
    """The key with its new alias. Raises RefusedError."""
    _check_name(alias)
    holder = _holder(keys, alias)
    if holder is not None:
        raise alias_exists(_arn(holder, alias))
    check_state("CreateAlias", target)
    if len(target.aliases) >= MAX_ALIASES:
        raise limit_exceeded("The number of aliases of this key has reached its quota")
    return [replace(target, aliases=target.aliases | {alias})]


def move_alias(keys: Iterable[Key], target: Key, alias: str) -> list[Key]:
    """Both keys, the one that loses it first. Raises RefusedError."""
    _check_name(alias)
    holder = _holder(keys, alias)
    if holder is None:
        raise alias_not_found(alias)
    check_state("CreateAlias", target)
    if (holder.spec == "SYMMETRIC_DEFAULT", holder.usage) != (target.spec == "SYMMETRIC_DEFAULT", target.usage):
        raise invalid_state(target.arn, "of another type or usage than the key that the alias leads to")
    return [replace(holder, aliases=holder.aliases - {alias}), replace(target, aliases=target.aliases | {alias})]


def delete_alias(keys: Iterable[Key], alias: str) -> list[Key]:
    """The key without it. Raises RefusedError."""
    _check_name(alias)
    holder = _holder(keys, alias)
    if holder is None:
        raise alias_not_found(alias)
    return [replace(holder, aliases=holder.aliases - {alias})]


def written_aliases(key: Key) -> list[dict[str, Any]]:
    """As ListAliases tells them."""
    return [{"AliasName": alias, "AliasArn": _arn(key, alias), "TargetKeyId": key.key_id} for alias in sorted(key.aliases)]


def check_described(operation: str, alias: str) -> None:
    """Raises RefusedError where a key cannot be named by its alias, and AssertionError for what would make a key of AWS."""
    assert not alias.startswith(_AWSS_OWN), f"{operation} of {alias} makes a key where there is none"
    if operation != "DescribeKey":
        raise validation(f"Invalid keyId {alias}")


def _holder(keys: Iterable[Key], alias: str) -> Key | None:
    return next((key for key in keys if alias in key.aliases), None)


def _check_name(alias: str) -> None:
    if not alias.startswith("alias/"):
        raise validation('Alias must start with the prefix "alias/"')
    if alias.startswith(_AWSS_OWN) or not _NAME.fullmatch(alias):
        raise invalid_alias(f"{alias} is no name for an alias")


def _arn(key: Key, alias: str) -> str:
    return f"arn:aws:kms:{key.region}:{key.account_id}:{alias}"
