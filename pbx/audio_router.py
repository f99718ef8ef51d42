"""Who has a line's audio: usually its owner, for a while somebody in their place."""

from collections.abc import Iterable
from typing import Protocol

from voice_loop.audio import Samples, silence
from voice_loop.ports import AudioPeer, ForewarnedPeer, TimedPeer


class Owner(AudioPeer, Protocol):
    """An audio peer that can be away."""

    def pass_time(self, heard: Samples, now: float) -> None:
        """In place of `exchange` while somebody else has the line: only time passes."""
        ...


class AudioRouter:
    """An `AudioPeer` that passes everything on to its owner, or to who stands in."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._forewarned = owner if isinstance(owner, ForewarnedPeer) else None
        self._stand_in: AudioPeer | None = None

    def attach(self, stand_in: AudioPeer | None) -> None:
        """Let another have the audio; None gives it back to the owner."""
        self._stand_in = stand_in

    def expect(self, heard: Samples) -> None:
        if self._stand_in is None and self._forewarned is not None:
            self._forewarned.expect(heard)

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        if self._stand_in is None:
            return self._owner.exchange(heard, arrived_at, now)
        self._owner.pass_time(heard, now)
        return self._stand_in.exchange(heard, arrived_at, now)


class Ear(Protocol):
    """Somebody who listens to both sides of a line."""

    def bring(self, person: Samples, agent: Samples) -> None:
        """Take what was heard and said in one tick; must neither block nor raise."""
        ...


class Tap:
    """An `AudioPeer` that passes everything on to another, and lets others listen.

    Args:
        inner: whose line it is.
        rate: of its frames, Hz.
    """

    def __init__(self, inner: AudioPeer, rate: int) -> None:
        self._inner = inner
        self._silence = silence(rate)
        self._forewarned = inner if isinstance(inner, ForewarnedPeer) else None
        self._timed = inner if isinstance(inner, TimedPeer) else None
        self._ears: tuple[Ear, ...] = ()

    def listen(self, ears: Iterable[Ear]) -> None:
        """Let these listen from now on, and nobody else."""
        self._ears = tuple(ears)

    def expect(self, heard: Samples) -> None:
        if self._forewarned is not None:
            self._forewarned.expect(heard)

    def miss(self, ticks: int) -> None:
        if self._timed is not None:
            self._timed.miss(ticks)

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        said = self._inner.exchange(heard, arrived_at, now)
        for ear in self._ears:
            ear.bring(heard, self._silence if said is None else said)
        return said


class Quiet:
    """An `AudioPeer` that says nothing and does not listen."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        return None
