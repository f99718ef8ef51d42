"""How long things are kept: the housekeeper deletes what is older, a batch at a time."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from api.calls.recording_keeper import RecordingKeeper
from api.settings import Retention
from api.store import Store
from api.store.purge import OldCall, Part

DAY_S: Final = 24 * 3600.0
#: Between two batches, for whoever else writes.
_PAUSE_S: Final = 0.02
_PARTS: Final[tuple[Part, ...]] = ("calls", "recordings", "transcripts", "events")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Purged:
    """How much was deleted, or would be."""

    calls: int = 0
    recordings: int = 0
    """Calls that lost their recordings only; so with the next two."""
    transcripts: int = 0
    events: int = 0
    deliveries: int = 0
    answers: int = 0
    """Kept for an `Idempotency-Key`."""
    black_boxes: int = 0
    """Deleted on this node; each node sees to its own."""
    failed: int = 0
    """Calls whose recordings could not be deleted on this node; it tries again."""

    @property
    def anything(self) -> bool:
        return self != Purged()


class Housekeeper:
    """Deletes what is older than the settings say."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        keeper: RecordingKeeper,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            store: what to clean.
            retention: how long things are kept.
            keeper: of this node's recordings.
            clock: Unix seconds.
        """
        self._store = store
        self._retention = retention
        self._keeper = keeper
        self._clock = clock

    async def run(self) -> None:
        """Sweep every now and then, until cancelled."""
        while True:
            purged = await self.sweep()
            if purged.anything:
                log.info("housekeeping: %s", purged)
            await asyncio.sleep(self._retention.interval_s)

    async def sweep(self, *, dry_run: bool = False) -> Purged:
        """Delete what is too old now. Raises StoreError.

        Args:
            dry_run: only count; what would go with its call is counted as its part too.
        """
        now = self._clock()
        purged = Purged()
        for part in _PARTS:
            days: float = getattr(self._retention, f"{part}_days")
            if days:
                purged = await self._sweep(part, now - days * DAY_S, purged, dry_run)
        if self._retention.deliveries_days:
            before = now - self._retention.deliveries_days * DAY_S
            count = await self._deliveries(before, dry_run)
            purged = replace(purged, deliveries=count)
        if not dry_run:
            purged = replace(purged, answers=await self._store.purge.answers(now))
            purged = replace(purged, black_boxes=await self._keeper.sweep_boxes())
            purged = replace(purged, failed=await self._keeper.carry_out())
        return purged

    async def _sweep(
        self, part: Part, ended_before: float, purged: Purged, dry_run: bool
    ) -> Purged:
        last: OldCall | None = None
        while batch := await self._store.purge.find(part, ended_before, last):
            last = batch[-1]
            if not dry_run:
                now, node = self._clock(), self._keeper.node
                if part == "calls":
                    await self._store.purge.erase(batch, now, node)
                else:
                    await self._store.purge.strip(part, batch, now, node)
                await asyncio.sleep(_PAUSE_S)
            purged = replace(purged, **{part: getattr(purged, part) + len(batch)})
        return purged

    async def _deliveries(self, before: float, dry_run: bool) -> int:
        total = count = await self._store.purge.deliveries(before, dry_run=dry_run)
        while count and not dry_run:
            await asyncio.sleep(_PAUSE_S)
            count = await self._store.purge.deliveries(before)
            total += count
        return total
