"""Our own voice, coming back on the line: found, cancelled, and told from the person's.

A hybrid or a loudspeaker gives back what we send, some 20 to 480 ms later and up to 30 dB weaker.
What was sent is known, so an echo shows as correlation with it. Where there is some, a Kalman
filter in the frequency domain (Enzner and Vary 2006, partitioned by Kuech et al. 2014) learns the
echo's path; once it explains most of what is heard, there is an echo, and it is subtracted. What
is then left is a person's where it is more than the filter may have missed. A line without an
echo is passed through as it is.

Sans-IO: frames of 20 ms go in and out, one each way per tick.
"""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voice_loop.audio import FRAME_MS, FRAMES_PER_SECOND, FULL_SCALE, Samples, frame_samples
from voice_loop.events import Echo

log = logging.getLogger(__name__)

_Floats = NDArray[np.floating[Any]]
_Spectra = NDArray[np.complexfloating[Any, Any]]

#: The longest delay that is looked for, and what is heard for it at most, frames.
_LONGEST_DELAY: Final = 480 // FRAME_MS
_WINDOW: Final = 160 // FRAME_MS
#: A filter reaches so far, and begins so long before the strongest reflection, frames.
_PARTITIONS: Final = 140 // FRAME_MS
_LEAD: Final = 1
_KEPT: Final = _LONGEST_DELAY + _PARTITIONS + _WINDOW + 1

#: Power of what is too quiet to be anybody's voice (-70 dBFS).
_QUIET: Final = (10 ** (-70 / 20) * FULL_SCALE) ** 2
#: A frame is somebody's voice above so much of the line's noise.
_AUDIBLE: Final = 4.0
#: How alike two different voices rarely are, by the frames that are compared.
_ALIKE: Final = (0.50, 0.40, 0.34, 0.30, 0.27, 0.25, 0.24, 0.23)
#: So alike are a voice and its echo only, from two frames on.
_SAME: Final = 0.75
#: A line has no echo once what was heard was unlike ours so often. From then on these frames of a
#: sound are compared only, and of a long one those every second.
_CLEAR_AFTER: Final = 24
_COMPARED_WHEN_CLEAR: Final = (3, 5, 8, 16)
#: Frames of quiet that end a sound.
_PAUSE: Final = 200 // FRAME_MS

#: A filter on trial proves an echo by foreseeing so much of what is heard, by the frames that it
#: has been tried on; it is given up after them, or below the least.
_PROOF: Final = (0.60, 0.55, 0.45, 0.40, 0.37, 0.35, 0.35, 0.35, 0.35, 0.35)
_LEAST: Final = 0.12
#: Another is looked for when the proven one foresees less.
_FAILING: Final = 0.5
#: A proven one is given up when it foresees none of what is heard in about a second of voice.
_USELESS: Final = -0.02
_LASTING: Final = 0.98

#: Edges of the bands in which the rest is judged, in steps of 25 Hz.
_EDGES: Final = (4, 8, 12, 16, 20, 26, 32, 40, 48, 58, 68, 80, 95, 110, 125, 140, 180, 220, 260)
#: Power of the echo that no linear filter explains: loudspeakers, codecs.
_UNEXPLAINED: Final = 0.1
#: Power of the noise that G.711 adds to what it carries.
_QUANTIZATION: Final = 3e-4
#: The line's noise is the minimum over so long, once or twice.
_NOISE_FRAMES: Final = 1000 // FRAME_MS
#: The rest is a person's from so many dB on, mean over the bands of what exceeds the margin.
_PERSON_DB: Final = 1.0
_MARGIN_DB: Final = 6.0


@dataclass(frozen=True)
class Heard:
    """A frame of the line's, cleaned of our own voice."""

    frame: Samples
    is_echo: bool = False
    """There is no voice in it but, as far as can be told, ours."""


@dataclass(frozen=True)
class _Match:
    """Where what was heard is most like what was sent."""

    delay: int
    """Samples."""
    likeness: float
    """Correlation, 0 to 1."""
    gain: float


class EchoCanceller:
    """Cleans one call's frames."""

    def __init__(self, rate: int, call_id: str = "") -> None:
        """
        Args:
            rate: of the line's frames, Hz.
            call_id: names the call in logs.
        """
        self._call_id = call_id
        self._size = frame_samples(rate)
        self._nothing = np.zeros(self._size, dtype=np.float32)
        self._sent: deque[_Floats] = deque([self._nothing] * _KEPT, maxlen=_KEPT)
        self._heard: deque[_Floats] = deque([self._nothing] * _WINDOW, maxlen=_WINDOW)
        self._silent_for = _KEPT
        self._noise = _QUIET
        self._is_echo = False
        self._quiet_for = 0
        self._strange = 0
        self._unlike = 0
        self.found: Echo | None = None
        """The echo that was found last."""
        self._filter: _Filter | None = None
        self._trial: _Filter | None = None

    def sent(self, frame: Samples | None) -> None:
        """Take what left in this tick; None is silence."""
        if frame is None:
            self._sent.append(self._nothing)
            self._silent_for += 1
            return
        sent = frame.astype(np.float32)
        self._sent.append(sent)
        self._silent_for = 0 if _power(sent) > _QUIET else self._silent_for + 1

    def hear(self, frame: Samples) -> Heard:
        """Clean a frame of the line's; comes before the same tick's `sent`."""
        if self._silent_for > _LONGEST_DELAY + _PARTITIONS:
            self._heard.append(self._nothing)
            self._strange, self._trial, self._is_echo = 0, None, False
            return Heard(frame)
        heard = frame.astype(np.float32)
        self._heard.append(heard)
        power = _power(heard)
        self._noise = max(_QUIET, min(power, self._noise * 1.03))
        audible = power > _AUDIBLE * self._noise
        is_echo = False
        if self._filter is not None:
            rest, is_echo = self._filter.cancel(heard, self._sent)
            frame = _samples(rest)
            if audible and self._filter.is_useless():
                self._filter = None
        if self._trial is not None:
            self._trial.cancel(heard, self._sent)
        strange = audible and not is_echo
        self._quiet_for = 0 if strange else self._quiet_for + 1
        self._strange = 0 if self._quiet_for > _PAUSE else self._strange + strange
        # What is not audible belongs to what was: a detector still sounds from that.
        self._is_echo = is_echo or (self._search() if strange else self._is_echo and not audible)
        return Heard(frame, self._is_echo)

    def _search(self) -> bool:
        """Look for an echo that is not known yet; whether this frame may be one."""
        frames = min(self._strange, _WINDOW)
        if self._trial is None:
            if not self._compares():
                return False
            match = _compare(list(self._heard)[-frames:], self._sent)
            if match.likeness < _ALIKE[frames - 1]:
                self._unlike += 1
                return frames <= 2 and self._filter is None and self._unlike < _CLEAR_AFTER
            self._trial = _Filter(self._size, match)
            for age in range(min(frames, _WINDOW - 1), -1, -1):
                self._trial.cancel(self._heard[-1 - age], self._sent, age)
            return self._try(self._trial) or (frames > 1 and match.likeness > _SAME)
        return self._try(self._trial)

    def _compares(self) -> bool:
        """Whether this frame is worth a comparison."""
        if self._filter is not None:
            return self._filter.explained < _FAILING
        return (
            self._unlike < _CLEAR_AFTER
            or self._strange in _COMPARED_WHEN_CLEAR
            or self._strange % FRAMES_PER_SECOND == 0
        )

    def _try(self, trial: "_Filter") -> bool:
        """Look whether a filter on trial has found an echo; whether the frame may be one."""
        trial.tried += 1
        if trial.explained > _PROOF[trial.tried - 1]:
            self._filter, self._trial = trial, None
            match = trial.match
            delay_ms = round(match.delay * FRAME_MS / self._size)
            self.found = Echo(delay_ms, round(20 * float(np.log10(match.gain + 1e-6)), 1))
            log.info(
                "call %s: our own voice comes back after %d ms, at about %.0f dB",
                self._call_id,
                self.found.delay_ms,
                self.found.level_db,
            )
            return True
        if trial.explained < _LEAST or trial.tried == len(_PROOF):
            self._trial = None
            self._unlike += 1
        return self._trial is not None


class _Filter:
    """The path of an echo, and what is left of a frame without it."""

    def __init__(self, size: int, match: _Match) -> None:
        bins = size + 1
        self.match = match
        self.tried = 0
        self._use = 1.0
        self._heard_power = self._rest_power = 1.0
        self.heard_now = self.rest_now = 1.0
        self._size = size
        self._base = max(1, match.delay // size - _LEAD)
        self._sent: _Spectra = np.zeros((_PARTITIONS, bins), dtype=np.complex64)
        self._path: _Spectra = np.zeros((_PARTITIONS, bins), dtype=np.complex64)
        decay = 0.5 ** np.arange(_PARTITIONS, dtype=np.float32)
        self._doubt: _Floats = (
            np.ones(bins, dtype=np.float32) * (match.gain**2 * decay)[:, None]
        ).astype(np.float32)
        self._noise: _Floats = np.zeros(bins, dtype=np.float32)
        self._block = np.zeros(2 * size, dtype=np.float32)
        self._edges = [edge for edge in _EDGES if edge < bins]
        self._minima: deque[_Floats] = deque(maxlen=2)
        self._frames = self._turn = 0
        self._tail: _Floats = np.zeros(len(self._edges), dtype=np.float32)

    @property
    def explained(self) -> float:
        """Share of what was heard lately that the filter foresaw."""
        return 1 - self._rest_power / self._heard_power

    def is_useless(self) -> bool:
        """Whether, over about a second of voice, it foresaw less than nothing of it."""
        now = min(1.0, max(-1.0, 1 - self.rest_now / self.heard_now))
        self._use = _LASTING * self._use + (1 - _LASTING) * now
        return self._use < _USELESS

    def cancel(self, heard: _Floats, sent: Sequence[_Floats], age: int = 0) -> tuple[_Floats, bool]:
        """Cancel the echo in a frame that was heard `age` ticks ago, and learn from it."""
        size, block = self._size, self._block
        newest = len(sent) - self._base - age
        block[:size], block[size:] = sent[newest - 1], sent[newest]
        self._sent[1:] = self._sent[:-1].copy()
        self._sent[0] = np.fft.rfft(block)
        echoed = (self._sent * self._path).sum(0)
        echo = np.fft.irfft(echoed)[size:]
        rest = heard - echo
        self.heard_now, self.rest_now = _power(heard), _power(rest)
        self._heard_power = 0.8 * self._heard_power + self.heard_now
        self._rest_power = 0.8 * self._rest_power + self.rest_now
        block[:size] = 0
        block[size:] = rest
        left = np.fft.rfft(block)
        left_powers = _powers(left)
        sent_powers = _powers(self._sent)
        missed = 0.5 * (sent_powers * self._doubt).sum(0)
        quantization = _QUANTIZATION * self.heard_now * size
        explained = missed + _UNEXPLAINED / 2 * _powers(echoed) + quantization
        bands = np.add.reduceat(left_powers, self._edges) + 1.0
        self._tail = np.maximum(np.add.reduceat(explained, self._edges), 0.5 * self._tail)
        is_echo = age > 0 or self._judge(bands)
        if is_echo and age == 0:
            noise = 2 * float(np.minimum.reduce(self._minima).sum())
            rest = rest * min(1.0, float(np.sqrt(noise / bands.sum())))
        self._noise = 0.5 * (self._noise + left_powers)
        step = self._doubt / (missed + self._noise + 1.0)
        self._path = self._path + np.conj(self._sent) * (step * left)
        # A partition is a frame long: what wraps around its end is taken out, of one in turn.
        turn = self._turn = (self._turn + 1) % _PARTITIONS
        response = np.fft.irfft(self._path[turn])
        response[size:] = 0
        self._path[turn] = np.fft.rfft(response)
        keep = 0.999**2
        self._doubt = keep * (1 - 0.5 * step * sent_powers) * self._doubt + (1 - keep) * _powers(
            self._path
        )
        return rest, is_echo

    def _judge(self, bands: _Floats) -> bool:
        """Whether what is left is no more than the line's noise and what the filter missed."""
        if self._frames % _NOISE_FRAMES == 0:
            self._minima.append(bands)
        self._frames += 1
        self._minima[-1] = np.minimum(self._minima[-1], bands)
        noise = np.minimum.reduce(self._minima)
        excess = 10 * np.log10(bands / (self._tail + _AUDIBLE * noise)) - _MARGIN_DB
        return float(np.maximum(excess, 0).mean()) < _PERSON_DB


def _power(frame: _Floats) -> float:
    """Power of a frame, without a constant offset."""
    mean = float(np.add.reduce(frame)) / frame.size
    return float(frame.dot(frame)) / frame.size - mean * mean


def _powers(spectra: _Spectra) -> _Floats:
    powers: _Floats = np.square(np.abs(spectra))
    return powers


def _samples(frame: _Floats) -> Samples:
    return np.clip(np.rint(frame), -32768, 32767).astype(np.int16)


def _compare(heard: Sequence[_Floats], sent: Sequence[_Floats]) -> _Match:
    """Find where these latest frames that were heard are most like what was sent."""
    now = np.concatenate(heard)
    before = np.concatenate(list(sent)[-(_LONGEST_DELAY + len(heard) - 1) :])
    # Circular; of that only the lags are kept at which all of it overlaps.
    lags = before.size - now.size + 1
    spectrum = np.fft.rfft(before) * np.conj(np.fft.rfft(now, before.size))
    products = np.fft.irfft(spectrum, before.size)[:lags]
    sums = np.concatenate([[0.0], np.cumsum(np.square(before, dtype=np.float64))])
    energies = sums[now.size :] - sums[: -now.size]
    energies += 1e-3 * energies.max() + 1.0
    likeness = np.abs(products) / np.sqrt(energies * (float(now.dot(now)) + 1.0))
    best = int(np.argmax(likeness))
    delay = lags - 1 - best + heard[0].size
    return _Match(delay, float(likeness[best]), float(abs(products[best]) / energies[best]))
