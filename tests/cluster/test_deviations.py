"""The emulators are as good and as bad as deviations.py says: what an emulator mends, or breaks, is seen here first."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.deviations import FACTS, holds, told
from tests.cluster.emulator import Backend, boto, emulator


@pytest.fixture(scope="module", params=list(Backend))
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, Any]]:
    """A backend, and KMS in it."""
    folder = tmp_path_factory.mktemp(request.param)
    with emulator(folder, request.param) as url, contextlib.closing(boto(url, "kms", "us-east-1")) as kms:
        yield request.param, kms


def test_each_emulator_deviates_from_aws_where_it_is_known_to(backend: tuple[Backend, Any]) -> None:
    name, kms = backend
    assert {fact: holds(probe, kms) for fact, probe in FACTS.items()} == {fact: told(probe, name) for fact, probe in FACTS.items()}
