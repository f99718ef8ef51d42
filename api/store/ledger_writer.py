"""Writes one call's facts down: in order, beside the call, and again when the store fails.

A call never waits for the disk. What happens on the line is noted at once and written as soon as
the store takes it; only a fact that the store refuses for half a minute (a vital one: for ten) is
lost, and logged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.store import StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[], Awaitable[object]]

#: Waits before the tries of a note, in seconds.
_NOTE_WAITS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0)
#: The same for the end of a call, which nothing else would ever write: about ten minutes.
_END_WAITS = (*_NOTE_WAITS, *(20.0 for _ in range(28)))
#: More facts than that are not pending on any sound store.
_LIMIT = 1024


class LedgerWriter:
    """One call's writer. `run` beside the call, `close` at its end."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._notes: asyncio.Queue[tuple[Write, tuple[float, ...]] | None] = asyncio.Queue(_LIMIT)

    def note(self, write: Write, *, vital: bool = False) -> None:
        """Have a fact written after those before it; a vital one is what the end builds on."""
        try:
            self._notes.put_nowait((write, _END_WAITS if vital else _NOTE_WAITS))
        except asyncio.QueueFull:
            log.error("call %s: the store has stalled, a fact is lost", self._call_id)

    async def run(self) -> None:
        """Write until `close`."""
        while (noted := await self._notes.get()) is not None:
            write, waits = noted
            try:
                await insist(self._call_id, write, waits)
            except Exception:
                # One fact that cannot be written must not take the others with it.
                log.exception("call %s: a fact could not be written down", self._call_id)

    async def close(self) -> None:
        """Let `run` return once everything noted is written."""
        await self._notes.put(None)


async def insist(
    call_id: str, write: Callable[[], Awaitable[T]], waits: tuple[float, ...] = _END_WAITS
) -> T:
    """Write, again and again while the store fails. Raises the last StoreError."""
    *waits_before, last = waits
    for wait in waits_before:
        await asyncio.sleep(wait)
        try:
            return await write()
        except StoreError as error:
            log.warning("call %s: the store failed (%s); trying again", call_id, error)
    await asyncio.sleep(last)
    return await write()
