"""What is heard as tone: beeps, and what networks and fax machines send.

Sans-IO, one 20 ms frame at a time. Special information tones and call progress are those of ITU-T
E.180 and its supplement of countries: ringing is 0.3 to 2 s of a low tone with a second or more
between two, busy and congestion are shorter and come quickly one after the other. Fax tones are
those of ITU-T T.30.
"""

import itertools
from collections import deque
from enum import Enum, auto
from typing import Final

import numpy as np

from voice_loop.audio import FRAME_MS, FRAMES_PER_SECOND, FULL_SCALE, Samples
from voice_loop.tone import SURE_MS, Pitches, ToneDetector, pitches_of


class Heard(Enum):
    """What a tone was."""

    BEEP = auto()
    SHORT_BEEP = auto()
    """Shorter than what is sure to be one: something must announce it."""
    RINGING = auto()
    BUSY = auto()
    """Busy or congestion, heard after the answer."""
    INFORMATION = auto()
    """The special information tones (SIT), before an announcement of the network's."""
    FAX = auto()


#: Whole frames of the shortest beep.
_SHORTEST_MS: Final = 80
#: Ringing, busy and congestion are made of these, Hz.
_PROGRESS_HZ: Final = (340.0, 640.0)
#: Ringing alone, and so long at least where there is one frequency, as many beeps have, too.
_RINGING_HZ: Final = (340.0, 490.0)
_RINGING_ALONE_MS: Final = 780
_RING_MS: Final = 300
#: Two frequencies of call progress are so close that it takes a window of so many frames to tell
#: them apart; nothing else is like that for so long, ms. Mean square of the softest: -40 dBFS.
_WINDOW_FRAMES: Final = 4
_PAIR_MS: Final = 180
_SOFTEST: Final = (FULL_SCALE * 0.01) ** 2
#: Music has this share of its power in so many of the window's bins, from 150 Hz on.
_TONAL: Final = 0.8
_TONAL_BINS: Final = 24
_LOWEST_BIN: Final = 12
#: Between two rings, ms; between two tones of busy or congestion; and so many of those.
_RING_GAP_MS: Final = (900, 6_000)
_BUSY_GAP_MS: Final = (60, 900)
_BUSY_LONGEST_MS: Final = 900
_BUSY_TONES: Final = 4
#: The three special information tones, Hz: lowest and highest of each (E.180, and as North America
#: varies the first two), and so many frames of each at least.
_SIT_HZ: Final = ((890.0, 1010.0), (1340.0, 1460.0), (1730.0, 1830.0))
_SIT_FRAMES: Final = 8
_SIT_GAP_FRAMES: Final = 6
_KNOWN_FRAMES: Final = 1_000 // FRAME_MS
#: The answering fax machine (CED, ANSam), Hz, so many frames of it; the calling one (CNG).
_CED_HZ: Final = (2080.0, 2120.0)
_CED_FRAMES: Final = 1_000 // FRAME_MS
_CNG_HZ: Final = (1060.0, 1140.0)
_CNG_MS: Final = (400, 600)
_CNG_GAP_MS: Final = (2_500, 3_500)
_SAME_HZ: Final = 15.0


class ToneWatch:
    """Tells the tones of one direction of a line apart."""

    def __init__(self, rate: int) -> None:
        self._detector = ToneDetector(rate, _SHORTEST_MS)
        self._frame = -1
        self._ended: deque[tuple[Pitches, int, int]] = deque(maxlen=_BUSY_TONES)
        """Frequencies of the latest tones, their lengths in ms, the frames in which they ended."""
        self._window = np.hanning(_WINDOW_FRAMES * rate // FRAMES_PER_SECOND).astype(np.float32)
        self._latest: deque[Samples] = deque(maxlen=_WINDOW_FRAMES)
        self._pair: Pitches = ()
        self._pair_frames = 0
        self._known_until = -1
        """Up to this frame the end of a tone is that of one that was told apart."""
        self._sit_at = 0
        self._sit_frames = 0
        self._sit_seen = 0
        self._ced: deque[bool] = deque(maxlen=3 * _CED_FRAMES)

    @property
    def sounding(self) -> bool:
        """Whether the latest frame was of a tone, however short that is so far."""
        return self._detector.sounding

    def is_tonal(self) -> bool:
        """Whether the latest 80 ms consist of a few frequencies, as music does and noise does
        not."""
        if len(self._latest) < _WINDOW_FRAMES:
            return False
        spectrum = np.fft.rfft(np.concatenate(self._latest).astype(np.float32) * self._window)
        powers = np.sort((spectrum.real**2 + spectrum.imag**2)[_LOWEST_BIN:])[::-1]
        return float(powers[:_TONAL_BINS].sum()) >= _TONAL * float(powers.sum())

    def push(self, frame: Samples) -> Heard | None:
        """Take one frame; what it shows to have been heard, once for each."""
        self._frame += 1
        found = self._detector.push(frame)
        pitches = self._detector.pitches
        if self._is_sit(pitches):
            self._ended.clear()
            self._known_until = self._frame + _KNOWN_FRAMES
            return Heard.INFORMATION
        if self._is_ced(pitches):
            return Heard.FAX
        if (pair := self._pair_over(frame)) is not None:
            self._known_until = self._frame + _SIT_GAP_FRAMES
            return self._progress(*pair)
        if not found or self._frame <= self._known_until:
            return None
        return self._told_apart(*self._detector.found)

    def _told_apart(self, pitches: Pitches, ms: int) -> Heard | None:
        low = all(_within(pitch, _PROGRESS_HZ) for pitch in pitches)
        if low and len(pitches) > 1:
            return None  # `_pair_over` tells
        progress = self._progress(pitches, ms) if low or _within(pitches[0], _CNG_HZ) else None
        return progress or (Heard.BEEP if ms >= SURE_MS else Heard.SHORT_BEEP)

    def _progress(self, pitches: Pitches, ms: int) -> Heard | None:
        """What a tone is as one of several that came one after the other; None by itself."""
        self._ended.append((pitches, ms, self._frame))
        like = [one for one in self._ended if _same(one[0], pitches)]
        gaps = [
            (later[2] - earlier[2]) * FRAME_MS - later[1]
            for earlier, later in itertools.pairwise(like)
        ]
        if len(pitches) == 1 and _within(pitches[0], _CNG_HZ):
            again = _within(ms, _CNG_MS) and bool(gaps) and _within(gaps[-1], _CNG_GAP_MS)
            return Heard.FAX if again else None
        quick = all(length <= _BUSY_LONGEST_MS for _, length, _ in like)
        if len(like) == _BUSY_TONES and quick and all(_within(gap, _BUSY_GAP_MS) for gap in gaps):
            return Heard.BUSY
        if not all(_within(pitch, _RINGING_HZ) for pitch in pitches):
            return None
        rung_before = bool(gaps) and _within(gaps[-1], _RING_GAP_MS)
        by_itself = ms >= (_RING_MS if len(pitches) > 1 else _RINGING_ALONE_MS)
        return Heard.RINGING if rung_before or by_itself else None

    def _pair_over(self, frame: Samples) -> tuple[Pitches, int] | None:
        """The two frequencies of call progress, and for how long they were heard, once they end."""
        self._latest.append(frame)
        pair: Pitches = ()
        if len(self._latest) == _WINDOW_FRAMES:
            sound = np.concatenate(self._latest).astype(np.float32)
            if float(sound @ sound) >= _SOFTEST * sound.size:
                pair = pitches_of(sound * self._window, FRAMES_PER_SECOND / _WINDOW_FRAMES)
        if len(pair) != 2 or not all(_within(pitch, _PROGRESS_HZ) for pitch in pair):
            pair = ()
        if pair and (not self._pair or _same(pair, self._pair)):
            self._pair, self._pair_frames = pair, self._pair_frames + 1
            return None
        ended, ms = self._pair, (self._pair_frames + _WINDOW_FRAMES // 2) * FRAME_MS
        self._pair, self._pair_frames = pair, int(bool(pair))
        return (ended, ms) if ended and ms >= _PAIR_MS else None

    def _is_sit(self, pitches: Pitches) -> bool:
        """Whether the third of three rising tones has just been heard, each long enough."""
        if len(pitches) == 1 and _within(pitches[0], _SIT_HZ[self._sit_at]):
            self._sit_frames, self._sit_seen = self._sit_frames + 1, self._frame
            if self._sit_at == 2 and self._sit_frames == _SIT_FRAMES:
                self._sit_at = self._sit_frames = 0
                return True
            return False
        following = _SIT_HZ[min(self._sit_at + 1, 2)]
        if self._sit_frames >= _SIT_FRAMES and len(pitches) == 1 and _within(pitches[0], following):
            self._sit_at, self._sit_frames, self._sit_seen = self._sit_at + 1, 1, self._frame
        elif self._frame - self._sit_seen > _SIT_GAP_FRAMES:
            self._sit_at = self._sit_frames = 0
        return False

    def _is_ced(self, pitches: Pitches) -> bool:
        self._ced.append(len(pitches) == 1 and _within(pitches[0], _CED_HZ))
        if self._ced[-1] and sum(self._ced) == _CED_FRAMES:
            self._ced.clear()
            return True
        return False


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _same(one: Pitches, other: Pitches) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= _SAME_HZ for a, b in zip(one, other, strict=True)
    )
