"""The black box of one attempt while it is under way.

`BlackBox` is the witness of its conversation (`voice_loop.witness`). It notes on the event loop, a
tuple at a time; all that takes time is done once a second in a thread, and nothing is on the disk
before the ledger names the file. A box that grows too large, or whose disk fails, ends; the call
goes on.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from api.blackbox.entries import VERSION, Entry, Teller, encoded, little_endian
from voice_loop.audio import Samples
from voice_loop.commands import Command
from voice_loop.signals import Moment, Signal

log = logging.getLogger(__name__)

_FLUSH_S: Final = 1.0
#: Entries that wait for the disk: a minute of a call's.
_MAX_PENDING: Final = 6000
#: Between two looks at what the line's jitter buffer did.
_LINE_EVERY_S: Final = 1.0


class _Tick(NamedTuple):
    """A tick as it is noted; all times as of `time.monotonic`."""

    now: float
    arrived_at: float
    samples: int
    pcm: Samples | None
    verdict: tuple[bool, bool | None]
    """Whether the detector took it for speech, and was convinced."""
    expected: bool
    away: bool

    def entry(self, began_at: float) -> Entry:
        speech, convinced = self.verdict
        fields: dict[str, Any] = {
            "arrived": round(self.arrived_at - began_at, 6),
            "speech": speech,
        }
        if convinced is not None:
            fields["convinced"] = convinced
        if self.expected:
            fields["expected"] = True
        if self.away:
            fields["away"] = True
        elif self.arrived_at == self.now:
            fields["missing"] = True
        if self.pcm is None:
            fields["redacted"] = self.samples
        return Entry(self.now - began_at, "tick", fields, self.pcm)


class BlackBox:
    """Keeps what one conversation is given, and what it decides."""

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        header: Mapping[str, Any],
        *,
        keeps_audio: Callable[[], bool] = lambda: True,
        keeps_voice: Callable[[], bool] = lambda: True,
        line: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            path: the file; its folder is made when absent.
            max_bytes: of the file; what comes after is not kept.
            header: what is known before the call.
            keeps_audio: whether audio that comes from the line now may be kept.
            keeps_voice: whether what the voice makes now may be.
            line: what was counted of the line so far.
            clock: as `time.monotonic`.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._keeps_audio = keeps_audio
        self._keeps_voice = keeps_voice
        self._line = line
        self._clock = clock
        self._began_at = clock()
        self._teller = Teller()
        self._pending: list[Entry | _Tick] = []
        self._file: BinaryIO | None = None
        self._named = self._closing = self._discarded = False
        self._over: str | None = None
        """Why nothing is kept any more."""
        self._bytes = 0
        self._requests = 0
        self._line_told: Mapping[str, Any] = {}
        self._line_at = -_LINE_EVERY_S
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self.speech = False
        """What the detector said of the frame of this tick."""
        self.convinced: bool | None = None
        self.note("header", format=VERSION, **header)

    # What happens -----------------------------------------------------------------------

    def note(self, kind: str, pcm: Samples | None = None, **fields: Any) -> None:
        """Something has happened."""
        if self._over is None:
            self._pending.append(Entry(self._clock() - self._began_at, kind, fields, pcm))
            self._bound()

    def voice(self, samples: Samples, **fields: Any) -> None:
        """The voice has given audio."""
        if self._keeps_voice():
            self.note("answer", samples, **fields)
        else:
            self.note("answer", redacted=int(samples.size), **fields)

    def request(self, engine: str, **fields: Any) -> int:
        """An engine is asked; its answers name the number that this gives."""
        self._requests += 1
        self.note("request", id=self._requests, engine=engine, **fields)
        return self._requests

    def pbx(self, event: object) -> None:
        """The PBX has told something."""
        self.note("pbx", event=self._teller.plain(event))

    # The witness ------------------------------------------------------------------------

    def now(self) -> float:
        return self._clock()

    def told(self, name: str, *arguments: Any) -> None:
        # A moment is the only number that the outside tells.
        plain = [one - self._began_at if isinstance(one, float) else one for one in arguments]
        self.note("told", name=name, arguments=plain)

    def began(self) -> None:
        self.note("began")

    def ended(self) -> None:
        self.note("ended")

    def heard(
        self, frame: Samples, arrived_at: float, now: float, *, expected: bool, away: bool
    ) -> None:
        if self._over is None:
            pcm = frame if self._keeps_audio() else None
            verdict = (self.speech, self.convinced)
            self._pending.append(_Tick(now, arrived_at, frame.size, pcm, verdict, expected, away))
            self._bound()
        if now - self._line_at >= _LINE_EVERY_S:
            self._line_at = now
            self._note_line()

    def _note_line(self) -> None:
        counted = self._line()
        if counted != self._line_told:
            self._line_told = counted
            self.note("line", **counted)

    async def admit(self, what: Signal | str, frame: int) -> None: ...

    def decided(
        self,
        what: Signal | str,
        moment: Moment,
        commands: Sequence[Command],
        evidence: Mapping[str, Any],
    ) -> None:
        state = {
            "person_speaks": moment.person_speaks,
            "talking": moment.talking,
            "onset_frame": moment.onset_frame,
            "spoken_ms": moment.spoken_ms,
            "held": moment.held,
            "voiced": round(moment.voiced_at - self._began_at, 6) if moment.voiced_at else None,
        }
        self.note(
            "decision",
            frame=moment.frame,
            on=self._teller.signal(what),
            commands=self._teller.plain(commands),
            state=state,
            evidence=evidence,
        )

    # The file ---------------------------------------------------------------------------

    def name_kept(self) -> None:
        """The ledger names the file: it may be made now."""
        self._named = True

    def discard(self) -> None:
        """Delete what there is, and keep nothing more."""
        self._over = "discarded"
        self._discarded = True
        self._pending.clear()
        self._wake.set()

    async def write(self) -> None:
        """Write what was noted about once a second, until `close`."""
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _FLUSH_S)
            self._wake.clear()
            async with self._writing:
                await self._flush()

    async def close(self, **fields: Any) -> bool:
        """Write the rest; whether there is a file.

        Args:
            fields: how the call ended.
        """
        self._note_line()
        self.note("end", **fields)
        self._closing = True
        self._wake.set()
        async with self._writing:
            await self._flush()
            if self._file is not None:
                self._file.close()
                self._file = None
                return True
        return False

    def _bound(self) -> None:
        if len(self._pending) > _MAX_PENDING:
            self._end("the disk was too slow")

    def _end(self, why: str) -> None:
        log.warning("black box %s ends early: %s", self._path.name, why)
        self._pending.append(Entry(self._clock() - self._began_at, "cut", {"why": why}))
        self._over = why

    async def _flush(self) -> None:
        if self._discarded:
            if self._file is not None:
                self._file.close()
                self._file = None
                with contextlib.suppress(OSError):  # then erasing does it
                    await asyncio.to_thread(self._path.unlink, missing_ok=True)
        elif self._named and self._pending:
            pending, self._pending = self._pending, []
            try:
                await asyncio.to_thread(self._append, pending)
            except Exception as error:
                self._over = "it could not be written"
                self._pending.clear()
                is_disk = isinstance(error, OSError)
                log.error(
                    "black box %s is given up: %r", self._path.name, error, exc_info=not is_disk
                )

    def _append(self, pending: Sequence["Entry | _Tick"]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Outlives this call on purpose: `close` ends it.
            self._file = open(self._path, "wb", opener=_private)  # noqa: SIM115
        for noted in pending:
            entry = noted.entry(self._began_at) if isinstance(noted, _Tick) else noted
            line = encoded(entry)
            audio = b"" if entry.pcm is None else little_endian(entry.pcm)
            if self._bytes + len(line) + len(audio) > self._max_bytes:
                why = "black_box.max_mb"
                self._over = self._over or why
                self._file.write(encoded(Entry(entry.at, "cut", {"why": why})))
                self._max_bytes = 0
                log.warning("black box %s ends early: %s", self._path.name, why)
                break
            self._file.write(line + audio)
            self._bytes += len(line) + len(audio)
        self._file.flush()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
