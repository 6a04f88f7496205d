from typing import Any

import pytest

from controller.objects import Ref
from controller.provider_access import ProviderRules
from controller.restore_command import Restoration, restore
from reconcilers.restoration import NotRestorableError
from tests.controller.clouds import REGION, SmallAws, SmallCluster, SmallKey, kubernetes, looking, owner_tags

MAIN = kubernetes("AWSProvider", "main", {"region": REGION})
OTHER = kubernetes("AWSProvider", "other", {"region": REGION})
ORDERS = Ref("shop", "orders")


class Account(SmallAws):
    """With what is read of one key beside its tags."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.answers |= {
            "GetKeyPolicy": lambda *_: {"Policy": '{"Statement":[]}'},
            "ListGrants": lambda *_: {"Grants": []},
            "ListAliases": lambda *_: {"Aliases": [{"AliasName": "alias/orders", "TargetKeyId": "lost"}]},
        }


def account(**keys: SmallKey) -> Account:
    return Account(keys=keys)


LOST = SmallKey({**owner_tags("orders"), "team": "shop"}, description="Orders")


async def look(aws: SmallAws, *objects: dict[str, Any], provider: Ref | None = None) -> Restoration:
    async with looking(SmallCluster(*objects), aws) as clouds:
        return await restore(clouds, ORDERS, provider, ProviderRules())


async def test_the_key_of_a_deleted_object_is_found_and_described() -> None:
    found = await look(account(lost=LOST, other=SmallKey(owner_tags("other"))), MAIN)
    assert found.manifest["metadata"] == {"name": "orders", "namespace": "shop"}
    assert found.manifest["spec"] == {
        "description": "Orders",
        "keyPolicy": '{"Statement":[]}',
        "tags": {"team": "shop"},
        "aliases": ["alias/orders"],
        "deletionPolicy": "Retain",
    }
    assert found.notes == ("spec.deletionPolicy is Retain, because AWS does not show what it was",)


@pytest.mark.parametrize(
    ("provider", "reference"), [(Ref("shop", "main"), {"name": "main"}), (None, None), (Ref("shop", "other"), {"name": "other"})]
)
async def test_a_provider_that_is_named_is_named_in_the_object_too(provider: Ref | None, reference: Any) -> None:
    objects = (MAIN, OTHER) if provider else (MAIN,)
    assert (await look(account(lost=LOST), *objects, provider=provider)).manifest["spec"].get("providerRef") == reference


@pytest.mark.parametrize(
    ("aws", "objects", "words"),
    [
        (account(), (MAIN,), "no key of this cluster's carries the owner tag shop/orders"),
        (account(a=LOST, b=LOST), (MAIN,), "several keys were shop/orders's: a "),
        (account(lost=LOST), (MAIN, kubernetes("KMSKey", "orders", {})), "the KMSKey shop/orders is there"),
        (account(lost=LOST), (MAIN, kubernetes("KMSKey", "new", {}, status={"keyId": "lost"})), "the key lost of shop/orders has an object"),
        (account(lost=LOST), (), "Name a provider with --provider"),
        (account(lost=LOST), (MAIN, OTHER), "Name a provider with --provider"),
        (account(lost=SmallKey(owner_tags("orders", cluster="another"))), (MAIN,), "no key of this cluster's"),
    ],
)
async def test_what_is_not_the_one_lost_key_is_refused(aws: SmallAws, objects: tuple[dict[str, Any], ...], words: str) -> None:
    with pytest.raises(NotRestorableError, match=words):
        await look(aws, *objects)
