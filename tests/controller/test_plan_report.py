import json

import pytest

from controller.objects import Ref
from controller.plan_report import Outcome, Report, Step, Verdict

ORDERS = Ref("shop", "orders")
STEPS = (Step("AddFinalizer", "add the finalizer", None), Step("CreateKey", "create a key", "(later)"))
CHANGED = Outcome("KMSKey", ORDERS, Verdict.CHANGE, STEPS)
REFUSED = Outcome("KMSKey", Ref("shop", "bad"), Verdict.REFUSED, reason="InvalidSpec", message="Correct it.")
LATER = Outcome("KMSKey", ORDERS, Verdict.CHANGE, (Step("TagResource", "set the tags a", "k"),), "KeyPendingImport", "Import it.")


def outcome(verdict: Verdict) -> Outcome:
    return Outcome("KMSKey", ORDERS, verdict)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        ([Verdict.UNCHANGED, Verdict.WAITS], 0),
        ([Verdict.UNCHANGED, Verdict.CHANGE], 2),
        ([Verdict.CHANGE, Verdict.REFUSED], 1),
        ([Verdict.UNKNOWN, Verdict.UNCHANGED], 1),
    ],
)
def test_the_worst_verdict_is_the_exit_code(verdicts: list[Verdict], code: int) -> None:
    assert Report(tuple(map(outcome, verdicts)), True, ()).exit_code == code


def test_a_table_has_a_row_for_each_action_and_a_summary() -> None:
    assert Report((CHANGED, REFUSED), False, ("No cluster.",)).as_table().splitlines() == [
        "OBJECT               ACTION         KEY       WHAT",
        "kmskey/shop/orders   AddFinalizer   -         add the finalizer",
        "kmskey/shop/orders   CreateKey      (later)   create a key",
        "kmskey/shop/bad      (refused)      -         InvalidSpec: Correct it.",
        "",
        "Plan: 1 change, 1 refused. Nothing was written.",
        "Note: No cluster.",
    ]


def test_what_is_still_amiss_after_the_actions_is_told_last() -> None:
    *_, last, _, _ = Report((LATER,), True, ()).as_table().splitlines()
    assert last.split() == ["kmskey/shop/orders", "(then)", "-", "KeyPendingImport:", "Import", "it."]


def test_json_has_everything() -> None:
    told = json.loads(Report((CHANGED, REFUSED), True, ("Mind this.",)).as_json())
    assert told["cluster"] is True
    assert told["notes"] == ["Mind this."]
    assert told["objects"] == [
        {
            "kind": "KMSKey",
            "namespace": "shop",
            "name": "orders",
            "verdict": "change",
            "actions": [
                {"action": "AddFinalizer", "key": None, "told": "add the finalizer"},
                {"action": "CreateKey", "key": "(later)", "told": "create a key"},
            ],
            "reason": None,
            "message": None,
        },
        {
            "kind": "KMSKey",
            "namespace": "shop",
            "name": "bad",
            "verdict": "refused",
            "actions": [],
            "reason": "InvalidSpec",
            "message": "Correct it.",
        },
    ]
