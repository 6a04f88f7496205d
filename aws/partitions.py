"""AWS's regions and partitions, from the table that comes with the client: what no server needs to be asked about."""

import functools
import os
import re
from typing import Any

from botocore.loaders import create_loader

from aws.credentials import AccessRequest
from aws.errors import InvalidAccessError
from reconcilers.reasons import Reason


def check(request: AccessRequest) -> None:
    """Raises InvalidAccessError for a region that does not exist and for a role of another partition, which no call could ever reach.

    With an endpoint the region may be any: an emulator or a region that is newer than the table.
    """
    partition = partition_of(request.region)
    if partition is None and not request.endpoint and not _endpoint_from_environment():
        raise InvalidAccessError(
            Reason.INVALID_REGION, f"{request.region} is no AWS region that this version knows: correct spec.region, or set spec.endpoint"
        )
    for field, arn in (("roleARN", request.role_arn), ("assumeRoleARN", request.assume_role_arn)):
        if arn and partition and arn.split(":")[1] != partition:
            raise InvalidAccessError(
                Reason.INVALID_ROLE_ARN,
                f"spec.{field} is a role of partition {arn.split(':')[1]}, but region {request.region} belongs to {partition}: "
                "AWS lets no role cross partitions",
            )


def partition_of(region: str) -> str | None:
    """The partition of a known region, such as aws-cn of cn-north-1."""
    return _partitions().get(region)


@functools.cache
def _partitions() -> dict[str, str]:
    table: dict[str, Any] = create_loader().load_data("partitions")
    regions = {region: partition["id"] for partition in table["partitions"] for region in partition["regions"]}
    return {region: partition for region, partition in regions.items() if re.search(r"-\d+$", region)}  # aws-global is none


def _endpoint_from_environment() -> bool:
    return bool(os.environ.get("AWS_ENDPOINT_URL_KMS") or os.environ.get("AWS_ENDPOINT_URL"))
