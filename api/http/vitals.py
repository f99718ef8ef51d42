"""Whether calls can be written down: the store and the folders, tried out now and then."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from api.http.disk import MEGABYTE, folders, free_bytes
from api.http.services import Check
from api.settings import Settings
from api.store import Store, StoreError

#: Seconds for which a finding holds: however often we are asked, no more is written.
FRESH_S: Final = 5.0
#: Seconds that one write may take.
WRITE_S: Final = 3.0

log = logging.getLogger(__name__)


class Vitals:
    """Writes to the store and to each folder when asked how they are."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """
        Args:
            store: which is written to.
            settings: name the folders, and how much room there has to be.
        """
        self._store = store
        self._folders = folders(settings)
        self._least_free = settings.server.min_free_mb * MEGABYTE
        self._lock = asyncio.Lock()
        self._checks: Mapping[str, Check] = {}
        self._stale_at = 0.0
        self._trials: dict[str, asyncio.Task[Check]] = {}

    async def checks(self) -> Mapping[str, Check]:
        """The state of `store` and `recordings`."""
        async with self._lock:
            if time.monotonic() >= self._stale_at:
                self._note(await self._tried())
                self._stale_at = time.monotonic() + FRESH_S
            return self._checks

    def _note(self, checks: Mapping[str, Check]) -> None:
        for name, check in checks.items():
            before = self._checks.get(name, Check(True, ""))
            if before.ok and not check.ok:
                log.error("%s: %s", name, check.message)
            elif check.ok and not before.ok:
                log.warning("%s: %s again", name, check.message)
        self._checks = checks

    async def _tried(self) -> Mapping[str, Check]:
        """Of a folder that is in order and the store's, nothing is told."""
        store, *found = await asyncio.gather(
            self._in_time("store", self._written, "the store does not take a write"),
            *(
                self._in_time(
                    setting,
                    partial(asyncio.to_thread, self._in_folder, folder, setting),
                    f"the folder of {setting} takes no file",
                )
                for folder, setting in self._folders.values()
            ),
        )
        checks = zip(self._folders, found, strict=True)
        told = {name: check for name, check in checks if name != "store" or not check.ok}
        return {"store": store, **told}

    async def _in_time(
        self, name: str, begin: Callable[[], Coroutine[Any, Any, Check]], late: str
    ) -> Check:
        """What a trial finds, or that it takes too long; it is not begun again meanwhile."""
        trial = self._trials.get(name)
        if trial is None or trial.done():
            trial = self._trials[name] = asyncio.create_task(begin())
        await asyncio.wait([trial], timeout=WRITE_S)
        return trial.result() if trial.done() else Check(False, f"{late} within {WRITE_S:g} s")

    async def _written(self) -> Check:
        try:
            await self._store.probe()
        except StoreError as error:
            return Check(False, f"the store does not take a write ({_reason(error)})")
        return Check(True, "takes writes")

    def _in_folder(self, folder: Path, setting: str) -> Check:
        try:
            free = free_bytes(folder)
        except OSError as error:
            return Check(False, f"the folder of {setting} takes no file ({error.strerror})")
        if free < self._least_free:
            told = f"only {free // MEGABYTE} MB are free in the folder of {setting}"
            return Check(False, f"{told}; make room there (server.min_free_mb)")
        return Check(True, "takes files")


def _reason(error: StoreError) -> str:
    """A word for it that gives away no host, path or statement: anybody may ask for our health."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return str(code or type(cause or error).__name__)
