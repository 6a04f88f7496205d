import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from aws import addresses
from aws.addresses import GuardedResolver, check_endpoint, serves_metadata
from aws.errors import InvalidAccessError
from reconcilers.reasons import Reason


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.0.1",
        "fe80::1",
        "fe80::a9fe:a9fe%eth0",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_an_address_at_which_a_host_serves_credentials_is_known(host: str) -> None:
    assert serves_metadata(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "2600::1", "kms.us-east-1.amazonaws.com", "169.254.example"])
def test_all_others_are_free(host: str) -> None:
    assert not serves_metadata(host)


@pytest.mark.parametrize("endpoint", ["http://169.254.169.254", "https://[fe80::1]:8443/kms", "http://[::ffff:169.254.169.254]/"])
def test_an_endpoint_there_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidAccessError) as refused:
        check_endpoint(endpoint)
    assert refused.value.reason == Reason.ENDPOINT_NOT_ALLOWED


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:4566", "https://kms.internal.example/path"])
def test_any_other_is_not(endpoint: str | None) -> None:
    check_endpoint(endpoint)


class Names(AbstractResolver):
    """Answers each name with one address."""

    def __init__(self, **addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self.addresses[host], port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_name_that_leads_there_is_as_good_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "DefaultResolver", lambda: Names(kms="10.0.0.1", metadata="169.254.169.254"))
    guarded = GuardedResolver()
    assert [one["host"] for one in await guarded.resolve("kms", 443)] == ["10.0.0.1"]
    with pytest.raises(OSError, match="metadata leads to a link-local address"):
        await guarded.resolve("metadata", 443)
    await guarded.close()
