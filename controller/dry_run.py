"""The API server as it would be with some objects applied: read from there, judged by it, and never written to.

Rules:
1. Every write becomes a dry run: the server decides as it always would, and stores nothing. It is strict about unknown fields. This holds
   for whatever is sent through here, so that nobody has to remember it.
2. An object that is given hides the server's of the same path, when it is read by name.
3. Without a server there is nothing but what is given: reading anything else is answered with 404.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import msgspec

from controller.kube import Request, Response, Stream, Transport

DRY = {"dryRun": "All", "fieldValidation": "Strict"}
_NOT_FOUND = Response(
    404, msgspec.json.encode({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "there is no cluster"})
)


class DryRun:
    """A Transport. given: JSON by the path under which the server would serve it; server None: there is no cluster."""

    def __init__(self, server: Transport | None, given: Mapping[str, bytes]) -> None:
        self._server = server
        self._given = given

    async def send(self, request: Request) -> Response:
        """What the server answers, or what is given in its place."""
        is_read = request.method == "GET"
        if is_read and request.path in self._given:
            return Response(200, self._given[request.path])
        if self._server is None:
            return _NOT_FOUND
        return await self._server.send(request if is_read else replace(request, query={**request.query, **DRY}))

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        """Not offered: a dry run looks once. Raises NotImplementedError."""
        raise NotImplementedError(request.path)

    async def close(self) -> None:
        """Close the server's connections."""
        if self._server is not None:
            await self._server.close()
