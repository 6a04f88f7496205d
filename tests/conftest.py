"""What all tests share: the markers.

virtual_time gives an async test (and its async fixtures) a loop that jumps; holds says which promises a test is for.
"""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.virtual_time import VirtualTimeLoop


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers: unknown ones are refused."""
    config.addinivalue_line("markers", "virtual_time: run the async test on a loop whose clock jumps (tests/virtual_time.py)")
    config.addinivalue_line("markers", "holds(*numbers): this test holds these promises (tests/promises.py)")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the loop of an async test; one entry, so that no test is run twice."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}
