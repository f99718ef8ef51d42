"""Whether calls can be written down: the store and the folders, tried out now and then."""

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from api.disk import MEGABYTE, folders, free_bytes
from api.services import Check
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
        self._writing: asyncio.Future[None] | None = None

    async def checks(self) -> Mapping[str, Check]:
        """The state of `store`, and of `recordings` where calls are recorded."""
        async with self._lock:
            if time.monotonic() >= self._stale_at:
                self._note({"store": await self._written(), **await self._in_folders()})
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

    async def _written(self) -> Check:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._store.probe())
            self._writing.add_done_callback(_look_at)
        await asyncio.wait([self._writing], timeout=WRITE_S)
        if not self._writing.done():
            return Check(False, f"the store does not take a write within {WRITE_S:g} s")
        try:
            self._writing.result()
        except StoreError as error:
            return Check(False, f"the store does not take a write ({_reason(error)})")
        return Check(True, "takes writes")

    async def _in_folders(self) -> Mapping[str, Check]:
        """Of a folder that is in order and the store's, nothing is told here."""
        found = {}
        for name, (folder, setting) in self._folders.items():
            check = await asyncio.to_thread(self._in_folder, folder, setting)
            if name != "store" or not check.ok:
                found[name] = check
        return found

    def _in_folder(self, folder: Path, setting: str) -> Check:
        try:
            free = free_bytes(folder)
        except OSError as error:
            return Check(False, f"the folder of {setting} takes no file ({error.strerror})")
        if free < self._least_free:
            told = f"only {free // MEGABYTE} MB are free in the folder of {setting}"
            return Check(False, f"{told}; make room there (server.min_free_mb)")
        return Check(True, "takes files")


def _look_at(writing: asyncio.Future[None]) -> None:
    if not writing.cancelled():
        writing.exception()


def _reason(error: StoreError) -> str:
    """A word for it that gives away no host, path or statement: anybody may ask for our health."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return str(code or type(cause or error).__name__)
