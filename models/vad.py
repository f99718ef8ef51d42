"""Voice activity detection: who speaks on a line, and what is only heard there.

`SpeechSenses` gathers what a frame can be judged by: WebRTC's detector, the level above the noise
of this very line, and Silero's network, which runs only while there may be something to hear.
`SileroDetector` judges by all of it, with a small recurrent network that `models/training/ears.py`
taught on people at telephone rate: Silero alone stays for minutes in whichever mood noise has put
it, and is 100 ms late at both ends of a word.

`WebRtcDetector` is the rule of before, without a network.
"""

from collections import deque
from dataclasses import dataclass
from functools import cache
from math import log10
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from models.silero import LINE_RATES, Silero, weights_for
from voice_loop.audio import FRAMES_PER_SECOND, FULL_SCALE, Samples, frame_samples, level_dbfs
from voice_loop.ports import EngineError

Array = NDArray[np.float32]

#: The noise is the minimum over this long, seconds.
WINDOW_S: Final = 2
#: Louder is no noise that one could talk over, dBFS.
LOUDEST_DBFS: Final = -28.0
#: Quieter is silence on any line, dBFS: by the rule of before, and for the network.
QUIETEST_DBFS: Final = -60.0
SILENT_DBFS: Final = -75.0
#: By the rule, a frame must be this much louder than the noise, dB.
MARGIN_DB: Final = 6.0

#: The network listens to what is this much louder than the noise, dB, if WebRTC's detector takes it
#: for speech, and if not; and for so many frames after.
STIRRING_DB: Final = 3.0
LOUD_DB: Final = 10.0
LISTENING_FRAMES: Final = 20
#: Somebody speaks above this logit, unless Silero itself is sure of the opposite: it has heard more
#: of the world, music on hold say, than the judge.
THRESHOLD: Final = -0.25
DOUBT: Final = -3.25

#: Level of the noise that is added to what is heard, dBFS: a line that is silent to the last bit,
#: as between a softphone's words, is like none that the networks were taught on.
DITHER_DBFS: Final = -70.0

EARS: Final = Path(__file__).with_name("ears") / "ears.npz"
FEATURES: Final = 262


class NoiseFloor:
    """The level of a line's noise: the quietest frame of the last seconds.

    Speech dips between sounds and words, so that minimum is the noise even while someone talks;
    steady noise does not dip, so after those seconds it no longer stands out of itself.
    """

    def __init__(self, quietest_dbfs: float) -> None:
        """
        Args:
            quietest_dbfs: what is no noise any more. A line is taken to be as quiet until it has
                been heard for the whole window: the first word of someone who talks at once must
                not become the noise.
        """
        frames = WINDOW_S * FRAMES_PER_SECOND
        self._quietest = quietest_dbfs
        self._levels = deque([quietest_dbfs] * frames, maxlen=frames)

    def hear(self, dbfs: float) -> None:
        """Take the level of the next frame."""
        self._levels.append(dbfs)

    @property
    def dbfs(self) -> float:
        """The noise level that this line is taken to have."""
        return min(LOUDEST_DBFS, max(self._quietest, min(self._levels)))


class _WebRtc:
    """WebRTC's detector, which takes most things for speech, at the rate of one line."""

    def __init__(self, rate: int, mode: int) -> None:
        if rate not in LINE_RATES:
            raise ValueError(f"speech detection works at 8000 or 16000 Hz, not at {rate}")
        if mode not in range(4):
            raise ValueError(f"the VAD mode goes from 0 to 3, not {mode}")
        self._rate = rate
        self._samples = frame_samples(rate)
        self._vad = webrtcvad.Vad(mode)

    def is_speech(self, frame: Samples) -> bool:
        if frame.size != self._samples:
            raise ValueError(f"a frame has {self._samples} samples, not {frame.size}")
        return bool(self._vad.is_speech(frame.tobytes(), self._rate))


class WebRtcDetector:
    """A speech detector by rule: WebRTC's, and what stands out of the line's noise.

    Args:
        rate: the line's rate, 8000 or 16000 Hz.
        mode: WebRTC's aggressiveness, 0 (calls most things speech) to 3 (the least).
    """

    def __init__(self, rate: int, mode: int = 2) -> None:
        self._webrtc = _WebRtc(rate, mode)
        self._noise = NoiseFloor(QUIETEST_DBFS)

    @property
    def noise_dbfs(self) -> float:
        """The noise level that this line is taken to have, dBFS."""
        return self._noise.dbfs

    def is_speech(self, frame: Samples) -> bool:
        """Whether one 20 ms frame holds speech. Frames must come in order."""
        sounds_like_speech = self._webrtc.is_speech(frame)
        level = level_dbfs(frame)
        self._noise.hear(level)
        return sounds_like_speech and level > self.noise_dbfs + MARGIN_DB


@cache
def _dither(samples: int) -> NDArray[np.int16]:
    """A second of noise in frames of so many samples."""
    level = FULL_SCALE * 10 ** (DITHER_DBFS / 20)
    noise = np.random.default_rng(1).normal(0, level, (FRAMES_PER_SECOND, samples))
    return np.rint(noise).astype(np.int16)


class SpeechSenses:
    """What the frames of one call can be judged by. Frames must come in order.

    Args:
        rate: the line's rate, 8000 or 16000 Hz.
    """

    def __init__(self, rate: int) -> None:
        self._webrtc = _WebRtc(rate, mode=2)
        self._noise = NoiseFloor(SILENT_DBFS)
        self._silero = Silero(weights_for(rate))
        self._features = np.zeros(FEATURES, np.float32)
        self._listening = 0
        self._frames = 0
        self.silero_logit = 0.0
        """What Silero itself makes of the latest frame that it was asked about."""

    def hear(self, frame: Samples) -> Array | None:
        """Take a frame. Returns `FEATURES` numbers, which the next call overwrites, or None for one
        in which nobody can be speaking."""
        self._frames += 1
        dither = _dither(frame.size)[self._frames % FRAMES_PER_SECOND].astype(np.int32)
        frame = np.clip(frame + dither, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        sounds_like_speech = self._webrtc.is_speech(frame)
        heard = self._silero.hear(frame)
        half = frame.size // 2
        powers = [float(part @ part) / half + 1e-10 for part in (heard[:half], heard[half:])]
        first, second, level = (10 * log10(power) for power in (*powers, sum(powers) / 2))
        self._noise.hear(level)
        noise = self._noise.dbfs
        if level > noise + (STIRRING_DB if sounds_like_speech else LOUD_DB):
            self._listening = LISTENING_FRAMES
        elif self._listening:
            self._listening -= 1
        if not self._listening:
            return None
        features = self._features
        np.minimum(self._silero.think(), 8, out=features[:-6])
        self.silero_logit = self._silero.logit
        features[-6:] = (
            self.silero_logit / 4,
            (first - noise) / 20,
            (second - noise) / 20,
            (level + 50) / 20,
            (noise + 50) / 20,
            sounds_like_speech,
        )
        return features


@dataclass(frozen=True)
class EarWeights:
    """Of a layer that narrows the features down, a gated recurrent unit, and its readout."""

    narrow: Array
    narrow_bias: Array
    gates: Array
    gates_bias: Array
    memory: Array
    memory_bias: Array
    readout: Array
    readout_bias: Array


@cache
def ear_weights(file: Path = EARS) -> EarWeights:
    """Read them, once. Raises EngineError."""
    try:
        with np.load(file) as arrays:
            return EarWeights(**{name: arrays[name].astype(np.float32) for name in arrays})
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise EngineError(
            f"the speech detector's weights cannot be read: {error}; install Offhook again"
        ) from error


def warm_up() -> None:
    """Read all weights, so that no call has to. Raises EngineError."""
    ear_weights()
    for rate in LINE_RATES:
        weights_for(rate)


class SileroDetector:
    """The speech detector of one call (`voice_loop.ports.SpeechDetector`).

    Args:
        rate: the line's rate, 8000 or 16000 Hz.
    """

    def __init__(self, rate: int) -> None:
        self._senses = SpeechSenses(rate)
        self._weights = ear_weights()
        self._memory = np.zeros(self._weights.memory.shape[0], np.float32)

    def is_speech(self, frame: Samples) -> bool:
        """Whether one 20 ms frame holds speech. Frames must come in order."""
        features = self._senses.hear(frame)
        if features is None:
            return False
        return self._logit(features) > THRESHOLD and self._senses.silero_logit > DOUBT

    def _logit(self, features: Array) -> float:
        w, size = self._weights, self._memory.size
        narrow = np.maximum(features @ w.narrow + w.narrow_bias, 0)
        new = narrow @ w.gates + w.gates_bias
        old = self._memory @ w.memory + w.memory_bias
        reset, keep = (0.5 + 0.5 * np.tanh(0.5 * (new[: 2 * size] + old[: 2 * size]))).reshape(
            2, size
        )
        candidate = np.tanh(new[2 * size :] + reset * old[2 * size :])
        self._memory = candidate + keep * (self._memory - candidate)
        return float(self._memory @ w.readout + w.readout_bias[0])
