"""The strict model of AWS behind HTTP: KMS, STS and the tagging API at /, and what tests want from it at /_strict/ (switches.py).

Rules:
1. Signatures are checked, with the time in them; so are the service models, before the model sees a request.
2. Each request is carried out at once: no two are half done at the same time.
3. What the model does not know is refused as an unknown operation, and never answered with something friendly.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from botocore.exceptions import ParamValidationError
from botocore.model import OperationNotFoundError

from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_model import Kms
from tests.simulation.kms_writes import Caller
from tests.strict import json_wire, query_wire
from tests.strict.http_faults import PAGE, Fault
from tests.strict.signatures import check_signature, read_signature
from tests.strict.switches import Switches

SERVICES = {"TrentService": "kms", "ResourceGroupsTaggingAPI_20170126": "resourcegroupstaggingapi"}


def _now() -> datetime:
    return datetime.now(UTC)


class StrictAws:
    """What answers as AWS does, from the state that tests switch."""

    def __init__(self, kms: Kms) -> None:
        self.kms = kms
        self.switches = Switches(kms)
        self.callers, self.faults, self.calls = self.switches.callers, self.switches.faults, self.switches.calls

    def application(self) -> web.Application:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.add_routes([*self.switches.routes(), web.post("/", self._serve)])
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = _Asked(request, body)
        fault = self.faults.take(asked.operation, asked.region)
        answers = [self._once(asked) for _ in range(1 if fault is None else fault.times_done)]
        answer = answers[0] if answers else web.Response()  # done twice, the first one arrives, whatever came of the second
        return answer if fault is None else await self._disturbed(asked, fault, answer)

    def _once(self, asked: "_Asked") -> web.Response:
        noted = {"at": _now().isoformat(), "operation": asked.operation, "key": "", "caller": "", "region": "", "outcome": "OK"}
        self.calls.append(noted)
        try:
            caller = self._authenticate(asked)
            noted |= {"caller": caller.arn, "region": caller.region}
            parameters = asked.parameters()
            noted["key"] = str(parameters.get("KeyId") or parameters.get("TargetKeyId", ""))
            return asked.success(self._answer(asked, parameters, caller))
        except RefusedError as error:
            noted["outcome"] = error.code
            return asked.refusal(error)

    def _authenticate(self, asked: "_Asked") -> Caller:
        if asked.operation == "AssumeRoleWithWebIdentity":  # the only request that is not signed
            return Caller("", "anonymous", "us-east-1")
        now = _now()
        signed = replace(read_signature(asked.headers.get("Authorization", "")), service=asked.service)
        caller, secret = self.callers.recognise(signed, asked.headers.get("X-Amz-Security-Token", ""), now)
        signed_as = read_signature(asked.headers.get("Authorization", ""))
        check_signature(signed_as, secret, asked.path, asked.headers, asked.body, now)
        return caller

    def _answer(self, asked: "_Asked", parameters: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
        if asked.operation in ("AssumeRole", "AssumeRoleWithWebIdentity") and asked.operation not in self.kms.denied:
            return self.callers.assume(parameters, _now())
        try:
            return self.kms.handle(asked.service, asked.operation, parameters, caller)
        except ParamValidationError as error:
            raise RefusedError("ValidationException", str(error)) from None
        except (KeyError, OperationNotFoundError):
            raise RefusedError("UnknownOperationException", asked.operation) from None

    async def _disturbed(self, asked: "_Asked", fault: Fault, answer: web.Response) -> web.StreamResponse:
        if fault.times_done == 0:
            self.calls.append({"at": _now().isoformat(), "operation": asked.operation, "outcome": fault.kind})
        await asyncio.sleep(fault.seconds)
        match fault.reply:
            case "cut":
                if asked.request.transport is not None:  # None: who asked has hung up already
                    asked.request.transport.abort()
            case "hang":
                await asyncio.get_running_loop().create_future()
            case "error":
                return asked.refusal(fault.error(asked.service))
            case "garbage":
                return web.Response(body=PAGE, content_type="text/html", status=fault.status or 200)
        return answer


class _Asked:
    """One request: what it wants, and in which protocol it is to be answered."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.request = request
        self.headers = request.headers
        self.path = request.raw_path
        self.body = body
        self.request_id = str(uuid.uuid4())
        target = self.headers.get("X-Amz-Target", "")
        prefix, _, operation = target.rpartition(".")
        self.is_query = not target
        self.service = "sts" if self.is_query else SERVICES.get(prefix, prefix)
        self.operation = query_wire.operation(body) if self.is_query else operation

    @property
    def region(self) -> str:
        """As the signature has it; empty where there is none."""
        try:
            return read_signature(self.headers.get("Authorization", "")).region
        except RefusedError:
            return ""

    def parameters(self) -> dict[str, Any]:
        """Raises RefusedError."""
        if self.is_query:
            return query_wire.read_parameters(self.body)
        try:
            return json_wire.read_parameters(self.service, self.operation, self.body)
        except (LookupError, OperationNotFoundError):
            raise RefusedError("UnknownOperationException", self.operation) from None

    def success(self, answer: Mapping[str, Any]) -> web.Response:
        if self.is_query:
            return self._response(query_wire.write_answer(self.operation, answer, self.request_id), 200)
        return self._response(json_wire.write_answer(answer), 200)

    def refusal(self, error: RefusedError) -> web.Response:
        body = query_wire.write_error(error, self.request_id) if self.is_query else json_wire.write_error(error)
        return self._response(body, error.status)

    def _response(self, body: bytes, status: int) -> web.Response:
        content_type = query_wire.CONTENT_TYPE if self.is_query else json_wire.CONTENT_TYPE
        return web.Response(body=body, status=status, content_type=content_type, headers={"x-amzn-RequestId": self.request_id})
