import json

from hypothesis import given
from hypothesis import strategies as st

from controller.objects import KubeObject, Ref, decode_object
from controller.provider_users import Group, ProviderUsers
from reconcilers.awsprovider import Users
from reconcilers.names import KMSKEY_FINALIZER
from tests.controller.clouds import Json, kubernetes

SHARED = Ref("platform", "shared")


def key(name: str = "orders", namespace: str = "shop", provider: Json | None = None, *, has_key: bool = False) -> KubeObject:
    finalizers = [KMSKEY_FINALIZER] if has_key else ["somebody/else"]
    spec = {"providerRef": provider} if provider else {}
    return decode_object(json.dumps(kubernetes("KMSKey", name, spec, namespace, finalizers=finalizers)).encode())


def all_of(users: ProviderUsers, provider: Ref, *, everybodys: bool = False) -> Users:
    return users.of(provider, lambda _: True, everybodys=everybodys)


def test_keys_are_counted_for_the_provider_that_they_name_or_may_come_to() -> None:
    users = ProviderUsers()
    for one in (
        key("a", has_key=True),
        key("b", provider={"name": "main"}),
        key("c", provider={"name": "shared", "namespace": "platform"}, has_key=True),
        key("d", "mail", has_key=True),
        key("e", "platform", provider={"name": "shared"}),
    ):
        users.changed(None, one)
    assert all_of(users, Ref("shop", "main")) == Users(2, 1)
    assert all_of(users, SHARED) == Users(2, 1)
    assert all_of(users, SHARED, everybodys=True) == Users(4, 3)
    assert users.of(SHARED, lambda group: group.namespace == "platform", everybodys=True) == Users(1, 0)


def test_only_a_change_of_number_is_news() -> None:
    users = ProviderUsers()
    plain = Group("shop", None)
    assert users.changed(None, key()) == {plain}
    assert users.changed(key(), key()) == set()
    assert users.changed(key(), key(has_key=True)) == {plain}
    assert users.changed(key(has_key=True), key(provider={"name": "main"}, has_key=True)) == {plain, Group("shop", Ref("shop", "main"))}
    assert users.changed(key(provider={"name": "main"}, has_key=True), None) == {Group("shop", Ref("shop", "main"))}
    assert all_of(users, Ref("shop", "main")) == Users(0, 0)


KEYS = st.builds(
    key,
    st.just("orders"),
    st.just("shop"),
    st.sampled_from([None, {"name": "main"}, {"name": "shared", "namespace": "platform"}, {"name": "shared"}]),
    has_key=st.booleans(),
)


@given(st.lists(st.one_of(st.none(), KEYS)))
def test_the_numbers_are_those_of_a_count_from_scratch(versions: list[KubeObject | None]) -> None:
    users, fresh, before = ProviderUsers(), ProviderUsers(), None
    for one in versions:
        users.changed(before, one)
        before = one
    fresh.changed(None, before)
    for provider in (Ref("shop", "main"), SHARED, Ref("shop", "shared")):
        assert all_of(users, provider) == all_of(fresh, provider)
