"""What a random life of a world may consist of: specs, waits, faults, and what others in the account do."""

from typing import Any

from hypothesis import strategies as st

from tests.simulation import aws_wires
from tests.simulation.api_server import failure
from tests.simulation.api_transport import lost_answer as lost_by_kube
from tests.simulation.api_transport import refused
from tests.simulation.etcd import Json
from tests.simulation.faults import Fault, delivered_twice, silence, slow
from tests.simulation.scenarios import OTHER_POLICY, POLICY, READER, WRITER

SPECS = st.fixed_dictionaries(
    {},
    optional={
        "description": st.sampled_from(["", "Orders", "All orders"]),
        "enabled": st.booleans(),
        "keyPolicy": st.sampled_from([POLICY, OTHER_POLICY]),
        "tags": st.sampled_from([{}, {"team": "shop"}, {"team": "mail", "cost": "17"}]),
        "deletionPolicy": st.sampled_from(["ScheduleKeyDeletion", "Retain", "DisableKey", "ForceDelete"]),
        "pendingWindowInDays": st.sampled_from([7, 30]),
    },
)
SYMMETRIC = st.fixed_dictionaries(
    {},
    optional={
        "enableKeyRotation": st.just(True),
        "grants": st.sampled_from([[READER], [READER, WRITER], [WRITER]]),
        "aliases": st.booleans(),
    },
)
SECONDS = st.sampled_from([0.004, 0.012, 0.02, 0.05, 0.3, 1.0, 7.0, 35.0, 100.0])
AWS_CALLS = st.sampled_from(
    ["CreateKey", "DescribeKey", "ListResourceTags", "EnableKeyRotation", "GetResources", "PutKeyPolicy", "*"]
)
KUBE_CALLS = st.sampled_from(
    ["PATCH kmskeys", "PATCH kmskeys/status", "GET kmskeys", "GET secrets", "* kmskeys*", "LIST *", "WATCH *"]
)
LAGGING = st.sampled_from(["DescribeKey", "ListKeys", "ListResourceTags", "GetKeyPolicy"])
PERMISSIONS = st.sampled_from(
    ["EnableKeyRotation", "TagResource", "PutKeyPolicy", "ListKeys", "CreateKey", "DescribeKey", "ScheduleKeyDeletion"]
)
OUTSIDE: dict[str, Json] = {
    "DisableKey": {},
    "EnableKey": {},
    "UpdateKeyDescription": {"Description": "mine now"},
    "TagResource": {"Tags": [{"TagKey": "theirs", "TagValue": "x"}]},
    "UntagResource": {"TagKeys": ["team"]},
    "DisableKeyRotation": {},
    "ScheduleKeyDeletion": {"PendingWindowInDays": 7},
    "PutKeyPolicy": {"Policy": OTHER_POLICY.replace("${AWS_ACCOUNT_ID}", "123456789012")},
    "CreateKey": {"Description": "foreign"},
}


def _kube_failure(code: int) -> Any:
    reason = {409: "Conflict", 429: "TooManyRequests"}.get(code, "InternalError")
    return failure(code, reason, "no", retry_after="2" if code == 429 else None)


def fitting(name: str, more: Json) -> Json:
    """What a key of this object may have: signing keys neither rotate nor take these grants; aliases are each object's own."""
    if name == "signing":
        return {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}
    aliases = {"aliases": [name, f"all/{name}"]} if more.get("aliases") else {}
    return {key: value for key, value in more.items() if key != "aliases"} | aliases


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
