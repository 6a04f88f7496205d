import json
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.key_requests import Asked, UnansweredError, answer, ask_look, ask_rotation
from controller.kube import MERGE_PATCH, Kube, NotFound, Request, Response, Stream
from controller.objects import Ref
from reconcilers.names import RECONCILE_ANNOTATION
from tests.controller.clouds import kubernetes, status

NOW = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
TOKEN = "2026-03-01T12:00:00.123Z"
ORDERS = Ref("shop", "orders")
PATH = "/apis/aws-infra-operator.runner.codes/v1alpha1/namespaces/shop/kmskeys/orders"
READY = {"type": "Ready", "status": "True", "reason": "Available", "message": "Fine."}


class Server:
    """A Transport with one KMSKey, which an operator answers after some looks at it."""

    def __init__(self, looks: int = 0) -> None:
        self.patches: list[Any] = []
        self.obj = kubernetes("KMSKey", "orders", {}, status={"conditions": [READY], "keyId": "1234"})
        self._looks = looks

    async def send(self, request: Request) -> Response:
        if request.path != PATH:
            return status(404, "NotFound", "there is no such key")
        if request.method == "PATCH":
            assert request.content_type == MERGE_PATCH
            self.patches.append(json.loads(request.body or b""))
        elif self._looks == 0:
            self.obj["status"] |= {"lastHandledRotateOnDemand": TOKEN, "lastHandledReconcileAt": TOKEN}
        else:
            self._looks -= 1
        return Response(200, json.dumps(self.obj).encode())

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        raise AssertionError(request.path)

    async def close(self) -> None:
        """Nothing is open."""


Ask = Callable[[Kube, Ref, datetime], Coroutine[Any, Any, Asked]]


@pytest.mark.parametrize(
    ("ask", "patch"),
    [
        (ask_rotation, {"spec": {"rotateOnDemand": TOKEN}}),
        (ask_look, {"metadata": {"annotations": {RECONCILE_ANNOTATION: TOKEN}}}),
    ],
)
@pytest.mark.virtual_time
async def test_a_request_is_one_field_and_is_answered_by_the_status(ask: Ask, patch: dict[str, Any]) -> None:
    server = Server(looks=3)
    kube = Kube(server)
    asked = await ask(kube, ORDERS, NOW)
    assert server.patches == [patch]
    assert await answer(kube, asked, 60) == "Ready=True Available: Fine."


@pytest.mark.virtual_time
async def test_a_wait_has_an_end_and_tells_how_the_object_was() -> None:
    kube = Kube(Server(looks=100))
    with pytest.raises(UnansweredError, match=r"no answer within 60 s\. Ready=True Available: Fine\."):
        await answer(kube, await ask_look(kube, ORDERS, NOW), 60)


@pytest.mark.virtual_time
async def test_an_object_that_nobody_has_looked_at_has_nothing_to_tell() -> None:
    server = Server(looks=100)
    server.obj["status"] = {}
    with pytest.raises(UnansweredError, match="It has no conditions yet"):
        await answer(Kube(server), Asked(ORDERS, TOKEN, "lastHandledReconcileAt"), 5)


async def test_an_object_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NotFound):
        await ask_rotation(Kube(Server()), Ref("shop", "absent"), NOW)


async def test_no_rotation_is_asked_for_before_there_is_a_key() -> None:
    server = Server()
    server.obj["status"] = {"conditions": [READY | {"status": "False", "reason": "Creating"}]}
    with pytest.raises(UnansweredError, match=r"it has no key yet that could be rotated\. Ready=False Creating"):
        await ask_rotation(Kube(server), ORDERS, NOW)
    assert server.patches == []
