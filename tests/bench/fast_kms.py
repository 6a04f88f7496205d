"""AWS for the benchmark: KMS, STS's GetCallerIdentity, the tagging API and an SQS queue in one fast process, which counts what it is asked.

    python -m tests.bench.fast_kms FD [--quotas]

Rules:
1. FD is a listening socket that the parent opened. Requests that arrive before the server is up wait in its backlog.
2. Any credentials will do, and nothing is verified; the region is the one that the request was signed for.
3. With --quotas each operation has KMS's own rate, in each region: what comes faster is refused as KMS does it, and counted.
4. What is POSTed to /queue is in the queue.
5. GET /calls tells what was asked so far, and when each object's key was: by its owner tag, on the clock that all processes share.

What a call costs here is what it costs to speak HTTP.
"""

import argparse
import re
import socket
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from aws.quotas import PER_SECOND
from reconcilers.names import OWNER_TAG
from tests.bench.fast_sqs import FastSQS
from tests.bench.kms_account import ACCOUNT_ID, Account, NoSuchKeyError

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
_JSON = "application/x-amz-json-1.1"
_IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:iam::{ACCOUNT_ID}:user/bench</Arn><UserId>AIDABENCH</UserId><Account>{ACCOUNT_ID}</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Calls(msgspec.Struct):
    """What GET /calls answers. calls: by operation, refused ones included. asked_at: loop time of CreateKey by namespace/name."""

    calls: dict[str, int]
    throttled: dict[str, int]
    asked_at: dict[str, float]


class Quota:
    """KMS's rate of one operation in one region: a second's worth, refilled evenly."""

    def __init__(self, per_second: float, now: float) -> None:
        self._rate = self._tokens = per_second
        self._seen = now

    def admits(self, now: float) -> bool:
        """Whether one more call may be made at the time `now` (monotonic, in seconds)."""
        self._tokens = min(self._rate, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class FastKMS:
    """The server's handlers and what they count."""

    def __init__(self, quotas: bool) -> None:
        self._account = Account()
        self._queue = FastSQS()
        self._with_quotas = quotas
        self._quotas: dict[tuple[str, str], Quota] = {}
        self._calls: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()
        self._asked_at: dict[str, float] = {}

    def application(self) -> web.Application:
        """AWS at /, the counters at /calls, the way into the queue at /queue; POST /copies?count=N makes copies of the only key (copies.py)."""
        app = web.Application()
        app.add_routes([web.post("/", self._serve), web.get("/calls", self._tell)])
        app.add_routes([web.post("/queue", self._put), web.post("/copies", self._copy)])
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        arrived = time.monotonic()
        body = await request.read()
        target = request.headers.get("X-Amz-Target")
        if target is None:
            return self._identify(parse_qs(body.decode()))
        service, _, operation = target.rpartition(".")
        region = _region(request.headers.get("Authorization", ""))
        self._calls[operation] += 1
        if not self._admits(region, operation, arrived):
            self._throttled[operation] += 1
            return _refuse("ThrottlingException", "Rate exceeded")
        parameters = msgspec.json.decode(body, type=dict)
        if service == "AmazonSQS":
            return _tell(await self._queue.answer(operation, parameters))
        return self._answer(operation, region, parameters, arrived)

    async def _put(self, request: web.Request) -> web.Response:
        self._queue.put(await request.text())
        return web.Response()

    async def _copy(self, request: web.Request) -> web.Response:
        self._account.copy(int(request.query["count"]))
        return web.Response()

    async def _tell(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(Calls(dict(self._calls), dict(self._throttled), self._asked_at)))

    def _answer(self, operation: str, region: str, parameters: dict[str, object], arrived: float) -> web.Response:
        if operation == "CreateKey":
            self._asked_at[_owner(parameters)] = arrived
        try:
            answer = self._account.answer(operation, region, parameters)
        except NoSuchKeyError:
            return _refuse("NotFoundException", "The key does not exist")
        except LookupError:
            return _refuse("UnknownOperationException", operation)
        return _tell(answer)

    def _identify(self, form: dict[str, list[str]]) -> web.Response:
        operation = form["Action"][0]
        self._calls[operation] += 1
        return web.Response(text=_IDENTITY, content_type="text/xml", status=200 if operation == "GetCallerIdentity" else 400)

    def _admits(self, region: str, operation: str, now: float) -> bool:
        if not self._with_quotas or operation not in PER_SECOND:
            return True
        quota = self._quotas.setdefault((region, operation), Quota(PER_SECOND[operation], now))
        return quota.admits(now)


def _region(authorization: str) -> str:
    scope = _SCOPE.search(authorization)
    return scope.group(1) if scope else "us-east-1"


def _owner(parameters: dict[str, object]) -> str:
    tags = msgspec.convert(parameters.get("Tags", []), list[dict[str, str]])
    return next((tag["TagValue"] for tag in tags if tag["TagKey"] == OWNER_TAG), "")


def _tell(answer: dict[str, Any]) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type=_JSON, headers={"x-amzn-RequestId": "1"})


def _refuse(code: str, message: str) -> web.Response:
    return web.Response(body=msgspec.json.encode({"__type": code, "message": message}), content_type=_JSON, status=400)


def main() -> None:
    """Serves until it is killed."""
    parser = argparse.ArgumentParser(description="A fast KMS for benchmarks.")
    parser.add_argument("fd", type=int, help="a listening socket")
    parser.add_argument("--quotas", action="store_true", help="refuse what exceeds KMS's request quotas")
    options = parser.parse_args()
    with socket.socket(fileno=options.fd) as listening:
        web.run_app(FastKMS(options.quotas).application(), sock=listening, access_log=None, print=None)


if __name__ == "__main__":
    main()
