"""What holds for every spec, every key and every moment at which a pass may die: the laws of the planner, as properties."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcilers.actions import (
    Action,
    CreateAlias,
    CreateGrant,
    CreateKey,
    DeleteAlias,
    KeyAction,
    RecordKey,
    RemoveFinalizer,
    RevokeGrant,
    TagResource,
    UntagResource,
)
from reconcilers.aliases import alias_names, freed, on_key, ours_by_spec
from reconcilers.conditions import find
from reconcilers.fields import DeletionPolicy
from reconcilers.grant_fields import GrantSpec
from reconcilers.grants import digest, wanted_grant
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus, RecordedGrant
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, OWNER_TAGS, UID_TAG
from reconcilers.states import (
    Account,
    Candidates,
    Grant,
    KeyObject,
    Missing,
    NotCreated,
    ObservedKey,
    Rotation,
    Seen,
    Unobservable,
)
from tests.reconcilers.builders import (
    DENIED,
    NO_ROTATION,
    NOW,
    OTHER_KEY_ID,
    STATES,
    account,
    arn,
    attempted,
    foreign,
    key,
    leading,
    observed,
    operator,
    remembered,
)
from tests.reconcilers.passes import Around, World, carry_out, never_touched, report, settle, steps

# Longer than the grace of a creation, than KMS's lag and than the patience with a provider.
LONGEST_WAIT = timedelta(hours=1)
AROUND = Around(account({"team": "shop"}), operator(), NOW)

# Ready is True at the end, unless the key is in a state that only time or somebody else ends.
HELD_UP = {"Creating", "Updating", "PendingImport", "Unavailable"}
GONE = {"PendingDeletion", "PendingReplicaDeletion"}

READER_ROLE = "arn:aws:iam::123456789012:role/reader"
POLICIES = [
    '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "${AWS_ACCOUNT_ID}"}, "Action": "kms:*", "Resource": "*"}}',
    '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*"}}',
]
GRANTS = [
    GrantSpec(name="reader", grantee_role_arn=READER_ROLE, operations=("Decrypt",)),
    GrantSpec(name="reader", grantee_role_arn=READER_ROLE, operations=("Decrypt", "Encrypt")),
    GrantSpec(name="writer", grantee_principal=READER_ROLE, operations=("Encrypt",)),
]
grants = st.lists(st.sampled_from(GRANTS), unique_by=lambda grant: grant.name).map(tuple)
tag_maps = st.dictionaries(st.sampled_from(["team", "env", "cost", "old"]), st.sampled_from(["a", "b"]))
texts = st.sampled_from(["", "one", "two"])
names = st.sampled_from(["a", "b", "alias/c", "aws"])
possible = st.sampled_from(["alias/a", "alias/b", "alias/c", "alias/theirs"])
pauses = st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def specs(draw: st.DrawFn) -> KMSKeySpec:
    """Specs that admission lets through, with each field set or unset."""
    rotation = draw(st.none() | st.booleans())
    return KMSKeySpec(
        description=draw(st.none() | texts),
        enabled=draw(st.none() | st.booleans()),
        enable_key_rotation=rotation,
        rotation_period_in_days=draw(st.none() | st.sampled_from([90, 365])) if rotation else None,
        key_policy=draw(st.none() | st.sampled_from(POLICIES)),
        tags=draw(st.none() | tag_maps),
        aliases=draw(st.none() | st.lists(names, unique=True).map(tuple)),
        grants=draw(st.none() | grants),
        deletion_policy=draw(st.none() | st.sampled_from(DeletionPolicy)),
        pending_window_in_days=draw(st.none() | st.sampled_from([7, 30])),
    )


rotations = st.builds(Rotation, st.just(True), st.sampled_from([None, 90, 365])) | st.just(NO_ROTATION)
our_aliases = st.sets(possible).map(lambda found: leading(*sorted(found)))
aliases = st.dictionaries(possible, st.sampled_from([arn(), arn(OTHER_KEY_ID)]))
# What an id means never changes; three of these are gone, or not shown yet.
MADE = {f"id-{number}": grant for number, grant in enumerate(GRANTS * 2)}
THERE = {"id-x": Grant("theirs", "x", frozenset({"Sign"}))} | {f"id-{number}": wanted_grant(grant) for number, grant in enumerate(GRANTS)}
found_grants = st.sets(st.sampled_from(sorted(THERE))).map(lambda ids: {grant_id: THERE[grant_id] for grant_id in sorted(ids)})
our_keys = st.builds(
    observed,
    st.sampled_from(STATES),
    description=texts,
    tags=tag_maps,
    policy=st.sampled_from(POLICIES),
    rotation=rotations,
    aliases=our_aliases,
    grants=found_grants,
)
half_seen_keys = st.builds(
    observed,
    st.sampled_from(STATES),
    tags=tag_maps | st.just(DENIED),
    policy=st.sampled_from(POLICIES) | st.just(DENIED),
    rotation=rotations | st.just(DENIED),
    aliases=aliases | st.just(DENIED),
    grants=found_grants | st.just(DENIED),
)


def record(grant: GrantSpec, grant_id: str | None) -> RecordedGrant:
    return RecordedGrant(name=grant.name, grant_id=grant_id, hash=digest(wanted_grant(grant)))


recorded_grants = st.builds(
    lambda ids, asked: tuple(record(MADE[grant_id], grant_id) for grant_id in sorted(ids)) + tuple(record(grant, None) for grant in asked),
    st.sets(st.sampled_from(sorted(MADE))),
    grants,
)
statuses = st.builds(
    lambda tags, aliases, made: remembered(managed_tag_keys=tuple(sorted(tags)), aliases=tuple(sorted(aliases)), grants=made),
    st.sets(st.sampled_from(["old", "env", "gone"])),
    st.sets(possible),
    recorded_grants,
)
objects = st.builds(key, specs(), statuses)
attempts = st.integers(0, 600).map(lambda seconds: attempted(timedelta(seconds=seconds)))
unsettled_objects = st.builds(key, specs(), statuses | attempts)
everything_seen = st.one_of(
    half_seen_keys,
    our_keys.map(lambda found: Candidates((found,), thorough=False)),
    our_keys.map(lambda found: Candidates((found, replace(found, key_id=OTHER_KEY_ID)), thorough=True)),
    st.builds(Candidates, st.just(()), st.booleans()),
    st.sampled_from([NotCreated(), Missing("gone"), DENIED, foreign()]),
)


def is_as_declared(world: World) -> bool:
    return AROUND.plan(world).actions == ()


@given(objects, our_keys)
def test_every_key_of_ours_becomes_as_declared(wish: KeyObject, found: ObservedKey) -> None:
    end = settle(World(wish, found), AROUND)
    ready = find("Ready", end.key.status.conditions)
    assert is_as_declared(end)
    assert ready is not None
    assert (ready.status == "True") is (found.state not in HELD_UP)


@given(specs())
def test_every_new_object_gets_its_key(spec: KMSKeySpec) -> None:
    end = settle(never_touched(key(spec)), AROUND)
    assert isinstance(end.seen, ObservedKey)
    assert is_as_declared(end)
    assert end.key.status.key_id == end.seen.key_id
    assert end.key.status.creation_attempt is None


@given(objects, our_keys)
def test_dying_between_any_two_steps_leads_to_the_same_end(wish: KeyObject, found: ObservedKey) -> None:
    start = World(wish, found)
    end = settle(start, AROUND)
    for dead in steps(start, AROUND):
        again = settle(dead, AROUND)
        assert again.seen == end.seen
        assert again.key.status.managed_tag_keys == end.key.status.managed_tag_keys
        assert again.key.status.aliases == end.key.status.aliases
        assert again.key.status.grants == end.key.status.grants


@given(specs(), st.sampled_from(DeletionPolicy), our_keys)
def test_dying_on_the_way_out_loses_nothing_either(spec: KMSKeySpec, policy: DeletionPolicy, found: ObservedKey) -> None:
    start = World(key(spec.model_copy(update={"deletion_policy": policy}), remembered(), deleting=True), found)
    end = settle(start, AROUND)
    assert all(settle(dead, AROUND).seen == end.seen for dead in steps(start, AROUND))


@given(specs())
def test_an_object_that_dies_while_its_key_is_made_finds_that_key(spec: KMSKeySpec) -> None:
    *before, _ = steps(never_touched(key(spec)), AROUND)
    for dead in before:
        made = Candidates((dead.seen,), thorough=False) if isinstance(dead.seen, ObservedKey) else Candidates((), thorough=False)
        if dead.key.status.key_id is None and isinstance(dead.seen, ObservedKey):
            again = settle(World(dead.key, made), AROUND)
            assert isinstance(again.seen, ObservedKey)
            assert again.key.status.key_id == dead.seen.key_id


@given(unsettled_objects, everything_seen, st.sampled_from([AROUND.account, DENIED]), pauses, st.booleans())
def test_the_same_sight_is_reported_once_at_first_and_once_when_all_waits_are_over(
    wish: KeyObject, seen: Seen, where: Account | Unobservable, pause: timedelta, deleting: bool
) -> None:
    world = World(replace(wish, deleting=deleting), seen)
    for since in (timedelta(), LONGEST_WAIT):
        then = replace(AROUND, account=where, now=NOW + since)
        plan = then.plan(world)
        if plan.actions:
            return
        world = report(world, plan.status)
        again = replace(then, now=then.now + (pause if since else timedelta()))
        assert again.plan(world).status == world.key.status


SOMEBODY_ELSE = st.sampled_from([{UID_TAG: "another", OWNER_TAG: "shop/another"}, {CLUSTER_TAG: "another"}])


@given(objects, st.sampled_from(STATES), SOMEBODY_ELSE, st.booleans())
def test_a_key_of_somebody_else_is_never_written_to(wish: KeyObject, state: str, owner: dict[str, str], deleting: bool) -> None:
    for seen in (foreign(state, owner), Candidates((foreign(state, owner),), thorough=True)):
        actions = AROUND.plan(World(replace(wish, deleting=deleting), seen)).actions
        assert not [action for action in actions if isinstance(action, KeyAction | RecordKey)]


@given(unsettled_objects, everything_seen)
def test_the_object_goes_only_when_nothing_is_left(wish: KeyObject, seen: Seen) -> None:
    gone = RemoveFinalizer in types(AROUND.plan(World(replace(wish, deleting=True), seen)).actions)
    assert not gone or nothing_is_left(wish, seen)


@given(unsettled_objects, everything_seen, st.sampled_from([AROUND.account, DENIED]))
def test_a_living_object_keeps_its_finalizer(wish: KeyObject, seen: Seen, where: Account | Unobservable) -> None:
    assert RemoveFinalizer not in types(replace(AROUND, account=where).plan(World(wish, seen)).actions)


@given(objects, half_seen_keys)
def test_a_tag_of_ours_is_forgotten_only_when_it_is_off_the_key(wish: KeyObject, found: ObservedKey) -> None:
    forgotten = set(wish.status.managed_tag_keys) - set(AROUND.plan(World(wish, found)).status.managed_tag_keys)
    assert isinstance(found.tags, Unobservable) or not forgotten & set(found.tags)


@given(objects, half_seen_keys, st.booleans())
def test_only_aliases_of_ours_are_deleted_and_only_from_our_key(wish: KeyObject, found: ObservedKey, deleting: bool) -> None:
    actions = AROUND.plan(World(replace(wish, deleting=deleting), found)).actions
    deleted = {action.alias for action in actions if isinstance(action, DeleteAlias)}
    assert deleted <= on_key(found)
    assert deleted <= {*wish.status.aliases, *(alias_names(wish.spec.aliases or ()) if deleting else ())}


@given(objects, half_seen_keys)
def test_an_alias_is_made_only_when_the_status_remembers_it(wish: KeyObject, found: ObservedKey) -> None:
    plan = AROUND.plan(World(wish, found))
    made = {action.alias for action in plan.actions if isinstance(action, CreateAlias)}
    assert made <= set(plan.status.aliases)
    assert plan.write_ahead or made <= set(wish.status.aliases)


@given(objects, half_seen_keys, st.booleans())
def test_only_grants_that_the_status_remembers_are_revoked(wish: KeyObject, found: ObservedKey, deleting: bool) -> None:
    actions = AROUND.plan(World(replace(wish, deleting=deleting), found)).actions
    remembered_ids = {record.grant_id for record in wish.status.grants}
    remembered_words = {(record.name, record.hash) for record in wish.status.grants if record.grant_id is None}
    for action in actions:
        if isinstance(action, RevokeGrant) and action.grant_id not in remembered_ids:
            there = found.grants[action.grant_id] if isinstance(found.grants, Mapping) else None
            assert there is not None
            assert (there.name, digest(there)) in remembered_words


@given(objects, half_seen_keys)
def test_a_grant_is_made_only_when_the_status_remembers_it_and_before_any_is_revoked(wish: KeyObject, found: ObservedKey) -> None:
    plan = AROUND.plan(World(wish, found))
    made = {(action.grant.name, digest(action.grant)) for action in plan.actions if isinstance(action, CreateGrant)}
    assert made <= {(record.name, record.hash) for record in plan.status.grants if record.grant_id is None}
    assert plan.write_ahead or not made or {*plan.status.grants} == {*wish.status.grants}
    order = [type(action) for action in plan.actions if isinstance(action, CreateGrant | RevokeGrant)]
    assert order == sorted(order, key=lambda kind: kind is RevokeGrant)


@given(unsettled_objects, everything_seen, st.booleans())
def test_kms_refuses_nothing_that_is_planned(wish: KeyObject, seen: Seen, deleting: bool) -> None:
    world = World(replace(wish, deleting=deleting), seen)
    for action in AROUND.plan(world).actions:
        world = carry_out(world, action)


@given(objects, half_seen_keys)
def test_only_tags_of_ours_are_removed_and_only_after_the_others_are_set(wish: KeyObject, found: ObservedKey) -> None:
    actions = AROUND.plan(World(wish, found)).actions
    removed = {tag for action in actions if isinstance(action, UntagResource) for tag in action.tag_keys}
    assert removed <= set(wish.status.managed_tag_keys) - set(OWNER_TAGS)
    order = [type(action) for action in actions if isinstance(action, TagResource | UntagResource)]
    assert order in ([], [TagResource], [UntagResource], [TagResource, UntagResource])


@given(st.builds(key, specs(), attempts | st.just(KMSKeyStatus())), everything_seen)
def test_a_key_is_made_only_with_an_attempt_that_is_written_down_before(wish: KeyObject, seen: Seen) -> None:
    plan = AROUND.plan(World(wish, seen))
    made = [action.attempt for action in plan.actions if isinstance(action, CreateKey)]
    assert made in ([], [plan.status.creation_attempt])
    assert not made or plan.write_ahead


def types(actions: tuple[Action, ...]) -> set[type[Action]]:
    return {type(action) for action in actions}


def nothing_is_left(wish: KeyObject, seen: Seen) -> bool:
    policy = wish.spec.deletion_policy or AROUND.operator.default_deletion_policy
    if policy is DeletionPolicy.RETAIN or isinstance(seen, NotCreated | Missing):
        return True
    if isinstance(seen, Candidates):
        return not seen.keys and seen.thorough
    if not isinstance(seen, ObservedKey) or isinstance(seen.tags, Unobservable) or seen.tags[UID_TAG] != wish.uid:
        return False
    if policy is not DeletionPolicy.DISABLE_KEY and (isinstance(seen.aliases, Unobservable) or freed(seen, ours_by_spec(wish))):
        return False
    return seen.state in GONE or (policy is DeletionPolicy.DISABLE_KEY and seen.state not in {"Enabled", "Creating", "Updating"})


@pytest.mark.parametrize("state", STATES)
def test_the_end_of_a_new_object_does_not_depend_on_how_its_key_was_found(state: str) -> None:
    found = observed(state)
    direct = settle(World(key(status=remembered()), found), AROUND)
    searched = settle(World(key(), Candidates((found,), thorough=False)), AROUND)
    assert searched.seen == direct.seen
    assert searched.key.status.key_id == direct.key.status.key_id
