"""Where somebody is heard: from samples to spans of time. Times in seconds."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from models.recordings import RATE
from voice_loop.audio import FULL_SCALE, Samples

_HOP: Final = RATE // 100  # 10 ms
#: A dip between two sounds of a word is shorter; eot-bench takes no shorter one for a silence.
_SHORTEST_GAP_S: Final = 0.1
_SHORTEST_SOUND_S: Final = 0.05
#: How far below a recording's loudest moments its quiet speech may lie, dB.
_RANGE_DB: Final = 30.0
#: How far speech stands out of a recording's own noise, dB.
_MARGIN_DB: Final = 8.0


class Span(NamedTuple):
    """From `start` to before `end`."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start

    def overlaps(self, other: "Span", slack_s: float = 0.0) -> bool:
        """Whether both have a moment in common, or miss each other by less than the slack."""
        return self.start < other.end + slack_s and other.start < self.end + slack_s

    def later(self, by_s: float) -> "Span":
        """The same, moved."""
        return Span(self.start + by_s, self.end + by_s)


def levels(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """RMS of each 10 ms in dBFS, -96 at the least."""
    whole = samples[: samples.size // _HOP * _HOP].astype(np.float64).reshape(-1, _HOP)
    rms = np.sqrt(np.mean(np.square(whole), axis=1))
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = np.maximum(
        20 * np.log10(np.maximum(rms, 1e-9) / FULL_SCALE), -96.0
    )
    return found


def spoken_spans(samples: Samples) -> tuple[Span, ...]:
    """Where a recording of one person holds speech.

    What is meant is a clean recording: its own quiet moments tell its noise.
    """
    level = levels(samples)
    if level.size == 0:
        return ()
    loud, quiet = np.percentile(level, [95, 10])
    threshold = max(loud - _RANGE_DB, min(quiet + _MARGIN_DB, loud - 12.0), -70.0)
    return spans_of(level > threshold)


def spans_of(
    heard: Sequence[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]],
    shortest_gap_s: float = _SHORTEST_GAP_S,
    shortest_s: float = _SHORTEST_SOUND_S,
) -> tuple[Span, ...]:
    """Spans of one verdict for each 10 ms.

    Args:
        heard: the verdicts.
        shortest_gap_s: shorter ones are bridged.
        shortest_s: shorter spans are left out.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(heard, dtype=np.int8), [0]])))
    runs = [Span(int(a) / 100, int(b) / 100) for a, b in edges.reshape(-1, 2)]
    return tuple(one for one in joined(runs, shortest_gap_s) if one.length >= shortest_s)


def joined(runs: Iterable[Span], shortest_gap_s: float) -> list[Span]:
    """Spans in order, those with a shorter gap between them made one."""
    found: list[Span] = []
    for run in runs:
        if found and run.start - found[-1].end < shortest_gap_s:
            found[-1] = Span(found[-1].start, max(found[-1].end, run.end))
        else:
            found.append(run)
    return found
