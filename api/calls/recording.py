"""Two-channel recording of a conversation: the person on the left, the agent on the right.

`RecordedPeer` sits between the media leg and the conversation and copies what passes; the disk is
touched only by `flush`, off the event loop, and not before the ledger names the file. The file is
private, and a valid WAV after every flush, so a crash loses the last second, not the call.
"""

import asyncio
import contextlib
import logging
import os
import wave
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from voice_loop.audio import Samples, frame_samples
from voice_loop.ports import AudioPeer, ForewarnedPeer

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 1.0
#: Unwritten audio beyond this is dropped, oldest first: a stuck disk must not eat the memory.
_MAX_PENDING_FRAMES = 3000


class RecordedPeer:
    """An `AudioPeer` that passes everything on to another and records both directions."""

    def __init__(self, peer: AudioPeer, path: Path, rate: int) -> None:
        """
        Args:
            peer: the conversation.
            path: the WAV file; its folder is made when absent.
            rate: Hz of the frames.
        """
        self._peer = peer
        self._forewarned = peer if isinstance(peer, ForewarnedPeer) else None
        self._path = path
        self._rate = rate
        self._silence = np.zeros(frame_samples(rate), dtype=np.int16)
        self._pending: list[tuple[Samples, Samples]] = []
        self._recording = False
        self._named = False
        self._raw: BinaryIO | None = None
        self._file: wave.Wave_write | None = None
        self._broken = False
        self._closing = asyncio.Event()
        self._writing = asyncio.Lock()
        self.dropped_frames = 0
        self.seconds = 0.0
        """Written so far."""
        self.bytes = 0
        """Size of the file, once it is closed."""

    def start(self) -> None:
        """Record from here on (the answer)."""
        self._recording = True

    def name_kept(self) -> None:
        """The ledger names the file: it may be made now."""
        self._named = True

    def expect(self, heard: Samples) -> None:
        if self._forewarned is not None:
            self._forewarned.expect(heard)

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        said = self._peer.exchange(heard, arrived_at, now)
        if self._recording:
            if len(self._pending) >= _MAX_PENDING_FRAMES:
                self._pending.pop(0)
                self.dropped_frames += 1
            self._pending.append((heard, self._silence if said is None else said))
        return said

    async def write(self) -> None:
        """Write what has been recorded about once a second, until `close`."""
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _FLUSH_SECONDS)
            async with self._writing:
                await self._flush()

    async def close(self) -> bool:
        """Write the rest and close the file; True when there is a recording: one that a full disk
        cut short is kept, and one with nothing in it is not."""
        self._recording = False
        self._closing.set()
        async with self._writing:
            await self._flush()
            if self._raw is not None:
                await self._on_disk(self._close_file)
                await self._on_disk(self._measure)
        return self.bytes > 0

    def _close_file(self) -> None:
        assert self._raw is not None
        with self._raw:
            if self._file is not None:
                self._file.close()

    def _measure(self) -> None:
        if self.seconds:
            self.bytes = self._path.stat().st_size
        else:
            self._path.unlink()

    async def _flush(self) -> None:
        if self._named and not self._broken and self._pending:
            pending, self._pending = self._pending, []
            await self._on_disk(lambda: self._append(pending))

    async def _on_disk(self, work: Callable[[], None]) -> None:
        """A recording that fails, mostly by its disk, ends itself and never the call."""
        try:
            await asyncio.to_thread(work)
        except Exception as error:
            self._recording = False
            self._broken = True
            is_disk = isinstance(error, OSError)
            log.error("recording %s is given up: %r", self._path.name, error, exc_info=not is_disk)

    def _append(self, pending: list[tuple[Samples, Samples]]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Outlives this call on purpose: `_close_file` ends it. `wave.open` of a path that
            # cannot be written would complain once more when it is collected.
            self._raw = open(self._path, "wb", opener=_private)  # noqa: SIM115
            self._file = wave.open(self._raw, "wb")  # noqa: SIM115
            self._file.setnchannels(2)
            self._file.setsampwidth(2)
            self._file.setframerate(self._rate)
        left = np.concatenate([heard for heard, _ in pending])
        right = np.concatenate([said for _, said in pending])
        self._file.writeframes(np.stack([left, right], axis=1).astype("<i2").tobytes())
        self.seconds += len(left) / self._rate


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
