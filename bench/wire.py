"""The far ends of HTTP, in processes of their own: a client that asks, a receiver that answers."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

HOST: Final = "127.0.0.1"
_EMPTY: Final = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    """One HTTP/1.1 request of an API client."""
    head = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


@dataclass(frozen=True)
class Asked:
    """What the client saw, in seconds."""

    took: list[float]
    """Each request."""
    wall: float
    """All of them."""


class Client:
    """Asks from another process; close it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context)

    async def ask(self, port: int, requests: Sequence[bytes], connections: int) -> Asked:
        """Send them over as many connections, each kept alive.

        Raises RuntimeError for an answer that is no 2xx.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, _ask, port, requests, connections)

    def close(self) -> None:
        self._pool.shutdown()


def _ask(port: int, requests: Sequence[bytes], connections: int) -> Asked:
    return asyncio.run(_ask_all(port, requests, connections))


async def _ask_all(port: int, requests: Sequence[bytes], connections: int) -> Asked:
    left = iter(requests)
    took: list[float] = []

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        for asked in left:
            begun = time.perf_counter()
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_content_length(head))
            took.append(time.perf_counter() - begun)
            if head[9:10] != b"2":
                raise RuntimeError(f"{head[:15]!r} {body[:500]!r}")
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one_connection() for _ in range(connections)))
    return Asked(took, time.perf_counter() - begun)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@contextmanager
def receivers(count: int) -> Iterator[list[int]]:
    """Gives the ports of receivers that answer 204 to everything, as long as the `with` lasts."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_receive, args=(theirs, count), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join(5)


def _receive(ports: Connection, count: int) -> None:
    asyncio.run(_receive_all(ports, count))


async def _receive_all(ports: Connection, count: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_content_length(head))
            writer.write(_EMPTY)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    servers = [await asyncio.start_server(answer, HOST, 0, backlog=512) for _ in range(count)]
    ports.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.gather(*(server.serve_forever() for server in servers))
