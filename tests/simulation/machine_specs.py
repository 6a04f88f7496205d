"""What the users of a random life write: which objects there are, and what specs each of them may have.

A cast is three KMSKeys, of which each has what no other may change about it: its type, its provider, the key that it takes over or observes.
One that is named twice is the star of its life: most of what users do is done to it.
"""

from typing import Any

from hypothesis import strategies as st

from tests.simulation.etcd import Json
from tests.simulation.identities import ACCOUNT_ID, OTHER_ACCOUNT_ID
from tests.simulation.scenarios import OTHER_POLICY, POLICY, READER, WRITER
from tests.simulation.watched import WATCHED

OTHER_PROVIDER = "other"
CASTS = st.sampled_from(
    [
        ("orders", "sales", "signing"),
        ("orders", "global", "signing"),
        ("global", "adopted", "sales"),
        ("global", "sales", "global"),
        ("global", "orders", "global"),
        ("orders", "adopted", "abroad"),
        ("abroad", "sales", "orders"),
        ("orders", WATCHED, "adopted"),
        ("adopted", WATCHED, "adopted"),
        (WATCHED, "adopted", WATCHED),
    ]
)
WHO = st.integers(0, 2)
FIXED: dict[str, Json] = {
    "signing": {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"},
    "global": {"multiRegion": True},
    "adopted": {"adopt": {"alias": "theirs", "policy": "AdoptOrCreate"}},
    WATCHED: {"adopt": {"alias": WATCHED}},
    "abroad": {"providerRef": {"name": OTHER_PROVIDER}},
}
# How an object begins, that its users may change later.
FIRST: dict[str, Json] = {WATCHED: {"managementPolicy": "Observe"}}
TAGS = st.sampled_from([{}, {"team": "shop"}, {"team": "mail", "cost": "17"}])
PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "description": st.sampled_from(["", "Orders", "All orders"]),
        "enabled": st.booleans(),
        "keyPolicy": st.sampled_from([POLICY, OTHER_POLICY]),
        "tags": TAGS,
        "deletionPolicy": st.sampled_from(["ScheduleKeyDeletion", "Retain", "DisableKey", "ForceDelete"]),
        "pendingWindowInDays": st.sampled_from([7, 30]),
    },
)
_EUROPE: Json = {"region": "eu-west-1"}
_ASIA: Json = {"region": "ap-south-1", "aliases": ["asia"]}
REGIONS = st.sampled_from([[], [_EUROPE], [_EUROPE, _ASIA], [_ASIA]])
SPECIAL = st.fixed_dictionaries(
    {},
    optional={
        "enableKeyRotation": st.just(True),
        "rotateOnDemand": st.sampled_from(["1", "2", "3"]),
        "grants": st.sampled_from([[READER], [READER, WRITER], [WRITER]]),
        "aliases": st.booleans(),
        "replicas": st.sampled_from([[_EUROPE], [_EUROPE, _ASIA], [_ASIA]]),
    },
)
# What a multi-Region key has from its beginning, unless its user says otherwise.
BOTH: Json = {"replicas": [_EUROPE, _ASIA]}
# What is refused before AWS is asked, by the reason that is told.
_NOBODY = POLICY.replace("Allow", "Deny").replace('{"AWS": "arn:aws:iam::${AWS_ACCOUNT_ID}:root"}', '"*"')
WRONG: dict[str, Json] = {"InvalidPolicy": {"keyPolicy": "{}"}, "PolicyLockout": {"keyPolicy": _NOBODY}}
# What KMS takes only from those who say that they mean it: somebody else alone may change this policy again.
LOCKED: Json = {"keyPolicy": POLICY.replace(":root", ":user/somebody"), "bypassPolicyLockoutSafetyCheck": True}

READ = ["Decrypt", "DescribeKey"]
OPERATIONS = st.sampled_from([READ, [*READ, "Encrypt"]])
DEPENDENT_POLICIES = st.sampled_from([None, "Delete", "Retain"])


def fitting(name: str, plain: Json, special: Json) -> Json:
    """A spec of this object: signing keys neither rotate nor take these grants; aliases are each object's own."""
    spec = {**plain, **FIXED.get(name, {})}
    if name == "signing":
        return spec
    own = [f"all/{name}", *([name] if name != WATCHED else [])]  # the key of that one has such an alias from others
    aliases = {"aliases": own} if special.get("aliases") else {}
    left_out = {"aliases"} if name == "global" else {"aliases", "replicas"}
    return spec | {key: value for key, value in special.items() if key not in left_out} | aliases


def as_managed(name: str, before: Json | None) -> Json:
    """What a new spec keeps of the one before, for it is changed by itself."""
    before = FIRST.get(name, {}) if before is None else before
    return {field: before[field] for field in ("managementPolicy",) if field in before}


def account_of(name: str) -> str:
    """The account to which the object's provider leads."""
    return OTHER_ACCOUNT_ID if name == "abroad" else ACCOUNT_ID


def is_wrong(spec: Json) -> bool:
    """Whether it can never be reached."""
    return any(wrong.items() <= spec.items() for wrong in WRONG.values())


def dependent_spec(target: str, **rest: Any) -> Json:
    """Of an alias or a grant on the key of this object."""
    return {"targetRef": {"name": target}, **{name: value for name, value in rest.items() if value is not None}}
