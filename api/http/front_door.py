"""Accepts HTTP connections: a bounded number, and no task or parser for one before it speaks.

A connection waits in the hall, as a bare socket, for its first bytes. They are peeked at: who has
a key that was live before is let through, strangers are only so often. What is too much is closed
right here, which costs a few system calls.
"""

import asyncio
import contextlib
import hashlib
import logging
import re
import socket
import time
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

from uvicorn.config import Config
from uvicorn.server import ServerState

from api.http.connection import Connection, canned
from api.http.doorkeeper import Doorkeeper, Visitor
from api.http.proxies import Proxies
from api.settings.server import Server as ServerSettings
from pbx.rare_log import RareLog

_log = logging.getLogger(__name__)

#: Connections accepted before everything else has its turn, and the pause where there are more.
_AT_ONCE: Final = 32
_BREATH_S: Final = 0.005
#: Pause when the system gives us no descriptor.
_EXHAUSTED_S: Final = 1.0
_PEEK: Final = 8192
_KEY: Final = re.compile(rb"\r\nauthorization:[ \t]*bearer[ \t]+([!-~]{1,200})", re.IGNORECASE)
_BUSY: Final = canned(
    "503 Service Unavailable", "too_many_connections", "try again", "Retry-After: 1"
)


@dataclass(eq=False)
class _Waiting:
    """A connection that has not said anything."""

    socket: socket.socket
    deadline: asyncio.TimerHandle


class FrontDoor:
    """The door of a running server. Use as a context manager."""

    def __init__(
        self,
        listener: socket.socket,
        config: Config,
        server_state: ServerState,
        limits: ServerSettings,
    ) -> None:
        """
        Args:
            listener: where connections come in.
            config: uvicorn's.
            server_state: likewise.
            limits: how many, and how long they may wait.
        """
        self._listener = listener
        self._config = config
        self._server_state = server_state
        self._limits = limits
        self._keeper = Doorkeeper(
            limits.max_connections,
            limits.max_connections_per_address,
            Proxies(limits.trusted_proxies),
        )
        self._loop = asyncio.get_running_loop()
        self._hall: dict[Visitor, _Waiting] = {}
        self._entering: set[asyncio.Task[None]] = set()
        self._reopen: asyncio.TimerHandle | None = None
        self._trouble = RareLog(_log)

    def __enter__(self) -> Self:
        self._listener.setblocking(False)
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._reopen is not None:
            self._reopen.cancel()
        self._loop.remove_reader(self._listener)
        for visitor in list(self._hall):
            self._show_out(visitor)

    def _open(self) -> None:
        self._reopen = None
        self._loop.add_reader(self._listener, self._accept)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._reopen = self._loop.call_later(seconds, self._open)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._trouble.warn("no HTTP connection can be accepted: %s", error.strerror)
                self._pause(_EXHAUSTED_S)
                return
            accepted.setblocking(False)
            self._receive(accepted, address[0])
        self._pause(_BREATH_S)

    def _receive(self, accepted: socket.socket, host: str) -> None:
        visitor = self._keeper.let_in(host)
        if visitor is None:
            self._trouble.warn("too many HTTP connections; the last one came from %s", host)
            _turn_away(accepted, _BUSY)
            return
        due = self._loop.call_later(self._limits.header_timeout_s, self._show_out, visitor)
        self._hall[visitor] = _Waiting(accepted, due)
        visitor.close = partial(self._show_out, visitor)
        self._loop.add_reader(accepted, self._hear, visitor)

    def _hear(self, visitor: Visitor) -> None:
        """Its first bytes are there, or its end."""
        waiting = self._hall[visitor]
        try:
            said = waiting.socket.recv(_PEEK, socket.MSG_PEEK)
        except OSError:
            said = b""
        if not said:
            self._show_out(visitor)
            return
        shown = _KEY.search(said)
        digest = None if shown is None else hashlib.sha256(shown[1]).digest()
        if not self._keeper.hear(visitor, digest, time.monotonic()):
            self._trouble.warn("too many requests without a live API key from %s", visitor.network)
            self._show_out(visitor, _BUSY)
            return
        self._leave_hall(visitor)
        connection = Connection(
            self._config,
            self._server_state,
            limits=self._limits,
            keeper=self._keeper,
            visitor=visitor,
            head_due=waiting.deadline.when(),
        )
        # Before the task's first step: who is accepted until then may have it closed.
        visitor.close = connection.abort
        task = self._loop.create_task(self._enter(visitor, connection, waiting.socket))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _enter(
        self, visitor: Visitor, connection: Connection, accepted: socket.socket
    ) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError:
            self._keeper.leave(visitor)
            accepted.close()

    def _show_out(self, visitor: Visitor, answer: bytes = b"") -> None:
        """Close a connection that is in the hall."""
        waiting = self._leave_hall(visitor)
        self._keeper.leave(visitor)
        _turn_away(waiting.socket, answer)

    def _leave_hall(self, visitor: Visitor) -> _Waiting:
        waiting = self._hall.pop(visitor)
        waiting.deadline.cancel()
        self._loop.remove_reader(waiting.socket)
        return waiting


def _turn_away(accepted: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        if answer:
            accepted.recv(65_536)  # closing with something unread would take the answer back
            accepted.send(answer)
    accepted.close()
