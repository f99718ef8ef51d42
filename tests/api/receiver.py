"""A webhook receiver on a raw socket: it answers, hangs, drips or hangs up, as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"

    def verified(self, secret: str) -> dict[str, object]:
        """The body, once the public library has verified its signature."""
        content: dict[str, object] = Webhook(secret).verify(self.body, self.headers)
        return content


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def status(code: int, *headers: str) -> Answer:
    """Answers `code` at once."""

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {code} X", "Content-Length: 0", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    return answer


@dataclass
class Receiver:
    """What a receiver got, and how it answers."""

    answer: Answer = field(default_factory=lambda: status(204))
    got: list[Received] = field(default_factory=list)
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    close: Callable[[], None] = lambda: None
    """Stop listening."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?x=1"

    async def wait(self, count: int) -> list[Received]:
        """The requests, once there are `count`."""
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.got

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            method, path, _ = first.split()
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            received = Received(path, headers, body, method)
            self.got.append(received)
            self.arrived.set()
            await self.answer(received, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(
    answer: Answer | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver for the time of the `async with`."""
    receiver = Receiver() if answer is None else Receiver(answer)
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0, ssl=tls)
    receiver.close = server.close
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
