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
from typing import Final

from pbx.switch import SwitchUnavailable
from pbx.values import refuse_control_characters

_log = logging.getLogger(__name__)

_REQUEST_S: Final = 5.0
_REQUEST_BYTES: Final = 16 * 1024
_SESSIONS: Final = 1000
_RESULT: Final = re.compile(r"200 result=(-?\d+)")


class AgiHangUpError(Exception):
    """The channel is gone, or the connection is; normal at the end of a call."""


class AgiError(Exception):
    """Asterisk did not understand a command, or refused it."""


class AgiSession:
    """One channel that waits for our commands.

    Args:
        headers: what Asterisk told about it (`agi_channel`, `agi_uniqueid`, …).
        reader: at the first answer.
        writer: to Asterisk.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.headers = headers
        self._reader = reader
        self._writer = writer

    async def command(self, text: str) -> int:
        """Run one AGI command to its end and return its result.

        `EXEC Dial` lasts as long as the call does, so there is no time limit here: the end of
        the channel ends it, and so does cancelling.

        Raises AgiHangUpError, AgiError; SwitchRefused for a line break in `text`.
        """
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
                return int(result[1])
        except (OSError, ValueError) as error:
            raise AgiHangUpError from error


class FastAgiServer:
    """Takes FastAGI connections and hands each to `handle` in a task of its own.

    Args:
        handle: awaited with each session; the connection closes when it returns, whereupon
            Asterisk goes on in the dialplan.
    """

    def __init__(self, handle: Callable[[AgiSession], Awaitable[None]]) -> None:
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int | None:
        """The TCP port that it listens on."""
        if self._server is None or not self._server.sockets:
            return None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises SwitchUnavailable."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_REQUEST_BYTES)
        except OSError as error:
            raise SwitchUnavailable(
                f"FastAGI cannot listen at {host}:{port} ({error.strerror or error}): mend "
                "pbx.fastagi.host and pbx.fastagi.port"
            ) from error

    async def close(self) -> None:
        """Stop listening and end every session."""
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._sessions) >= _SESSIONS:
            writer.close()
            return
        self._sessions.add(task)
        try:
            headers = await _read_headers(reader)
            if headers is not None:
                await self._handle(AgiSession(headers, reader, writer))
        except (AgiHangUpError, asyncio.CancelledError):
            # Cancelled by close() only; asyncio would log it as an error of its own.
            pass
        except AgiError as error:
            _log.warning("FastAGI: %s", error)
        except Exception:
            _log.exception("an inbound call failed")
        finally:
            self._sessions.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


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
