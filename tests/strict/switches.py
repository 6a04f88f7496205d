"""What tests want from this AWS beside its answers: its own side, at /_strict/.

    GET    /_strict/ready         200
    GET    /_strict/calls         every request: time, operation, key, caller, region, outcome; DELETE forgets them
    GET    /_strict/keys          every key with its state, tags, aliases, grants; ?made=1 also those that are gone
    POST   /_strict/keys          {"arn": "...", "state": "Unavailable"}: what nobody can do with a call
    GET    /_strict/faults        those that are switched on; POST switches one on, DELETE all of them off (http_faults.Fault as JSON)
    PUT    /_strict/lags          {"DescribeKey": 300, "List*": [0, 300]}: how many seconds behind operations are; a list: servers in turn
    PUT    /_strict/denied        ["PutKeyPolicy"]: operations for which everybody lacks a permission
    PUT    /_strict/quotas        true: from now on KMS's request quotas hold; false: none do
    PUT    /_strict/page-size     10: the longest page of a list
    PUT    /_strict/credentials   {"accessKeyId": "...", "secretAccessKey": "...", "sessionToken": "...", "accountId": "...", "user": "..."},
                                  of which the first two are needed; DELETE ?accessKeyId=
    GET    /_strict/sessions      every session that STS has handed out, or that was put here, with its secrets

Operations are named as by AWS, or by patterns as of shells. PUT replaces all that was there before it, but for credentials. What would do
nothing, or could not be done later, is refused with 400 and what to write instead, and then nothing is changed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import pydantic.dataclasses
from aiohttp import web
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from tests.simulation.identities import ACCOUNT_ID, Credentials
from tests.simulation.kms_keys import Key
from tests.simulation.kms_model import Kms, in_turn
from tests.simulation.kms_quotas import request_quotas
from tests.strict import json_wire
from tests.strict.callers import Callers, Session
from tests.strict.http_faults import Fault, Faults
from tests.strict.operations import Pattern, named

MOST_CALLS = 1_000_000
SESSION = timedelta(hours=12)

T = TypeVar("T")
Seconds = Annotated[float, Field(ge=0)]


@pydantic.dataclasses.dataclass(config=ConfigDict(strict=True, extra="forbid", alias_generator=to_camel))
class _NewCaller:
    access_key_id: Annotated[str, Field(min_length=1)]
    secret_access_key: Annotated[str, Field(min_length=1)]
    session_token: str = ""
    account_id: Annotated[str, Field(pattern="^[0-9]{12}$")] = ACCOUNT_ID
    user: str = "operator"

    def session(self) -> Session:
        arn = f"arn:aws:sts::{self.account_id}:assumed-role/{self.user}/session"
        ends = datetime.now(UTC) + SESSION
        return Session(self.access_key_id, self.secret_access_key, self.session_token, arn, self.account_id, ends)


_FAULT = TypeAdapter(Fault)
_LAGS = TypeAdapter(dict[Pattern, Seconds | Annotated[list[Seconds], Field(min_length=1)]])
_DENIED = TypeAdapter(list[Pattern])
_ON = TypeAdapter(bool)
_PAGE_SIZE = TypeAdapter(Annotated[int, Field(ge=1, le=1000)])
_CALLER = TypeAdapter(_NewCaller)
_CHANGES = TypeAdapter(dict[str, Any])


class Switches:
    """The state that AWS's answers come from, and the handlers that show and change it."""

    def __init__(self, kms: Kms) -> None:
        self.kms = kms
        self.callers = Callers()
        self.faults = Faults()
        self.calls: deque[dict[str, str]] = deque(maxlen=MOST_CALLS)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_strict/ready", _ready),
            web.get("/_strict/calls", self._get_calls),
            web.delete("/_strict/calls", self._forget_calls),
            web.get("/_strict/keys", self._get_keys),
            web.post("/_strict/keys", self._edit_key),
            web.get("/_strict/faults", self._get_faults),
            web.post("/_strict/faults", self._add_fault),
            web.delete("/_strict/faults", self._clear_faults),
            web.put("/_strict/lags", self._set_lags),
            web.put("/_strict/denied", self._set_denied),
            web.put("/_strict/quotas", self._set_quotas),
            web.put("/_strict/page-size", self._set_page_size),
            web.put("/_strict/credentials", self._add_credentials),
            web.delete("/_strict/credentials", self._revoke_credentials),
            web.get("/_strict/sessions", self._get_sessions),
        ]

    async def _get_calls(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.calls))

    async def _forget_calls(self, _: web.Request) -> web.Response:
        self.calls.clear()
        return web.Response()

    async def _get_keys(self, request: web.Request) -> web.Response:
        keys = self.kms.made if "made" in request.query else self.kms.keys
        return _json({"keys": [_shown(key) for key in keys]})

    async def _edit_key(self, request: web.Request) -> web.Response:
        told = await _read(request, _CHANGES)
        arn, known = told.pop("arn", None), [field.name for field in fields(Key)]
        if arn not in [key.arn for key in self.kms.keys]:
            raise _wrong(f"no key has the arn {arn}: write that of one that GET /_strict/keys shows")
        if not told or not told.keys() <= set(known):
            raise _wrong(f"{', '.join(told) or 'nothing'} cannot be changed: write one of {', '.join(known)}")
        self.kms.edit(arn, **told)
        return web.Response()

    async def _get_faults(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(fault) for fault in self.faults.on])

    async def _add_fault(self, request: web.Request) -> web.Response:
        self.faults.on.append(await _read(request, _FAULT))
        return web.Response()

    async def _clear_faults(self, _: web.Request) -> web.Response:
        self.faults.on.clear()
        return web.Response()

    async def _set_lags(self, request: web.Request) -> web.Response:
        told = await _read(request, _LAGS)
        servers = [
            (name, late if isinstance(late, list) else [late]) for pattern, late in told.items() for name in named(pattern)
        ]
        self.kms.lags = {name: in_turn(*seconds) for name, seconds in servers}
        return web.Response()

    async def _set_denied(self, request: web.Request) -> web.Response:
        self.kms.denied = {name for pattern in await _read(request, _DENIED) for name in named(pattern)}
        return web.Response()

    async def _set_quotas(self, request: web.Request) -> web.Response:
        self.kms.quotas = request_quotas(on=await _read(request, _ON))
        return web.Response()

    async def _set_page_size(self, request: web.Request) -> web.Response:
        self.kms.page_size = await _read(request, _PAGE_SIZE)
        return web.Response()

    async def _add_credentials(self, request: web.Request) -> web.Response:
        told = await _read(request, _CALLER)
        if told.session_token:
            self.callers.lend(told.session())
        else:
            self.callers.add(Credentials(told.access_key_id, told.secret_access_key, told.account_id, told.user))
        return web.Response()

    async def _revoke_credentials(self, request: web.Request) -> web.Response:
        if "accessKeyId" not in request.query:
            raise _wrong("whose? Write ?accessKeyId=")
        self.callers.revoke(request.query["accessKeyId"])
        return web.Response()

    async def _get_sessions(self, _: web.Request) -> web.Response:
        return _json({"sessions": [asdict(session) for session in self.callers.sessions]})


async def _ready(_: web.Request) -> web.Response:
    return web.Response()


async def _read(request: web.Request, form: TypeAdapter[T]) -> T:
    """The body. Raises HTTPBadRequest, which says what to write instead."""
    try:
        return form.validate_json(await request.read(), strict=True)
    except ValidationError as error:
        raise _wrong("; ".join(_told(one["loc"], one["msg"], one["input"]) for one in error.errors())) from None


def _told(place: Iterable[object], message: str, found: object) -> str:
    where = ".".join(map(str, place))
    return f"{where}: {message}, not {found!r}" if where else message


def _wrong(words: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=words)


def _json(answer: dict[str, Any]) -> web.Response:
    return web.Response(body=json_wire.write_answer(answer), content_type="application/json")


def _shown(key: Key) -> dict[str, Any]:
    """All that the model knows of a key."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in vars(key).items()}
