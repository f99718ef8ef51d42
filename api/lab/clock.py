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
        answered: Unix seconds.
        began: when the caller did, Unix seconds.
    """

    def __init__(self, decided: Sequence[Decided], answered: float, began: float) -> None:
        self._answered = answered
        self._began = began
        self._frames = [0.0, *(float(one.frame) for one in decided)]
        times = [answered, *(one.at for one in decided)]
        self._behind = np.subtract(times, np.multiply(self._frames, FRAME_MS / 1000)) - answered

    def turn(self, turn: Turn) -> HeardTurn:
        """A turn, in seconds since the caller began."""
        span = Span(self._at(turn.started_at), self._at(turn.ended_at))
        return HeardTurn(
            turn.speaker, turn.text, span, turn.interrupted, turn.timings.get("wire_ms")
        )

    def _at(self, told: float) -> float:
        frame = (told - self._answered) * 1000 / FRAME_MS
        behind = float(np.interp(frame, self._frames, self._behind))
        return told + max(0.0, behind) - self._began
