"""What is remembered of a replica, and what a call and its answer change in that."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import Plan
from reconcilers.key_status import KMSKeyStatus, ReplicaStatus
from reconcilers.names import OWNER_TAG
from reconcilers.replica_records import is_ours, not_sent, replicated, unresolved, unsent
from tests.reconcilers.builders import OWNER_TAGS, key, operator
from tests.reconcilers.replicas import ANOTHER, ASIA, EU, THERE, attempt, plan, primary, record, replica


def test_an_attempt_of_a_plan_that_is_not_carried_out_is_not_written_down() -> None:
    planned = plan(primary())
    status = KMSKeyStatus(key_id="k", replicas=planned.records)
    (kept,) = unsent(Plan(planned.due, status)).replicas
    assert (kept.region, kept.creation_attempt) == (EU, None)
    assert unsent(Plan((), status)) == status


def test_an_answer_makes_the_replica_ours_and_a_fence_forgets_the_attempt() -> None:
    sent = (ReplicaStatus(region=ASIA), record(creation_attempt=attempt(timedelta())))
    (_, stored) = replicated(sent, replica("Creating"), {**OWNER_TAGS, "team": "shop"})
    assert (stored.managed, stored.creation_attempt, stored.arn, stored.managed_tag_keys) == (True, None, THERE, ("team",))
    assert not_sent(sent, EU) == (ReplicaStatus(region=ASIA), record())


@pytest.mark.parametrize(
    ("tags", "managed", "ours"),
    [(OWNER_TAGS, None, True), ({}, True, True), ({}, None, False), (ANOTHER, True, False), ({OWNER_TAG: "shop/orders"}, True, False)],
)
def test_a_replica_is_ours_by_its_tags_or_by_kms_s_answer(tags: dict[str, str], managed: bool | None, ours: bool) -> None:
    seen = replace(replica(), tags=tags)
    assert is_ours(key(), seen, record(managed=managed), operator().cluster_id) is ours


@pytest.mark.parametrize(("age", "open_"), [(timedelta(seconds=1), True), (timedelta(hours=1), False)])
def test_an_attempt_is_open_until_its_grace_is_over(age: timedelta, open_: bool) -> None:
    sent = record(creation_attempt=attempt(age))
    assert unresolved(key(status=KMSKeyStatus(replicas=(sent,))), sent, operator()) is open_
    assert unresolved(key(), sent, operator()), "a process that has only just begun knows nothing of its age"
    assert not unresolved(key(), record(), operator())
