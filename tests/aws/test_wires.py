"""The real SDK against a server of our own: what goes over the wire, and how often.

That the SDK sends no request a second time is held here alone: simulations have a wire of their own in its place.
"""

import time
import tomllib
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aws.channels import Channel
from aws.credentials import Access, StaticCredentials
from aws.errors import AWSError, BlockedError, FencedError, RetryableError, UnknownResultError
from aws.wires import USER_AGENT, AwsWires, _tls_context
from tests.aws.worlds import Behaviour, ScriptedServer, cut_short, hang_up, never, reply, reset, scripted, terms
from tests.cluster.processes import free_port

PAGE = b"<html>a proxy's page</html>"
NO_KEYS = b'{"Keys": [], "Truncated": false}'
CANARIES = StaticCredentials("AKIACANARY0123456789", "canary-secret", "canary-token")


@asynccontextmanager
async def channel_to(
    sdk: AwsWires, url: str, *, fence: bool = True, credentials: StaticCredentials | None = CANARIES
) -> AsyncIterator[Channel]:
    channel = Channel(terms(sdk.open, lambda _: fence), Access("eu-central-1", url, credentials))
    try:
        yield channel
    finally:
        await channel.retire()


async def failure(sdk: AwsWires, behave: Behaviour, operation: str = "CreateKey") -> tuple[AWSError, ScriptedServer]:
    async with scripted(behave) as server, channel_to(sdk, server.url) as channel:
        with pytest.raises(AWSError) as raised:
            await channel.call("kms", operation, {} if operation == "CreateKey" else {"KeyId": "k"})
    shown = "".join(traceback.format_exception(raised.value))
    assert "canary" not in shown.lower()
    return raised.value, server


@pytest.mark.holds("F30")
@pytest.mark.parametrize(
    "behave",
    [
        hang_up,
        reset,
        cut_short,
        reply(500, b'{"__type": "KMSInternalException"}'),
        reply(503, b"<html>upstream connect error</html>"),
        reply(403, b"<html>blocked by the proxy</html>"),
        reply(307, b"", "Location: /elsewhere\r\n"),
        reply(302, b"", "Location: /elsewhere\r\n"),
        reply(200, b"[1, 2]"),
        reply(200, b"null"),
        reply(200, b"\xff\xfe\xfd"),
        reply(200, b'{"KeyMetadata": "text"}'),
        reply(200, b'{"KeyMetadata": {"CreationDate": "never"}}'),
        reply(200, b"[" * 100_000),
    ],
)
async def test_a_lost_or_garbled_answer_to_create_key_is_an_unknown_result_of_exactly_one_request(
    wires: AwsWires, behave: Behaviour
) -> None:
    error, server = await failure(wires, behave)
    assert isinstance(error, UnknownResultError), error
    assert server.received == ["CreateKey"]


@pytest.mark.holds("F30")
@pytest.mark.parametrize("behave", [hang_up, reset, cut_short, reply(500, b"{}"), reply(502, PAGE), reply(200, PAGE)])
async def test_a_lost_answer_to_any_other_call_is_retried_later_and_not_here(wires: AwsWires, behave: Behaviour) -> None:
    error, server = await failure(wires, behave, "EnableKey")
    assert isinstance(error, RetryableError), error
    assert server.received == ["EnableKey"]


@pytest.mark.parametrize(
    "behave",
    [reply(200, b" ", "x-amzn-RequestId: r-1\r\n"), reply(200, b""), reply(200, b"{}", "Content-Type: application/x-amz-json-1.1\r\n")],
)
async def test_an_answer_that_says_nothing_is_known_by_its_request_id_or_by_what_it_is_not(wires: AwsWires, behave: Behaviour) -> None:
    async with scripted(behave) as server, channel_to(wires, server.url) as channel:
        await channel.call("kms", "EnableKey", {"KeyId": "k"})
    assert server.received == ["EnableKey"]


async def test_the_words_about_a_wrong_signature_stay_out_of_errors_and_tracebacks(wires: AwsWires) -> None:
    words = b'{"__type": "InvalidSignatureException", "message": "The canonical string was: AWS4 AKIACANARY0123456789 canary"}'
    error, _ = await failure(wires, reply(403, words), "EnableKey")
    assert isinstance(error, BlockedError)
    assert error.failure.message == "AWS does not accept the credentials: correct or renew them"


async def test_a_server_that_never_answers_is_given_up(wires: AwsWires) -> None:
    began = time.monotonic()
    async with scripted(never) as server:
        channel = Channel(replace(terms(wires.open), call_seconds=0.2), Access("eu-central-1", server.url, CANARIES))
        with pytest.raises(UnknownResultError):
            await channel.call("kms", "CreateKey", {})
        await channel.retire()
        assert time.monotonic() - began < 5
        assert server.received == ["CreateKey"]


async def test_a_refused_connection_is_known_to_have_sent_nothing(wires: AwsWires) -> None:
    async with channel_to(wires, f"http://127.0.0.1:{free_port()}") as channel:
        with pytest.raises(RetryableError, match="EndpointConnectionError"):
            await channel.call("kms", "CreateKey", {})


async def test_a_server_that_speaks_no_tls_is_known_to_have_got_nothing(wires: AwsWires) -> None:
    async with scripted(hang_up) as server, channel_to(wires, server.url.replace("http:", "https:")) as channel:
        with pytest.raises(RetryableError):
            await channel.call("kms", "CreateKey", {})
    assert server.received == []


async def test_a_closed_fence_sends_no_write(wires: AwsWires) -> None:
    async with scripted(reply(200, NO_KEYS)) as server, channel_to(wires, server.url, fence=False) as channel:
        with pytest.raises(FencedError, match="CreateKey was not started"):
            await channel.call("kms", "CreateKey", {})
        await channel.call("kms", "ListKeys", {})
    assert server.received == ["ListKeys"]


@pytest.mark.parametrize("url", ["http://[::1", "http://a..b", "http://%zz/"])
async def test_an_endpoint_that_is_no_url_is_refused_by_name(wires: AwsWires, url: str) -> None:
    async with channel_to(wires, url) as channel:
        with pytest.raises((BlockedError, RetryableError)):
            await channel.call("kms", "ListKeys", {})


async def test_a_pod_without_credentials_is_told_so() -> None:
    async with scripted(reply(200, b"{}")) as server, channel_to(AwsWires(), server.url, credentials=None) as channel:
        with pytest.raises(BlockedError, match="cannot be loaded"):
            await channel.call("sts", "GetCallerIdentity", {})
    assert server.received == []


@pytest.mark.holds("F36")
async def test_a_pod_whose_token_file_is_missing_is_told_so_and_has_sent_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/operator")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "missing"))
    async with scripted(reply(200, b"{}")) as server, channel_to(AwsWires(), server.url, credentials=None) as channel:
        for operation in ("GetCallerIdentity", "CreateKey"):
            with pytest.raises(BlockedError, match="cannot be loaded"):
                await channel.call("kms" if operation == "CreateKey" else "sts", operation, {})
    assert server.received == []


@pytest.mark.holds("F48")
async def test_a_proxy_that_refuses_is_known_to_have_got_nothing_and_what_needs_none_is_not_asked_through_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    async with scripted(reply(200, NO_KEYS)) as server:
        async with channel_to(AwsWires(), server.url) as channel:
            with pytest.raises(RetryableError, match="ProxyConnectionError"):
                await channel.call("kms", "CreateKey", {})
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with channel_to(AwsWires(), server.url) as channel:
            await channel.call("kms", "ListKeys", {})
    assert server.received == ["ListKeys"]


async def test_clients_share_one_tls_context(wires: AwsWires) -> None:
    before = _tls_context.cache_info()
    for _ in range(2):
        async with scripted(hang_up) as server, channel_to(wires, server.url.replace("http:", "https:")) as channel:
            with pytest.raises(RetryableError):
                await channel.call("kms", "ListKeys", {})
    after = _tls_context.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 2)


def test_the_user_agent_names_the_version_that_is_released() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert f"{project['name']}/{project['version']}" == USER_AGENT
