"""What an event of CloudTrail, in the form in which EventBridge passes it on, tells of changes to keys: of which ones, and by whom.

Rules:
1. A change is a call that succeeded and may have made a key differ from its object, or something that KMS did to a key by itself. CreateKey is
   none: no object has that key yet, except the one that has just made it.
2. Whatever else is in a queue is no change. Nothing here fails, because others decide what is in there.
3. A change is our own if it was made under our name and as one of our principals. Somebody who works by hand as our role is somebody else,
   and so is another program that borrows our name.
4. An event is a reason to look at a key, and nothing more: no plan and no status believes what it says.

Not promised: that each change has its event. CloudTrail may be late, and what gets lost is found by the resync.
"""

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

SOURCE: Final = "aws.kms"
OUR_AGENT: Final = "infra-operator/"
CALLS: Final = frozenset(
    {
        *("CancelKeyDeletion", "DisableKey", "EnableKey", "ScheduleKeyDeletion", "UpdateKeyDescription", "PutKeyPolicy"),
        *("DisableKeyRotation", "EnableKeyRotation", "RotateKeyOnDemand"),
        *("TagResource", "UntagResource"),
        *("CreateAlias", "DeleteAlias", "UpdateAlias"),
        *("CreateGrant", "RetireGrant", "RevokeGrant"),
        *("DeleteImportedKeyMaterial", "ImportKeyMaterial"),
        *("ReplicateKey", "UpdatePrimaryRegion"),
    }
)
BY_ITSELF: Final = frozenset({"DeleteExpiredKeyMaterial", "DeleteKey", "RotateKey"})

_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:([0-9]{12}):(?:key/([A-Za-z0-9-]{1,128})|(alias/[A-Za-z0-9/_-]{1,250}))")
_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,128}")
_ASSUMED_ROLE = re.compile(r"(arn:[a-z-]+:sts::[0-9]{12}:assumed-role/[^/]+)/.*", re.DOTALL)


class KeyName(NamedTuple):
    """What a key or an alias is called: its id, or alias/NAME. A replica has the id of its primary, so the region is no part of it."""

    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change to what is named: keys, and aliases that may have led to another key before."""

    operation: str
    names: frozenset[KeyName]
    principal: str
    agent: str

    def is_own(self, principals: Set[str]) -> bool:
        """Whether an operator made it that works as one of these."""
        return self.agent.startswith(OUR_AGENT) and self.principal in principals


def read_change(body: str) -> Change | None:
    """None for everything that is no change to a key."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    call = _part(event, "detail")
    if _text(event, "source") != SOURCE or _text(call, "eventName") not in CALLS | BY_ITSELF or call.get("errorCode"):
        return None
    names = frozenset(_names(call, _text(event, "account")))
    identity = _part(call, "userIdentity")
    return Change(call["eventName"], names, principal(_text(identity, "arn")), _text(call, "userAgent").strip("[]")) if names else None


def principal(arn: str) -> str:
    """Who that is, whatever the session: the sessions of a role come and go."""
    found = _ASSUMED_ROLE.fullmatch(arn)
    return found[1] if found else arn


def name_in(arn: str) -> KeyName | None:
    """The name that the ARN of a key or an alias holds."""
    found = _ARN.fullmatch(arn)
    return KeyName(found[1], found[2] or found[3]) if found else None


def _names(call: dict[str, Any], account_id: str) -> Iterator[KeyName]:
    resources = call.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        yield from _named(_text(resource, "ARN"), account_id)
    parameters = _part(call, "requestParameters")
    for parameter in ("keyId", "targetKeyId", "aliasName"):
        yield from _named(_text(parameters, parameter), account_id)


def _named(text: str, account_id: str) -> Iterator[KeyName]:
    """By an ARN, an id, or the name of an alias."""
    found = name_in(text)
    if found is not None:
        yield found
    elif text.startswith("alias/") or _KEY_ID.fullmatch(text):
        yield KeyName(account_id, text)


def _part(whole: Any, name: str) -> dict[str, Any]:
    part = whole.get(name) if isinstance(whole, dict) else None
    return part if isinstance(part, dict) else {}


def _text(whole: Any, name: str) -> str:
    text = whole.get(name) if isinstance(whole, dict) else None
    return text if isinstance(text, str) else ""
