import asyncio
import base64
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from controller import access
from controller.access import REFRESH_SECONDS, RETRY_SECONDS, Access, AccessError, Credentials, find_access


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTPS_PROXY", "https_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a service account, and an environment that says that this is a pod."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "token").write_text("first\n")
    return tmp_path


def kubeconfig(file: Path, user: dict[str, object], **cluster: object) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://kube.test:6443/"} | cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    file.write_text(yaml.safe_dump(config))
    return str(file)


# ---- in a pod


async def test_a_pod_uses_its_service_account(pod: Path) -> None:
    found = await find_access()
    assert found.server == "https://10.0.0.1:6443"
    assert found.ca_file == str(pod / "ca.crt")
    assert await found.credentials.header() == "Bearer first"


@pytest.mark.holds("F48")
@pytest.mark.usefixtures("pod")
async def test_an_ipv6_address_is_bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert (await find_access()).server == "https://[fd00::1]:6443"


@pytest.mark.holds("F48")
@pytest.mark.usefixtures("pod")
async def test_a_pod_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    assert (await find_access()).proxy is None


@pytest.mark.holds("F44")
@pytest.mark.virtual_time
async def test_a_token_is_read_again_each_minute_of_the_monotonic_clock(pod: Path) -> None:
    credentials = (await find_access()).credentials
    assert await credentials.header() == "Bearer first"
    (pod / "token").write_text("second")
    await asyncio.sleep(REFRESH_SECONDS - 1)
    assert await credentials.header() == "Bearer first"
    await asyncio.sleep(1)
    assert await credentials.header() == "Bearer second"


@pytest.mark.virtual_time
@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"], ids=["missing", "empty", "blank", "binary"])
async def test_an_unreadable_token_keeps_the_last_one_until_it_is_back(pod: Path, content: bytes | None) -> None:
    credentials = (await find_access()).credentials
    await credentials.header()
    (pod / "token").unlink()
    if content is not None:
        (pod / "token").write_bytes(content)
    await asyncio.sleep(REFRESH_SECONDS)
    with capture_logs() as logs:
        assert await credentials.header() == "Bearer first"
    assert [entry["event"] for entry in logs] == ["credentials_unreadable"]
    (pod / "token").write_text("second")
    await asyncio.sleep(RETRY_SECONDS)
    assert await credentials.header() == "Bearer second"


async def test_a_pod_without_a_token_says_so(pod: Path) -> None:
    (pod / "token").unlink()
    with pytest.raises(AccessError, match="cannot read the service account's token"):
        await (await find_access()).credentials.header()


# ---- after a 401


def counting() -> tuple[Credentials, list[str]]:
    reads: list[str] = []

    async def read() -> str:
        await asyncio.sleep(0.1)
        reads.append(f"Bearer {len(reads)}")
        return reads[-1]

    return Credentials(read), reads


@pytest.mark.holds("F21")
@pytest.mark.virtual_time
async def test_refused_credentials_are_read_again_at_once_and_only_once() -> None:
    credentials, reads = counting()
    first = await credentials.header()
    for _ in range(5):
        credentials.refused(first)
    assert await asyncio.gather(*(credentials.header() for _ in range(5))) == ["Bearer 1"] * 5
    credentials.refused(first)  # a late answer to a request with the old ones
    assert await credentials.header() == "Bearer 1"
    assert len(reads) == 2


@pytest.mark.virtual_time
async def test_requests_at_the_same_time_read_the_credentials_once() -> None:
    credentials, reads = counting()
    await asyncio.gather(*(credentials.header() for _ in range(20)))
    assert len(reads) == 1


# ---- with a kubeconfig


async def load(folder: Path, monkeypatch: pytest.MonkeyPatch, user: dict[str, object], **cluster: object) -> Access:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(folder / "kubeconfig", user, **cluster))
    return await find_access()


async def test_a_kubeconfig_wins_over_the_pod(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await load(pod, monkeypatch, {"token": "mine"})
    assert found.server == "https://kube.test:6443"
    assert await found.credentials.header() == "Bearer mine"


async def test_the_default_kubeconfig_is_in_the_home_folder(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".kube"
    folder.mkdir(parents=True)
    kubeconfig(folder / "config", {"token": "mine"})
    assert await (await find_access()).credentials.header() == "Bearer mine"


async def test_the_settings_of_the_cluster_are_taken_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "certificate-authority-data": base64.b64encode(b"a CA").decode(),
        "insecure-skip-tls-verify": True,
        "tls-server-name": "other.test",
        "proxy-url": "http://proxy.test:1",
    }
    certificate = {"client-certificate-data": base64.b64encode(b"c").decode(), "client-key-data": base64.b64encode(b"k").decode()}
    found = await load(tmp_path, monkeypatch, dict(certificate), **settings)
    assert found.ca_file is not None
    assert Path(found.ca_file).read_text() == "a CA"  # noqa: ASYNC240 - three bytes
    assert (found.verify, found.server_name, found.proxy) == (False, "other.test", "http://proxy.test:1")
    assert found.cert_file is not None
    assert found.key_file is not None
    assert await found.credentials.header() is None


@pytest.mark.parametrize(
    ("no_proxy", "proxy"), [("", "http://proxy.test:3128"), ("kube.test", None), (".test", None), ("*", None)]
)
async def test_outside_a_pod_the_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_proxy: str, proxy: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (await load(tmp_path, monkeypatch, {"token": "t"})).proxy == proxy


async def test_a_token_file_is_trimmed_and_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    credentials = (await load(tmp_path, monkeypatch, {"tokenFile": "token"})).credentials
    first = await credentials.header()
    (tmp_path / "token").write_text("second\n")
    credentials.refused(first)
    assert (first, await credentials.header()) == ("Bearer first", "Bearer second")


async def test_a_plugin_gives_the_token_and_is_asked_again_after_a_401(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}'
    script = f"echo x >> {tmp_path}/runs; printf '{status}' $(wc -l < {tmp_path}/runs)"
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}
    credentials = (await load(tmp_path, monkeypatch, {"exec": plugin})).credentials
    first = await credentials.header()
    assert await credentials.header() == first
    credentials.refused(first)
    second = await credentials.header()
    assert first is not None
    assert second is not None
    assert first.startswith("Bearer ")
    assert second != first


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cannot use the kubeconfig"),
        ("{", "cannot use the kubeconfig"),
        ("current-context: c\n", "cannot use the kubeconfig"),
        ("current-context: c\ncontexts: [{name: d}]\nclusters: []\nusers: []\n", "cannot use the kubeconfig"),
    ],
)
async def test_a_broken_kubeconfig_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "broken").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "broken"))
    with pytest.raises(AccessError, match=complaint) as caught:
        await find_access()
    assert str(tmp_path / "broken") in str(caught.value)


async def test_a_plugin_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", "echo log in first >&2; exit 3"]}
    with pytest.raises(AccessError, match="log in first"):
        await load(tmp_path, monkeypatch, {"exec": plugin})


async def test_no_cluster_at_all_says_what_to_set() -> None:
    with pytest.raises(AccessError, match="set KUBECONFIG"):
        await find_access()
