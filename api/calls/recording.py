"""Two-channel recording of a conversation: the person on the left, the agent on the right.

`RecordedPeer` sits between the media leg and the conversation and copies what passes, on the time
line of the call: what is not recorded, and ticks that a stall cost us, is silence of the same
length. The disk is touched only by `flush`, off the event loop, and not before the ledger names
the file. The file is private, and playable after every flush, so a crash loses the last second,
not the call.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from api.calls.recording_formats import FORMATS, AudioWriter, Format
from voice_loop.audio import FRAME_MS, Samples, frame_samples, silence
from voice_loop.ports import AudioPeer, ForewarnedPeer

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 1.0
#: Unwritten audio beyond this is dropped, oldest first: a stuck disk must not eat the memory.
_MAX_PENDING_FRAMES = 3000
#: Silence is written in pieces of so many frames: ten seconds.
_SILENT_FRAMES: Final = 500
_FRAME_S: Final = FRAME_MS / 1000
#: So many ticks the media server makes up for, all at once (`pbx.pacer`).
_MADE_UP: Final = 3
#: So far they may be behind, and yet come.
_NOT_LOST: Final = 5


class _Frame(NamedTuple):
    """What passed in one tick, after so many frames of silence."""

    silent: int
    heard: Samples
    said: Samples


class RecordedPeer:
    """An `AudioPeer` that passes everything on to another and records both directions."""

    def __init__(self, peer: AudioPeer, path: Path, rate: int, kept_as: Format = "wav") -> None:
        """
        Args:
            peer: the conversation.
            path: the file; its folder is made when absent.
            rate: Hz of the frames.
            kept_as: the file's format.
        """
        self._peer = peer
        self._forewarned = peer if isinstance(peer, ForewarnedPeer) else None
        self._path = path
        self._rate = rate
        self._format = FORMATS[kept_as]
        self._silence = silence(rate)
        self._pending: deque[_Frame] = deque()
        self._frames = 0
        """Since the answer, silent ones included."""
        self._silent = 0
        """Of them, those after the latest that was recorded."""
        self._running = False
        """Between the answer and the end."""
        self._lasted: int | None = None
        """Frames from the answer to where the recording is to end, once that is known."""
        self._not_lost = 0
        """So far ticks may be behind: of the first we know what is before it."""
        self._listens = False
        self._named = False
        self._raw: BinaryIO | None = None
        self._writer: AudioWriter | None = None
        self._broken = False
        self._discarded = False
        self._wake = asyncio.Event()
        self._closing = False
        self._writing = asyncio.Lock()
        self._began_at = 0.0
        self._answered_at = 0.0
        """`time.monotonic()` seconds."""
        self.dropped_frames = 0
        self.seconds = 0.0
        """Written so far."""
        self.bytes = 0
        """Size of the file, once it is closed."""

    def start(self, at: float, *, listen: bool = True) -> None:
        """The call is answered: the recording begins there.

        Args:
            at: Unix seconds.
            listen: whether what passes is recorded, from now on.
        """
        self._began_at = at
        self._answered_at = time.monotonic() - max(0.0, time.time() - at)
        self._running = True
        self._listens = listen

    def listen(self, listens: bool) -> None:
        """Record what passes from now on; or silence in its place, of which nothing is kept."""
        self._listens = listens

    def stop(self, at: float) -> None:
        """End the recording there, at `at` Unix seconds, whatever comes after; once."""
        if self._running:
            self._lasted = round((at - self._began_at) / _FRAME_S)
        self._running = False

    def discard(self) -> None:
        """Delete what there is, and record nothing more."""
        self._running = False
        self._discarded = True
        self._pending.clear()
        self._wake.set()

    def name_kept(self) -> None:
        """The ledger names the file: it may be made now."""
        self._named = True

    def expect(self, heard: Samples) -> None:
        if self._forewarned is not None:
            self._forewarned.expect(heard)

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        said = self._peer.exchange(heard, arrived_at, now)
        if self._running:
            missed = int((now - self._answered_at) / _FRAME_S) - self._frames
            if missed > self._not_lost:  # nobody was at the far end for a while
                self._pass_silence(missed)
            self._not_lost = _NOT_LOST
            if self._listens:
                self._keep(heard, self._silence if said is None else said)
            else:
                self._pass_silence(1)
        return said

    def miss(self, ticks: int) -> None:
        """See `voice_loop.ports.TimedPeer`."""
        if self._running:
            self._pass_silence(ticks)

    def _pass_silence(self, frames: int) -> None:
        self._frames += frames
        self._silent += frames

    def _keep(self, heard: Samples, said: Samples) -> None:
        self._pending.append(_Frame(self._silent, heard, said))
        self._frames += 1
        self._silent = 0
        if len(self._pending) > _MAX_PENDING_FRAMES:
            dropped, after = self._pending.popleft(), self._pending[0]
            self._pending[0] = after._replace(silent=dropped.silent + 1 + after.silent)
            self.dropped_frames += 1

    async def write(self) -> None:
        """Write what has been recorded about once a second, until `close`."""
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _FLUSH_SECONDS)
            self._wake.clear()
            async with self._writing:
                await (self._delete() if self._discarded else self._flush())

    async def close(self, at: float) -> bool:
        """Write the rest and close the file; True when there is a recording: one that a full disk
        cut short is kept, and one with nothing in it is not.

        Args:
            at: when the call ended, Unix seconds; without effect after `stop`.
        """
        self.stop(at)
        self._closing = True
        self._wake.set()
        async with self._writing:
            if self._discarded:
                await self._delete()
                return False
            self._trim()
            await self._flush()
            if self._raw is not None:
                await self._on_disk(self._fill_up)
                await self._on_disk(self._close_file)
                await self._on_disk(self._measure)
        return self.bytes > 0

    def _trim(self) -> None:
        """Take back the frames by which ticks that were made up for are ahead of the end."""
        ahead = 0 if self._lasted is None else self._frames - self._lasted
        for _ in range(ahead if ahead <= _MADE_UP else 0):
            if not self._silent and len(self._pending) > 1:
                self._silent = self._pending.pop().silent + 1
            if self._silent:
                self._silent -= 1
                self._frames -= 1

    def _fill_up(self) -> None:
        """Make it as long as the call."""
        missing = 0 if self._lasted is None else self._lasted - self._frames
        if not self._broken:
            self._write_silence(self._silent + max(0, missing))

    def _close_file(self) -> None:
        assert self._raw is not None
        raw, self._raw = self._raw, None
        with raw:
            if self._writer is not None:
                # A file that could not be written cannot be finished either.
                with contextlib.suppress(*((Exception,) if self._broken else ())):
                    self._writer.close()

    def _measure(self) -> None:
        if self.seconds:
            self.bytes = self._path.stat().st_size
        else:
            self._path.unlink()

    async def _delete(self) -> None:
        if self._raw is not None:
            self._broken = True
            await self._on_disk(self._close_file)
            await self._on_disk(self._path.unlink)
            self.seconds = 0.0

    async def _flush(self) -> None:
        if self._named and not self._broken and self._pending:
            pending, self._pending = self._pending, deque()
            await self._on_disk(lambda: self._append(pending))

    async def _on_disk(self, work: Callable[[], None]) -> None:
        """A recording that fails, mostly by its disk, ends itself and never the call."""
        try:
            await asyncio.to_thread(work)
        except Exception as error:
            self._running = False
            self._broken = True
            is_disk = isinstance(error, OSError)
            log.error("recording %s is given up: %r", self._path.name, error, exc_info=not is_disk)

    def _append(self, pending: Iterable[_Frame]) -> None:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Outlives this call on purpose: `_close_file` ends it.
            self._raw = open(self._path, "wb", opener=_private)  # noqa: SIM115
            self._writer = self._format.writer(self._raw, self._rate)
        together: list[_Frame] = []
        for frame in pending:
            if frame.silent:
                self._write_frames(together)
                together = []
                self._write_silence(frame.silent)
            together.append(frame)
        self._write_frames(together)

    def _write_frames(self, frames: list[_Frame]) -> None:
        if frames:
            left = np.concatenate([frame.heard for frame in frames])
            right = np.concatenate([frame.said for frame in frames])
            self._write(np.stack([left, right], axis=1))

    def _write_silence(self, frames: int) -> None:
        while frames > 0:
            piece = min(frames, _SILENT_FRAMES)
            self._write(np.zeros((piece * frame_samples(self._rate), 2), dtype=np.int16))
            frames -= piece

    def _write(self, samples: Samples) -> None:
        assert self._writer is not None
        self._writer.write(samples)
        self.seconds += len(samples) / self._rate


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
