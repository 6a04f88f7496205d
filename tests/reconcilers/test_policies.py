import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcilers.policies import PolicyError, parse, same

ROOT = "arn:aws:iam::123456789012:root"
ROLE = "arn:aws:iam::123456789012:role/app"
STATEMENT: dict[str, Any] = {"Sid": "Admin", "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}


def policy(*statements: dict[str, Any], **elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **elements})


def statement(**changes: Any) -> str:
    """A policy of one statement: STATEMENT, changed; None takes an element out."""
    changed = STATEMENT | changes
    return policy({name: value for name, value in changed.items() if value is not None})


@pytest.mark.parametrize(
    "text",
    [
        policy(STATEMENT),
        json.dumps({"Statement": STATEMENT}),
        json.dumps({"Version": "2008-10-17", "Id": "x", "Statement": [STATEMENT]}),
        statement(Principal="*"),
        statement(Principal=None, NotPrincipal={"AWS": ROOT}, Effect="Deny"),
        statement(Action=None, NotAction=["kms:Sign"]),
        statement(Resource=None, NotResource="x"),
        statement(Principal={"Service": "s3.amazonaws.com"}),
        f"\n\t {policy(STATEMENT)} \r\n",
        statement(Sid="h\u00e9"),
    ],
)
def test_a_key_policy_is_parsed(text: str) -> None:
    assert parse(text) == json.loads(text)


GOOD = policy(STATEMENT)
DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("not json", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (GOOD[:-1], "it is not JSON"),
        ("Statement:\n- Effect: Allow\n", "it is not JSON"),
        ("\ufeff" + GOOD, "it is not JSON"),
        (GOOD + "x", "it is not JSON: Extra data"),
        ("null", "a key policy is a JSON object with a Statement"),
        ("[]", "a key policy is a JSON object with a Statement"),
        ('"x"', "a key policy is a JSON object with a Statement"),
        ("7", "a key policy is a JSON object with a Statement"),
        ("{}", "the policy has no Statement"),
        ('{"Statement": []}', "the policy has no Statement"),
        ('{"Statement": null}', "statement 1 is not an object"),
        ('{"Statement": ["x"]}', "statement 1 is not an object"),
        ('{"Statement": [{"Effect": "Allow", "Effect": "Deny"}]}', "the key 'Effect' stands twice in one object"),
        ('{"Statement": [], "Statement": []}', "the key 'Statement' stands twice in one object"),
        ('{"Statement": NaN}', "NaN is not JSON"),
        ('{"Statement": -Infinity}', "-Infinity is not JSON"),
        ('{"Statement": ' + "1" * 5000 + "}", "it is not JSON"),
        ("[" * DEEP, "it is nested too deeply"),
        ('{"a":' * DEEP, "it is nested too deeply"),
        ('{"Statement": "\\ud800"}', "it holds half of a surrogate pair"),
        ('{"Statement": "\x00"}', "it is not JSON"),
        (statement(Effect=None), "statement 1 needs an Effect, Allow or Deny"),
        (statement(Effect="allow"), "statement 1 needs an Effect, Allow or Deny"),
        (statement(Principal=None), "statement 1 has no Principal, so it would have no effect"),
        (statement(Action=None), "statement 1 has no Action, so it would have no effect"),
        (statement(Action=[]), "statement 1 has no Action, so it would have no effect"),
        (statement(Resource=None), "statement 1 has no Resource, so it would have no effect"),
        (policy(STATEMENT, {"Effect": "Allow"}), "statement 2 has no Principal"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_is_no_key_policy_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(PolicyError, match=f"^{re.escape(why)}"):
        parse(text)


@given(st.text(max_size=200) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_a_policy_or_is_refused(text: str) -> None:
    try:
        parsed = parse(text)
    except PolicyError:
        parsed = {"Statement": ()}
    assert "Statement" in parsed


PRINCIPALS = [ROOT, ROLE]
ALIKE = [
    ("itself", policy(STATEMENT), policy(STATEMENT)),
    ("white space", policy(STATEMENT), json.dumps(json.loads(policy(STATEMENT)), indent=4)),
    ("order of elements", policy(STATEMENT), policy(dict(reversed(STATEMENT.items())))),
    ("order of statements", policy(STATEMENT, {**STATEMENT, "Sid": "B"}), policy({**STATEMENT, "Sid": "B"}, STATEMENT)),
    ("one statement or a list of one", json.dumps({"Statement": STATEMENT}), json.dumps({"Statement": [STATEMENT]})),
    ("one action or a list of one", statement(Action="kms:Sign"), statement(Action=["kms:Sign"])),
    ("order of actions", statement(Action=["kms:Sign", "kms:Verify"]), statement(Action=["kms:Verify", "kms:Sign"])),
    ("an action twice", statement(Action=["kms:Sign", "kms:Sign"]), statement(Action="kms:Sign")),
    ("case of actions", statement(Action="KMS:sign"), statement(Action="kms:Sign")),
    ("case of excepted actions", statement(Action=None, NotAction="KMS:sign"), statement(Action=None, NotAction=["kms:Sign"])),
    ("one resource or a list of one", statement(Resource=["*"]), statement(Resource="*")),
    ("one principal or a list of one", statement(Principal={"AWS": [ROOT]}), statement()),
    ("order of principals", statement(Principal={"AWS": PRINCIPALS}), statement(Principal={"AWS": PRINCIPALS[::-1]})),
    ("account or its root", statement(Principal={"AWS": "123456789012"}), statement()),
    ("everybody, twice written", statement(Principal="*"), statement(Principal={"AWS": "*"})),
    ("no Sid or an empty one", statement(Sid=None), statement(Sid="")),
    ("no Id or an empty one", policy(STATEMENT), policy(STATEMENT, Id="")),
    ("no Version or the oldest", json.dumps({"Statement": STATEMENT}), policy(STATEMENT, Version="2008-10-17")),
    (
        "condition values: scalar or list, boolean or text",
        statement(Condition={"Bool": {"aws:SecureTransport": True}}),
        statement(Condition={"Bool": {"aws:SecureTransport": ["true"]}}),
    ),
    (
        "condition values: number or text",
        statement(Condition={"NumericLessThan": {"kms:X": 7}}),
        statement(Condition={"NumericLessThan": {"kms:X": "7"}}),
    ),
    (
        "condition keys: case; values: order",
        statement(Condition={"StringLike": {"AWS:sourceArn": ["a", "b"]}}),
        statement(Condition={"StringLike": {"aws:SourceArn": ["b", "a"]}}),
    ),
    ("no policies, to the letter", "neither", "neither"),
]

DIFFERENT = [
    ("Deny for Allow", statement(), statement(Effect="Deny")),
    ("another Sid", statement(), statement(Sid="Other")),
    ("another Version", policy(STATEMENT), policy(STATEMENT, Version="2008-10-17")),
    ("another Id", policy(STATEMENT), policy(STATEMENT, Id="x")),
    ("a statement more", policy(STATEMENT), policy(STATEMENT, {**STATEMENT, "Sid": "B"})),
    ("a removed principal", statement(Principal={"AWS": PRINCIPALS}), statement(Principal={"AWS": ROLE})),
    ("a deleted principal's id", statement(Principal={"AWS": ROLE}), statement(Principal={"AWS": "AROAEXAMPLE"})),
    ("another account", statement(), statement(Principal={"AWS": ROOT.replace("1234", "9999")})),
    ("another partition's account", statement(), statement(Principal={"AWS": ROOT.replace("aws", "aws-cn")})),
    ("a service for an account", statement(), statement(Principal={"Service": ROOT})),
    ("NotPrincipal for Principal", statement(), statement(Principal=None, NotPrincipal={"AWS": ROOT})),
    ("case of principals", statement(Principal={"AWS": ROLE}), statement(Principal={"AWS": ROLE.upper()})),
    ("NotAction for Action", statement(), statement(Action=None, NotAction="kms:*")),
    ("another action", statement(), statement(Action="kms:Sign")),
    ("another resource", statement(), statement(Resource="arn:aws:kms:us-east-1:123456789012:key/x")),
    ("case of resources", statement(Resource="A"), statement(Resource="a")),
    ("a condition more", statement(), statement(Condition={"Bool": {"aws:SecureTransport": "true"}})),
    (
        "another operator",
        statement(Condition={"StringLike": {"kms:X": "a"}}),
        statement(Condition={"StringNotLike": {"kms:X": "a"}}),
    ),
    (
        "another condition value",
        statement(Condition={"StringLike": {"kms:X": "a"}}),
        statement(Condition={"StringLike": {"kms:X": "A"}}),
    ),
    (
        "one of two condition keys that differ in case",
        statement(Condition={"StringLike": {"kms:X": "a", "KMS:x": "b"}}),
        statement(Condition={"StringLike": {"KMS:x": "b"}}),
    ),
    ("a policy for none", statement(), "neither"),
    ("white space where there is no policy", "neither", "neither "),
]


@pytest.mark.parametrize(("one", "other"), [case[1:] for case in ALIKE], ids=[case[0] for case in ALIKE])
def test_what_differs_in_form_only_is_the_same(one: str, other: str) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT])
def test_what_differs_in_meaning_is_not_the_same(one: str, other: str) -> None:
    assert not same(one, other)
    assert not same(other, one)


def test_every_policy_that_is_parsed_can_be_compared() -> None:
    """However deep it is nested: where Python's stack ends, it has to end for both."""
    for depth in range(900, 1100):
        text = statement().replace('"Action"', '"Condition": ' + '{"a":' * depth + "1" + "}" * depth + ', "Action"')
        assert same(text, text)


def one_or_many(values: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3, unique=True)


statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": st.just("*") | st.fixed_dictionaries({"AWS": one_or_many(st.sampled_from([ROOT, ROLE, "999999999999"]))}),
        "Action": one_or_many(st.sampled_from(["kms:Sign", "kms:Verify", "kms:Get*"])),
        "Resource": st.just("*"),
    },
    optional={
        "Sid": st.sampled_from(["A", "B"]),
        "Condition": st.fixed_dictionaries({"StringEquals": st.fixed_dictionaries({"kms:X": one_or_many(st.sampled_from("abc"))})}),
    },
)
policies = st.fixed_dictionaries({"Version": st.just("2012-10-17"), "Statement": st.lists(statements, min_size=1, max_size=4)})


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same, with the order of everything changed and lists of one taken apart or put together."""
    if isinstance(value, dict):
        items = [(name, shuffled(inside, dice)) for name, inside in value.items()]
        dice.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        mixed = [shuffled(inside, dice) for inside in dice.sample(value, len(value))]
        return mixed[0] if len(mixed) == 1 and dice.random() < 0.5 else mixed
    return value


@given(policies, st.randoms(use_true_random=False))
def test_a_shuffled_policy_is_the_same(made: dict[str, Any], dice: random.Random) -> None:
    assert same(json.dumps(made), json.dumps(shuffled(made, dice), indent=dice.choice([None, 2])))


@given(policies, policies)
def test_being_the_same_goes_both_ways(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert same(json.dumps(one), json.dumps(other)) == same(json.dumps(other), json.dumps(one))
