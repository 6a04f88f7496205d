"""The API server of a full account, in a process of its own: the simulation's model behind HTTP, and copies of the one KMSKey that it holds.

    python -m tests.bench.many_api FD

Rules:
1. FD is a listening socket that the parent opened. Requests that arrive before the server is up wait in its backlog.
2. POST /copies?count=N: from then on a list of KMSKeys holds N copies of the one there is, and not that one (copies.py). A page is made when it
   is asked for, so that the server stays small.
3. A write to a copy is answered as if it were done, and counted: GET /copies tells how many there were. Nobody hears of it.

Not here: TLS, authorization, admission.
"""

import argparse
import asyncio
import json
import socket
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from controller.key_objects import KMSKEYS
from controller.kube import Request, Response
from tests.bench.copies import Names, copied
from tests.simulation.api_server import ApiServer, parse_path
from tests.simulation.api_transport import ModelTransport
from tests.simulation.etcd import Etcd
from tests.simulation.lines import Line, Traffic

JSON: Final = "application/json"


class ManyApi:
    """The server's handlers."""

    def __init__(self) -> None:
        self._etcd = Etcd(asyncio.get_running_loop().time)
        self._model = ApiServer(self._etcd, lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._transport = ModelTransport(self._model, Line("", Traffic()))
        self._count = 0
        self._original = ""
        self._names = Names("", "", "")
        self._writes = 0

    def application(self) -> web.Application:
        """The API at /api and /apis, the copies at /copies."""
        app = web.Application()
        app.add_routes([web.post("/copies", self._copy), web.get("/copies", self._tell), web.route("*", "/{path:apis?/.*}", self._serve)])
        return app

    async def _copy(self, request: web.Request) -> web.Response:
        (original,) = self._etcd.all(KMSKEYS.plural)
        self._original = json.dumps(original)
        metadata = original["metadata"]
        self._names, self._count = Names(metadata["name"], metadata["uid"], original["status"]["keyId"]), int(request.query["count"])
        return web.json_response(self._names)

    async def _tell(self, _: web.Request) -> web.Response:
        return web.json_response({"writes": self._writes})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = Request(request.method, request.raw_path.partition("?")[0], dict(request.query), body or None, request.content_type)
        if "watch" in asked.query:
            return await self._watch(request, asked)
        answer = self._handle(asked)
        return web.Response(body=answer.body, status=answer.status, content_type=JSON)

    def _handle(self, asked: Request) -> Response:
        target = parse_path(asked.path)
        if not self._count or target.plural != KMSKEYS.plural:
            return self._model.handle(asked)
        if not target.name:
            return self._page(int(asked.query.get("continue", 0)), int(asked.query.get("limit", self._count)))
        self._writes += asked.method != "GET"
        number = int(target.name.rpartition("-")[2])
        return Response(200, copied(self._original, self._names, number).encode())

    def _page(self, start: int, limit: int) -> Response:
        end = min(start + limit, self._count)
        items = ",".join(copied(self._original, self._names, number) for number in range(start, end))
        more = f', "continue": "{end}"' if end < self._count else ""
        return Response(200, f'{{"metadata": {{"resourceVersion": "{self._etcd.revision}"{more}}}, "items": [{items}]}}'.encode())

    async def _watch(self, request: web.Request, asked: Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": JSON})
        await answer.prepare(request)
        async with self._transport.stream(asked) as stream:
            async for chunk in stream.chunks:
                await answer.write(chunk)
        return answer


async def _application() -> web.Application:
    return ManyApi().application()


def main() -> None:
    """Serves until it is killed."""
    parser = argparse.ArgumentParser(description="An API server with many copies of one KMSKey.")
    parser.add_argument("fd", type=int, help="a listening socket")
    with socket.socket(fileno=parser.parse_args().fd) as listening:
        web.run_app(_application(), sock=listening, access_log=None, print=None)


if __name__ == "__main__":
    main()
