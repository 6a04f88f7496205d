"""What the tests of aws/ share: an environment without AWS in it, one emulator for the session, and connections to it."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from aws.channels import Terms
from aws.clients import Clients, Connection
from aws.credentials import AccessRequest, StaticCredentials
from aws.wires import AwsWires
from tests.aws.worlds import terms
from tests.cluster.emulator import emulator
from tests.cluster.processes import scratch_folder

TEST = StaticCredentials("test", "test")


@pytest.fixture(autouse=True)
def _no_aws_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, files, metadata service or proxy of the machine that runs the tests."""
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of an emulated AWS, shared by the whole session: no test may count on being alone in it."""
    with scratch_folder() as folder, emulator(folder) as url:
        yield url


@pytest.fixture(scope="session")
def wires() -> AwsWires:
    """The real SDK, warm; it belongs to no event loop."""
    opened = AwsWires()
    asyncio.run(opened.warm())
    return opened


@pytest.fixture
def sdk_terms(wires: AwsWires) -> Terms:
    return terms(wires.open)


@pytest.fixture
async def connection(moto: str, sdk_terms: Terms) -> AsyncIterator[Connection]:
    """A connection to the emulator under generous quotas."""
    clients = Clients(sdk_terms, quota_fraction=1.0)
    yield await clients.connect(AccessRequest("team/dev", "eu-central-1", endpoint=moto, static=TEST))
    await clients.close()
