from datetime import timedelta

from reconcilers.attempts import Attempt, age, attempts_in
from reconcilers.key_status import CreationAttempt, KMSKeyStatus, ReplicaStatus, RotationAttempt
from tests.reconcilers.builders import NOW

SENT = CreationAttempt(id="u.1", time=NOW, count=1)
ROTATED = RotationAttempt(token="new", time=NOW)
IN_EU = ReplicaStatus(region="eu-west-1", creation_attempt=SENT)
MINUTE = timedelta(minutes=1)


def test_a_status_remembers_attempts_of_the_key_and_of_each_replica() -> None:
    status = KMSKeyStatus(creation_attempt=SENT, rotation_attempt=ROTATED, replicas=(IN_EU, ReplicaStatus(region="ap-south-1")))
    assert list(attempts_in(status)) == [Attempt(SENT), Attempt(ROTATED), Attempt(SENT, "eu-west-1")]
    assert list(attempts_in(KMSKeyStatus())) == []


def test_an_attempt_that_nobody_has_told_of_has_no_age() -> None:
    ages = {Attempt(SENT): MINUTE, Attempt(SENT, "eu-west-1"): 2 * MINUTE}
    assert age(ages, SENT) == MINUTE
    assert age(ages, SENT, "eu-west-1") == 2 * MINUTE
    assert age(ages, SENT, "ap-south-1") == timedelta()
    assert age(ages, ROTATED) == timedelta()
