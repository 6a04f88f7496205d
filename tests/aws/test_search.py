import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aws import search
from aws.clients import Clients, Connection
from aws.credentials import Access, AccessRequest
from aws.errors import BlockedError, RetryableError
from aws.kms import create_key
from aws.quotas import RateLimits
from aws.search import FORGET_SECONDS, SETTLE_SECONDS, Search, observe_candidate
from reconcilers.names import CLUSTER_TAG, UID_TAG
from reconcilers.states import Asked, Candidates
from tests.aws.test_kms import CREATE
from tests.aws.worlds import FakeAws, refusal, terms

OURS = {CLUSTER_TAG: "cluster", UID_TAG: "uid"}
DENIED = "AccessDeniedException"
NO_LIMITS = RateLimits()


class Account(FakeAws):
    """Keys by name with their tags, an index of its own (late, denied), and names that are denied or special."""

    def __init__(self, **keys: dict[str, str]) -> None:
        super().__init__(
            {
                "GetCallerIdentity": lambda *_: {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/u"},
                "GetResources": self._resources,
                "ListKeys": self._list,
                "ListResourceTags": self._tags,
                "DescribeKey": self._describe,
                "GetKeyRotationStatus": lambda *_: {"KeyRotationEnabled": False},
                "GetKeyPolicy": lambda *_: {"Policy": "{}"},
            }
        )
        self.keys = keys
        self.index: list[str] = []
        self.refused: dict[str, str] = {}  # by operation or key name: the code
        self.undescribed: set[str] = set()

    def _refuse(self, what: str) -> None:
        if what in self.refused:
            raise refusal(self.refused[what])

    def _resources(self, _: Access, __: Mapping[str, Any]) -> dict[str, Any]:
        self._refuse("GetResources")
        return {"ResourceTagMappingList": [{"ResourceARN": arn(name)} for name in self.index]}

    def _list(self, _: Access, __: Mapping[str, Any]) -> dict[str, Any]:
        self._refuse("ListKeys")
        return {"Keys": [{"KeyArn": arn(name)} for name in self.keys]}

    def _tags(self, _: Access, parameters: Mapping[str, Any]) -> dict[str, Any]:
        name = parameters["KeyId"].rpartition("/")[2]
        self._refuse(name)
        return {"Tags": [{"TagKey": key, "TagValue": value} for key, value in self.keys[name].items()]}

    def _describe(self, _: Access, parameters: Mapping[str, Any]) -> dict[str, Any]:
        name = parameters["KeyId"].rpartition("/")[2]
        if name not in self.keys or name in self.undescribed:
            raise refusal("NotFoundException")
        related = {"MultiRegionKeyType": "REPLICA", "PrimaryKey": {"Arn": "arn", "Region": "eu-west-1"}}
        kind = {"MultiRegion": True, "MultiRegionConfiguration": related} if name == "replica" else {}
        return {
            "KeyMetadata": {
                "AWSAccountId": "111122223333",
                "KeyId": name,
                "Arn": arn(name),
                "CreationDate": datetime(2026, 1, 1, tzinfo=UTC),
                "KeyState": "Enabled",
                "KeyManager": "AWS" if name == "aws" else "CUSTOMER",
                **kind,
            }
        }

    async def connection(self, limits: RateLimits = NO_LIMITS) -> Connection:
        return await Clients(terms(self.open), 1.0).connect(AccessRequest("ns/p", "eu-central-1", limits=limits))

    def tags_read(self) -> list[str]:
        return [parameters["KeyId"].rpartition("/")[2] for _, operation, parameters in self.asked if operation == "ListResourceTags"]


def arn(name: str) -> str:
    return f"arn:aws:kms:eu-central-1:111122223333:key/{name}"


def names(found: Candidates) -> tuple[str, ...]:
    return tuple(key.key_id for key in found.keys)


async def find(account: Account, finder: Search | None = None, *, thorough: bool = False, uid: str = "uid") -> Candidates:
    return await (finder or Search()).find_owned(await account.connection(), "cluster", uid, thorough=thorough, asked=Asked())


async def test_the_tag_index_is_asked_first_and_believed_after_a_look_at_the_tags() -> None:
    account = Account(mine=OURS, stranger={}, other={CLUSTER_TAG: "cluster", UID_TAG: "other"})
    account.index = ["mine", "stranger", "gone", "other"]
    found = await find(account)
    assert (names(found), found.thorough) == (("mine",), False)
    assert found.unshown == (arn("gone"),)
    assert "ListKeys" not in account.operations()


async def test_a_thorough_search_looks_at_every_key() -> None:
    account = Account(mine=OURS, stranger={}, elsewhere={CLUSTER_TAG: "other", UID_TAG: "uid"})
    found = await find(account, thorough=True)
    assert (names(found), found.thorough) == (("mine",), True)


@pytest.mark.virtual_time
@pytest.mark.parametrize("where", ["its tags", "itself"])
async def test_a_key_that_is_listed_and_not_known_yet_is_named_as_long_as_that_may_be_for_its_age(where: str) -> None:
    account, finder = Account(stranger={}, late=OURS), Search()
    account.refused = {"late": "NotFoundException"} if where == "its tags" else {}
    account.undescribed = {"late"}
    for _ in range(2):
        found = await find(account, finder, thorough=True)
        assert (names(found), found.thorough, found.unshown) == ((), True, (arn("late"),))
    await asyncio.sleep(SETTLE_SECONDS)
    found = await find(account, finder, thorough=True)
    assert found.unshown == (() if where == "its tags" else (arn("late"),))
    account.refused, account.undescribed = {}, set()
    assert names(await find(account, Search(), thorough=True)) == ("late",)


@pytest.mark.virtual_time
async def test_a_key_that_only_the_tag_index_tells_of_is_gone_for_good_after_a_while() -> None:
    account, finder = Account(), Search()
    account.index = ["gone"]
    assert (await find(account, finder, thorough=True)).unshown == (arn("gone"),)
    await asyncio.sleep(SETTLE_SECONDS)
    assert (await find(account, finder, thorough=True)).unshown == ()


async def test_awss_own_keys_are_never_candidates() -> None:
    assert names(await find(Account(mine=OURS, aws=OURS), thorough=True)) == ("mine",)


async def test_a_key_whose_primary_was_moved_is_known_by_its_uid() -> None:
    account = Account(replica=OURS)
    account.index = ["replica"]
    assert names(await find(account)) == ("replica",)


@pytest.mark.parametrize(
    ("region", "named", "is_one"), [(None, False, False), ("eu-west-1", False, True), ("us-east-1", False, False), (None, True, True)]
)
async def test_a_replica_is_a_candidate_only_where_the_object_says_so(region: str | None, *, named: bool, is_one: bool) -> None:
    connection = await Account(replica=OURS).connection()
    found = await observe_candidate(connection, arn("replica"), Asked(replicas={region: Asked()} if region else {}), named=named)
    assert (found is not None) is is_one


@pytest.mark.parametrize("code", [DENIED, "UnsupportedOperationException", "InternalServiceException"])
async def test_without_the_index_every_key_is_looked_at(code: str) -> None:
    account = Account(mine=OURS)
    account.refused = {"GetResources": code}
    found = await find(account)
    assert (names(found), found.thorough) == (("mine",), True)


async def test_without_list_keys_the_index_must_do_and_the_result_is_not_thorough() -> None:
    account = Account(mine=OURS)
    account.index = ["mine"]
    account.refused = {"ListKeys": DENIED}
    found = await find(account, thorough=True)
    assert (names(found), found.thorough) == (("mine",), False)


async def test_when_neither_is_allowed_the_message_names_what_would_do() -> None:
    account = Account(mine=OURS)
    account.refused = {"GetResources": DENIED, "ListKeys": DENIED}
    with pytest.raises(BlockedError, match=r"tag:GetResources, or kms:ListKeys and kms:ListResourceTags") as blocked:
        await find(account)
    assert blocked.value.failure.code == DENIED


async def test_a_scan_that_fails_is_no_empty_result() -> None:
    account = Account(mine=OURS)
    account.refused = {"mine": "KMSInternalException"}
    with pytest.raises(RetryableError):
        await find(account, thorough=True)


async def test_a_key_that_hides_its_tags_is_not_ours_unless_the_index_shows_it() -> None:
    account = Account(mine=OURS, hidden=OURS)
    account.refused = {"hidden": DENIED}
    found = await find(account, thorough=True)
    assert (names(found), found.thorough) == (("mine",), True)
    account.index = ["hidden"]
    assert names(await find(account, thorough=True)) == ("hidden", "mine")


@pytest.mark.virtual_time
async def test_a_repeated_scan_reads_only_keys_that_are_new() -> None:
    account = Account(**{f"foreign-{number}": {} for number in range(100)})
    finder = Search()
    await find(account, finder, thorough=True)
    await find(account, finder, thorough=True)
    assert len(account.tags_read()) == 200, "young knowledge is read again"
    await asyncio.sleep(SETTLE_SECONDS)
    await find(account, finder, thorough=True)
    assert len(account.tags_read()) == 300
    account.keys["new"] = {CLUSTER_TAG: "cluster", UID_TAG: "another"}
    assert names(await find(account, finder, thorough=True, uid="another")) == ("new",)
    assert account.tags_read()[300:] == ["new", "new"], "once by the scan, once to verify it"


SLOW = RateLimits(per_operation={"ListResourceTags": 20, "GetResources": 100})


@pytest.mark.virtual_time
async def test_who_searches_at_the_same_time_shares_a_scan_and_reads_what_came_before_it_again() -> None:
    account = Account(**{f"foreign-{number}": {} for number in range(100)}, mine=OURS)
    connection, finder = await account.connection(SLOW), Search()

    async def search_at(seconds: float) -> tuple[str, ...]:
        await asyncio.sleep(seconds)
        return names(await finder.find_owned(connection, "cluster", "uid", thorough=True, asked=Asked()))

    assert await asyncio.gather(*(search_at(number / 10) for number in range(30))) == [("mine",)] * 30
    scanned = [name for name in account.tags_read() if name != "mine"]
    assert len(scanned) <= 200, "once by the first scan, and once for all who came while it read"


@pytest.mark.virtual_time
async def test_a_scan_that_others_share_does_not_hide_what_was_made_while_it_read() -> None:
    account = Account(mine={}, **{f"foreign-{number}": {} for number in range(100)})
    connection, finder = await account.connection(SLOW), Search()
    first = asyncio.create_task(finder.find_owned(connection, "cluster", "uid", thorough=True, asked=Asked()))
    await asyncio.sleep(1)
    assert "mine" in account.tags_read()
    account.keys |= {"mine": OURS, "new": OURS}
    second = await finder.find_owned(connection, "cluster", "uid", thorough=True, asked=Asked())
    assert (names(await first), names(second)) == ((), ("mine", "new"))


@pytest.mark.virtual_time
async def test_a_key_that_was_late_when_a_search_judged_stays_so_for_it_though_another_search_finds_it_meanwhile() -> None:
    account, finder = Account(first=OURS, late=OURS, second=OURS), Search()
    account.index, account.refused, account.undescribed = ["first", "second"], {"late": "NotFoundException"}, {"late"}
    slow, fast = await account.connection(RateLimits(per_operation={"DescribeKey": 1})), await account.connection()
    judging = asyncio.create_task(finder.find_owned(slow, "cluster", "uid", thorough=True, asked=Asked()))
    await asyncio.sleep(0.5)  # it has scanned, and looked at the first
    assert account.operations().count("DescribeKey") == 1
    account.refused, account.undescribed = {}, set()
    assert names(await finder.find_owned(fast, "cluster", "uid", thorough=True, asked=Asked())) == ("first", "late", "second")
    assert not judging.done()
    found = await judging
    assert (names(found), found.unshown) == (("first", "second"), (arn("late"),))


@pytest.mark.virtual_time
async def test_who_waits_for_a_scan_that_fails_makes_its_own_and_reads_what_that_one_was_denied() -> None:
    account = Account(mine=OURS, **{f"foreign-{number}": {} for number in range(100)}, broken={})
    account.refused = {"mine": DENIED, "broken": "KMSInternalException"}
    connection, finder = await account.connection(SLOW), Search()
    scans = [asyncio.create_task(finder.find_owned(connection, "cluster", "uid", thorough=True, asked=Asked())) for _ in range(2)]
    await asyncio.sleep(1)
    del account.refused["mine"]
    with pytest.raises(RetryableError):
        await scans[0]
    del account.refused["broken"]
    assert names(await scans[1]) == ("mine",)


@pytest.mark.virtual_time
async def test_tags_that_show_late_are_seen_late() -> None:
    account = Account(mine={})
    finder = Search()
    assert names(await find(account, finder, thorough=True)) == ()
    await asyncio.sleep(SETTLE_SECONDS / 2)
    account.keys["mine"] = OURS
    assert names(await find(account, finder, thorough=True)) == ("mine",)


async def test_the_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_REMEMBERED", 5)
    finder = Search()
    for number in range(20):
        account = Account(**{f"k{key}": {} for key in range(3)})
        identity = {"Account": str(number), "Arn": "arn:aws:iam::1:user/u"}
        account.answers["GetCallerIdentity"] = lambda *_, identity=identity: identity
        await find(account, finder, thorough=True)
    assert sum(map(len, finder._known.values())) <= 5


@pytest.mark.virtual_time
async def test_keys_that_are_gone_for_good_are_not_remembered_for_ever() -> None:
    account, finder = Account(), Search()
    for number in range(30):
        account.index = [f"gone-{number}"]
        await find(account, finder)
        await asyncio.sleep(FORGET_SECONDS / 10)
    assert len(finder._missed) <= 11


async def test_the_emulator_finds_by_tag_and_by_scan(connection: Connection) -> None:
    uid = str(uuid.uuid4())
    made = await create_key(connection, replace(CREATE, tags={CLUSTER_TAG: "cluster", UID_TAG: uid}))
    await create_key(connection, replace(CREATE, tags={CLUSTER_TAG: "cluster", UID_TAG: "someone else"}))
    for thorough in (False, True):
        found = await Search().find_owned(connection, "cluster", uid, thorough=thorough, asked=Asked(policy=True))
        assert [key.arn for key in found.keys] == [made.arn]
        assert found.thorough is thorough
        assert isinstance(found.keys[0].policy, str)
