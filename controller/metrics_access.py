"""Who may read /metrics: callers that the API server knows (TokenReview) and that RBAC lets `get` it (SubjectAccessReview).

Rules:
1. Fails closed. No token or one that is not known: 401; known and not allowed: 403; the API server cannot be asked: 503.
2. An answer of the API server is believed for CACHE_SECONDS, so that a scraper costs two requests a minute and not two a scrape; a
   withdrawn right lasts as long. Failures to ask are not remembered.
3. Tokens are kept as hashes only, and neither logged nor counted.

The same two questions that controller-runtime asks, so a ClusterRole that lets Prometheus scrape other operators lets it scrape this one.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from controller.kube import Kube, KubeError

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
CACHE_SECONDS = 60.0
# A caller that guesses tokens must not fill the memory: the oldest answer goes first.
CACHE_SIZE = 256
BEARER = "Bearer "

log = structlog.get_logger()


class MetricsAccess:
    """Asks the API server about callers."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._answers: dict[bytes, tuple[float, int]] = {}

    def middleware(self) -> Middleware:
        """Lets a request pass, or answers it with 401, 403 or 503."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            status = await self._judge(request.headers.get("Authorization", ""), request.path)
            return await handler(request) if status == 200 else web.Response(status=status)

        return guard

    async def _judge(self, authorization: str, path: str) -> int:
        if not authorization.startswith(BEARER):
            return 401
        token = authorization.removeprefix(BEARER)
        known, now = hashlib.sha256(f"{path} {token}".encode()).digest(), asyncio.get_running_loop().time()
        asked_at, status = self._answers.get(known, (now - CACHE_SECONDS, 0))
        if now - asked_at < CACHE_SECONDS:
            return status
        try:
            status = await self._ask(token, path)
        except KubeError as error:
            log.warning("metrics_access_unknown", reason=error.reason)
            return 503
        self._answers.pop(known, None)
        if len(self._answers) >= CACHE_SIZE:
            del self._answers[next(iter(self._answers))]
        self._answers[known] = (now, status)
        return status

    async def _ask(self, token: str, path: str) -> int:
        seen = await self._review(TOKEN_REVIEWS, "authentication.k8s.io/v1", "TokenReview", {"token": token})
        if not seen.get("authenticated"):
            return 401
        user = seen.get("user", {})
        asked = {
            "user": user.get("username", ""),
            "uid": user.get("uid", ""),
            "groups": user.get("groups", []),
            "extra": user.get("extra", {}),
            "nonResourceAttributes": {"path": path, "verb": "get"},
        }
        seen = await self._review(ACCESS_REVIEWS, "authorization.k8s.io/v1", "SubjectAccessReview", asked)
        return 200 if seen.get("allowed") else 403

    async def _review(self, path: str, api_version: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._kube.post(path, {"apiVersion": api_version, "kind": kind, "spec": spec})
        status: dict[str, Any] = msgspec.json.decode(answer).get("status", {})
        return status
