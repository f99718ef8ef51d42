"""A server in a process of its own, which may be killed at one point of an order.

Nothing of it is in the product: the point is armed around the method that it names.
"""

import asyncio
import inspect
import multiprocessing
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final, Literal

import api.main  # noqa: F401 - once, for all servers
from api.base.lifecycle import EVENT_OF, TERMINAL
from api.calls.recording import RecordedPeer
from api.cli import main
from api.dialing import dialer
from api.store.calls import CallLedger
from api.store.claims import Claims
from api.store.erasures import Erasures
from api.store.inbound import Inbound
from api.store.outbox import Outbox
from api.store.purge import Purge
from pbx.asterisk.switch import AsteriskSwitch

When = Literal["before", "after"]

#: The points in the order in which a call comes by.
POINTS: Final[dict[str, tuple[type, str, When]]] = {
    "order to be written": (CallLedger, "create", "before"),
    "order written": (CallLedger, "create", "after"),
    "claim to be made": (Claims, "take", "before"),
    "claimed, the PBX not told": (Claims, "take", "after"),
    "PBX to be told": (AsteriskSwitch, "originate", "before"),
    "PBX told": (AsteriskSwitch, "originate", "after"),
    "ringing written": (CallLedger, "record_ringing", "after"),
    "answer to be written": (CallLedger, "record_answered", "before"),
    "answer written": (CallLedger, "record_answered", "after"),
    "turn written": (CallLedger, "add_turn", "after"),
    "end to be written": (CallLedger, "record_ended", "before"),
    "end written": (CallLedger, "record_ended", "after"),
    "result written": (CallLedger, "record_result", "after"),
    "webhook delivered, not booked": (Outbox, "record", "before"),
    "webhook booked": (Outbox, "record", "after"),
}

#: The one by which an inbound call comes alone.
INBOUND_POINTS: Final[dict[str, tuple[type, str, When]]] = {
    "inbound call written": (Inbound, "begin", "after"),
}


#: Those of a call that is recorded, in their order, and the one of its erasing.
RECORDING_POINTS: Final[dict[str, tuple[type, str, When]]] = {
    "recording to be begun": (RecordedPeer, "_append", "before"),
    "recording under way": (RecordedPeer, "_append", "after"),
    "recording to be closed": (RecordedPeer, "_close_file", "before"),
    "recording closed": (RecordedPeer, "_close_file", "after"),
}
ERASING_POINTS: Final[dict[str, tuple[type, str, When]]] = {
    "rows erased, files not": (Purge, "erase", "after"),
    "files erased, not booked": (Erasures, "done", "before"),
}


def arm(point: str) -> None:
    """Have this process killed at `point`."""
    points = POINTS | INBOUND_POINTS | RECORDING_POINTS | ERASING_POINTS
    owner, name, when = points[point]
    real: Callable[..., Any] = getattr(owner, name)

    def deadly_in_thread(*arguments: Any) -> None:
        if when == "after":
            real(*arguments)
        _die()

    if not inspect.iscoroutinefunction(real):
        setattr(owner, name, deadly_in_thread)
        return

    async def deadly(*arguments: Any, **options: Any) -> Any:
        if when == "before" and _matters(owner, arguments, None):
            _die()
        result = await real(*arguments, **options)
        if when == "after" and _matters(owner, arguments, result):
            _die()
        return result

    async def deadly_in_turn(*arguments: Any, **options: Any) -> Any:
        # A claim that began before the order was there must not find it.
        async with _turns:
            return await deadly(*arguments, **options)

    setattr(owner, name, deadly_in_turn if owner is Claims else deadly)


_created = False
_turns = asyncio.Lock()


def _matters(owner: type, arguments: tuple[Any, ...], result: Any) -> bool:
    """Claims count once there is something to claim, deliveries that of the last event."""
    if owner is Claims:
        return _created if result is None else bool(result.claims)
    if owner is Outbox:
        told = {delivery.event.type for delivery, _ in arguments[1]}
        return bool(told & {EVENT_OF[status] for status in TERMINAL})
    return True


def _note_creation() -> None:
    real = CallLedger.create

    async def create(*arguments: Any, **options: Any) -> Any:
        global _created  # noqa: PLW0603
        async with _turns:
            call = await real(*arguments, **options)
            _created = True
        return call

    CallLedger.create = create  # type: ignore[method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _serve(point: str, env: Mapping[str, str], said: str) -> None:
    """`offhook serve` with what it says in a file."""
    with Path(said).open("wb") as file:
        os.dup2(file.fileno(), 2)
    os.environ.update(env)
    # The dead are found in seconds, for the sake of the tests' time.
    dialer._LEASE_S, dialer._HEARTBEAT_S = 3.0, 0.5  # type: ignore[misc]
    _note_creation()
    if point != "nowhere":
        arm(point)
    sys.argv = ["offhook", "serve", "--log-level", "warning"]
    main()


# To import all that a server is takes longer than to start one: each is a fork of one that has.
_ENDS_WITHIN_S: Final = 60.0
_SERVERS: Final = multiprocessing.get_context("forkserver")
_SERVERS.set_forkserver_preload([__name__])


@dataclass
class Mortal:
    """Such a server, which runs."""

    url: str
    _process: ForkServerProcess
    _said: Path

    @classmethod
    @asynccontextmanager
    async def started(cls, point: str, env: Mapping[str, str]) -> AsyncIterator["Mortal"]:
        """Serve until the end of the `with`.

        Args:
            point: where it is killed, or `nowhere`.
            env: its settings.
        """
        with tempfile.NamedTemporaryFile() as said:
            process = _SERVERS.Process(target=_serve, args=(point, env, said.name), daemon=True)
            await asyncio.to_thread(process.start)
            try:
                async with asyncio.timeout(90):
                    while not (found := re.search(rb"Listening on (http://\S+)\n", said.read())):
                        said.seek(0)
                        assert process.is_alive(), f"it did not start: {said.read().decode()}"
                        await asyncio.sleep(0.02)
                yield cls(found[1].decode(), process, Path(said.name))
            finally:
                process.kill()
                await asyncio.to_thread(process.join)

    def kill(self) -> None:
        """End it without a word, as a crash does."""
        self._process.kill()

    async def ended(self) -> int:
        """Its exit code; that of a signal is negative. Who lives for a minute more fails."""
        await asyncio.to_thread(self._process.join, _ENDS_WITHIN_S)
        code = self._process.exitcode
        assert code is not None, f"it was not ended: {self._said.read_text()}"
        return code
