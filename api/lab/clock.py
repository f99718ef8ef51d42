"""From the time of a call's audio, in which turns are told, to that of the wall."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from api.lab.spans import Span
from api.lab.trace import HeardTurn
from api.resources.turn import Turn
from voice_loop.audio import FRAME_MS


class Decided(NamedTuple):
    """A decision as it is logged."""

    at: float
    """Unix seconds."""
    frame: int
    name: str


class AudioClock:
    """Audio falls behind where a busy machine leaves ticks out; what was decided in which frame,
    and when, tells how far.

    Args:
        decided: of the call.
        wall: when the caller began, Unix seconds.
    """

    def __init__(self, decided: Sequence[Decided], wall: float) -> None:
        self._wall = wall
        self._frames = [one.frame for one in decided] or [0]
        self._times = [one.at for one in decided] or [wall]
        self._began = self._times[0] - self._frames[0] * FRAME_MS / 1000

    def turn(self, turn: Turn) -> HeardTurn:
        """A turn, in seconds since the caller began."""
        span = Span(self._at(turn.started_at), self._at(turn.ended_at))
        return HeardTurn(
            turn.speaker, turn.text, span, turn.interrupted, turn.timings.get("wire_ms")
        )

    def _at(self, told: float) -> float:
        frame = (told - self._began) * 1000 / FRAME_MS
        behind = np.subtract(self._times, np.multiply(self._frames, FRAME_MS / 1000))
        return told + float(np.interp(frame, self._frames, behind)) - self._began - self._wall
