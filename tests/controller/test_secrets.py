import base64
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from aws.credentials import StaticCredentials
from controller.kube import Kube, KubeError, Request, Response, Stream
from controller.secrets import CredentialsInvalidError, Found, read_credentials
from reconcilers.provider_fields import AWSProviderSpec
from tests.controller.scripted import failure

PATH = "/api/v1/namespaces/team/secrets/"
REFS = {"accessKeyIDRef": {"name": "ids", "key": "id"}, "secretAccessKeyRef": {"name": "keys", "key": "key"}}
WHOLE = {"credentialsSecret": {"name": "aws"}}
VALUES = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary"}


class Secrets:
    """A Transport: the Secrets of one namespace, read by name; whatever else is asked for is refused."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, str] | None] = {}
        self.refusal: Response | None = None
        self.paths: list[str] = []

    def hold(self, name: str, **values: str) -> None:
        """A Secret with these values."""
        self.data[name] = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}

    async def send(self, request: Request) -> Response:
        assert request.method == "GET"
        self.paths.append(request.path)
        name = request.path.removeprefix(PATH)
        if self.refusal is not None:
            return self.refusal
        if name not in self.data:
            return failure(404, "NotFound")
        return Response(200, json.dumps({"kind": "Secret", "data": self.data[name]}).encode())

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        raise NotImplementedError(request.path)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


async def read(secrets: Secrets, **spec: Any) -> StaticCredentials | None:
    found = await find(secrets, **spec)
    return found.static if found else None


async def find(secrets: Secrets, **spec: Any) -> Found | None:
    return await read_credentials(Kube(secrets), "team", AWSProviderSpec.model_validate({"region": "us-east-1", **spec}))


async def refused(secrets: Secrets, **spec: Any) -> str:
    with pytest.raises(CredentialsInvalidError) as caught:
        await read(secrets, **spec)
    return str(caught.value)


async def test_a_provider_without_a_secret_reads_none(secrets: Secrets) -> None:
    assert await read(secrets, roleARN="arn:aws:iam::123456789012:role/r") is None
    assert secrets.paths == []


async def test_a_whole_secret_has_the_names_of_the_environment(secrets: Secrets) -> None:
    secrets.hold("aws", **VALUES)
    assert await read(secrets, **WHOLE) == StaticCredentials("AKIDEXAMPLE", "canary")


async def test_a_session_token_in_a_whole_secret_is_taken_where_it_is(secrets: Secrets) -> None:
    secrets.hold("aws", **VALUES, AWS_SESSION_TOKEN="token")
    assert await read(secrets, **WHOLE) == StaticCredentials("AKIDEXAMPLE", "canary", "token")


async def test_references_may_lead_to_several_secrets(secrets: Secrets) -> None:
    secrets.hold("ids", id="AKIDEXAMPLE")
    secrets.hold("keys", key="canary", token="token")
    assert await read(secrets, **REFS) == StaticCredentials("AKIDEXAMPLE", "canary")
    with_token = REFS | {"sessionTokenRef": {"name": "keys", "key": "token"}}
    assert await read(secrets, **with_token) == StaticCredentials("AKIDEXAMPLE", "canary", "token")


async def test_each_secret_is_read_once_and_by_its_name(secrets: Secrets) -> None:
    secrets.hold("aws", **VALUES, AWS_SESSION_TOKEN="token")
    await read(secrets, **WHOLE)
    assert secrets.paths == [f"{PATH}aws"]


@pytest.mark.parametrize("text", ["canary\n", " canary", "canary\r\n"])
async def test_white_space_around_a_value_is_not_part_of_it(text: str, secrets: Secrets) -> None:
    secrets.hold("aws", **VALUES | {"AWS_SECRET_ACCESS_KEY": text})
    assert await read(secrets, **WHOLE) == StaticCredentials("AKIDEXAMPLE", "canary")


async def test_a_secret_that_is_missing_is_named(secrets: Secrets) -> None:
    assert await refused(secrets, **WHOLE) == "There is no Secret aws in the namespace team: create it."


async def test_a_secret_that_may_not_be_read_says_who_is_to_be_allowed(secrets: Secrets) -> None:
    secrets.refusal = failure(403, "Forbidden")
    message = "The operator may not read the Secret aws in the namespace team: allow its ServiceAccount to get it."
    assert await refused(secrets, **WHOLE) == message


@pytest.mark.parametrize("missing", sorted(VALUES))
async def test_a_key_that_is_missing_is_named(missing: str, secrets: Secrets) -> None:
    secrets.hold("aws", **{key: value for key, value in VALUES.items() if key != missing})
    assert await refused(secrets, **WHOLE) == f"The Secret aws has no key {missing}: add it, or correct the provider."


async def test_a_secret_without_data_has_no_keys(secrets: Secrets) -> None:
    secrets.data["aws"] = None
    assert "has no key AWS_ACCESS_KEY_ID" in await refused(secrets, **WHOLE)


async def test_a_referenced_session_token_must_be_there(secrets: Secrets) -> None:
    secrets.hold("ids", id="AKIDEXAMPLE")
    secrets.hold("keys", key="canary")
    spec = REFS | {"sessionTokenRef": {"name": "keys", "key": "token"}}
    assert await refused(secrets, **spec) == "The Secret keys has no key token: add it, or correct the provider."


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_value_is_refused(text: str, secrets: Secrets) -> None:
    secrets.hold("aws", **VALUES | {"AWS_SECRET_ACCESS_KEY": text})
    assert await refused(secrets, **WHOLE) == "The key AWS_SECRET_ACCESS_KEY of the Secret aws is empty: fill it."


@pytest.mark.parametrize("encoded", ["canary!", "w6k=", "//79"], ids=["no base64", "no ASCII", "no text"])
async def test_a_value_that_is_no_text_is_refused_without_being_told(encoded: str, secrets: Secrets) -> None:
    secrets.hold("aws", **VALUES)
    held = secrets.data["aws"]
    assert held is not None
    held["AWS_SECRET_ACCESS_KEY"] = encoded
    message = await refused(secrets, **WHOLE)
    assert message == "The key AWS_SECRET_ACCESS_KEY of the Secret aws is not plain text: write it anew."


@pytest.mark.parametrize("text", ["two\nlines", "carriage\rreturn", "nul\0byte"])
async def test_a_value_that_cannot_stand_in_a_header_is_refused(text: str, secrets: Secrets) -> None:
    """Whoever pastes both halves of an access key into one field would else see a connection that fails for ever."""
    secrets.hold("aws", **VALUES | {"AWS_ACCESS_KEY_ID": text})
    message = await refused(secrets, **WHOLE)
    assert message == "The key AWS_ACCESS_KEY_ID of the Secret aws is not plain text: write it anew."


async def test_no_error_carries_a_value_in_its_chain(secrets: Secrets) -> None:
    """A traceback shows the errors behind an error, and those of decoders quote what they cannot decode."""
    secrets.hold("aws", **VALUES | {"AWS_SECRET_ACCESS_KEY": "canary\u00e9"})
    with pytest.raises(CredentialsInvalidError) as caught:
        await read(secrets, **WHOLE)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert caught.value.__cause__ is None


async def test_an_api_server_that_fails_is_not_the_secret_s_fault(secrets: Secrets) -> None:
    secrets.refusal = failure(500, "InternalError")
    with pytest.raises(KubeError):
        await read(secrets, **WHOLE)


def test_credentials_do_not_show_themselves() -> None:
    assert "canary" not in repr(StaticCredentials("AKIDEXAMPLE", "canary", "token"))


async def test_which_values_had_blanks_around_them_is_told_and_none_of_them_shown(secrets: Secrets) -> None:
    secrets.hold("aws", AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="canary\n", AWS_SESSION_TOKEN=" token")
    found = await find(secrets, **WHOLE)
    assert found is not None
    assert found.static == StaticCredentials("AKIDEXAMPLE", "canary", "token")
    assert found.trimmed == ("AWS_SECRET_ACCESS_KEY of the Secret aws", "AWS_SESSION_TOKEN of the Secret aws")
    secrets.hold("aws", **VALUES)
    clean = await find(secrets, **WHOLE)
    assert clean is not None
    assert clean.trimmed == ()
