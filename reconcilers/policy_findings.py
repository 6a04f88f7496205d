"""What is worth saying about a key policy that is one: nothing of this is refused, unless the operator refuses open policies.

Each finding is a word and a sentence: `PolicyTooOpen: statement 2 lets ...`. The word is an API like a reason; the rest is for people.
"""

import re
from collections.abc import Iterable, Iterator

from reconcilers.key_status import PolicyStatus
from reconcilers.news import News
from reconcilers.policies import Json, digest, many, parse, statements
from reconcilers.policy_forms import gone_principals, policy_agrees
from reconcilers.reasons import Reason
from reconcilers.states import ObservedKey, Wanted

LARGE_BYTES = 32_768  # KMS's quota in its documentation until 2023, and that of older backends
MOST_FINDINGS = 20
LONGEST_FINDING = 256

_ACCOUNT = re.compile(r"^(?:arn:[^:]+:(?:iam|sts)::)?([0-9]{12})(?::.*)?$")
_LITERAL = re.compile(r"(?<![A-Za-z0-9_])ACCOUNT_ID(?![A-Za-z0-9_])")
_VERSION = "2012-10-17"


def policy_status(before: PolicyStatus | None, wanted: Wanted, seen: ObservedKey | None) -> PolicyStatus | None:
    """What the status tells of the policy, and remembers of it. seen: None when there is no key yet."""
    if wanted.policy is None:
        return None
    found = [*findings(wanted.policy, wanted.account_id), *_gone(wanted, seen)]
    applied, observed = _hashes(before or PolicyStatus(), wanted, seen)
    told = tuple(finding[:LONGEST_FINDING] for finding in found[:MOST_FINDINGS])
    return PolicyStatus(applied_hash=applied, observed_hash=observed, findings=told)


def findings(policy: str, account_id: str) -> tuple[str, ...]:
    """Of a text that is a policy."""
    return (*(f"{Reason.POLICY_TOO_OPEN}: {words}" for words in openings(policy, account_id)), *_others(policy))


def openings(policy: str, account_id: str) -> tuple[str, ...]:
    """The statements that let in who does not belong to the account, in words."""
    numbered = enumerate(statements(parse(policy)), start=1)
    return tuple(f"statement {number} {words}" for number, one in numbered for words in _openings(one, account_id))


def policy_news(before: PolicyStatus | None, after: PolicyStatus | None) -> News | None:
    """The event for a policy that is found to be open."""
    known = before.findings if before else ()
    new = [finding for finding in (after.findings if after else ()) if finding not in known]
    words = [finding.partition(": ")[2] for finding in new if finding.startswith(Reason.POLICY_TOO_OPEN)]
    return News("Warning", Reason.POLICY_TOO_OPEN, f"spec.keyPolicy: {'; '.join(words)}."[:1000]) if words else None


def _openings(statement: dict[str, Json], account_id: str) -> Iterator[str]:
    if statement["Effect"] != "Allow":
        return
    free = "Condition" not in statement
    if "Principal" not in statement:
        if free:
            yield "lets in everybody but the principals of its NotPrincipal: name in Principal whom it is for"
        return
    principal = statement["Principal"]
    names = [str(name) for name in many(principal.get("AWS", []) if isinstance(principal, dict) else principal)]
    if free and "*" in names:
        yield "lets in everybody, in every AWS account: name principals, or add a Condition such as kms:CallerAccount"
    foreign = sorted({account[1] for name in names if (account := _ACCOUNT.match(name))} - {account_id})
    if foreign:
        yield f"lets in another account: {', '.join(foreign)}"


def _others(policy: str) -> Iterator[str]:
    size = len(policy.encode())
    if size > LARGE_BYTES:
        yield f"PolicyLarge: it has {size} bytes; some backends take {LARGE_BYTES} only"
    if _LITERAL.search(policy):
        yield "AccountIdLiteral: the word ACCOUNT_ID is sent as it stands: write ${AWS_ACCOUNT_ID} for the provider's account"
    version = parse(policy).get("Version")
    if version != _VERSION:
        said = "no Version" if version is None else f"Version {str(version)[:16]}"
        yield f"PolicyVersion: it has {said}, in which policy variables are plain text: write {_VERSION}"


def _gone(wanted: Wanted, seen: ObservedKey | None) -> Iterable[str]:
    if wanted.policy is not None and seen is not None and isinstance(seen.policy, str):
        for name in gone_principals(wanted.policy, seen.policy, seen.partition):
            yield f"PrincipalGone: KMS shows an id in place of {name}, which was deleted"


def _hashes(before: PolicyStatus, wanted: Wanted, seen: ObservedKey | None) -> tuple[str | None, str | None]:
    """What was put, and what KMS shows for it. A form that KMS gave to it once stays known while it is wanted."""
    if wanted.policy is None or seen is None or not isinstance(seen.policy, str) or not policy_agrees(wanted, seen, before):
        return before.applied_hash, before.observed_hash
    applied = digest(wanted.policy, seen.partition)
    if seen.replaced_policy and gone_principals(wanted.policy, seen.replaced_policy, seen.partition):
        return applied, digest(seen.replaced_policy, seen.partition)
    known = before.observed_hash if applied == before.applied_hash else None
    return applied, known or digest(seen.policy, seen.partition)
