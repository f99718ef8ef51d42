"""The pace of the media tick: absolute deadlines every 20 ms, for ever.

Each deadline is computed from the first, so no lateness is ever handed on to the next tick. After
a stall, ticks that were missed are made up for at once while they are few (the far end's jitter
buffer takes them in); beyond that they are skipped and counted.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

_INTERVAL_S: Final = 0.020
_CATCH_UP: Final = 3  # ticks
_HISTORY: Final = 3000  # ticks that the lateness figures look back on: a minute


@dataclass(frozen=True)
class Lateness:
    """How late the last minute's ticks were."""

    ticks: int
    """Ticks looked at."""
    p50_ms: float
    p99_ms: float
    skipped: int
    """Ticks given up since the start."""


class Pacer:
    """Says when the next tick is due; `now` is in seconds of any steady clock."""

    def __init__(self, now: float) -> None:
        self._origin = now
        self._count = 1
        self._skipped = 0
        self._late: deque[float] = deque(maxlen=_HISTORY)

    @property
    def deadline(self) -> float:
        """When the next tick is due."""
        return self._origin + self._count * _INTERVAL_S

    def tick(self, now: float) -> int:
        """Take the tick that is due; returns how many before it are skipped."""
        late = now - self.deadline
        self._late.append(late)
        missed = int(late / _INTERVAL_S)
        skipped = missed if missed > _CATCH_UP else 0
        self._skipped += skipped
        self._count += 1 + skipped
        return skipped

    def lateness(self) -> Lateness:
        """The last minute's figures; zeros before the first tick."""
        late = sorted(self._late) or [0.0]
        return Lateness(
            ticks=len(self._late),
            p50_ms=late[len(late) // 2] * 1000,
            p99_ms=late[min(len(late) - 1, len(late) * 99 // 100)] * 1000,
            skipped=self._skipped,
        )
