"""The HTTP transport against a scripted server on 127.0.0.1, over real sockets."""

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller import metrics
from controller.access import Access, AccessError, Credentials
from controller.connection import NO_ANSWER, HttpTransport, connect
from controller.kube import Kube, KubeError, TooManyRequests, Unauthorized, Unavailable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def echo(request: web.Request) -> web.StreamResponse:
    """Tells what arrived."""
    seen = {
        "method": request.method,
        "path": request.raw_path,
        "type": request.headers.get("Content-Type"),
        "who": request.headers.get("Authorization"),
        "body": (await request.read()).decode(),
    }
    return web.json_response(seen)


def credentials(*headers: str | None) -> Credentials:
    """Gives these one after the other, and then the last one for ever."""
    left = list(headers or ["Bearer t"])

    async def read() -> str | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return Credentials(read)


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers everything with one handler; gives its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


@asynccontextmanager
async def connected(access: Access) -> AsyncIterator[Kube]:
    kube = Kube(HttpTransport(access))
    try:
        yield kube
    finally:
        await kube.close()


@asynccontextmanager
async def talking(handler: Handler, *headers: str | None) -> AsyncIterator[Kube]:
    async with serving(handler) as url, connected(Access(url, credentials(*headers))) as kube:
        yield kube


def counted(url: str, method: str, code: str) -> float:
    return float(metrics.REST_CLIENT_REQUESTS.labels(code, method, url.split("//")[1])._value.get())


# ---- what is sent


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda kube: kube.get("/x", {"limit": "5", "continue": "a/b="}), ("GET", "/x?limit=5&continue=a%2Fb%3D", None, "")),
        (lambda kube: kube.post("/x%2Fy", {"a": "ü"}), ("POST", "/x%2Fy", "application/json", '{"a":"ü"}')),
        (lambda kube: kube.json_patch("/x", [{}]), ("PATCH", "/x", "application/json-patch+json", "[{}]")),
        (lambda kube: kube.merge_patch("/x", {"a": None}), ("PATCH", "/x", "application/merge-patch+json", '{"a":null}')),
        (lambda kube: kube.delete("/x"), ("DELETE", "/x", None, "")),
    ],
)
async def test_requests_arrive_as_they_were_meant(
    call: Callable[[Kube], Awaitable[bytes]], expected: tuple[str, str, str | None, str]
) -> None:
    async with talking(echo) as kube:
        seen = json.loads(await call(kube))
    assert seen == dict(zip(("method", "path", "type", "body"), expected, strict=True)) | {"who": "Bearer t"}


async def test_a_server_may_live_below_a_path() -> None:
    async with serving(echo) as url, connected(Access(f"{url}/k8s/clusters/c-1", credentials())) as kube:
        assert json.loads(await kube.get("/api"))["path"] == "/k8s/clusters/c-1/api"


async def test_without_a_token_nothing_is_claimed() -> None:
    async with talking(echo, None) as kube:
        assert json.loads(await kube.get("/x"))["who"] is None


@pytest.mark.holds("F48")
async def test_the_environment_diverts_no_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with talking(echo) as kube:
        assert json.loads(await kube.get("/x"))["who"] == "Bearer t"


async def test_a_proxy_that_is_configured_is_asked() -> None:
    async with serving(echo) as proxy, connected(Access("http://kube.test", credentials(), proxy=proxy)) as kube:
        assert json.loads(await kube.get("/x"))["path"] == "http://kube.test/x"


async def test_connections_are_kept() -> None:
    ports: set[object] = set()

    async def note(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername"))
        return web.json_response({})

    async with talking(note) as kube:
        for _ in range(5):
            await kube.get("/x")
    assert len(ports) == 1


# ---- 401


def accepting(*tokens: str) -> tuple[Handler, list[str]]:
    """A server that knows these tokens only, and what it was shown."""
    shown: list[str] = []

    async def check(request: web.Request) -> web.StreamResponse:
        shown.append(request.headers["Authorization"])
        known = shown[-1] in tokens
        return web.json_response({}, status=200 if known else 401)

    return check, shown


async def test_a_401_is_answered_with_fresh_credentials_also_for_a_post() -> None:
    handler, shown = accepting("Bearer new")
    async with talking(handler, "Bearer old", "Bearer new") as kube:
        await kube.post("/x", {})
        await kube.get("/x")
    assert shown == ["Bearer old", "Bearer new", "Bearer new"]


@pytest.mark.holds("F21")
async def test_a_401_is_retried_once() -> None:
    handler, shown = accepting()
    async with talking(handler) as kube:
        with pytest.raises(Unauthorized):
            await kube.get("/x")
    assert len(shown) == 2


async def test_a_stream_is_retried_with_fresh_credentials_too() -> None:
    handler, shown = accepting("Bearer new")
    async with talking(handler, "Bearer old", "Bearer new") as kube, kube.stream("/x", {}, 5) as chunks:
        assert [chunk async for chunk in chunks] == [b"{}"]
    assert len(shown) == 2


async def test_a_redirect_is_not_followed() -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/elsewhere" if request.path != "/elsewhere" else "/x")

    async with talking(redirect) as kube:
        with pytest.raises(KubeError) as caught:
            await kube.get("/x")
    assert caught.value.status == 302


# ---- answers


async def test_retry_after_is_passed_on() -> None:
    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"code": 429}, status=429, headers={"Retry-After": "7"})

    async with talking(busy) as kube:
        with pytest.raises(TooManyRequests) as caught:
            await kube.get("/x")
        assert caught.value.retry_after == 7
        with pytest.raises(TooManyRequests):
            async with kube.stream("/x", {}, 5):
                pytest.fail("the status was not checked")


async def test_compressed_answers_are_unpacked() -> None:
    async def packed(_request: web.Request) -> web.StreamResponse:
        answer = web.Response(body=b"x" * 200_000)
        answer.enable_compression()
        return answer

    async with talking(packed) as kube:
        assert await kube.get("/x") == b"x" * 200_000


def sending(*chunks: bytes, breaks: bool = False) -> Handler:
    async def send(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for chunk in chunks:
            await answer.write(chunk)
        if breaks:
            assert request.transport is not None
            request.transport.abort()
        return answer

    return send


async def test_a_stream_carries_lines_of_any_length() -> None:
    line = b"x" * 5_000_000 + b"\n"
    async with talking(sending(b"a\n", line)) as kube, kube.stream("/x", {}, 5) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"a\n" + line


async def test_a_connection_reset_in_mid_line_is_unavailable() -> None:
    async with talking(sending(b"half a li", breaks=True)) as kube:
        with pytest.raises(Unavailable):
            await _read(kube)


async def _read(kube: Kube) -> bytes:
    async with kube.stream("/x", {}, 5) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_a_server_that_never_answers_is_given_up_and_counted() -> None:
    given_up = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await given_up.wait()
        return web.Response()

    async with serving(hang) as url, connected(Access(url, credentials())) as kube:
        with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
            await kube.get("/x", timeout=0.05)
        assert counted(url, "GET", NO_ANSWER) == 1
        given_up.set()


async def test_a_refused_connection_is_unavailable_and_counted(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with connected(Access(url, credentials())) as kube:
        with pytest.raises(Unavailable):
            await kube.get("/x")
    assert counted(url, "GET", NO_ANSWER) == 1


async def test_answers_are_counted_by_their_code() -> None:
    handler, _ = accepting("Bearer new")
    async with serving(handler) as url, connected(Access(url, credentials("Bearer old", "Bearer new"))) as kube:
        await kube.merge_patch("/x", {})
        assert (counted(url, "PATCH", "401"), counted(url, "PATCH", "200")) == (1, 1)


async def test_unreadable_credentials_are_unavailable() -> None:
    async def read() -> str:
        raise AccessError("no token")

    async with serving(echo) as url, connected(Access(url, Credentials(read))) as kube:
        with pytest.raises(Unavailable, match="no token"):
            await kube.get("/x")


# ---- TLS


def certificate(folder: Path, name: str) -> str:
    """A self-signed certificate for 127.0.0.1 and kube.test with its key, as one file. It has no key identifier, like the CAs of EKS."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("kube.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / name
    file.write_bytes(pem)
    return str(file)


def server_tls(file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_the_clusters_own_ca_is_trusted_and_no_other(tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "ours"), certificate(tmp_path, "theirs")
    async with serving(echo, server_tls(ours)) as url:
        async with connected(Access(url, credentials(), ca_file=ours)) as kube:
            assert await kube.get("/x")
        async with connected(Access(url, credentials(), ca_file=theirs)) as kube:
            with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await kube.get("/x")


async def test_a_rotated_ca_is_trusted_after_one_failure(tmp_path: Path) -> None:
    old, new = certificate(tmp_path, "old"), certificate(tmp_path, "new")
    ca = tmp_path / "ca.crt"
    ca.write_bytes(Path(old).read_bytes())  # noqa: ASYNC240 - a small file
    async with serving(echo, server_tls(new)) as url, connected(Access(url, credentials(), ca_file=str(ca))) as kube:
        ca.write_bytes(Path(new).read_bytes())  # noqa: ASYNC240 - a small file
        with pytest.raises(Unavailable):
            await kube.get("/x")
        assert await kube.get("/x")


async def test_the_expected_name_can_be_given(tmp_path: Path) -> None:
    ours = certificate(tmp_path, "ours")
    async with serving(echo, server_tls(ours)) as url:
        async with connected(Access(url, credentials(), ca_file=ours, server_name="kube.test")) as kube:
            assert await kube.get("/x")
        async with connected(Access(url, credentials(), ca_file=ours, server_name="other.test")) as kube:
            with pytest.raises(Unavailable):
                await kube.get("/x")


async def test_verification_can_be_switched_off(tmp_path: Path) -> None:
    async with (
        serving(echo, server_tls(certificate(tmp_path, "ours"))) as url,
        connected(Access(url, credentials(), verify=False)) as kube,
    ):
        assert await kube.get("/x")


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "ours"), certificate(tmp_path, "theirs")
    tls = server_tls(ours)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(theirs)
    async with serving(echo, tls) as url, connected(Access(url, credentials(None), ours, theirs, theirs)) as kube:
        assert await kube.get("/x")


async def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=r"cannot read .*ca\.crt"):
        HttpTransport(Access("https://127.0.0.1", credentials(), ca_file=str(tmp_path / "ca.crt")))


async def test_connect_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with serving(echo) as url:
        config = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "mine"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        kube = await connect()
        assert json.loads(await kube.get("/x"))["who"] == "Bearer mine"
        await kube.close()
