"""What KMS makes of a policy after it was put: the same text, or one in which principals that are gone have become ids.

KMS resolves each principal when a policy is put. Once a role or user is deleted, the policy shows its unique id (AROA..., AIDA...) in place of
its ARN, also when another of the same name was made since: that one has no rights until the policy is put again.

Rules:
1. A policy that shows ids in place of ARNs is put again once: that gives the rights to a role that was made anew. If KMS takes it and still
   shows the same ids, this is its form of the policy, which the status remembers by two hashes, and it is left alone.
2. Nothing else counts as another form, so that no change behind our back is taken for one.

Source: "Key policies in AWS KMS"; "IAM JSON policy elements: Principal", on principals that are deleted.
"""

import json
import re

from reconcilers.key_status import PolicyStatus
from reconcilers.policies import Json, PolicyError, digest, parse, same, statement_meaning, statements
from reconcilers.states import ObservedKey, Wanted

# "Unique identifiers": groups, users, roles and instance profiles, with their prefixes.
UNIQUE_ID = re.compile(r"^A(GP|ID|RO|IP)A[A-Z0-9]{8,}$")


def policy_agrees(wanted: Wanted, seen: ObservedKey, memory: PolicyStatus | None) -> bool:
    """Whether the key has the wanted policy, or the form that KMS gave to it. Both have to be there."""
    if wanted.policy is None or not isinstance(seen.policy, str) or same(wanted.policy, seen.policy, seen.partition):
        return True
    if memory is None or memory.applied_hash != digest(wanted.policy, seen.partition):
        return False
    return memory.observed_hash == digest(seen.policy, seen.partition) and bool(gone_principals(wanted.policy, seen.policy, seen.partition))


def gone_principals(wanted: str, shown: str, partition: str) -> tuple[str, ...]:
    """The principals in whose place ids are shown; none if the policies differ in anything else."""
    if wanted == shown:  # nearly always, and this is asked in every pass
        return ()
    try:
        ours, theirs = _by_rest(wanted, partition), _by_rest(shown, partition)
    except (PolicyError, RecursionError):
        return ()
    if ours.keys() != theirs.keys():
        return ()
    gone: set[str] = set()
    for rest, names in ours.items():
        missing, extra = names - theirs[rest], theirs[rest] - names
        if len(missing) != len(extra) or not all(UNIQUE_ID.match(name) for name in extra):
            return ()
        gone |= missing
    return tuple(sorted(gone))


def _by_rest(text: str, partition: str) -> dict[str, set[str]]:
    """The AWS principals by all that a statement says beside them: statements that say the same rest give it to all of them."""
    policy = parse(text)
    found: dict[str, set[str]] = {json.dumps([policy.get("Version"), policy.get("Id")]): set()}
    for statement in statements(policy):
        meaning = statement_meaning(statement, partition)
        principals: dict[str, Json] = dict(meaning.get("Principal", {}))
        names = {str(json.loads(name)) for name in principals.pop("AWS", [])}
        found.setdefault(json.dumps([meaning | {"Principal": principals}], sort_keys=True), set()).update(names)
    return found
