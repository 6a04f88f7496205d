import json
from typing import Any

from controller.kube import Kube
from controller.objects import decode_object
from controller.partition import Others
from controller.store import Store
from controller.target_keys import known_keys
from reconcilers.key_spec import ProviderRef
from reconcilers.provider_fields import AllowedNamespaces
from reconcilers.target_fields import DependentSpec, TargetRef
from reconcilers.targets import Known, TargetKMSKey
from tests.controller.clouds import kubernetes
from tests.controller.scripted import ApiServer

ARN = "arn:aws:kms:us-east-1:123456789012:key/1234"

NOBODY = Others(Kube(ApiServer()))


def store(*objects: dict[str, Any]) -> Store:
    filled = Store()
    for obj in objects:
        filled.put(decode_object(json.dumps(obj).encode()))
    return filled


KEY = kubernetes(
    "KMSKey", "one", {"providerRef": {"name": "p"}, "grantableFrom": {"names": ["mail"]}}, status={"keyId": "1234", "keyArn": ARN}
)
SEEN = TargetKMSKey("shop", "one", False, ProviderRef(name="p"), AllowedNamespaces(names=("mail",)), ARN)


async def test_the_key_that_is_named_is_found_in_the_namespace_that_is_named() -> None:
    keys = store(KEY, kubernetes("KMSKey", "one", {}, namespace="vault"))
    assert await known_keys(keys, NOBODY, DependentSpec(target_ref=TargetRef(name="one")), "shop") == Known(named=SEEN)
    elsewhere = await known_keys(keys, NOBODY, DependentSpec(target_ref=TargetRef(name="one", namespace="vault")), "shop")
    assert elsewhere == Known(named=TargetKMSKey("vault", "one"))
    assert await known_keys(keys, NOBODY, DependentSpec(target_ref=TargetRef(name="two")), "shop") == Known()


async def test_an_id_or_arn_is_found_in_the_status_that_holds_it_and_nowhere_else() -> None:
    near = kubernetes("KMSKey", "near", {}, status={"keyId": "12345", "keyArn": f"{ARN}5"})
    telling = kubernetes("KMSKey", "telling", {}, status={"conditions": [], "keyId": "9", "region": "1234"})
    for key_id in ("1234", ARN):
        assert await known_keys(store(KEY, near, telling), NOBODY, DependentSpec(target_key_id=key_id), "mail") == Known(owners=(SEEN,))


async def test_a_key_that_is_deleted_says_so_and_one_whose_spec_cannot_be_read_permits_nothing() -> None:
    keys = store(
        kubernetes("KMSKey", "one", {"grantableFrom": {"names": 7}}, status={"keyArn": ARN}, deletionTimestamp="2026-01-01T00:00:00Z")
    )
    known = await known_keys(keys, NOBODY, DependentSpec(target_ref=TargetRef(name="one")), "shop")
    assert known.named == TargetKMSKey("shop", "one", deleting=True, key_arn=ARN)
