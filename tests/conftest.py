"""What all tests share: the markers.

virtual_time gives an async test (and its async fixtures) a loop that jumps; holds says which promises a test is for.

`make test` runs several processes at once (pytest-xdist). A file whose tests share servers stays in one of them; all other tests go wherever
there is room.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.virtual_time import VirtualTimeLoop

ON_SERVERS = frozenset({"bench", "cluster", "docs", "monitoring", "strict"})
TESTS = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers: unknown ones are refused."""
    config.addinivalue_line("markers", "virtual_time: run the async test on a loop whose clock jumps (tests/virtual_time.py)")
    config.addinivalue_line("markers", "holds(*numbers): this test holds these promises (tests/promises.py)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before xdist looks at the groups."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in ON_SERVERS:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(TESTS))))


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the loop of an async test; one entry, so that no test is run twice."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}
