"""The grants of a key: which are made, which are revoked, and how we know which are ours.

Rules:
1. KMS cannot change a grant. One that is wanted otherwise is made anew first, and the old one revoked then, so that nobody is cut off.
2. Ours to revoke is what the status remembers: by its id, or, where the answer to CreateGrant was lost, by its name and the hash of what it
   says, which are written down before the call. A grant that says what is wanted, under the same name, is taken for the wanted one.
3. An id that we remember and no longer want is revoked also when it was not seen: a late list must not leave a right behind. One that says
   what is wanted and was not seen is asked for again: if it is only late, KMS answers with the same id.
4. A disabled key takes no grants. They wait until it is enabled, and so do the old ones of the same name; what is not wanted goes at once.
5. Grants are of no use on a key that is to be deleted, so they are left to end with it; ForceDelete revokes them.

Not promised: that a grant whose CreateGrant was not answered is revoked when its name leaves the spec before any list shows it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from reconcilers.actions import CreateGrant, GrantChange, RevokeGrant
from reconcilers.grant_fields import GrantConstraints, GrantSpec, GrantTerms
from reconcilers.key_status import KMSKeyStatus, RecordedGrant
from reconcilers.states import Grant, ObservedKey, Unobservable, Wanted

# "Key states of AWS KMS keys": those in which CreateGrant works.
TAKES_GRANTS = frozenset({"Enabled", "Unavailable"})

Recorded = tuple[RecordedGrant, ...]


def wanted_grant(spec: GrantSpec) -> Grant:
    """What the user has declared."""
    return named_grant(spec.name, spec)


def named_grant(name: str, spec: GrantTerms) -> Grant:
    """These terms under that name. An empty constraint is none."""
    limits = spec.constraints or GrantConstraints()
    return Grant(
        name=name,
        grantee=spec.grantee_role_arn or spec.grantee_principal or "",
        operations=frozenset(spec.operations),
        retiring=spec.retiring_principal,
        context_equals=tuple(sorted((limits.encryption_context_equals or {}).items())),
        context_subset=tuple(sorted((limits.encryption_context_subset or {}).items())),
        source_arn=limits.source_arn,
    )


def digest(grant: Grant) -> str:
    """What the grant says, in short; the same for ever."""
    said = [
        *(grant.name, grant.grantee, sorted(grant.operations), grant.retiring),
        *(grant.context_equals, grant.context_subset, grant.source_arn),
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def found_grants(seen: ObservedKey) -> Mapping[str, Grant | None]:
    """The grants by id, as far as they were seen."""
    return seen.grants if isinstance(seen.grants, Mapping) else {}


def grant_changes(wanted: Wanted, seen: ObservedKey, recorded: Recorded) -> tuple[GrantChange, ...]:
    """The writes that are due, in order."""
    if isinstance(seen.grants, Unobservable):
        return ()
    found, held = found_grants(seen), set(_held(wanted, seen, recorded).values())
    said = {(grant.name, digest(grant)) for grant in wanted.grants}
    waiting = {grant.name for grant in missing_grants(wanted, seen, recorded)} if seen.state not in TAKES_GRANTS else set()
    stale = {
        grant_id: record
        for grant_id, record in _ours(found, recorded).items()
        if grant_id not in held and record.name not in waiting
        if (record.name, record.hash) not in said or found.get(grant_id) is not None
    }
    create = (CreateGrant(seen.arn, grant) for grant in _creatable(wanted, seen, recorded))
    return (*create, *_revoke(seen, stale))


def grants_wait(wanted: Wanted, seen: ObservedKey, recorded: Recorded) -> bool:
    """Whether a grant is missing that the key does not take now."""
    unread = isinstance(seen.grants, Unobservable)
    return not unread and seen.state not in TAKES_GRANTS and bool(missing_grants(wanted, seen, recorded))


def missing_grants(wanted: Wanted, seen: ObservedKey, recorded: Recorded) -> list[Grant]:
    """The wanted grants that there are not."""
    held = _held(wanted, seen, recorded)
    return [grant for grant in wanted.grants if grant not in held]


def to_revoke(seen: ObservedKey, recorded: Recorded) -> tuple[RevokeGrant, ...]:
    """All grants of ours that are not known to be gone."""
    return _revoke(seen, _ours(found_grants(seen), recorded))


def recorded_ahead(before: KMSKeyStatus, wanted: Wanted, seen: ObservedKey) -> Recorded:
    """What has to be remembered before the grants are made: that we may have made them."""
    if isinstance(seen.grants, Unobservable):
        return before.grants
    asked = (RecordedGrant(name=grant.name, hash=digest(grant)) for grant in _creatable(wanted, seen, before.grants))
    return _sorted({*before.grants, *asked})


def recorded_after(before: KMSKeyStatus, wanted: Wanted, seen: ObservedKey) -> Recorded:
    """What is remembered once nothing is left to do: the wanted grants, and those of ours that are still there."""
    if isinstance(seen.grants, Unobservable):
        return before.grants
    found, held = found_grants(seen), _held(wanted, seen, before.grants)
    new = {grant_id: RecordedGrant(name=grant.name, hash=digest(grant), grant_id=grant_id) for grant, grant_id in held.items()}
    replaced = {(record.name, record.hash) for record in new.values()}
    old = {
        grant_id: record.model_copy(update={"grant_id": grant_id})
        for grant_id, record in _ours(found, before.grants).items()
        if found.get(grant_id) is not None or (record.name, record.hash) not in replaced
    }
    return _sorted((old | new).values())


def _creatable(wanted: Wanted, seen: ObservedKey, recorded: Recorded) -> list[Grant]:
    return missing_grants(wanted, seen, recorded) if seen.state in TAKES_GRANTS else []


def _held(wanted: Wanted, seen: ObservedKey, recorded: Recorded) -> dict[Grant, str]:
    """The wanted grants that there are, with their ids."""
    found = found_grants(seen)
    ids = {grant: _id_of(grant, found, recorded) for grant in wanted.grants}
    return {grant: grant_id for grant, grant_id in ids.items() if grant_id is not None}


def _id_of(grant: Grant, found: Mapping[str, Grant | None], recorded: Recorded) -> str | None:
    """By memory first: AWS may show the principal of a grant under another name than the one it was made with."""
    known = (record.grant_id for record in recorded if (record.name, record.hash) == (grant.name, digest(grant)))
    alike = (grant_id for grant_id, there in sorted(found.items()) if there == grant)
    return next((grant_id for grant_id in (*known, *alike) if grant_id is not None and found.get(grant_id) is not None), None)


def _revoke(seen: ObservedKey, grants: Mapping[str, RecordedGrant]) -> tuple[RevokeGrant, ...]:
    return tuple(RevokeGrant(seen.arn, grant_id, record.name) for grant_id, record in sorted(grants.items()))


def _ours(found: Mapping[str, Grant | None], recorded: Recorded) -> dict[str, RecordedGrant]:
    """By id: the grants that we made and that are not known to be gone."""
    return {grant_id: record for record in recorded for grant_id in _ids(record, found)}


def _ids(record: RecordedGrant, found: Mapping[str, Grant | None]) -> list[str]:
    """The ids that the record means. One that is found as None is known to be revoked."""
    if record.grant_id is not None:
        return [] if found.get(record.grant_id, record) is None else [record.grant_id]
    there = ((grant_id, grant) for grant_id, grant in found.items() if grant is not None)
    return [grant_id for grant_id, grant in there if (grant.name, digest(grant)) == (record.name, record.hash)]


def _sorted(records: Iterable[RecordedGrant]) -> Recorded:
    return tuple(sorted(records, key=lambda record: (record.name, record.hash, record.grant_id or "")))
