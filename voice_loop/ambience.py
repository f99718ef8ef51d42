"""What is heard beside the agent's voice: one call's mixer.

A background sound plays from the answer to the end, a thinking sound while an answer is being
made. Sans-IO: each tick the agent's frame goes in, or None, and what is sent comes out.
"""

import random
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice_loop.audio import FRAME_MS, Samples, frame_samples, resample

Floats = NDArray[np.float32]

#: From silence to full level, and back. Steps of 1/4 add up to silence exactly.
_BACKGROUND_FADE_MS: Final = 500
_THINKING_FADE_MS: Final = 80
#: The background's level under speech, of its level without (-4.4 dB).
_DUCKED: Final = 0.6

#: Above the knee the limiter bends what is louder, so that no sum reaches past full scale.
_PEAK: Final = 32767.0
_KNEE: Final = 0.75 * _PEAK
_ROOM: Final = _PEAK - _KNEE

#: Taken from the other end on each side when a loop is resampled, so that its seam stays unheard.
_SEAM_MS: Final = 100


class Loop:
    """A sound without an end: its first sample follows its last. Many calls may share one."""

    def __init__(self, samples: Samples, rate: int) -> None:
        """
        Args:
            samples: at least one frame.
            rate: of these samples, Hz.
        """
        self._samples = samples
        self._rate = rate
        self._at: dict[int, Floats] = {}

    @property
    def seconds(self) -> float:
        """Length of one round of the loop."""
        return self._samples.size / self._rate

    def at(self, rate: int) -> Floats:
        """The loop resampled to `rate` Hz; kept after the first call."""
        if rate not in self._at:
            seam = self._rate * _SEAM_MS // 1000
            wound = np.pad(self._samples, seam, mode="wrap")
            first = rate * _SEAM_MS // 1000
            count = self._samples.size * rate // self._rate
            resampled = resample(wound, self._rate, rate)[first : first + count]
            self._at[rate] = resampled.astype(np.float32)
        return self._at[rate]


@dataclass(frozen=True)
class AmbienceConfig:
    """The sounds of one call. Volumes are factors: 1 leaves a sound as it is."""

    background: Loop | None = None
    background_volume: float = 1.0
    thinking: Loop | None = None
    thinking_volume: float = 1.0
    thinking_probability: float = 1.0
    """Chance that the thinking sound is played at any one turn."""
    voice_volume: float = 1.0


class Ambience:
    """Mixes one call."""

    def __init__(self, config: AmbienceConfig, rate: int, rng: random.Random) -> None:
        """
        Args:
            config: the sounds.
            rate: of the line's frames, Hz.
            rng: decides at which turns the thinking sound is played.
        """
        size = frame_samples(rate)
        self._voice_volume = np.float32(config.voice_volume)
        self._probability = config.thinking_probability
        self._rng = rng
        self._background = _layer(
            config.background, config.background_volume, rate, _BACKGROUND_FADE_MS
        )
        self._thinking = _layer(config.thinking, config.thinking_volume, rate, _THINKING_FADE_MS)
        self._idle = (
            self._background is None and self._thinking is None and config.voice_volume == 1
        )
        self._mix = np.zeros(size, dtype=np.float32)
        self._thinks_aloud = False

    def begin_turn(self) -> None:
        """Decide, at the start of the agent's turn, whether it thinks aloud."""
        self._thinks_aloud = self._rng.random() < self._probability

    def mix(self, speech: Samples | None, *, thinking: bool) -> Samples | None:
        """Mix the frame that is sent in this tick; None is silence.

        Args:
            speech: the agent's frame, None while it says nothing.
            thinking: an answer is being made and not heard yet.
        """
        if self._idle:
            return speech
        audible = speech is not None
        if speech is None:
            self._mix.fill(0)
        else:
            np.copyto(self._mix, speech)
            self._mix *= self._voice_volume
        if self._background is not None:
            audible |= self._background.add_to(self._mix, 1.0 if speech is None else _DUCKED)
        if self._thinking is not None:
            aloud = thinking and self._thinks_aloud
            audible |= self._thinking.add_to(self._mix, 1.0 if aloud else 0.0)
        return _limited(self._mix) if audible else None


class _Layer:
    """One loop in the mix, with a level that moves without clicks."""

    def __init__(self, samples: Floats, size: int, fade_ms: int) -> None:
        # One frame more, so that every frame lies in one piece.
        self._samples = np.concatenate([samples, np.resize(samples, size)])
        self._length = samples.size
        self._step = FRAME_MS / fade_ms
        self._ramp = np.arange(1, size + 1, dtype=np.float32) / np.float32(size)
        self._at = 0
        self._level = 0.0

    def add_to(self, mix: Floats, wanted: float) -> bool:
        """Add the next frame on the way to the level wanted; False when it stays silent."""
        before = self._level
        level = self._level = min(max(wanted, before - self._step), before + self._step)
        if before == level == 0:
            return False
        frame = self._samples[self._at : self._at + mix.size]
        self._at = (self._at + mix.size) % self._length
        if before == level:
            mix += frame * np.float32(level)
        else:
            mix += frame * (np.float32(before) + np.float32(level - before) * self._ramp)
        return True


def _layer(loop: Loop | None, volume: float, rate: int, fade_ms: int) -> _Layer | None:
    if loop is None or volume == 0:
        return None
    return _Layer(loop.at(rate) * np.float32(volume), frame_samples(rate), fade_ms)


def _limited(mix: Floats) -> Samples:
    """Limit a mix: unchanged below the knee, ever flatter above it towards full scale."""
    magnitude = np.abs(mix)
    if magnitude.max() > _KNEE:
        bent = _KNEE + _ROOM * np.tanh((magnitude - _KNEE) / _ROOM)
        mix = np.copysign(np.where(magnitude > _KNEE, bent, magnitude), mix)
    limited: Samples = np.rint(mix).astype(np.int16)
    return limited
