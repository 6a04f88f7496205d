"""The check of what is written ahead notices a call without an attempt, one with another process's, and a second one."""

import pytest

from controller.objects import Ref
from reconcilers.names import UID_TAG
from tests.simulation.attempts import look_at_attempts
from tests.simulation.calls import Call
from tests.simulation.checks import BrokenError
from tests.simulation.etcd import Entry, Json

ATTEMPT: Json = {"id": "u.1", "time": "2026-03-01T12:00:00Z", "count": 1}
WRITTEN: dict[str, Json] = {
    "CreateKey": {"creationAttempt": ATTEMPT},
    "ReplicateKey": {"keyId": "k", "replicas": [{"region": "eu-west-1", "creationAttempt": ATTEMPT}]},
    "RotateKeyOnDemand": {"keyId": "k", "rotationAttempt": {"token": "1", "time": "2026-03-01T12:00:00Z"}},
}
TAGS = [{"TagKey": UID_TAG, "TagValue": "u"}]

pytestmark = pytest.mark.parametrize("name", WRITTEN)


def stored(name: str, at: float = 1.0, replica: str = "a") -> tuple[Entry, Call]:
    """The attempt, and the patch by which it was stored."""
    body = {"metadata": {"uid": "u"}, "status": WRITTEN[name]}
    entry = Entry(int(at), at, "MODIFIED", "kmskeys", Ref("shop", "orders"), body, {"metadata": {"uid": "u"}})
    return entry, Call(replica, "kube", "PATCH kmskeys/status", "shop/orders", writes=True, wrote=int(at))


def sent(name: str, at: float = 2.0) -> Call:
    parameters = {"ReplicaRegion": "eu-west-1"} if name == "ReplicateKey" else {"Tags": TAGS}
    return Call("a", "aws", name, "k", writes=True, at=at, sent=at, outcome="OK", parameters=parameters)


def test_a_call_that_its_sender_has_written_ahead_is_in_order(name: str) -> None:
    entry, patch = stored(name)
    look_at_attempts([entry], [patch, sent(name)])


def test_a_call_that_nobody_has_written_ahead_is_noticed(name: str) -> None:
    with pytest.raises(BrokenError, match="not written ahead"):
        look_at_attempts([], [sent(name)])


def test_an_attempt_that_is_stored_once_the_call_was_sent_is_too_late(name: str) -> None:
    entry, patch = stored(name, at=3.0)
    with pytest.raises(BrokenError, match="not written ahead"):
        look_at_attempts([entry], [sent(name), patch])


def test_another_process_s_attempt_is_not_one_s_own(name: str) -> None:
    entry, patch = stored(name, replica="b")
    with pytest.raises(BrokenError, match="not written ahead"):
        look_at_attempts([entry], [patch, sent(name)])


def test_a_second_call_for_one_attempt_is_noticed(name: str) -> None:
    entry, patch = stored(name)
    with pytest.raises(BrokenError, match="a second time"):
        look_at_attempts([entry], [patch, sent(name), sent(name, at=4.0)])
