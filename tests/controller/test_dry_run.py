import pytest

from controller.dry_run import DryRun
from controller.kube import Kube, NotFound, Request, Response, Transport


class Recorder:
    """Answers everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.closed = False

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(200, b"from the server")

    stream = DryRun.stream

    async def close(self) -> None:
        self.closed = True


async def test_every_write_becomes_a_dry_run() -> None:
    server = Recorder()
    kube = Kube(DryRun(server, {}))
    await kube.post("/x", {})
    await kube.put("/x", {})
    await kube.json_patch("/x", [])
    await kube.merge_patch("/x", {})
    await kube.delete("/x")
    assert [request.method for request in server.asked] == ["POST", "PUT", "PATCH", "PATCH", "DELETE"]
    assert all(request.query == {"dryRun": "All", "fieldValidation": "Strict"} for request in server.asked)


async def test_a_read_is_the_servers() -> None:
    server = Recorder()
    assert await Kube(DryRun(server, {})).get("/x", {"limit": "1"}) == b"from the server"
    assert server.asked[0].query == {"limit": "1"}


async def test_what_is_given_hides_the_servers_in_reads_only() -> None:
    server = Recorder()
    kube = Kube(DryRun(server, {"/x": b"given"}))
    assert await kube.get("/x") == b"given"
    assert await kube.put("/x", {}) == b"from the server"


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_without_a_server_there_is_nothing_else(method: str) -> None:
    transport: Transport = DryRun(None, {"/x": b"given"})
    assert await Kube(transport).get("/x") == b"given"
    assert (await transport.send(Request(method, "/y"))).status == 404
    with pytest.raises(NotFound, match="there is no cluster"):
        await Kube(transport).get("/y")
    await transport.close()


async def test_closing_closes_the_server() -> None:
    server = Recorder()
    await DryRun(server, {}).close()
    assert server.closed


def test_nothing_is_followed() -> None:
    with pytest.raises(NotImplementedError):
        DryRun(None, {}).stream(Request("GET", "/x"))
