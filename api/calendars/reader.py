"""Has calendars' texts read by processes of their own, which are killed when they take too much.

One is kept warm for the next text; starting one takes half a second.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from api.calendars.errors import CalendarError
from api.calendars.interval import Interval

#: Seconds that one text has, once it is its turn.
PATIENCE_S: Final = 12.0
#: The process kills itself a moment later, should nobody be there to do it.
_GRACE_S: Final = 1.0
_START_S: Final = 30.0
_TOO_MUCH: Final = "it takes too long, or too much memory, to read"
#: Texts that are read at a time, so that a hostile one does not hold up all others.
_AT_A_TIME: Final = 2
#: Bytes of an answer.
_MAX_ANSWER: Final = 4_194_304
#: All that a process gets to know of ours: settings in the environment are secret.
_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONTZPATH", "LD_LIBRARY_PATH")


class Reader:
    """Reads hostile texts.

    Args:
        patience_s: for each text.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._living: set[Process] = set()
        self._warm: Process | None = None
        self._closed = False

    async def busy(
        self, kind: Literal["feed", "caldav"], text: bytes, span: Interval, zone: ZoneInfo
    ) -> list[Interval]:
        """What is busy.

        Args:
            kind: iCalendar, or the XML of a CalDAV report.
            text: as the server gave it.
            span: as of `busy_times`.
            zone: likewise.

        Raises CalendarError.
        """
        about = {"start": span.start.isoformat(), "end": span.end.isoformat(), "zone": zone.key}
        found = await self._read({"kind": kind, **about}, text)
        return [Interval(*map(datetime.fromisoformat, one)) for one in found]

    async def is_of_call(self, stored: bytes, call_id: str, start: datetime) -> bool:
        """Whether an iCalendar object holds what the call has booked. Raises CalendarError."""
        about = {"kind": "of_call", "call_id": call_id, "start": start.isoformat()}
        return bool(await self._read(about, stored))

    async def aclose(self) -> None:
        """End the processes; who waits for one is told that its text cannot be read."""
        self._closed = True
        for process in self._living:
            _kill(process)
        async with contextlib.AsyncExitStack() as turns:
            for _ in range(_AT_A_TIME):
                await turns.enter_async_context(self._turns)
            if self._warm is not None:
                await self._end(self._warm)

    async def _read(self, about: Mapping[str, Any], text: bytes) -> Any:
        async with self._turns:
            process = await self._started()
            answer = None
            try:
                async with asyncio.timeout(self._patience_s + _GRACE_S):
                    answer = await self._ask(process, about, text)
            except (OSError, ValueError, TimeoutError) as error:
                raise CalendarError(_TOO_MUCH) from error
            finally:
                if answer is None or self._closed or self._warm is not None:
                    await self._end(process)
                else:
                    self._warm = process
        if "error" in answer:
            raise CalendarError(answer["error"])
        return answer["found"]

    async def _ask(self, process: Process, about: Mapping[str, Any], text: bytes) -> Any:
        """Raises OSError or ValueError where the process ends, or answers without end."""
        assert process.stdin is not None
        assert process.stdout is not None
        job = {**about, "size": len(text), "seconds": self._patience_s}
        process.stdin.write(json.dumps(job).encode() + b"\n" + text)
        await process.stdin.drain()
        return json.loads(await process.stdout.readline())

    async def _started(self) -> Process:
        """One that is ready. Raises CalendarError."""
        if self._closed:
            raise CalendarError("the server is about to stop")
        process, self._warm = self._warm, None
        if process is not None:
            if not _has_ended(process):
                return process
            await self._end(process)  # it was killed meanwhile
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "api.calendars.worker"),
            stdin=PIPE,
            stdout=PIPE,
            limit=_MAX_ANSWER,
            env=_environment(),
            start_new_session=True,  # a Ctrl-C is for us
        )
        self._living.add(process)
        assert process.stdout is not None
        ready = b""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_START_S):
                    ready = await process.stdout.readline()
        finally:
            if not ready:
                await self._end(process)
        if not ready:
            raise CalendarError("what reads calendars does not start")
        return process

    async def _end(self, process: Process) -> None:
        self._living.discard(process)
        _kill(process)
        await process.communicate(b"")  # its pipes are closed, too


def _has_ended(process: Process) -> bool:
    """Asks the system: the event loop may not have heard of it yet."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # its exit status has been taken
        return True


def _kill(process: Process) -> None:
    assert process.stdout is not None
    # Of one that has ended, `kill` would take the exit status before the event loop does.
    if not process.stdout.at_eof():
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def _environment() -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
