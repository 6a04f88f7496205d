import json
from datetime import UTC, datetime
from functools import partial

import pytest

from controller.awsproviders import AWSProviders
from controller.events import EventRecorder
from controller.kube import Request, Response
from controller.objects import Ref, decode_object
from controller.provider_access import ProviderRules
from reconcilers.states import Unobservable
from tests.controller.clouds import REGION, SmallAws, SmallCluster, kubernetes, looking

pytestmark = pytest.mark.virtual_time


class Patched(SmallCluster):
    """One that takes each patch of a provider and changes nothing, as if its watch had never shown it."""

    async def send(self, request: Request) -> Response:
        if request.method == "PATCH":
            return Response(200, json.dumps(kubernetes("AWSProvider", "main", {"region": REGION})).encode())
        return await super().send(request)


async def test_a_failure_that_only_keys_have_met_does_not_hold_them_up_once_it_is_over() -> None:
    aws = SmallAws()
    woken: list[Ref] = []
    async with looking(Patched(), aws) as clouds:
        ways = clouds.providers(ProviderRules())
        providers = AWSProviders(clouds.kube, ways, EventRecorder(clouds.kube, "test"), partial(datetime.now, UTC))
        providers.wakers.append(woken.append)
        main = decode_object(json.dumps(kubernetes("AWSProvider", "main", {"region": REGION})).encode())
        providers.store.put(main)
        aws.refused = {"GetCallerIdentity": "ExpiredToken"}
        assert isinstance(await ways.connect(main), Unobservable)
        await providers.reconcile(main.ref)
        assert woken == [], "it works as little as before"
        aws.refused = {}
        for _ in range(2):
            await providers.reconcile(main.ref)
        assert woken == [main.ref]
