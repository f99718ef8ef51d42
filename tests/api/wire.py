"""A TCP relay between a client and the server: requests arrive, answers are lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class LossyWire:
    """Relays to `target` on loopback."""

    target: int
    port: int = 0
    lose: int = 0
    """So many more answers are lost: the client is hung up on in place of each."""
    cut_after: bytes | None = None
    """Once this has been handed to the client, it is hung up on; then no more."""
    requests: list[bytes] = field(default_factory=list)
    """What clients sent, read by read."""
    _relays: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a client."""
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def close(self) -> None:
        """Hang up on every client."""
        relays = list(self._relays)
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        up = asyncio.create_task(self._up(reader, far_writer))
        try:
            while data := await far_reader.read(65536):
                if self.lose:
                    self.lose -= 1
                    return
                writer.write(data)
                await writer.drain()
                if self.cut_after is not None and self.cut_after in data:
                    self.cut_after = None
                    return
        except ConnectionError:
            pass
        finally:
            up.cancel()
            writer.close()
            far_writer.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.requests.append(data)
                writer.write(data)
                await writer.drain()
            writer.write_eof()


@contextlib.asynccontextmanager
async def lossy_wire(target: int) -> AsyncIterator[LossyWire]:
    """A relay for the time of the `async with`."""
    wire = LossyWire(target)
    server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        await wire.close()
