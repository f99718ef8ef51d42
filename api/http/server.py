"""uvicorn within our own event loop: it serves, and leaves signals to the command line.

Connections come through a door of our own (`api.http.front_door`), which bounds them.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from api.http.connection import Connection
from api.http.front_door import FrontDoor
from api.settings.server import Server as ServerSettings

_log = logging.getLogger(__name__)

#: Seconds that requests under way get to finish; open event streams are cut then.
_GRACE_S = 3
#: Connections that the kernel keeps for us to accept.
_BACKLOG = 1024
#: A request's head: most bytes of it, as h11 counts.
_HEAD_BYTES = 16_384


class _Server(uvicorn.Server):
    """uvicorn's, which ends as soon as it is to: its own looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._exit = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def exit(self) -> None:
        """Take nothing more, and end what is under way."""
        self._exit.set()

    async def main_loop(self) -> None:
        while not self._exit.is_set():
            await self.on_tick(0)  # the second's `Date`
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exit.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Close connections that are idle, and give the others their time, then none."""
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(_GRACE_S):
                while state.connections or state.tasks:  # noqa: ASYNC110 - sets, without events
                    await asyncio.sleep(0.01)
        except TimeoutError:
            for task in state.tasks:
                task.cancel("the server ends")


@contextlib.asynccontextmanager
async def http_server(
    app: ASGIApp, listener: socket.socket, settings: ServerSettings | None = None
) -> AsyncIterator[None]:
    """Serve `app` on a listening socket for the time of the `async with`.

    Args:
        app: what answers.
        listener: as `listen` makes it.
        settings: its limits.
    """
    limits = settings or ServerSettings()
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # what clients do wrong fills no log
        access_log=False,
        proxy_headers=False,  # `api.http.proxies` sees to them
        server_header=False,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        with FrontDoor(listener, config, server.server_state, limits):
            yield
    finally:
        server.exit()
        await asyncio.wait([serving], timeout=_GRACE_S + 2)
        serving.cancel()
        for result in await asyncio.gather(serving, return_exceptions=True):
            if isinstance(result, Exception):
                _log.error("the HTTP server had failed", exc_info=result)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY; without, answers wait 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
