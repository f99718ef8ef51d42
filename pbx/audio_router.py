"""Who has a line's audio: usually its owner, for a while somebody in their place."""

from typing import Protocol

from voice_loop.audio import Samples
from voice_loop.ports import AudioPeer, ForewarnedPeer


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


class Quiet:
    """An `AudioPeer` that says nothing and does not listen."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        return None
