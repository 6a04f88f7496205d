"""The proxy does to connections what its methods say, and nothing else."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.cluster.processes import wait_until
from tests.cluster.tcp_proxy import Link, tcp_proxy

SOON = 5.0


@pytest.fixture
def link() -> Iterator[Link]:
    """In front of a server that says everything back."""

    def echo(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(1024):
                connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        with tcp_proxy(f"https://127.0.0.1:{listening.getsockname()[1]}") as running:
            yield running
        listening.shutdown(socket.SHUT_RDWR)


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(link.url).port or 0), timeout=SOON)


def test_what_passes_is_unchanged(link: Link) -> None:
    with connect(link) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        assert (link.opened, link.connections) == (1, 1)
    wait_until(lambda: link.connections == 0, SOON, "the connection is over")


def test_a_frozen_link_says_nothing_and_loses_nothing(link: Link) -> None:
    with connect(link) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        link.freeze()
        client.settimeout(0.2)
        client.sendall(b"b")
        with pytest.raises(TimeoutError):
            client.recv(1)
        with connect(link) as second:
            second.settimeout(0.2)
            with pytest.raises(TimeoutError):
                second.recv(1)
        client.settimeout(SOON)
        link.thaw()
        assert client.recv(1) == b"b"


def test_a_lost_connection_is_dead_without_a_word_and_new_ones_work(link: Link) -> None:
    with connect(link) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        link.lose()
        client.settimeout(0.2)
        client.sendall(b"b")
        with pytest.raises(TimeoutError):
            client.recv(1)
        with connect(link) as second:
            second.sendall(b"c")
            assert second.recv(1) == b"c"


def test_a_reset_is_heard_by_all_and_new_connections_work(link: Link) -> None:
    with connect(link) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        link.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    passes(link)


def passes(link: Link) -> None:
    with connect(link) as client:
        client.sendall(b"again")
        assert client.recv(5) == b"again"


def test_a_refusing_link_takes_nobody(link: Link) -> None:
    link.refuse(on=True)
    with pytest.raises(ConnectionResetError), connect(link) as client:
        client.recv(1)
    link.refuse(on=False)
    passes(link)


def test_an_end_with_connections_open_resets_them_and_is_no_error(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    with tcp_proxy(link.url) as last:
        client = connect(last)
        client.sendall(b"a")
        assert client.recv(1) == b"a"
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert caplog.text == ""
