"""Aliases: an alias is part of the key that it leads to, and no two keys of an account and region share one.

One of AWS's own aliases leads to a key that AWS manages, and which is made when somebody describes it for the first time.

Source: CreateAlias, UpdateAlias, DeleteAlias and "Resource quotas" of the KMS documentation.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tests.simulation.kms_errors import (
    alias_exists,
    alias_not_found,
    invalid_alias,
    invalid_arn,
    invalid_state,
    limit_exceeded,
    validation,
)
from tests.simulation.kms_keys import Key, check_state

MAX_ALIASES = 50
_AWSS_OWN = "alias/aws/"
_OF_SERVICES = frozenset(
    f"{_AWSS_OWN}{service}" for service in ("dynamodb", "ebs", "lambda", "rds", "s3", "secretsmanager", "sqs")
)
_FOLLOWING = frozenset({"DescribeKey", "GetPublicKey"})
_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")


def create_alias(keys: Iterable[Key], target: Key, alias: str) -> list[Key]:
    """The key with its new alias. Raises RefusedError."""
    _check_name(alias)
    holder = _holder(keys, alias)
    if holder is not None:
        raise alias_exists(_arn(holder, alias))
    check_state("CreateAlias", target)
    _check_number(target)
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
    if holder.arn == target.arn:
        return []
    _check_number(target)
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


def check_follows(operation: str) -> None:
    """Raises RefusedError where a key cannot be named by its alias."""
    if operation not in _FOLLOWING:
        raise invalid_arn("Key Aliases are not supported for this operation.")


def is_of_service(alias: str) -> bool:
    """Whether there is a key behind it as soon as somebody asks."""
    return alias in _OF_SERVICES


def _holder(keys: Iterable[Key], alias: str) -> Key | None:
    return next((key for key in keys if alias in key.aliases), None)


def _check_number(target: Key) -> None:
    if len(target.aliases) >= MAX_ALIASES:
        raise limit_exceeded("The number of aliases of this key has reached its quota")


def _check_name(alias: str) -> None:
    if not alias.startswith("alias/"):
        raise validation('Alias must start with the prefix "alias/"')
    if alias.startswith(_AWSS_OWN) or not _NAME.fullmatch(alias):
        raise invalid_alias(f"{alias} is no name for an alias")


def _arn(key: Key, alias: str) -> str:
    return f"arn:aws:kms:{key.region}:{key.account_id}:{alias}"
