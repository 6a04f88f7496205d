"""What is exported where, when it is repaired, and what is left alone."""

from dataclasses import replace

import pytest

from reconcilers.actions import DeleteExport, WriteExport
from reconcilers.adoption_fields import Adoption, ManagementPolicy
from reconcilers.conditions import find
from reconcilers.exports import Export, digest, export, places, public_key_is_needed
from reconcilers.fields import ExportKind
from reconcilers.forecast import NOT_YET, forecast
from reconcilers.key_spec import ExportTo, KMSKeySpec
from reconcilers.key_status import Exported
from reconcilers.kmskey import plan_kmskey
from reconcilers.reasons import Reason
from reconcilers.states import ExportedObject, KeyObject, NotCreated, ObservedKey, Owner, Place, Unobservable
from tests.reconcilers.builders import (
    ACCOUNT_ID,
    DENIED,
    KEY_ID,
    NOW,
    REGION,
    UID,
    account,
    arn,
    key,
    leading,
    observed,
    operator,
    remembered,
)
from tests.reconcilers.passes import Around, World, settle, steps

HERE, THERE = Place("ConfigMap", "here"), Place("Secret", "there")
ENTRIES = {"keyId": KEY_ID, "keyArn": arn(), "region": REGION, "accountId": ACCOUNT_ID}
PEM = "-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n"
OURS, EARLIER, NOBODYS = (Owner("KMSKey", "orders", UID),), (Owner("KMSKey", "orders", "another"),), ()
AROUND = Around(account(), operator(), NOW)

Found = ExportedObject | Unobservable | None


def exporting(
    wanted: Place | None = HERE, before: Place | None = None, pem: str | None = None, aliases: tuple[str, ...] = (), **found: Found
) -> KeyObject:
    """found: by the name of its place."""
    to = ExportTo(kind=ExportKind(wanted.kind), name=wanted.name) if wanted else None
    exported = Exported(kind=before.kind, name=before.name, public_key_hash=pem and digest(pem)) if before else None
    made = key(KMSKeySpec(export_to=to, aliases=aliases), remembered(aliases=aliases).model_copy(update={"exported": exported}))
    return replace(made, exports={place: found[place.name] for place in (HERE, THERE) if place.name in found})


def there(owners: tuple[Owner, ...] = OURS, /, **data: str) -> ExportedObject:
    return ExportedObject("uid-1", "7", owners, data)


def signing(state: str = "Enabled", pem: str | Unobservable | None = None) -> ObservedKey:
    return replace(observed(state, rotation=None), key_spec="RSA_2048", key_usage="SIGN_VERIFY", public_key=pem)


def told(wish: KeyObject, seen: ObservedKey | None = None, *aliases: str) -> Export:
    return export(wish, seen or observed(), aliases)


@pytest.mark.parametrize(
    ("wish", "action"),
    [
        (exporting(here=None), WriteExport(HERE, ENTRIES, None)),
        (exporting(THERE, there=None), WriteExport(THERE, ENTRIES, None)),
        (exporting(before=HERE, here=None), WriteExport(HERE, ENTRIES, None)),
        (exporting(here=there()), WriteExport(HERE, ENTRIES, there())),
        (
            exporting(before=HERE, here=there(**ENTRIES | {"region": "x", "alias": "alias/old", "theirs": "1"})),
            WriteExport(HERE, ENTRIES | {"theirs": "1"}, there(**ENTRIES | {"region": "x", "alias": "alias/old", "theirs": "1"})),
        ),
        (exporting(THERE, HERE, here=there(), there=None), DeleteExport(HERE, there())),
        (exporting(None, HERE, here=there()), DeleteExport(HERE, there())),
        (exporting(THERE, HERE, here=None, there=None), WriteExport(THERE, ENTRIES, None)),
        (exporting(THERE, HERE, here=there(NOBODYS), there=None), WriteExport(THERE, ENTRIES, None)),
    ],
)
def test_what_is_due(wish: KeyObject, action: WriteExport | DeleteExport) -> None:
    assert told(wish).actions == (action,)


@pytest.mark.parametrize(
    ("wish", "remembers"),
    [
        (exporting(None), None),
        (exporting(before=HERE, here=there(**ENTRIES)), HERE),
        (exporting(here=there(**ENTRIES, theirs="1")), HERE),
        (exporting(None, HERE, here=None), None),
        (exporting(None, HERE, here=there(NOBODYS)), None),
        (exporting(None, HERE, here=there(EARLIER)), None),
    ],
)
def test_what_is_done_is_left_alone(wish: KeyObject, remembers: Place | None) -> None:
    done = told(wish)
    assert (done.actions, done.problem) == ((), None)
    assert (done.exported and Place(done.exported.kind, done.exported.name)) == remembers


@pytest.mark.parametrize(
    ("wish", "seen", "reason", "stalled"),
    [
        (exporting(here=there(NOBODYS)), observed(), Reason.EXPORT_CONFLICT, True),
        (exporting(before=HERE, here=there(NOBODYS)), observed(), Reason.EXPORT_CONFLICT, True),
        (exporting(here=there((Owner("KMSKey", "invoices", "x"),))), observed(), Reason.EXPORT_CONFLICT, True),
        (exporting(here=there(EARLIER)), observed(), Reason.EXPORT_CONFLICT, False),
        (exporting(here=DENIED), observed(), DENIED.reason, True),
        (exporting(THERE, HERE, here=DENIED, there=None), observed(), DENIED.reason, True),
        (exporting(here=None), signing(pem=DENIED), DENIED.reason, True),
        (exporting(here=None), signing("Disabled"), Reason.KEY_DISABLED, False),
    ],
)
def test_what_cannot_be_exported_is_told_and_nothing_is_touched(wish: KeyObject, seen: ObservedKey, reason: Reason, *, stalled: bool) -> None:
    stopped = told(wish, seen)
    assert stopped.actions == ()
    assert stopped.problem is not None
    assert (stopped.problem.reason, stopped.problem.stalled) == (reason, stalled)


@pytest.mark.parametrize(
    ("wish", "needed"),
    [
        (exporting(None), False),
        (exporting(here=None), True),
        (exporting(here=there()), True),
        (exporting(here=there(**{"publicKey.pem": PEM})), True),
        (exporting(before=HERE, pem=PEM, here=there(**{"publicKey.pem": PEM})), False),
        (exporting(before=HERE, pem="another", here=there(**{"publicKey.pem": PEM})), True),
        (exporting(here=there(NOBODYS)), False),
        (exporting(here=DENIED), False),
    ],
)
def test_a_public_key_is_asked_for_once(wish: KeyObject, *, needed: bool) -> None:
    assert public_key_is_needed(wish, signing()) is needed
    assert not public_key_is_needed(wish, signing(pem=PEM))
    assert not public_key_is_needed(wish, signing("Disabled"))
    assert not public_key_is_needed(wish, observed())
    assert not public_key_is_needed(wish, replace(observed(), key_spec="HMAC_256"))


def test_a_public_key_is_exported_and_kept_while_the_key_is_disabled() -> None:
    (write,) = told(exporting(here=None), signing(pem=PEM)).actions
    assert isinstance(write, WriteExport)
    assert write.data == {**ENTRIES, "publicKey.pem": PEM}
    whole = there(**write.data)
    assert told(exporting(before=HERE, pem=PEM, here=whole), signing("Disabled")).actions == ()
    named = told(exporting(before=HERE, pem=PEM, aliases=("a",), here=whole), signing("Disabled"), "alias/a")
    assert named.actions == (WriteExport(HERE, {**write.data, "alias": "alias/a"}, whole),)


@pytest.mark.parametrize(
    ("spec", "ours", "shown"),
    [((), (), None), (("b", "a"), ("alias/a", "alias/b"), "alias/b"), (("b", "alias/a"), ("alias/a",), "alias/a"), (("b",), (), None)],
)
def test_the_alias_is_the_first_that_leads_to_the_key(spec: tuple[str, ...], ours: tuple[str, ...], shown: str | None) -> None:
    (write,) = told(exporting(aliases=spec, here=None), observed(), *ours).actions
    assert isinstance(write, WriteExport)
    assert write.data.get("alias") == shown


def test_only_those_who_export_look_anywhere() -> None:
    assert places(exporting(None)) == ()
    assert places(exporting(HERE, HERE)) == (HERE,)
    assert places(exporting(THERE, HERE)) == (HERE, THERE)
    assert places(replace(exporting(), deleting=True)) == ()
    watched = exporting()
    spec = watched.spec.model_copy(update={"management_policy": ManagementPolicy.OBSERVE, "adopt": Adoption(alias="a")})
    assert places(replace(watched, spec=spec)) == ()


@pytest.mark.parametrize("start", [exporting(here=None), exporting(THERE, HERE, here=there(), there=None), exporting(None, HERE, here=there())])
def test_dying_between_any_two_steps_leads_to_the_same_end(start: KeyObject) -> None:
    world = World(start, observed())
    end = settle(world, AROUND)
    for dead in steps(world, AROUND):
        again = settle(dead, AROUND)
        assert again.key.exports == end.key.exports
        assert again.key.status.exported == end.key.status.exported


def test_a_place_is_remembered_before_anything_is_put_there() -> None:
    plan = plan_kmskey(exporting(here=None), account(), observed(), operator(), NOW)
    assert plan.write_ahead
    assert plan.status.exported == Exported(kind="ConfigMap", name="here")
    left = plan_kmskey(exporting(THERE, HERE, here=there(), there=None), account(), observed(), operator(), NOW)
    assert left.status.exported == Exported(kind="ConfigMap", name="here")


def test_a_conflict_is_no_success() -> None:
    plan = plan_kmskey(exporting(here=there(NOBODYS)), account(), observed(), operator(), NOW)
    ready = find("Ready", plan.status.conditions)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", Reason.EXPORT_CONFLICT)
    assert "ConfigMap here" in ready.message


def test_a_plan_tells_of_it_too() -> None:
    wish = replace(exporting(here=None), finalizers=(), status=key().status)
    names = [action.told for action in forecast(wish, account(), NotCreated(), operator(), NOW).actions]
    assert names[-1] == "create the ConfigMap here"
    signs = wish.spec.model_copy(update={"key_spec": "RSA_2048", "key_usage": "SIGN_VERIFY"})
    foretold = forecast(replace(wish, spec=signs), account(), NotCreated(), operator(), NOW).status.exported
    assert foretold is not None
    assert foretold.public_key_hash == digest(NOT_YET)


def test_values_are_not_shown() -> None:
    assert "hush" not in repr(WriteExport(THERE, {"a": "hush"}, there(a="hush")))


def test_aliases_that_are_still_to_be_made_are_exported_with_the_rest() -> None:
    world = World(exporting(aliases=("a",), here=None), replace(observed(), aliases={}))
    end = settle(world, AROUND)
    found = end.key.exports[HERE]
    assert isinstance(found, ExportedObject)
    assert found.data["alias"] == "alias/a"
    assert isinstance(end.seen, ObservedKey)
    assert end.seen.aliases == leading("alias/a")
