"""Lets two legs hear each other before the PBX joins their channels.

While a transfer dials, its ringback and early media are on a leg of ours only; over a relay the
waiting caller hears them.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from voice_loop.audio import Doubler, Halver, Samples

_FRAMES: Final = 2  # one on its way, and one for a tick that takes the legs in the other order


class Relay:
    """Two audio peers; each plays what the other heard.

    Legs of one media server tick together, so that a frame waits for one tick at most. What is
    heard while the other leg does not tick is dropped, oldest first.

    Args:
        first_rate: of the first one's leg, Hz.
        second_rate: of the other's, the same, half or twice as much.
    """

    def __init__(self, first_rate: int = 8000, second_rate: int = 8000) -> None:
        to_first: deque[Samples] = deque(maxlen=_FRAMES)
        to_second: deque[Samples] = deque(maxlen=_FRAMES)
        self.first = RelayEnd(to_first, to_second, _converter(first_rate, second_rate))
        self.second = RelayEnd(to_second, to_first, _converter(second_rate, first_rate))


class RelayEnd:
    """One leg's peer: an `AudioPeer`. Made by `Relay`."""

    def __init__(
        self,
        incoming: deque[Samples],
        outgoing: deque[Samples],
        convert: Callable[[Samples], Samples],
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._convert = convert

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        """Give what this leg heard, take what the other did; None (silence) before anything."""
        self._outgoing.append(self._convert(heard))
        return self._incoming.popleft() if self._incoming else None


def _converter(source_rate: int, target_rate: int) -> Callable[[Samples], Samples]:
    if source_rate == target_rate:
        return lambda frame: frame
    return Halver().push if source_rate > target_rate else Doubler().push
