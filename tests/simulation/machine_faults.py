"""What can go wrong on the wires of a random life: which calls are hit, by what, and what lags or is denied."""

from typing import Any

from hypothesis import strategies as st

from tests.simulation import aws_wires
from tests.simulation.api_server import failure
from tests.simulation.api_transport import lost_answer as lost_by_kube
from tests.simulation.api_transport import refused
from tests.simulation.faults import Fault, delivered_twice, silence, slow

AWS_CALLS = st.sampled_from(
    [
        "CreateKey",
        "DescribeKey",
        "ListResourceTags",
        "EnableKeyRotation",
        "GetResources",
        "PutKeyPolicy",
        "RotateKeyOnDemand",
        "ReplicateKey",
        "*Alias",
        "*Grant",
        "*",
    ]
)
KUBE_CALLS = st.sampled_from(
    [
        "PATCH kmskeys",
        "PATCH kmskeys/status",
        "GET kmskeys",
        "GET secrets",
        "* kmskeys*",
        "PATCH kmsaliases*",
        "PATCH kmsgrants*",
        "LIST *",
        "WATCH *",
    ]
)
# What may arrive twice. Not the calls that cannot be repeated: nobody could keep a network from making two keys of one CreateKey.
REPEATABLE = st.sampled_from(
    [
        "*Alias",
        "*Grant",
        "DisableKey*",
        "EnableKey*",
        "PutKeyPolicy",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
        "UpdateKeyDescription",
    ]
)
LAGGING = st.sampled_from(
    [
        "DescribeKey",
        "ListKeys",
        "ListResourceTags",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "ListAliases",
        "ListGrants",
    ]
)
PERMISSIONS = st.sampled_from(
    [
        "EnableKeyRotation",
        "TagResource",
        "PutKeyPolicy",
        "ListKeys",
        "CreateKey",
        "DescribeKey",
        "ScheduleKeyDeletion",
        "ReplicateKey",
        "CreateAlias",
        "CreateGrant",
    ]
)


_REASONS = {401: "Unauthorized", 403: "Forbidden", 409: "Conflict", 429: "TooManyRequests"}


def _kube_failure(code: int) -> Any:
    reason = _REASONS.get(code, "InternalError")
    return failure(code, reason, "no", retry_after="2" if code == 429 else None)


def aws_fault(kind: str, calls: str, times: int) -> Fault:
    match kind:
        case "lost answer":
            fault = aws_wires.lost_answer(calls, times)
        case "lost request":
            fault = aws_wires.not_sent(calls, times)
        case "late answer":
            fault = slow(calls, 4.0, times)
        case "internal error":
            fault = aws_wires.internal_error(calls, times)
        case "internal error after":
            fault = aws_wires.internal_error(calls, times, executes=True)
        case "garbage":
            fault = aws_wires.garbage(calls, times)
        case "throttled":
            fault = aws_wires.throttled(calls, times)
        case _:
            fault = silence(calls, times)
    fault.target = "aws"
    return fault


def kube_fault(kind: str, calls: str, times: int) -> Fault:
    match kind:
        case "lost answer":
            fault = lost_by_kube(calls, times)
        case "silent":
            fault = silence(calls, times)
        case "late answer":
            fault = slow(calls, 4.0, times)
        case "delivered twice":
            fault = delivered_twice(calls, times)
        case code:
            fault = refused(calls, _kube_failure(int(code)), times)
    fault.target = "kube"
    return fault
