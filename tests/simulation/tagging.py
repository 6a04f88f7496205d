"""GetResources of the Resource Groups Tagging API, over the keys that its index shows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_keys import Key
from tests.simulation.kms_tags import written_tags


def get_resources(keys: Iterable[Key], parameters: Mapping[str, Any], page_size: int) -> dict[str, Any]:
    """Keys that match all filters. An empty PaginationToken says that there is no more."""
    found = [key for key in keys if all(_matches(key, one) for one in parameters.get("TagFilters", []))]
    found = found if _asks_for_keys(parameters.get("ResourceTypeFilters", [])) else []
    token = parameters.get("PaginationToken", "") or "0"
    if not token.isdecimal():
        raise RefusedError("PaginationTokenExpiredException", "The pagination token is not valid")
    end = int(token) + page_size
    return {
        "ResourceTagMappingList": [_mapping(key) for key in found[int(token) : end]],
        "PaginationToken": str(end) if end < len(found) else "",
    }


def _matches(key: Key, wanted: Mapping[str, Any]) -> bool:
    value = key.tags.get(wanted["Key"])
    return value is not None and (not wanted.get("Values") or value in wanted["Values"])


def _asks_for_keys(types: Sequence[str]) -> bool:
    return not types or "kms" in types or "kms:key" in types


def _mapping(key: Key) -> dict[str, Any]:
    tags = [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in written_tags(key.tags)]
    return {"ResourceARN": key.arn, "Tags": tags}
