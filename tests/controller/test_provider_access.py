import json

import pytest

from controller.objects import decode_object
from controller.provider_access import ProviderAccess, ProviderRules
from tests.controller.clouds import REGION, SmallAws, kubernetes, looking

pytestmark = pytest.mark.virtual_time


async def test_a_spec_is_parsed_once_for_as_long_as_it_is_the_same() -> None:
    async with looking(None, SmallAws()) as clouds:
        access = ProviderAccess(clouds.kube, clouds.clients, ProviderRules())
        first, same, other = (
            decode_object(json.dumps(kubernetes("AWSProvider", "main", {"region": region}, resourceVersion=version)).encode())
            for region, version in ((REGION, "1"), (REGION, "2"), ("us-east-1", "3"))
        )
        assert access.spec(first) is access.spec(same)
        assert access.spec(other) != access.spec(same)
