"""The socket that the server listens on."""

import socket

import pytest

from server.serve import listen


def test_answers_are_not_held_back_by_nagles_algorithm() -> None:
    """Every answer once took 44 ms: asyncio sets TCP_NODELAY only on sockets that name their protocol."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_an_address_in_use_is_an_error() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize("host", ["[::1]", "::1", "localhost", "127.0.0.1"])
def test_an_address_may_be_written_in_every_usual_way(host: str) -> None:
    with listen(host, 0) as listener:
        assert listener.getsockname()[1]


@pytest.mark.parametrize("host", ["no such host", "x" * 70, "a..b", "192.0.2.1", "1:2", "é" * 40])
def test_a_host_that_is_none_of_this_machines_is_an_error(host: str) -> None:
    with pytest.raises(OSError, match=r"."):
        listen(host, 0)
