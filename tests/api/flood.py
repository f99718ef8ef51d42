"""Connections that do nothing, or too much, to a server on loopback."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence


async def connect(port: int) -> socket.socket:
    """A TCP connection to loopback."""
    one = socket.socket()
    one.setblocking(False)
    await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", port))
    return one


@contextlib.asynccontextmanager
async def idle_connections(port: int, count: int) -> AsyncIterator[Sequence[socket.socket]]:
    """So many connections that say nothing, for the time of the `async with`."""
    opened: list[socket.socket] = []
    try:
        while len(opened) < count:
            opened.append(await connect(port))
        yield opened
    finally:
        for one in opened:
            one.close()


async def answer(port: int, *parts: bytes) -> bytes:
    """All that comes back for the parts of a request until the server closes."""
    loop = asyncio.get_running_loop()
    one = await connect(port)
    read = b""
    with one, contextlib.suppress(ConnectionError):
        for part in parts:
            await loop.sock_sendall(one, part)
            await asyncio.sleep(0)
        while part := await loop.sock_recv(one, 65_536):
            read += part
    return read


async def closed(one: socket.socket) -> None:
    """Wait until the server closes the connection."""
    with contextlib.suppress(ConnectionError):
        while await asyncio.get_running_loop().sock_recv(one, 65_536):
            pass
