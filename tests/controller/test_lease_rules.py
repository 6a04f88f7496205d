from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from controller.lease_rules import (
    LeaseConfig,
    LeaseObject,
    LeaseSpec,
    Seen,
    Step,
    claimed,
    decide,
    decode_lease,
    observe,
    released,
    timestamp,
)

CONFIG = LeaseConfig("lock", "operators", holder="me", duration=15, renew_deadline=10, retry_period=2)
NOON = datetime(2026, 1, 1, 12, 0, 0, 250, tzinfo=UTC)


def lease(holder: str | None = "rival", version: str = "1", **spec: Any) -> LeaseObject:
    return LeaseObject({"name": "lock", "resourceVersion": version, "labels": {"kept": "yes"}}, LeaseSpec(holder, **spec))


def seen(holder: str, since: float = 100, exists: bool = True) -> Seen:
    return Seen(lease(holder) if exists else None, holder, duration=15, since=since)


@pytest.mark.parametrize(
    ("what_is_seen", "leading", "now", "step"),
    [
        (Seen(), False, 0, Step.CREATE),
        (seen("rival"), False, 100, Step.WAIT),
        (seen("rival"), False, 114.9, Step.WAIT),
        (seen("rival"), False, 115, Step.TAKE),
        (seen(""), False, 100, Step.TAKE),
        (seen("me"), False, 100, Step.RENEW),  # the answer to our own write was lost
        (seen("me"), False, 500, Step.RENEW),
        (seen("me"), True, 100, Step.RENEW),
        (seen("rival"), True, 100, Step.LOST),
        (seen("rival"), True, 500, Step.LOST),  # expired, but somebody else has led
        (seen(""), True, 100, Step.LOST),
        (seen("rival", exists=False), False, 114.9, Step.WAIT),
        (seen("rival", exists=False), False, 115, Step.CREATE),
        (seen("", exists=False), False, 100, Step.CREATE),
        (seen("me", exists=False), True, 100, Step.CREATE),
        (seen("rival", exists=False), True, 100, Step.LOST),
    ],
)
def test_what_to_do_follows_from_the_holder_and_from_how_long_the_lease_looks_the_same(
    what_is_seen: Seen, leading: bool, now: float, step: Step
) -> None:
    assert decide(what_is_seen, "me", leading, now) is step


def test_the_same_version_keeps_its_age() -> None:
    first = observe(Seen(), lease(), CONFIG, now=100)
    assert observe(first, lease(), CONFIG, now=110) is first
    assert first.since == 100


def test_any_other_version_is_as_new_as_its_sight() -> None:
    first = observe(Seen(), lease(version="1"), CONFIG, now=100)
    assert observe(first, lease(version="2"), CONFIG, now=110).since == 110


def test_a_lease_that_vanished_stays_its_holders_from_then_on() -> None:
    gone = observe(observe(Seen(), lease("rival", lease_duration_seconds=60), CONFIG, now=100), None, CONFIG, now=110)
    assert (gone.lease, gone.holder, gone.duration, gone.since) == (None, "rival", 60, 110)
    assert observe(gone, None, CONFIG, now=120) is gone


def test_a_lease_that_never_was_is_nobodys() -> None:
    assert observe(Seen(), None, CONFIG, now=100) == Seen()


@pytest.mark.parametrize(("written", "respected"), [(60, 60), (1, 1), (None, 15)])
def test_a_rival_is_respected_for_the_duration_that_it_wrote(written: int | None, respected: float) -> None:
    assert observe(Seen(), lease(lease_duration_seconds=written), CONFIG, now=100).duration == respected


def test_no_holder_and_an_empty_one_are_the_same() -> None:
    assert observe(Seen(), lease(None), CONFIG, now=100).holder == observe(Seen(), lease(""), CONFIG, now=100).holder == ""


def test_creating_writes_a_whole_lease() -> None:
    assert msgspec.to_builtins(claimed(Seen(), CONFIG, NOON)) == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lock", "namespace": "operators"},
        "spec": {
            "holderIdentity": "me",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T12:00:00.000250Z",
            "renewTime": "2026-01-01T12:00:00.000250Z",
            "leaseTransitions": 0,
        },
    }


def test_taking_counts_a_transition_and_keeps_what_others_wrote_in_the_metadata() -> None:
    old = lease("rival", acquire_time="long ago", lease_transitions=7)
    new = claimed(Seen(old, "rival", 15, 0), CONFIG, NOON)
    assert new.metadata == old.metadata
    assert new.spec == LeaseSpec("me", 15, timestamp(NOON), timestamp(NOON), 8)


def test_renewing_moves_only_the_renew_time() -> None:
    old = lease("me", lease_duration_seconds=15, acquire_time="long ago", renew_time="a while ago", lease_transitions=7)
    assert claimed(Seen(old, "me", 15, 0), CONFIG, NOON).spec == LeaseSpec("me", 15, "long ago", timestamp(NOON), 7)


def test_the_written_duration_is_never_shorter_than_ours() -> None:
    config = LeaseConfig("lock", "operators", "me", duration=1.2, renew_deadline=1, retry_period=0.2)
    assert claimed(Seen(), config, NOON).spec.lease_duration_seconds == 2


def test_releasing_leaves_an_empty_holder_and_the_count_of_transitions() -> None:
    spec = msgspec.to_builtins(released(lease("me", lease_transitions=7), NOON))["spec"]
    assert spec["holderIdentity"] == ""
    assert spec["leaseDurationSeconds"] == 1
    assert spec["leaseTransitions"] == 7


def test_times_are_written_in_utc() -> None:
    assert timestamp(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-01-01T12:00:00.000250Z"


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"{}", b'{"metadata":{}}', b'{"metadata":{"resourceVersion":""}}'])
def test_what_is_no_lease_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|truncated|Expected|required field|resourceVersion"):
        decode_lease(raw)


@pytest.mark.parametrize(
    ("duration", "renew_deadline", "retry_period", "says"),
    [
        (15, 15, 2, "make the duration longer, or the deadline shorter"),
        (15, 20, 2, "make the duration longer, or the deadline shorter"),
        (15, 2.4, 2, "make it longer than 2.4 s, or the retry period shorter"),
        (15, 10, 0, "longer than 0 s"),
    ],
)
def test_times_that_cannot_work_together_are_refused_with_what_to_change(
    duration: float, renew_deadline: float, retry_period: float, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        LeaseConfig("lock", "operators", "me", duration, renew_deadline, retry_period)


def test_labels_are_added_to_those_of_others_at_each_write() -> None:
    config = LeaseConfig("me", "operators", holder="me", labels={"ring": "keys"})
    assert claimed(Seen(), config, NOON).metadata["labels"] == {"ring": "keys"}
    assert claimed(seen("me"), config, NOON).metadata["labels"] == {"kept": "yes", "ring": "keys"}
