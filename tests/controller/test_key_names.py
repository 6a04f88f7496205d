import json

from controller.key_names import KeyNames
from controller.objects import KubeObject, Ref, decode_object
from reconcilers.cloudtrail import KeyName
from tests.controller.clouds import ACCOUNT, REGION, Json, kubernetes

KEY = {"accountId": ACCOUNT, "keyId": "k-1", "aliases": ["alias/orders"]}
ALIAS = {"accountId": ACCOUNT, "targetKeyId": "k-1", "aliasArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/pay"}


def obj(name: str, status: Json) -> KubeObject:
    return decode_object(json.dumps(kubernetes("KMSKey", name, {}, status=status)).encode())


def called(names: KeyNames, name: str, account: str = ACCOUNT) -> set[Ref]:
    return names.called([KeyName(account, name)])


def test_objects_are_found_by_their_keys_and_aliases() -> None:
    names = KeyNames()
    names.changed(None, obj("a", KEY))
    names.changed(None, obj("b", ALIAS))
    assert called(names, "k-1") == {Ref("shop", "a"), Ref("shop", "b")}
    assert called(names, "alias/orders") == {Ref("shop", "a")}
    assert called(names, "alias/pay") == {Ref("shop", "b")}
    assert called(names, "k-2") == set()


def test_the_same_id_in_another_account_is_another_key() -> None:
    names = KeyNames()
    names.changed(None, obj("a", KEY))
    assert called(names, "k-1", "444455556666") == set()


def test_what_an_object_has_no_more_does_not_find_it() -> None:
    names = KeyNames()
    names.changed(None, obj("a", KEY))
    names.changed(obj("a", KEY), obj("a", {**KEY, "aliases": []}))
    assert called(names, "alias/orders") == set()
    assert called(names, "k-1") == {Ref("shop", "a")}
    names.changed(obj("a", KEY | {"aliases": []}), None)
    assert called(names, "k-1") == set()


def test_a_status_that_is_none_names_nothing() -> None:
    names = KeyNames()
    names.changed(None, obj("a", {"keyId": 7}))
    names.changed(obj("a", {"keyId": 7}), obj("a", KEY))
    assert called(names, "k-1") == {Ref("shop", "a")}
