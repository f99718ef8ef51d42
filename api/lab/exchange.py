"""The telephones of a run, in a process of their own: so that callers take no time from the server
whose calls they measure. `api.lab.office` is that process.

Orders go in, and what happens at each telephone comes out, told apart by the number of its call.
Times are `time.monotonic()` seconds, which both processes share.
"""

import asyncio
import sys
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self

from api.lab.caller import Pressed, Said
from api.lab.library import Library
from api.lab.scenario import Scenario
from api.lab.trace import Spoken
from voice_loop.audio import Samples

_END_S: Final = 5.0


@dataclass(frozen=True)
class Order:
    """A telephone is wanted, and who is to talk on it."""

    call: int
    scenario: Scenario
    library: Library
    pick: int
    codec: str
    """As Asterisk calls it."""


@dataclass(frozen=True)
class Ready:
    """It can be rung."""

    port: int


@dataclass(frozen=True)
class PickedUp:
    """Its caller has begun."""

    at: float


@dataclass(frozen=True)
class Over:
    """Its caller wants to hang up, or the line is gone; or nobody rang."""

    reached: bool


@dataclass(frozen=True)
class Fetch:
    """What was kept of a call is wanted."""

    call: int


@dataclass(frozen=True)
class Kept:
    """Both channels, and what the caller did."""

    agent: Samples
    person: Samples
    line: Samples
    spoken: list[Spoken]
    unplaced: int


Message = Ready | PickedUp | Said | Pressed | Over | Kept


class Exchange:
    """Runs the process; `async with` has it."""

    def __init__(self) -> None:
        self._inboxes: dict[int, asyncio.Queue[Message]] = {}
        self._pipe: Connection[Any, Any] | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        ours, theirs = Pipe()
        with theirs:
            descriptor = theirs.fileno()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "api.lab.office", str(descriptor)),
                pass_fds=(descriptor,),
                start_new_session=True,  # Ctrl-C is ours to tell it of
            )
        self._pipe = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._take)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._pipe is not None
        assert self._process is not None
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()  # which ends it
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def order(self, order: Order) -> asyncio.Queue[Message]:
        """Have a telephone; gives what happens there, in order."""
        inbox = self._inboxes[order.call] = asyncio.Queue()
        self._send(order)
        return inbox

    async def fetch(self, call: int) -> Kept:
        """What was kept of a call that is over; it is kept no longer."""
        self._send(Fetch(call))
        while True:
            message = await self._inboxes[call].get()
            if isinstance(message, Kept):
                return message

    def _send(self, message: Order | Fetch) -> None:
        assert self._pipe is not None
        self._pipe.send(message)

    def _take(self) -> None:
        assert self._pipe is not None
        try:
            while self._pipe.poll():
                call, message = self._pipe.recv()
                self._inboxes[call].put_nowait(message)
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            for inbox in self._inboxes.values():
                inbox.put_nowait(Over(False))
