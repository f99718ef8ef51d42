"""Who has a line's audio: usually one peer, for a while somebody in its place."""

from voice_loop.audio import Samples
from voice_loop.ports import AudioPeer


class Desk:
    """An `AudioPeer` that passes everything on to its owner, who sleeps while another stands in:
    they hear nothing, and no time passes for them."""

    def __init__(self, owner: AudioPeer) -> None:
        self._owner = owner
        self._stand_in: AudioPeer | None = None

    def attach(self, stand_in: AudioPeer | None) -> None:
        """Let another have the audio; None gives it back to the owner."""
        self._stand_in = stand_in

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        peer = self._owner if self._stand_in is None else self._stand_in
        return peer.exchange(heard, arrived_at, now)


class Quiet:
    """An `AudioPeer` that says nothing and does not listen."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        return None
