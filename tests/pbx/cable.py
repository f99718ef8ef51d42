"""A TCP relay between a switch and its PBX: it can be cut, mended, made mute and listened to."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol


class Tap(Protocol):
    """Hears what passes through a cable, connection by connection."""

    def opened(self, connection: int) -> None:
        """A connection is there; they are numbered from 0."""
        ...

    def passed(self, connection: int, data: bytes, *, ours: bool) -> None:
        """Bytes that were handed on; `ours` went to the PBX."""
        ...

    def closed(self, connection: int, *, ours: bool) -> None:
        """One side, `ours` or the PBX, says no more."""
        ...


class Cable:
    """Relays to `host:port` while it is plugged in.

    Args:
        host: the PBX's address.
        port: its TCP port.
        tap: hears everything.
        alter: what the PBX says becomes what it makes of that, as a NAT on the way would have it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tap: Tap | None = None,
        alter: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._alter = alter
        self._target = (host, port)
        self._tap = tap
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = 0
        self.mute = False
        """Swallows what our side sends, while the connection stays."""
        self.port = 0
        """Where it listens on loopback, the same after every `plug_in`."""

    async def plug_in(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        writers = list(self._writers)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        number = self._connections
        self._connections += 1
        if self._tap is not None:
            self._tap.opened(number)
        self._writers |= {writer, far_writer}
        for source, sink, ours in ((reader, far_writer, True), (far_reader, writer, False)):
            task = asyncio.create_task(self._pump(number, source, sink, ours))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, number: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter, ours: bool
    ) -> None:
        ended_by_us = ours
        try:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    if self.mute and ours:
                        continue
                    if self._tap is not None:
                        self._tap.passed(number, data, ours=ours)
                    sink.write(data if ours else self._alter(data))
                    await sink.drain()
        except asyncio.CancelledError:
            ended_by_us = True
            raise
        finally:
            if self._tap is not None:
                self._tap.closed(number, ours=ended_by_us)
            sink.close()
            self._writers.discard(sink)
