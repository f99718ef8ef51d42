"""Keeps a node's recordings and the ledger at one: what is erased is deleted here, too."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Final

from api.base.refusals import NotFound
from api.calls.recording_folder import RecordingFolder
from api.store import Store
from api.store.erasures import BATCH, Erasure

log = logging.getLogger(__name__)

_DAY_S: Final = 24 * 3600.0


class RecordingKeeper:
    """Deletes the files that this node has of erased calls."""

    def __init__(
        self,
        store: Store,
        folder: RecordingFolder,
        box_days: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            store: the ledger.
            folder: this node's.
            box_days: how long a call's black boxes are kept after its end; 0 is for ever.
            clock: Unix seconds.
        """
        self._box_days = box_days
        self._clock = clock
        self._store = store
        self._folder = folder

    @property
    def node(self) -> str:
        return self._folder.node

    async def run(self, interval_s: float) -> None:
        """Sweep at once and every `interval_s` seconds, and delete whenever a call is erased by
        another process; until cancelled. Raises StoreError."""
        while True:
            await self.sweep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    while True:
                        await self._store.erasure_due.wait()
                        self._store.erasure_due.clear()
                        await self.carry_out()

    async def erase(self, call_id: str) -> list[str]:
        """Delete a call wholly, with its recordings, now (GDPR article 17); again: go on with it.

        Returns the nodes that have yet to delete files of it. Raises NotFound,
        Conflict, StoreError.
        """
        try:
            call = await self._store.purge.one(call_id)
        except NotFound:
            if not await self._store.erasures.nodes(call_id):
                raise
        else:
            await self._store.purge.erase([call], time.time(), self.node)
        await self.carry_out()
        left = await self._store.erasures.nodes(call_id)
        log.info("call %s is erased%s", call_id, f", but on {', '.join(left)}" if left else "")
        return left

    async def carry_out(self) -> int:
        """Delete what this node has of erased calls, and in the store's own files whatever has been
        deleted; of how many calls it could not. Raises StoreError."""
        async with self._store.erasing:
            failed, last, gone = 0, "", list[str]()
            while batch := await self._store.erasures.of(self.node, last):
                last = batch[-1].call_id
                deleted = await asyncio.to_thread(self._delete, batch)
                failed += len(batch) - len(deleted)
                gone += deleted
            asked = await self._store.erasures.scrub_asked()
            if (gone or asked) and await self._store.scrub():
                for ids in _batches(gone):
                    await self._store.erasures.done(self.node, ids)
                if asked:
                    await self._store.erasures.scrubbed(asked)
            return failed

    async def sweep(self) -> None:
        """Carry out what is left of erasing; delete recordings that no attempt names, as another
        release, a restored store or an erasing elsewhere leaves them; and forget those that are
        not there. Raises StoreError."""
        erasures = self._store.erasures
        # Listed first: an attempt names its file before it is made.
        names = await asyncio.to_thread(self._names)
        for batch in _batches(names):
            await erasures.claim(self.node, batch)
        await self.carry_out()
        await self.sweep_boxes()
        orphans = []
        for batch in _batches(names):
            named = await erasures.named(batch)
            orphans += [name for name in batch if name not in named]
        if orphans:
            deleted = await asyncio.to_thread(self._delete_orphans, orphans)
            log.warning("deleted %d recordings of calls that there are not", deleted)
        last = ""
        while told := await erasures.recorded(self.node, last):
            last = told[-1]
            lost = await asyncio.to_thread(self._lost, told)
            if lost:
                log.warning("%d recordings are no longer there", len(lost))
                await erasures.forget(self.node, lost)

    async def sweep_boxes(self) -> int:
        """Delete the black boxes on this node of calls that there are not, and those that are too
        old; how many. Raises StoreError."""
        boxes = await asyncio.to_thread(self._boxes)
        since = self._clock() - self._box_days * _DAY_S if self._box_days else 0.0
        kept: set[str] = set()
        for batch in _batches(sorted(set(boxes.values()))):
            kept |= await self._store.erasures.not_over_before(batch, since)
        old = [name for name, call_id in boxes.items() if call_id not in kept]
        return await asyncio.to_thread(self._delete_orphans, old) if old else 0

    def _boxes(self) -> dict[str, str]:
        try:
            boxes = self._folder.boxes()
        except OSError:  # told of by `_names`
            return {}
        return boxes if self._is_there() else {}

    def _names(self) -> list[str]:
        try:
            names = self._folder.names()
        except OSError as error:
            log.error("recordings.dir %s cannot be read: %s", self._folder.path, error.strerror)
            return []
        return names if self._is_there() else []

    def _is_there(self) -> bool:
        """Whether what was just seen of the folder was the folder's: asked afterwards, because it
        may be unmounted at any time."""
        if self._folder.is_there():
            return True
        log.error(
            "recordings.dir %s is not the folder that it was at the start; mount that one again",
            self._folder.path,
        )
        return False

    def _lost(self, names: list[str]) -> list[str]:
        lost = [name for name in names if self._folder.file(name) is None]
        return lost if lost and self._is_there() else []

    def _delete(self, erasures: list[Erasure]) -> list[str]:
        """The ids of calls of which no file is left."""
        gone = []
        for one in erasures:
            try:
                self._folder.delete_call(one.call_id, one.attempt_count)
                gone.append(one.call_id)
            except OSError as error:
                log.error("recording of call %s cannot be deleted: %s", one.call_id, error.strerror)
        return gone if self._is_there() else []

    def _delete_orphans(self, names: list[str]) -> int:
        deleted = 0
        if not self._is_there():
            return deleted
        for name in names:
            try:
                self._folder.delete([name])
                deleted += 1
            except OSError as error:
                log.error("recording %s cannot be deleted: %s", name, error.strerror)
        return deleted


def _batches(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
