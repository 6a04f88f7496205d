from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aws.sight import Sight
from reconcilers.adoption_fields import Adoption, AdoptionPolicy
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import CreationAttempt, KMSKeyStatus, LastError
from reconcilers.names import CLUSTER_TAG, KMSKEY_FINALIZER, OWNER_TAG, UID_TAG
from reconcilers.states import Candidates, KeyObject, Missing, NotCreated, ObservedKey, Offered, Operator, Seen
from tests.aws.test_cluster_keys import Indexed, connect
from tests.reconcilers.builders import ages

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPERATOR = Operator("cluster", DeletionPolicy.DELETE, timedelta(minutes=5), allow_policy_lockout_bypass=False)
NEW = KeyObject("shop", "orders", "uid", 1, False, (), KMSKeySpec(), KMSKeyStatus())
OWN = {CLUSTER_TAG: "cluster", OWNER_TAG: "shop/orders", UID_TAG: "uid"}
EARLIER = {**OWN, UID_TAG: "an earlier one"}


async def look(aws: Indexed, key: KeyObject) -> Seen:
    return await Sight(OPERATOR).observe(await connect(aws), key, NOW)


def attempted(age: timedelta) -> KeyObject:
    """An object whose CreateKey was sent `age` ago, as this process knows, and not answered."""
    status = KMSKeyStatus(creation_attempt=CreationAttempt(id="uid.1", time=NOW - age, count=1))
    return replace(NEW, finalizers=(KMSKEY_FINALIZER,), status=status, ages=ages(status, NOW))


def ids(keys: tuple[ObservedKey, ...]) -> list[str]:
    return [key.key_id for key in keys]


async def test_a_key_that_is_remembered_is_looked_at_and_nothing_else() -> None:
    aws = Indexed(k=OWN, earlier=EARLIER)
    seen = await look(aws, replace(NEW, status=KMSKeyStatus(key_id="k")))
    assert isinstance(seen, ObservedKey)
    assert seen.key_id == "k"
    assert "GetResources" not in aws.operations()


async def test_a_key_that_is_remembered_and_missing_is_not_looked_for() -> None:
    aws = Indexed(earlier=EARLIER)
    assert await look(aws, replace(NEW, status=KMSKeyStatus(key_id="k"))) == Missing("k")
    assert "GetResources" not in aws.operations()


async def test_an_object_that_was_never_touched_may_have_the_key_of_an_earlier_one() -> None:
    seen = await look(Indexed(earlier=EARLIER, other={**EARLIER, OWNER_TAG: "shop/other"}), NEW)
    assert isinstance(seen, NotCreated)
    assert ids(seen.earlier) == ["earlier"]


async def test_within_the_grace_the_index_is_searched() -> None:
    seen = await look(Indexed(k=OWN), attempted(timedelta(minutes=1)))
    assert isinstance(seen, Candidates)
    assert (ids(seen.keys), seen.thorough) == (["k"], False)


async def test_after_the_grace_every_key_is_searched() -> None:
    aws = Indexed(k=OWN)
    aws.index = []
    seen = await look(aws, attempted(timedelta(minutes=6)))
    assert isinstance(seen, Candidates)
    assert (ids(seen.keys), seen.thorough) == (["k"], True)


async def test_a_creation_that_was_refused_made_nothing() -> None:
    refused = KMSKeyStatus(last_error=LastError(code="LimitExceededException", operation="CreateKey", time=NOW))
    seen = await look(Indexed(), replace(NEW, finalizers=(KMSKEY_FINALIZER,), status=refused))
    assert seen == NotCreated()


async def test_what_is_not_managed_is_not_read() -> None:
    aws = Indexed(k=OWN)
    key = replace(NEW, status=KMSKeyStatus(key_id="k"))
    await look(aws, key)
    assert "GetKeyPolicy" not in aws.operations()
    await look(aws, replace(key, spec=KMSKeySpec(key_policy="{}")))
    assert aws.operations().count("GetKeyPolicy") == 1


def adopting(key_id: str = "k", status: KMSKeyStatus | None = None, policy: AdoptionPolicy | None = None) -> KeyObject:
    return replace(NEW, spec=KMSKeySpec(adopt=Adoption(key_id=key_id, policy=policy)), status=status or KMSKeyStatus())


async def test_the_key_to_adopt_is_offered_and_no_other_one_looked_for() -> None:
    aws = Indexed(k={}, earlier=EARLIER)
    seen = await look(aws, adopting())
    assert isinstance(seen, Offered)
    assert seen.found is not None
    assert (seen.found.key_id, "GetResources" in aws.operations()) == ("k", False)


async def test_a_remembered_key_without_owner_tags_is_offered_only_if_it_is_the_one_to_adopt() -> None:
    aws = Indexed(k={}, other={}, mine=OWN)
    assert isinstance(await look(aws, adopting(status=KMSKeyStatus(key_id="k"))), Offered)
    assert isinstance(await look(aws, adopting(status=KMSKeyStatus(key_id="other"))), ObservedKey)
    assert isinstance(await look(aws, adopting("mine", KMSKeyStatus(key_id="mine"))), ObservedKey)
    assert isinstance(await look(aws, replace(adopting(status=KMSKeyStatus(key_id="k")), deleting=True)), ObservedKey)


async def test_a_key_of_the_older_operator_is_offered_and_one_that_lost_its_tags_is_not() -> None:
    aws, old = Indexed(k={}), replace(NEW, finalizers=(KMSKEY_FINALIZER,), status=KMSKeyStatus(key_id="k"))
    assert isinstance(await look(aws, old), Offered)
    assert isinstance(await look(aws, replace(old, deleting=True)), ObservedKey)
    assert isinstance(await look(aws, replace(old, status=KMSKeyStatus(key_id="k", account_id="111122223333"))), ObservedKey)


async def test_where_the_key_to_adopt_is_missing_the_object_may_have_one_of_its_own() -> None:
    aws = Indexed(earlier=EARLIER)
    for policy in AdoptionPolicy:
        seen = await look(aws, adopting(policy=policy))
        assert isinstance(seen, Offered)
        assert isinstance(seen.otherwise, NotCreated)
        assert ids(seen.otherwise.earlier) == ["earlier"]


async def test_a_creation_without_an_answer_is_searched_for_before_anything_is_adopted() -> None:
    unsure = attempted(timedelta(minutes=6))
    seen = await look(Indexed(k={}, mine=OWN), replace(unsure, spec=adopting().spec))
    assert isinstance(seen, Candidates)
    assert ids(seen.keys) == ["mine"]


@pytest.mark.parametrize("status", [KMSKeyStatus(key_id="alias/aws/ebs"), KMSKeyStatus(key_id="k", key_arn="arn:aws:kms:r:1:alias/aws/ebs")])
async def test_an_alias_in_a_status_is_not_described_because_that_may_make_a_key(status: KMSKeyStatus) -> None:
    aws = Indexed(k=OWN)
    assert isinstance(await look(aws, replace(NEW, status=status)), Missing)
    assert "DescribeKey" not in aws.operations()


async def test_a_key_that_was_made_just_now_is_remembered_for_its_successor() -> None:
    aws = Indexed()
    sight, connection = Sight(OPERATOR), await connect(aws)
    assert await sight.observe(connection, NEW, NOW) == NotCreated()
    aws.keys["made"] = EARLIER
    sight.remember(connection, "shop/orders", "arn:aws:kms:eu-central-1:111122223333:key/made")
    seen = await sight.observe(connection, NEW, NOW)
    assert isinstance(seen, NotCreated)
    assert ids(seen.earlier) == ["made"]
