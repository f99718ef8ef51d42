"""What `/metrics` answers: the meter's counts, and how things stand at the moment of asking."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from api.base.money import MILLI_CENTS
from api.http.disk import folders
from api.http.vitals import Vitals
from api.settings import Settings
from api.store import Store, StoreError
from api.telemetry.meter import Meter
from api.telemetry.standing import Standing

#: Seconds that the store has for its part; without it, the others are told.
STORE_S: Final = 3.0


class Scrape:
    """Asks everybody, then writes it down."""

    def __init__(
        self,
        meter: Meter,
        settings: Settings,
        store: Store,
        vitals: Vitals,
        standing: Callable[[], Standing],
    ) -> None:
        self._meter = meter
        self._settings = settings
        self._store = store
        self._vitals = vitals
        self._standing = standing
        self._lock = asyncio.Lock()

    async def text(self) -> bytes:
        """The numbers in Prometheus' text format."""
        async with self._lock:
            standing = self._standing()
            self._set_standing(standing)
            linked = any(standing.pbxs.values())
            try:
                async with asyncio.timeout(STORE_S):
                    await self._ask_store(linked)
            except (StoreError, TimeoutError):
                self._meter.ok.labels("store").set(0)
            for name, check in (await self._vitals.checks()).items():
                self._meter.ok.labels(name).set(check.ok)
            # Milliseconds, in which the event loop serves calls.
            return await asyncio.to_thread(self._written)

    def _set_standing(self, standing: Standing) -> None:
        meter = self._meter
        meter.calls_active.set(standing.active)
        for name, up in standing.pbxs.items():
            meter.pbx.labels(name).set(up)
        for quantile, ms in (("0.5", standing.lateness.p50_ms), ("0.99", standing.lateness.p99_ms)):
            meter.lateness.labels(quantile).set(ms / 1000)
        meter.skipped.set(standing.lateness.skipped)
        meter.strays.set(standing.strays)
        meter.ok.labels("models").set(standing.models)

    async def _ask_store(self, linked: bool) -> None:
        meter, store = self._meter, self._store
        queue = await store.calls.queue()
        meter.queue.clear()
        for why, count in queue.waiting.items():
            # Whatever else holds a due call: over no link nothing is dialled.
            held = "pbx" if why == "free_slot" and not linked else why
            meter.queue.labels(held).inc(count)
        meter.queue_overdue.set(queue.overdue_s)
        backlog = await store.deliveries.backlog()
        meter.webhook_backlog.set(backlog.pending)
        meter.webhook_overdue.set(backlog.overdue_s)
        budget = await store.budget.get()
        meter.spent.set(budget.spent_milli_cents / MILLI_CENTS)
        meter.reserved.set(budget.reserved_milli_cents / MILLI_CENTS)
        limit = budget.limit_milli_cents
        meter.limit.set(float("inf") if limit is None else limit / MILLI_CENTS)

    def _written(self) -> bytes:
        meter = self._meter
        meter.calls_limit.set(self._settings.calls.max_concurrent)
        for name, (folder, _) in folders(self._settings).items():
            meter.disk.labels(name).set(_free(folder))
        return meter.text()


def _free(folder: Path) -> int:
    """Bytes left where it is, or is going to be made."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
