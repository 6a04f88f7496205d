"""Bad inputs that the API server lets through: each is refused without a call to AWS, or is none, and leaves nothing behind.

The numbers B1 to B126 are one list over three levels: what the API server judges stands in tests/cluster/test_bad_inputs.py, what is met on
the way to AWS in tests/controller/test_bad_inputs.py. tests/test_bad_inputs.py proves that the list is whole.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconcilers.actions import Plan
from reconcilers.adoption import unfit
from reconcilers.conditions import find
from reconcilers.failures import plan_after
from reconcilers.fields import MAX_TAGS
from reconcilers.key_spec import KMSKeySpec, ProviderRef
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.ownership import owner_tags
from reconcilers.reasons import Reason
from reconcilers.resolution import resolve, serves_by_name
from reconcilers.states import Failure, FailureKind, KeyObject, NotCreated, ObservedKey, Problem, Unobservable
from tests.reconcilers.builders import CLUSTER, NOW, OTHER_KEY_ID, account, arn, key, leading, observed, operator
from tests.reconcilers.passes import Around, World, never_touched, settle

Spec = dict[str, Any]

GOOD: Spec = {"description": "good", "enableKeyRotation": True}
AROUND = Around(account(), operator(), NOW)
STATEMENT = '{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "kms:*", "Resource": "*"}'
POLICY = f'{{"Version": "2012-10-17", "Statement": [{STATEMENT}]}}'


def without(element: str) -> str:
    """The policy whose only statement lacks this element."""
    statement = {name: value for name, value in json.loads(STATEMENT).items() if name != element}
    return json.dumps({"Statement": [statement]})


def wish(spec: Spec) -> KeyObject:
    """A new object of this spec, read as the server would send it."""
    return key(KMSKeySpec.model_validate_json(json.dumps(spec)), finalizers=())


# Refused by the planner: AWS is not asked

POLICIES = [
    ("B44: no JSON", "not json", "it is not JSON"),
    ("B45: half of a policy", POLICY[:-2], "it is not JSON"),
    ("B46: null", "null", "a JSON object with a Statement"),
    ("B47: a list", "[]", "a JSON object with a Statement"),
    ("B48: a string", '"x"', "a JSON object with a Statement"),
    ("B49: nothing", "{}", "the policy has no Statement"),
    ("B50: a key twice", f'{{"Statement": [], "Statement": [{STATEMENT}]}}', "stands twice"),
    ("B51: more after the end", f"{POLICY} x", "it is not JSON"),
    ("B52: NaN", '{"Statement": NaN}', "NaN is not JSON"),
    ("B53: a number of 5,000 digits", f'{{"Statement": {"1" * 5000}}}', "it is not JSON"),
    ("B54: 100,000 brackets", "[" * 100_000, "nested too deeply"),
    ("B55: half of a surrogate pair", '{"Statement": "\\ud800"}', "half of a surrogate pair"),
    ("B57: YAML", "Statement:\n- Effect: Allow", "it is not JSON"),
    ("B63: no statement", '{"Version": "2012-10-17"}', "the policy has no Statement"),
    ("B64: no principal", without("Principal"), "statement 1 has no Principal"),
    ("B66: no action", without("Action"), "statement 1 has no Action"),
    ("B67: no resource", without("Resource"), "statement 1 has no Resource"),
]
DENIAL = '{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}'
REFUSED = [
    (
        "B60: fewer letters than bytes",
        {"keyPolicy": POLICY.ljust(70_000) + "\u00f6" * 61_000},
        Reason.POLICY_TOO_LARGE,
        "has 192000 bytes",
    ),
    (
        "B69: a denial of everybody",
        {"keyPolicy": POLICY.replace(STATEMENT, f"{STATEMENT}, {DENIAL}")},
        Reason.POLICY_LOCKOUT,
        "deny it to neither",
    ),
    *((name, {"keyPolicy": text}, Reason.INVALID_POLICY, words) for name, text, words in POLICIES),
    ("B71: a bypass", {"bypassPolicyLockoutSafetyCheck": True}, Reason.BYPASS_NOT_ALLOWED, "--allow-policy-lockout-bypass"),
]

# Refused by AWS

ANSWERS = [
    ("B4: a spec that KMS does not have", {"keySpec": "AES_999"}, "UnsupportedOperationException", Reason.UNSUPPORTED_KEY_SPEC),
    (
        "B15: SM2 where it is not offered",
        {"keySpec": "SM2", "keyUsage": "SIGN_VERIFY"},
        "UnsupportedOperationException",
        Reason.UNSUPPORTED_KEY_SPEC,
    ),
    ("B38: more bytes than KMS takes", {"description": "\U0001f511" * 8192}, "ValidationException", Reason.REJECTED_BY_AWS),
]

# Not bad at all: the same as something else, and never written twice

SAME = [
    ("B10: RSA without a usage", {"keySpec": "RSA_2048"}, {"keySpec": "RSA_2048", "keyUsage": "ENCRYPT_DECRYPT"}),
    ("B41: an empty description", {"description": ""}, {}),
    (
        "B65: a policy without a version",
        {"keyPolicy": f'{{"Statement": [{STATEMENT}]}}'},
        {"keyPolicy": f'{{"Version": "2008-10-17", "Statement": [{STATEMENT}]}}'},
    ),
    (
        "B75: the same policy in another form",
        {"keyPolicy": POLICY},
        {"keyPolicy": POLICY.replace('"123456789012"', '["arn:aws:iam::123456789012:root"]')},
    ),
]
KEPT = [
    ("B23: rotation of a disabled key", {"enableKeyRotation": True, "enabled": False}),
    ("B40: a description of spaces", {"description": "   "}),
    ("B72: a policy for everybody", {"keyPolicy": POLICY.replace('{"AWS": "123456789012"}', '"*"')}),
    ("B73: a policy for another account", {"keyPolicy": POLICY.replace("123456789012", "999999999999")}),
    ("B85: tag keys that differ in case", {"tags": {"team": "a", "Team": "b"}}),
    ("B86: one letter in two encodings", {"tags": {"\u00e9": "a", "e\u0301": "b"}}),
]


def end(world: World) -> tuple[Any, list[tuple[str, str, str]]]:
    """What AWS has, and what the conditions say."""
    return world.seen, [(c.type, c.status, c.reason) for c in world.key.status.conditions]


def mended(world: World, spec: Spec = GOOD) -> World:
    """The world after the object got a good spec."""
    good = replace(world.key, spec=wish(spec).spec, generation=world.key.generation + 1)
    return settle(replace(world, key=good), AROUND)


def fresh(spec: Spec = GOOD) -> World:
    """The world of an object that was good from the start."""
    return settle(never_touched(wish(spec)), AROUND)


@pytest.mark.parametrize(("spec", "reason", "words"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_a_bad_spec_is_refused_without_a_call_and_a_good_one_is_enough(spec: Spec, reason: Reason, words: str) -> None:
    before = never_touched(wish(spec))
    plan = AROUND.plan(before)
    ready = find("Ready", plan.status.conditions)
    assert plan.actions == ()
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", reason)
    assert words in ready.message
    after = settle(before, AROUND)
    assert after.seen == before.seen
    assert end(mended(after)) == end(fresh())


@pytest.mark.parametrize(("spec", "reason", "words"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_a_good_key_whose_spec_turns_bad_is_left_alone_until_it_is_good_again(spec: Spec, reason: Reason, words: str) -> None:
    before = fresh()
    bad = mended(before, {**GOOD, **spec})
    ready = find("Ready", bad.key.status.conditions)
    assert bad.seen == before.seen
    assert ready is not None
    assert (ready.status, ready.reason, words in ready.message) == ("False", reason, True)
    assert end(mended(bad)) == end(before)


def refused_by_aws(spec: Spec, failure: Failure) -> tuple[KeyObject, Plan]:
    """The object after AWS has refused its key, and the plan of that moment."""
    before = never_touched(wish(spec))
    attempted = replace(before.key, status=AROUND.plan(before).status, finalizers=(KMSKEY_FINALIZER,))
    plan = plan_after(failure, attempted, operator(), NOW)
    return replace(attempted, status=plan.status), plan


@pytest.mark.parametrize(("spec", "code", "reason"), [pytest.param(*row[1:], id=row[0]) for row in ANSWERS])
def test_what_aws_refuses_is_not_sent_again_at_once_and_a_good_spec_is_enough(spec: Spec, code: str, reason: Reason) -> None:
    told, plan = refused_by_aws(spec, Failure(FailureKind.STALLED, "CreateKey", code, "KMS says no", "request"))
    ready = find("Ready", told.status.conditions)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", reason)
    assert plan.look_again is not None
    assert plan.look_again >= timedelta(minutes=1)
    assert end(mended(World(told, NotCreated()))) == end(fresh())


def test_b74_a_principal_that_does_not_exist_is_told_and_waited_for() -> None:
    failure = Failure(
        FailureKind.WAIT_FOR_CAUSE, "CreateKey", "MalformedPolicyDocumentException", "invalid principals", "request"
    )
    told, plan = refused_by_aws({"keyPolicy": POLICY}, failure)
    ready = find("Ready", told.status.conditions)
    assert ready is not None
    assert (ready.reason, plan.look_again) == (Reason.POLICY_PRINCIPAL_NOT_FOUND, timedelta(minutes=1))
    assert end(mended(World(told, NotCreated()))) == end(fresh())


@pytest.mark.parametrize(("spec", "other"), [pytest.param(*row[1:], id=row[0]) for row in SAME])
def test_two_forms_of_the_same_make_no_difference(spec: Spec, other: Spec) -> None:
    made = fresh(spec)
    changed = replace(made, key=replace(made.key, spec=wish(other).spec, generation=2))
    assert AROUND.plan(changed).actions == ()
    assert end(settle(changed, AROUND)) == end(made)


@pytest.mark.parametrize("spec", [pytest.param(spec, id=name) for name, spec in KEPT])
def test_what_is_odd_and_allowed_is_made_as_it_is_and_never_written_again(spec: Spec) -> None:
    made = fresh(spec)
    ready = find("Ready", made.key.status.conditions)
    assert ready is not None
    assert ready.status == "True"
    assert AROUND.plan(made).actions == ()
    assert settle(made, AROUND) == made


def test_b68_a_living_key_is_not_given_a_policy_that_leaves_the_operator_out() -> None:
    here = replace(AROUND, account=replace(account(), caller_arn="arn:aws:sts::123456789012:assumed-role/keys/infra-operator"))
    made = settle(never_touched(wish({"keyPolicy": POLICY})), here)
    others = POLICY.replace('"123456789012"', '"arn:aws:iam::123456789012:role/other"')
    changed = replace(made.key, spec=wish({"keyPolicy": others}).spec, generation=2)
    bad = settle(replace(made, key=changed), here)
    ready = find("Ready", bad.key.status.conditions)
    assert ready is not None
    assert (ready.reason, bad.seen) == (Reason.POLICY_LOCKOUT, made.seen)


def test_b70_of_a_condition_only_kms_can_say_whether_it_leaves_the_operator_out() -> None:
    failure = Failure(
        FailureKind.STALLED,
        "CreateKey",
        "MalformedPolicyDocumentException",
        "The new key policy will not allow you to",
        "request",
    )
    conditional = POLICY.replace('"Resource"', '"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, "Resource"')
    told, _ = refused_by_aws({"keyPolicy": conditional}, failure)
    ready = find("Ready", told.status.conditions)
    assert ready is not None
    assert ready.reason == Reason.POLICY_REJECTED
    assert end(mended(World(told, NotCreated()))) == end(fresh())


def test_b20_a_provider_that_leads_elsewhere_changes_nothing_until_it_leads_back() -> None:
    made = fresh()
    for elsewhere in (account(account_id="999999999999"), account(region="eu-west-1")):
        around = Around(elsewhere, operator(), NOW)
        bad = settle(made, around)
        ready = find("Ready", bad.key.status.conditions)
        assert ready is not None
        assert (bad.seen, ready.reason) == (made.seen, Reason.IMMUTABLE_FIELD_CONFLICT)
        assert end(settle(bad, AROUND)) == end(made)


def test_b83_tags_that_are_too_many_with_the_providers_are_refused() -> None:
    default = {f"default-{number}": "x" for number in range(MAX_TAGS - 4)}
    around = Around(account(default), operator(), NOW)
    bad = settle(never_touched(wish({"tags": {"a": "1", "b": "2"}})), around)
    ready = find("Ready", bad.key.status.conditions)
    assert ready is not None
    assert (ready.reason, bad.seen) == (Reason.TOO_MANY_TAGS, NotCreated())
    assert end(mended(bad)) == end(fresh())


def test_b92_an_alias_that_leads_to_another_key_is_a_conflict_and_stays_where_it_is() -> None:
    made = fresh()
    assert isinstance(made.seen, ObservedKey)
    elsewhere = leading("alias/orders", key_id=OTHER_KEY_ID)
    wanted = replace(made.key, spec=wish({**GOOD, "aliases": ["orders"]}).spec, generation=2)
    bad = settle(World(wanted, replace(made.seen, aliases=elsewhere)), AROUND)
    ready = find("Ready", bad.key.status.conditions)
    assert ready is not None
    assert isinstance(bad.seen, ObservedKey)
    assert (ready.reason, bad.seen.aliases) == (Reason.ALIAS_CONFLICT, elsewhere)
    assert [c.reason for c in mended(bad).key.status.conditions] == [c.reason for c in made.key.status.conditions]


def test_b103_a_provider_that_is_not_there_is_told() -> None:
    found = resolve(ProviderRef(name="nobody"), "shop", [], "")
    assert isinstance(found, Problem)
    assert found.reason == Reason.PROVIDER_NOT_FOUND


def test_b104_a_provider_that_names_nobody_serves_no_other_namespace() -> None:
    assert serves_by_name(None, "shop") is False


@pytest.mark.parametrize("reason", [Reason.PROVIDER_NOT_FOUND, Reason.PROVIDER_NOT_ALLOWED, Reason.PROVIDER_NOT_READY])
def test_b105_a_key_waits_for_its_provider_and_is_made_when_that_is_ready(reason: Reason) -> None:
    bad = settle(never_touched(wish(GOOD)), Around(Unobservable(reason, "not yet"), operator(), NOW))
    ready = find("Ready", bad.key.status.conditions)
    assert ready is not None
    assert (ready.reason, bad.seen) == (reason, NotCreated())
    assert end(settle(bad, AROUND)) == end(fresh())


def test_b123_a_long_name_fits_into_a_tag() -> None:
    tags = owner_tags(replace(wish(GOOD), namespace="n" * 63, name="x.y" * 84), CLUSTER)
    assert all(len(value) <= 256 for value in tags.values())


@pytest.mark.parametrize(
    "adopt",
    [
        pytest.param({"alias": "aws/s3"}, id="B126: AWS's own alias"),
        pytest.param({"arn": arn().replace("123456789012", "999999999999")}, id="B126: a key of another account"),
        pytest.param({"arn": arn().replace("us-east-1", "eu-west-1")}, id="B126: a key of another region"),
    ],
)
def test_a_key_that_cannot_be_adopted_is_refused_without_a_call(adopt: Spec) -> None:
    bad = settle(never_touched(wish({"adopt": adopt})), AROUND)
    ready = find("Ready", bad.key.status.conditions)
    assert ready is not None
    assert (ready.reason, bad.seen) == (Reason.ADOPTION_REFUSED, NotCreated())
    assert end(mended(bad)) == end(fresh())


@pytest.mark.parametrize(
    ("found", "is_replica"),
    [
        pytest.param(replace(observed(), manager="AWS"), False, id="B126: a key that AWS manages"),
        pytest.param(observed(), True, id="B126: a replica"),
    ],
)
def test_a_key_that_no_object_can_have_is_refused(found: ObservedKey, is_replica: bool) -> None:
    problem = unfit(found, is_replica=is_replica)
    assert problem is not None
    assert problem.reason == Reason.ADOPTION_REFUSED
