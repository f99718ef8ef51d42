"""FastAGI: Asterisk's dialplan asks us what to do with an inbound call.

panoramisk has a FastAGI server too, but a client that connects and closes at once makes it spin
and freezes the loop for every call; reading a header block with a limit and a deadline is little
enough to do here.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, TypeVar

from pbx.addresses import bracketed
from pbx.rare_log import RareLog
from pbx.switch import SwitchUnavailable
from pbx.values import refuse_control_characters

_log = logging.getLogger(__name__)

_REQUEST_S: Final = 5.0
_REQUEST_BYTES: Final = 16 * 1024
#: Most calls at one time.
_SESSIONS: Final = 1000
#: Most connections that have not shown yet whose they are, of one address and in all: one more,
#: and the oldest goes. Asterisk shows it at once.
_STRANGERS_OF_ONE: Final = 64
_STRANGERS: Final = 256
_RESULT: Final = re.compile(r"200 result=(-?\d+)(?: \((.*)\))?")

CallT = TypeVar("CallT")


class AgiHangUpError(Exception):
    """The channel is gone, or the connection is; normal at the end of a call."""


class AgiError(Exception):
    """Asterisk did not understand a command, or refused it."""


class AgiSession:
    """One channel that waits for our commands.

    Args:
        reader: at the first answer.
        writer: to Asterisk.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def command(self, text: str) -> int:
        """Run one AGI command to its end and return its result.

        `EXEC Dial` lasts as long as the call does, so there is no time limit here: the end of
        the channel ends it, and so does cancelling.

        Raises AgiHangUpError, AgiError; SwitchRefused for a line break in `text`.
        """
        return (await self._ask(text))[0]

    async def value(self, expression: str, channel: str = "") -> str:
        """What the dialplan would make of `${expression}`; empty for nothing. Raises as `command`.

        Args:
            expression: a variable or function, without spaces.
            channel: name or unique id of the channel that it is asked of; empty is this one.
        """
        return (await self._ask(f"GET FULL VARIABLE ${{{expression}}} {channel}".rstrip()))[1]

    async def _ask(self, text: str) -> tuple[int, str]:
        refuse_control_characters("command", text)
        try:
            self._writer.write(text.encode() + b"\n")
            await self._writer.drain()
            while True:
                line = (await self._reader.readline()).decode(errors="replace").strip()
                if not line:
                    raise AgiHangUpError
                if line == "HANGUP" or line.startswith("100"):
                    continue
                result = _RESULT.match(line)
                if result is None:
                    raise AgiError(f"{text.split(maxsplit=1)[0]}: {line}")
                if result[1] == "-1":
                    raise AgiHangUpError
                return int(result[1]), result[2] or ""
        except (OSError, ValueError) as error:
            raise AgiHangUpError from error


class FastAgiServer(Generic[CallT]):
    """Takes FastAGI connections and hands each that is a call's to `handle`, in a task of its own.

    Args:
        admits: told the address of each connection: whether it may ask at all.
        identify: given the request's headers (`agi_channel`, `agi_uniqueid`, …): the call that
            asks; None when there is none.
        handle: awaited with each session; the connection closes when it returns, whereupon
            Asterisk goes on in the dialplan.
    """

    def __init__(
        self,
        admits: Callable[[str], bool],
        identify: Callable[[Mapping[str, str]], Awaitable[CallT | None]],
        handle: Callable[[AgiSession, CallT], Awaitable[None]],
    ) -> None:
        self._admits = admits
        self._identify = identify
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._strangers: dict[asyncio.Task[None], str] = {}
        """With their addresses, the oldest first."""
        self._refused = RareLog(_log)
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int | None:
        """The TCP port that it listens on."""
        if self._server is None or not self._server.sockets:
            return None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen; at `::` for IPv4 as well. Port 0 takes a free one. Raises SwitchUnavailable."""
        hosts = ["0.0.0.0", "::"] if host == "::" else host  # noqa: S104 - as the operator said
        try:
            self._server = await asyncio.start_server(
                self._serve, hosts, port, limit=_REQUEST_BYTES
            )
        except OSError as error:
            raise SwitchUnavailable(
                f"FastAGI cannot listen at {bracketed(host)}:{port} ({error.strerror or error}): "
                "mend pbx.fastagi.host and pbx.fastagi.port"
            ) from error

    async def close(self) -> None:
        """Stop listening and end every session."""
        if self._server is not None:
            self._server.close()
        tasks = [*self._strangers, *self._sessions]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peer = writer.get_extra_info("peername")
        if peer is None:  # gone already
            writer.close()
            return
        address = str(peer[0])
        if not self._admits(address):
            self._refused.warn(
                "FastAGI: %s may not ask: mend pbx.fastagi.allowed_networks", address
            )
            writer.close()
            return
        self._make_room(address)
        self._strangers[task] = address
        try:
            headers = await _read_headers(reader)
            call = None if headers is None else await self._identify(headers)
            self._strangers.pop(task, None)
            if call is not None and len(self._sessions) < _SESSIONS:
                self._sessions.add(task)
                await self._handle(AgiSession(reader, writer), call)
            else:
                self._refused.warn("FastAGI: refused a connection of %s", address)
        except (AgiHangUpError, asyncio.CancelledError):
            # Cancelled by us only; asyncio would log it as an error of its own.
            pass
        except AgiError as error:
            _log.warning("FastAGI: %s", error)
        except Exception:
            _log.exception("an inbound call failed")
        finally:
            self._strangers.pop(task, None)
            self._sessions.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    def _make_room(self, address: str) -> None:
        """For one more stranger."""
        theirs = [task for task, one in self._strangers.items() if one == address]
        if len(theirs) >= _STRANGERS_OF_ONE:
            oldest = theirs[0]
        elif len(self._strangers) >= _STRANGERS:
            oldest = next(iter(self._strangers))
        else:
            return
        del self._strangers[oldest]
        oldest.cancel()


async def _read_headers(reader: asyncio.StreamReader) -> Mapping[str, str] | None:
    """The request's header block, or None for a client that does not speak AGI."""
    try:
        async with asyncio.timeout(_REQUEST_S):
            block = await reader.readuntil(b"\n\n")
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    headers: dict[str, str] = {}
    for line in block.decode(errors="replace").split("\n"):
        name, colon, value = line.partition(": ")
        if colon:
            headers.setdefault(name, value)
    return headers
