"""After a failed AWS call: what the user reads (a reason, what happened in AWS's words, what to do), and when to look again.

Rules:
1. Codes are matched, never pieces of AWS's text.
2. What passes by itself leaves the Ready of a key alone that was ready before; what somebody has to mend does not.
3. A refused CreateKey or RotateKeyOnDemand is a known result: its attempt is forgotten. One without an answer stays written down until it
   is known what became of it.
4. A new key that one host shows and the next does not know is waited for, and is no news from look to look.
"""

from datetime import datetime, timedelta

from reconcilers.actions import Plan
from reconcilers.aliases import ALIAS_ADVICE
from reconcilers.codes import AUTHENTICATION_CODES, CREDENTIALS_UNAVAILABLE, DENIED_CODES, NOT_FOUND, SENT_ONCE, THROTTLING_CODES
from reconcilers.deletion import LET_GO
from reconcilers.key_status import LastError
from reconcilers.lag import is_new
from reconcilers.materials import STORE_REFUSALS
from reconcilers.on_demand import judge_rotation
from reconcilers.reasons import Reason
from reconcilers.reports import degraded, last_error, report
from reconcilers.searches import nothing_was_made
from reconcilers.states import Failure, FailureKind, KeyObject, Operator, Problem
from reconcilers.stops import wait_for_kms

# For what somebody has to mend: soon at first, because IAM takes a minute to spread a new permission; 12 times an hour later.
SHORTEST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=5)

_SHUT_OUT = (
    " If the key policy itself shuts the operator out, somebody whom it still lets in has to change it; if nobody is left, AWS Support can."
)
_SERVICES = {
    "GetResources": "tag",
    **dict.fromkeys(("AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"), "sts"),
    **dict.fromkeys(("ReceiveMessage", "DeleteMessageBatch"), "sqs"),
}


def explain(failure: Failure) -> Problem:
    """The problem that this failure is for the object."""
    said = f"{failure.operation} failed with {failure.code}: {failure.message.rstrip('.')}."
    reason, advice, stalled = _judge(failure)
    return Problem(reason, f"{said} {advice}", stalled)


def plan_after(failure: Failure, key: KeyObject, operator: Operator, now: datetime) -> Plan:
    """The report on a failed call, without actions. look_again is None where the work queue's backoff is to decide."""
    if failure.code == NOT_FOUND and is_new(key, now) and not key.deleting:
        return wait_for_kms(key, operator, now)
    problem = explain(failure)
    if key.deleting and problem.stalled:
        problem = Problem(Reason.DELETION_BLOCKED, f"{problem.message} {LET_GO}")
    fields: dict[str, object] = {"last_error": last_error(key.status.last_error, failure, now)}
    if key.status.key_id is None and nothing_was_made(key) and failure.operation != "CreateKey":
        fields["last_error"] = key.status.last_error  # the memory that no key was made outlives other failures
    if failure.operation in SENT_ONCE and failure.kind is not FailureKind.UNKNOWN_RESULT:
        fields["creation_attempt" if failure.operation == "CreateKey" else "rotation_attempt"] = None
    status = report(key, operator, degraded(key, problem), now, **fields)
    return Plan((), status, look_again=wait_for_cause(key.status.last_error, failure, now) if problem.stalled else None)


def wait_for_cause(error: LastError | None, failure: Failure, now: datetime) -> timedelta:
    """As long as the same refusal has been coming already, within the two bounds. error: the last one that the status tells."""
    same = error is not None and (error.code, error.operation) == (failure.code, failure.operation)
    lasted = now - error.time if error is not None and same else timedelta()
    return min(max(lasted, SHORTEST_WAIT), LONGEST_WAIT)


def iam_action(operation: str) -> str:
    """The name under which IAM knows an operation, such as kms:CreateKey."""
    return f"{_SERVICES.get(operation, 'kms')}:{operation.removesuffix('Batch')}"


def _judge(failure: Failure) -> tuple[Reason, str, bool]:
    if failure.operation == "RotateKeyOnDemand" and (rotation := judge_rotation(failure)) is not None:
        return rotation
    if failure.kind is FailureKind.UNKNOWN_RESULT:
        return Reason.CREATION_UNKNOWN, "The key may have been made: the operator looks for it before it tries again.", False
    if failure.code in THROTTLING_CODES:
        return Reason.THROTTLED, "The operator slows down and tries again.", False
    if failure.kind is FailureKind.RETRY:
        return Reason.AWS_UNAVAILABLE, "The operator tries again.", False
    if failure.code in DENIED_CODES:
        way_out = _SHUT_OUT if failure.operation in ("GetKeyPolicy", "PutKeyPolicy") else ""
        return (
            Reason.ACCESS_DENIED,
            f"Allow {iam_action(failure.operation)} to the provider's identity, in IAM and in the key policy.{way_out}",
            True,
        )
    if failure.code == CREDENTIALS_UNAVAILABLE:
        return Reason.CREDENTIALS_INVALID, "Give the provider a Secret, or the operator's pod an identity.", True
    if failure.code in AUTHENTICATION_CODES:
        return Reason.AUTHENTICATION_FAILED, "Put valid credentials where the provider takes them from.", True
    return _judge_refusal(failure)


def _judge_refusal(failure: Failure) -> tuple[Reason, str, bool]:
    match failure.code:
        case "LimitExceededException":
            return Reason.LIMIT_EXCEEDED, "Ask AWS for a higher quota, or remove what is not needed.", True
        case "MalformedPolicyDocumentException" if failure.kind is FailureKind.WAIT_FOR_CAUSE:
            return (
                Reason.POLICY_PRINCIPAL_NOT_FOUND,
                "A principal that was made a moment ago is accepted soon, and the operator tries again; a misspelt one never is.",
                True,
            )
        case "MalformedPolicyDocumentException":
            return (
                Reason.POLICY_REJECTED,
                "Correct spec.keyPolicy: it must let somebody, such as arn:aws:iam::${AWS_ACCOUNT_ID}:root, change the policy again.",
                True,
            )
        case "AlreadyExistsException" if failure.operation == "CreateAlias":
            return Reason.ALIAS_CONFLICT, ALIAS_ADVICE, True
        case code if code in STORE_REFUSALS:
            return STORE_REFUSALS[code]
        case "UnsupportedOperationException" if failure.operation == "CreateKey":
            return Reason.UNSUPPORTED_KEY_SPEC, "Choose a keySpec and keyUsage that KMS offers in this region.", True
        case _:
            return Reason.REJECTED_BY_AWS, "Correct the spec, or what the message names.", True
