"""Voice activity detection: who speaks on a line, and what is only heard there.

`SpeechSenses` gathers what a frame can be judged by: WebRTC's detector, the level above the noise
of this very line, and Silero's network, which runs only while there may be something to hear.
`SileroDetector` judges by all of it, with a small recurrent network that `models/training/ears.py`
taught on people at telephone rate: Silero alone stays for minutes in whichever mood noise has put
it, and is 100 ms late at both ends of a word.

`WebRtcDetector` is the rule of before, without a network.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, log10
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from models.silero import LINE_RATES, Silero, think, weights_for
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
#: Nor does anybody go unheard of whom Silero is sure, and who stands so far out of the noise, dB:
#: where a noise comes with each word, and none between, the judge takes both for noise in the end.
CERTAINTY: Final = 0.0
OUTSTANDING_DB: Final = 30.0

#: So many frames convince that somebody began to speak once the logits of those that were taken for
#: speech, no more of each than so much, add up to this, and Silero was no surer of the opposite in
#: one of them: what a bark, a first chord or babble seldom comes to, and people do in 60 ms.
TELLING_FRAMES: Final = 6
MOST_TELLING: Final = 3.0
CONVINCING: Final = 1.5
UNCONVINCED: Final = -2.0

#: Level of the noise that is added to what is heard, dBFS: a line that is silent to the last bit,
#: as between a softphone's words, is like none that the networks were taught on.
DITHER_DBFS: Final = -70.0

#: Calls that are judged at once: more gain nothing, and leave the processor's cache.
_AT_ONCE: Final = 16

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
        self._quietest = self._least = quietest_dbfs
        self._levels = deque([quietest_dbfs] * frames, maxlen=frames)

    def hear(self, dbfs: float) -> None:
        """Take the level of the next frame."""
        oldest = self._levels[0]
        self._levels.append(dbfs)
        if dbfs <= self._least:
            self._least = dbfs
        elif oldest <= self._least:
            self._least = min(self._levels)

    @property
    def dbfs(self) -> float:
        """The noise level that this line is taken to have."""
        return min(LOUDEST_DBFS, max(self._quietest, self._least))


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
def _dither(samples: int) -> Array:
    """A second of noise in frames of so many samples."""
    level = FULL_SCALE * 10 ** (DITHER_DBFS / 20)
    noise = np.random.default_rng(1).normal(0, level, (FRAMES_PER_SECOND, samples))
    return np.rint(noise).astype(np.float32)


class SpeechSenses:
    """What the frames of one call can be judged by. Frames must come in order.

    Args:
        rate: the line's rate, 8000 or 16000 Hz.
    """

    def __init__(self, rate: int) -> None:
        self._webrtc = _WebRtc(rate, mode=2)
        self._noise = NoiseFloor(SILENT_DBFS)
        self._dither = _dither(frame_samples(rate))
        self._listening = 0
        self._frames = 0
        self.silero = Silero(weights_for(rate))
        self.levels: tuple[float, ...] = ()
        """Of the latest frame and of the noise, as the judge takes them, and what WebRTC says."""
        self.above_noise_db = 0.0
        """How much louder the latest frame was than the line's noise."""

    def hear(self, frame: Samples) -> bool:
        """Take a frame. Returns whether anybody can be speaking in it."""
        if frame.shape != self._dither[0].shape:
            raise ValueError(f"a frame has {self._dither[0].size} samples, not {frame.size}")
        self._frames += 1
        noisy = frame + self._dither[self._frames % FRAMES_PER_SECOND]
        np.maximum(noisy, -FULL_SCALE, out=noisy)
        np.minimum(noisy, FULL_SCALE - 1, out=noisy)
        sounds_like_speech = self._webrtc.is_speech(noisy.astype(np.int16))
        heard = self.silero.hear(noisy)
        half = frame.size // 2
        powers = [float(part @ part) / half + 1e-10 for part in (heard[:half], heard[half:])]
        first, second, level = (10 * log10(power) for power in (*powers, sum(powers) / 2))
        self._noise.hear(level)
        noise = self._noise.dbfs
        if level > noise + (STIRRING_DB if sounds_like_speech else LOUD_DB):
            self._listening = LISTENING_FRAMES
        elif self._listening:
            self._listening -= 1
        self.above_noise_db = level - noise
        self.levels = (
            (first - noise) / 20,
            (second - noise) / 20,
            (level + 50) / 20,
            (noise + 50) / 20,
            sounds_like_speech,
        )
        return self._listening > 0


def features_of(calls: Sequence[SpeechSenses]) -> tuple[Array, Array]:
    """What the judge goes by in the latest frame of each call, where anybody can be speaking: a row
    of `FEATURES` for each; and what Silero itself makes of it, a logit."""
    said, logits = think([call.silero for call in calls])
    features = np.empty((len(calls), FEATURES), np.float32)
    np.minimum(said, 8, out=features[:, :-6])
    features[:, -6] = logits / 4
    features[:, -5:] = [call.levels for call in calls]
    return features, logits


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
    """The speech detector of one call (`voice_loop.ports.NeuralDetector`).

    Args:
        rate: the line's rate, 8000 or 16000 Hz.
        batch: those that are judged at once; of the same rate, and used by one thread.
    """

    def __init__(self, rate: int, batch: "_Batch | None" = None) -> None:
        self._batch = batch or _Batch()
        self._expected: Samples | None = None
        self.senses = SpeechSenses(rate)
        self.memory = np.zeros(self._batch.weights.memory.shape[0], np.float32)
        """What the judge remembers."""
        self.verdict: bool | None = False
        """On the latest frame; None while it waits for the batch to be judged."""
        self._told: deque[float] = deque([0.0] * TELLING_FRAMES, maxlen=TELLING_FRAMES)
        self._silero: deque[float] = deque(maxlen=TELLING_FRAMES)

    def expect(self, frame: Samples) -> None:
        """Take the frame that `is_speech` is asked about next, for all that wait to be judged at
        once."""
        if self.verdict is None:
            self._batch.judge()
        self._expected = frame
        if self.senses.hear(frame):
            self.verdict = None
            self._batch.waiting.append(self)
        else:
            self.take_logits(-inf, -inf)

    def take_logits(self, logit: float, silero: float) -> None:
        """Take what the judge makes of the frame, and what Silero does."""
        if silero > CERTAINTY and self.senses.above_noise_db > OUTSTANDING_DB:
            logit = max(logit, silero)
        self.verdict = logit > THRESHOLD and silero > DOUBT
        self._told.append(min(MOST_TELLING, logit) if self.verdict else 0.0)
        self._silero.append(silero)

    @property
    def convinced(self) -> bool:
        """See the port."""
        return sum(self._told) >= CONVINCING and max(self._silero) >= UNCONVINCED

    def is_speech(self, frame: Samples) -> bool:
        """Whether one 20 ms frame holds speech. Frames must come in order."""
        if self._expected is not frame:
            self.expect(frame)
        self._expected = None
        if self.verdict is None:
            self._batch.judge()
        return bool(self.verdict)


class _Batch:
    """The calls of one rate in whose latest frame somebody can be speaking."""

    def __init__(self) -> None:
        self.weights = ear_weights()
        self.waiting: list[SileroDetector] = []

    def judge(self) -> None:
        """Judge all that wait."""
        waiting, self.waiting = self.waiting, []
        for first in range(0, len(waiting), _AT_ONCE):
            self._judge(waiting[first : first + _AT_ONCE])

    def _judge(self, calls: Sequence[SileroDetector]) -> None:
        features, logits = features_of([one.senses for one in calls])
        w, size = self.weights, len(self.weights.memory)
        memory = np.stack([one.memory for one in calls])
        narrow = np.maximum(features @ w.narrow + w.narrow_bias, 0)
        new = narrow @ w.gates + w.gates_bias
        old = memory @ w.memory + w.memory_bias
        both = 0.5 + 0.5 * np.tanh(0.5 * (new[:, : 2 * size] + old[:, : 2 * size]))
        reset, keep = both[:, :size], both[:, size:]
        candidate = np.tanh(new[:, 2 * size :] + reset * old[:, 2 * size :])
        memory = candidate + keep * (memory - candidate)
        judged = (memory @ w.readout + w.readout_bias[0]).tolist()
        for one, kept, logit, silero in zip(calls, memory, judged, logits.tolist(), strict=True):
            one.memory[:] = kept
            one.take_logits(logit, silero)


class Ears:
    """Makes the speech detectors of all calls of a process; those of one rate are a batch.

    Used by one thread, that of the media.
    """

    def __init__(self) -> None:
        self._batches = {rate: _Batch() for rate in LINE_RATES}

    def detector(self, rate: int) -> SileroDetector:
        """One call's, at 8000 or 16000 Hz. Raises ValueError for another rate."""
        return SileroDetector(rate, self._batches.get(rate))
