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
