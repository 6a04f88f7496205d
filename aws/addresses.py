"""Addresses to which no endpoint may lead, whoever allowed endpoints: those at which a host hands out its own credentials.

Rules:
1. An address that is written out is refused before anything is sent, a name when it is looked up for a connection. There is no moment in
   between in which the name could be given another address.
2. That holds for every connection to AWS: no service of AWS is there. The SDK's own ways to the pod's credentials are others.

Link-local addresses (RFC 3927, RFC 4291), and the unique local ones that EC2 and EKS use for the same services over IPv6.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from aws.errors import InvalidAccessError
from reconcilers.reasons import Reason

_METADATA = tuple(ip_network(block) for block in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"))
_NAT64 = ip_network("64:ff9b::/96")


def check_endpoint(endpoint: str | None) -> None:
    """Raises InvalidAccessError for a URL whose host is such an address."""
    host = urlsplit(endpoint).hostname if endpoint else None
    if host and serves_metadata(host):
        raise InvalidAccessError(
            Reason.ENDPOINT_NOT_ALLOWED, "spec.endpoint is a link-local address, at which a host serves its own credentials: name another"
        )


def serves_metadata(host: str) -> bool:
    """Whether this is one of those addresses; a name is none."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    plain = _embedded(address) or address
    return any(plain.version == block.version and plain in block for block in _METADATA)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which an IPv6 address of two special kinds leads."""
    if isinstance(address, IPv4Address):
        return None
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.ipv4_mapped


class GuardedResolver(AbstractResolver):
    """Looks names up as aiohttp does by itself, and takes no answer that leads there."""

    def __init__(self) -> None:
        self._resolver: AbstractResolver | None = None

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Raises OSError, as for a name that does not exist."""
        self._resolver = self._resolver or DefaultResolver()  # which belongs to the loop that runs now
        found = await self._resolver.resolve(host, port, family)
        if any(serves_metadata(one["host"]) for one in found):
            raise OSError(f"{host} leads to a link-local address, at which no endpoint of AWS is")
        return found

    async def close(self) -> None:
        """Nothing is open."""
