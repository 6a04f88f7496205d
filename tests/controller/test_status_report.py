import json
import math
from datetime import timedelta
from typing import Any

import pytest

from controller.quota_use import QuotaUse, Use
from controller.status_report import STANDBY, Provider, Report
from reconcilers.fields import Condition
from reconcilers.standing import Standing, Told, standing
from tests.reconcilers.builders import NOW

PROBLEM = "The metrics cannot be read."


def one(kind: str, name: str, reason: str, *, ready: bool, age: timedelta = timedelta(hours=3)) -> Standing:
    condition = Condition(
        type="Ready", status="True" if ready else "False", last_transition_time=NOW - age, reason=reason, message="Do this."
    )
    return standing(Told(kind, "shop", name, 1, 1, (condition,), "Enabled" if ready and kind == "KMSKey" else None))


PROVIDER = Provider(one("AWSProvider", "main", "AuthenticationSucceeded", ready=True), "us-east-1", "111122223333", 2)
GOOD, BAD = one("KMSKey", "good", "Available", ready=True), one("KMSKey", "bad", "KeyLost", ready=False)


def report(
    *objects: Standing, provider: Provider = PROVIDER, quota: QuotaUse | None = None, problems: tuple[str, ...] = ()
) -> Report:
    return Report((provider,), objects, quota, problems, NOW)


def words(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()]


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (report(), 0),
        (report(GOOD), 0),
        (report(GOOD, BAD), 2),
        (report(provider=Provider(one("AWSProvider", "p", "AuthenticationFailed", ready=False), None, None, None)), 2),
        (report(GOOD, problems=(PROBLEM,)), 1),
        (report(BAD, problems=(PROBLEM,)), 1),
    ],
)
def test_the_exit_code_is_an_answer(seen: Report, code: int) -> None:
    assert seen.exit_code == code


def test_the_table_has_a_part_for_each_question() -> None:
    use = Use("CreateKey", 10, 1, 2, 0.5)
    assert words(report(GOOD, GOOD, BAD, quota=QuotaUse((use,), leads=True), problems=(PROBLEM,)).as_table()) == [
        ["PROVIDER", "REGION", "READY", "ACCOUNT", "KEYS"],
        ["shop/main", "us-east-1", "True", "111122223333", "2"],
        [],
        ["COUNT", "KIND", "STATE", "PACE", "REASON"],
        ["1", "KMSKey", "-", "waiting", "KeyLost"],
        ["2", "KMSKey", "Enabled", "settled", "Available"],
        [],
        ["OBJECT", "PACE", "SINCE", "REASON", "MESSAGE"],
        ["kmskey/shop/bad", "waiting", "3h", "KeyLost", "Do", "this."],
        [],
        ["OPERATION", "CALLS", "REFUSED", "THROTTLED", "P99", "WAIT"],
        ["CreateKey", "10", "1", "2", "<=", "0.5s"],
        [],
        ["Problem:", *PROBLEM.split()],
    ]


def test_an_empty_cluster_is_told_in_words() -> None:
    table = Report((), (), QuotaUse((), leads=False), (), NOW).as_table()
    assert table.split("\n\n") == [
        "There is no AWSProvider.",
        "There is no KMSKey.",
        "Everything is as declared.",
        f"No call to AWS so far.\n{STANDBY}",
    ]


@pytest.mark.parametrize(("age", "told"), [(59, "59s"), (60, "1m"), (3600 * 47, "1d"), (-5, "0s")])
def test_ages_are_told_as_kubectl_does(age: int, told: str) -> None:
    bad = one("KMSKey", "bad", "KeyLost", ready=False, age=timedelta(seconds=age))
    assert told in words(report(bad).as_table())[-1]


def test_json_tells_the_same() -> None:
    quota = QuotaUse((Use("CreateKey", 10, 1, 2, 0.5), Use("DescribeKey", 1, 0, 0, math.inf)), leads=None)
    told: dict[str, Any] = json.loads(report(BAD, quota=quota, problems=(PROBLEM,)).as_json())
    assert told == {
        "providers": [
            {
                "namespace": "shop",
                "name": "main",
                "region": "us-east-1",
                "ready": True,
                "accountID": "111122223333",
                "keysInUse": 2,
            }
        ],
        "objects": [{"kind": "KMSKey", "state": None, "pace": "waiting", "reason": "KeyLost", "count": 1}],
        "stuck": [
            {
                "kind": "KMSKey",
                "namespace": "shop",
                "name": "bad",
                "pace": "waiting",
                "condition": "Ready",
                "reason": "KeyLost",
                "message": "Do this.",
                "since": "2026-03-01T09:00:00+00:00",
            }
        ],
        "quota": {
            "leads": None,
            "operations": [
                {
                    "operation": "CreateKey",
                    "calls": 10,
                    "refused": 1,
                    "throttled": 2,
                    "p99WaitSecondsAtMost": 0.5,
                    "p99WaitAboveAllBounds": False,
                },
                {
                    "operation": "DescribeKey",
                    "calls": 1,
                    "refused": 0,
                    "throttled": 0,
                    "p99WaitSecondsAtMost": None,
                    "p99WaitAboveAllBounds": True,
                },
            ],
        },
        "problems": [PROBLEM],
    }
    assert json.loads(report(GOOD).as_json())["quota"] is None
