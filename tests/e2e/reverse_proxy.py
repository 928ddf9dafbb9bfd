"""A reverse proxy that serves a server under a prefix, which it takes off the paths or leaves there."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


@contextmanager
def reverse_proxy(server: str, prefix: str, *, strips: bool) -> Iterator[str]:
    """Gives the address of the server behind it; what lies outside the prefix is a 404."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, rest = head.split(b" ", 2)
            if path != prefix.encode() and not path.startswith(f"{prefix}/".encode()):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                writer.close()
                return
            path = (path.removeprefix(prefix.encode()) or b"/") if strips else path
            if b"upgrade: websocket" not in head.lower():  # another request would come with the prefix
                rest = rest.replace(b"\r\nConnection: keep-alive", b"")
                rest = rest.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            other = urlsplit(server)
            other_reader, other_writer = await asyncio.open_connection(other.hostname, other.port)
            other_writer.write(b" ".join([method, path, rest]))
            await asyncio.gather(pass_on(reader, other_writer), pass_on(other_reader, writer))

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    listener = asyncio.run_coroutine_threadsafe(asyncio.start_server(connect, "127.0.0.1", 0), loop).result(10)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}{prefix}/"
    finally:
        loop.call_soon_threadsafe(listener.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
