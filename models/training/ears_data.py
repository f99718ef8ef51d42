"""What the speech detector is taught on: people on a telephone, and what is heard beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from models.recordings import RATE, Part, recordings
from voice_loop.audio import FRAMES_PER_SECOND, FULL_SCALE, Samples, frame_samples, resample

Audio = NDArray[np.float64]
Labels = NDArray[np.int8]
"""One for each frame: 1 is speech, 0 is not, -1 is neither."""

FRAME: Final = frame_samples(RATE)
SCENE_S: Final = 20
SETS: Final = ("orders", "watson", "words")


def segments_of(samples: Samples) -> Sequence[tuple[int, int]]:
    """Where somebody speaks in a clean recording: begin and end, in steps of 10 ms.

    Speech is what is above the threshold: 8 dB above the 10th percentile of levels (in steps of
    10 ms, smoothed over three) or 30 dB below the 95th, whichever is higher, and at least 12 dB
    below the latter. Pieces under 30 ms are dropped, as are those in which Silero v6, at 16 kHz
    and unmodified, is nowhere at 0.5. Gaps under 60 ms are parts of words.
    """
    size = FRAME // 2
    power = np.square(samples[: samples.size // size * size].reshape(-1, size) / FULL_SCALE)
    level = np.convolve(10 * np.log10(power.mean(axis=1) + 1e-10), np.ones(3) / 3, "same")
    floor, top = np.percentile(level, [10, 95])
    loud = level > min(max(floor + 8, top - 30), top - 12)
    wide = resample(samples, RATE, 2 * RATE) / np.float32(FULL_SCALE)
    voice: NDArray[np.float32] = get_vad_model()(np.pad(wide, (0, -wide.size % 512))).ravel()
    steps = np.repeat(voice >= 0.5, 32)[: loud.size * 10].reshape(-1, 10)
    voiced = np.asarray(steps.any(axis=1))
    segments: list[tuple[int, int]] = []
    edges = np.flatnonzero(np.diff(np.pad(loud, 1).astype(np.int8))).reshape(-1, 2)
    for first, end in edges.tolist():
        if end - first < 3 or not voiced[first : end + 4].any():
            continue
        begin = segments.pop()[0] if segments and first - segments[-1][1] < 6 else first
        segments.append((begin, end))
    return segments


def labels_of(segments: Sequence[tuple[int, int]], frames: int) -> Labels:
    """Of frames of 20 ms; one whose halves differ is neither."""
    inside = np.zeros(2 * frames, bool)
    for begin, end in segments:
        inside[begin:end] = True
    halves = inside.reshape(-1, 2).sum(axis=1)
    return np.where(halves == 1, -1, halves // 2).astype(np.int8)


def noises(folder: Path, part: Part) -> Mapping[str, Audio]:
    """The recordings of noise, one half of each: the first is of `tune`."""
    found = {}
    for one in recordings(folder, ["noise"]):
        first, second = np.array_split(one.samples().astype(float), 2)
        found[Path(one.name).stem] = first if part == "tune" else second
    return found


def at_level(audio: Audio, dbfs: float) -> Audio:
    """The same, its RMS at so many dBFS."""
    rms = np.sqrt(np.mean(np.square(audio)))
    scaled: Audio = audio * (FULL_SCALE * 10 ** (dbfs / 20) / max(rms, 1e-9))
    return scaled


@dataclass(frozen=True)
class Said:
    """A recording of one person."""

    samples: Audio
    """Speech at 0 dBFS, where it is speech."""
    labels: Labels

    @staticmethod
    def of(samples: Samples) -> "Said | None":
        """None for a recording without speech."""
        samples = samples[: samples.size // FRAME * FRAME]
        labels = labels_of(segments_of(samples), samples.size // FRAME)
        speech = samples.reshape(-1, FRAME)[labels == 1].astype(float)
        if not speech.size:
            return None
        rms = np.sqrt(np.mean(np.square(speech)))
        return Said(samples * (FULL_SCALE / rms), labels)


class Scenes:
    """Makes scenes by chance: somebody talks now and then, and something is heard beside it.

    Args:
        folder: recordings with their manifest; only their `tune` part is heard.
        seed: of chance.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._recordings = recordings(folder, SETS, "tune")
        self._noises = list(noises(folder, "tune").items())
        self._said: dict[str, Said | None] = {}
        self._size = SCENE_S * RATE
        self._seconds = np.arange(self._size) / RATE

    def scene(self) -> tuple[Samples, Labels]:
        """The next one: frames, a row each, and their labels."""
        random, size = self._random, self._size
        level = random.uniform(-48, -12)
        kind = random.random()
        if kind < 0.28:
            audio, labels = self._talk(level)
        elif kind < 0.72:
            speech, labels = self._talk(level)
            audio = speech + self._sometimes(at_level(self._noise(), level - random.uniform(0, 28)))
        else:
            labels = np.zeros(size // FRAME, np.int8)
            audio = self._sometimes(at_level(self._noise(), random.uniform(-50, -18)))
        audio = audio + random.normal(0, FULL_SCALE * 10 ** (random.uniform(-100, -55) / 20), size)
        if random.random() < 0.6:
            audio = through_mu_law(audio)
        return as_frames(audio), labels

    def _talk(self, dbfs: float) -> tuple[Audio, Labels]:
        random = self._random
        frames = self._size // FRAME
        audio, labels = np.zeros(self._size), np.zeros(frames, np.int8)
        at = int(random.uniform(0.2, 5) * FRAMES_PER_SECOND)
        while at < frames - FRAMES_PER_SECOND:
            if (said := self._one()) is None:
                continue
            end = min(frames, at + said.labels.size)
            loudness = 10 ** ((dbfs + random.normal(0, 2)) / 20)
            audio[at * FRAME : end * FRAME] = said.samples[: (end - at) * FRAME] * loudness
            labels[at:end] = said.labels[: end - at]
            at = end + 5 + int(random.exponential(1.5) * FRAMES_PER_SECOND)
        return self._equalized(audio), labels

    def _one(self) -> Said | None:
        chosen = self._recordings[int(self._random.integers(len(self._recordings)))]
        if chosen.name not in self._said:
            self._said[chosen.name] = Said.of(chosen.samples())
        return self._said[chosen.name]

    def _equalized(self, audio: Audio) -> Audio:
        """As through another telephone."""
        random = self._random
        spectrum, hz = np.fft.rfft(audio), np.fft.rfftfreq(audio.size, 1 / RATE)
        spectrum *= 10 ** (random.uniform(-4, 4) * np.log2(np.maximum(hz, 100) / 1000) / 20)
        low, high = random.choice([0, 200, 300]), random.choice([RATE / 2, 3400])
        spectrum[(hz < low) | (hz > high)] *= 0.03
        return np.fft.irfft(spectrum, audio.size)

    def _sometimes(self, audio: Audio) -> Audio:
        """Heard from the beginning, or from later on."""
        if self._random.random() < 0.4:
            audio[: self._random.integers(int(0.6 * audio.size))] = 0
        return audio

    # What is no speech ----------------------------------------------------------------

    def _noise(self) -> Audio:
        made: Sequence[tuple[float, Callable[[], Audio]]] = (
            (0.44, self._recorded),
            (0.15, self._babble),
            (0.05, self._keys),
            (0.04, self._cadence),
            (0.03, self._siren),
            (0.07, self._music),
            (0.02, self._hum),
            (0.09, self._bursts),
            (0.05, self._typing),
            (0.06, self._hiss),
        )
        shares = [share for share, _ in made]
        return made[self._random.choice(len(made), p=shares)][1]()

    def _recorded(self) -> Audio:
        """Kitchen and babble, of which there is most, three times as often as others."""
        random = self._random
        shares = np.array([3.0 if audio.size > 15 * RATE else 1.0 for _, audio in self._noises])
        audio = self._noises[random.choice(len(self._noises), p=shares / shares.sum())][1]
        return np.resize(np.roll(audio, -random.integers(audio.size)), self._size)

    def _babble(self) -> Audio:
        """Four to eight people at once."""
        random = self._random
        audio = np.zeros(self._size)
        for _ in range(random.integers(4, 9)):
            at = 0
            while at < self._size:
                if (said := self._one()) is None:
                    continue
                heard = said.samples[random.integers(said.samples.size // 2) :][: self._size - at]
                audio[at : at + heard.size] += heard * 10 ** (random.normal(0, 3) / 20)
                at += heard.size
        return audio

    def _keys(self) -> Audio:
        """DTMF, or a machine's beeps."""
        random, audio = self._random, np.zeros(self._size)
        beep = [random.uniform(500, 3500)] if random.random() < 0.5 else []
        at = int(random.integers(RATE))
        while at < audio.size:
            size = int(random.uniform(0.04, 0.4) * RATE)
            pair = random.choice([697, 770, 852, 941]), random.choice([1209, 1336, 1477, 1633])
            when = self._seconds[at : at + size]
            audio[at : at + size] = sum(np.sin(2 * np.pi * hz * when) for hz in beep or pair)
            at += size + int(random.uniform(0.04, 1.8) * RATE)
        return audio

    def _cadence(self) -> Audio:
        """The network's own tones: ringback, busy and the like."""
        random = self._random
        tones = (440, 480), (425, 425), (480, 620), (400, 450), (350, 440), (950, 950), (1400, 1400)
        turns = ((2, 4), (1, 4), (0.5, 0.5), (0.25, 0.25), (0.4, 0.2), (0.2, 0.1))
        on, off = turns[random.integers(len(turns))]
        when = self._seconds + random.uniform(0, on + off)
        tone = sum(np.sin(2 * np.pi * hz * when) for hz in tones[random.integers(len(tones))])
        return np.asarray(tone * (when % (on + off) < on))

    def _siren(self) -> Audio:
        random = self._random
        low, high = sorted(random.uniform(300, 2500, 2))
        sweep = np.sin(2 * np.pi * random.uniform(0.2, 4) * self._seconds)
        turns = np.cumsum((low + high) / 2 + (high - low) / 2 * sweep) / RATE
        overtones = range(1, random.integers(2, 6))
        return np.asarray(sum(np.sin(2 * np.pi * n * turns) / n for n in overtones))

    def _music(self) -> Audio:
        """Chords that are struck and die away."""
        random, audio = self._random, np.zeros(self._size)
        step = int(random.uniform(0.12, 0.5) * RATE)
        for at in range(0, audio.size, step):
            if random.random() < 0.15:
                continue
            when = self._seconds[: min(2 * step, audio.size - at)]
            notes = random.choice([0, 3, 5, 7, 10, 12, 15, 17, 19, 24], random.integers(1, 4))
            for hz in 110 * 2 ** (notes / 12):
                dark = random.uniform(0.7, 2)
                overtones = [n for n in range(1, 8) if n * hz < RATE / 2]
                note = sum(np.sin(2 * np.pi * n * hz * when) / n**dark for n in overtones)
                audio[at : at + when.size] += (
                    note * np.exp(-when * random.uniform(1, 8)) * random.uniform(0.3, 1)
                )
        return audio

    def _hum(self) -> Audio:
        random = self._random
        hz = random.choice([50, 60, 100, 120])
        overtones = ((n, random.uniform(0, 1), random.uniform(0, 6)) for n in range(1, 12))
        waves = (
            loud * np.sin(2 * np.pi * n * hz * self._seconds + at) for n, loud, at in overtones
        )
        return np.asarray(sum(waves))

    def _coloured(self, size: int, tilt: float) -> Audio:
        """Noise that falls or rises with frequency."""
        hz = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 50)
        return np.fft.irfft(np.fft.rfft(self._random.normal(size=size)) * (hz / 1000) ** tilt, size)

    def _bursts(self) -> Audio:
        """Knocks, coughs, rustling."""
        return self._strokes((0.01, 0.03, 0.1, 0.25, 0.5), 0.7)

    def _typing(self) -> Audio:
        """Keys, steps, a hammer."""
        return self._strokes((0.005, 0.02, 0.05), self._random.uniform(0.03, 0.2))

    def _strokes(self, lengths_s: Sequence[float], gap_s: float) -> Audio:
        """Bursts of noise, each of its own kind."""
        random, audio, at = self._random, np.zeros(self._size), 0
        while at < audio.size:
            length = random.choice(lengths_s) * random.uniform(0.5, 1.5)
            size = int(length * RATE) + 8
            burst = self._coloured(size, random.uniform(-1.2, 0.8))
            burst *= np.exp(-np.arange(size) / size * random.uniform(0, 6))
            attack = min(size, int(random.uniform(0, 0.03) * RATE) + 1)
            burst[:attack] *= np.linspace(0, 1, attack)
            burst *= 10 ** (random.uniform(-15, 0) / 20) / burst.std()
            audio[at : at + size] = burst[: audio.size - at]
            at += size + int(random.exponential(gap_s) * RATE)
        return audio

    def _hiss(self) -> Audio:
        return self._coloured(self._size, self._random.uniform(-1, 0.3))


def through_mu_law(audio: Audio) -> Audio:
    """As G.711 carries it, about."""
    most = np.log1p(255)
    companded = np.log1p(255 * np.minimum(np.abs(audio) / FULL_SCALE, 1)) / most
    steps = np.round(companded * 127) / 127
    return np.asarray(np.sign(audio) * np.expm1(steps * most) / 255 * FULL_SCALE)


def as_frames(audio: Audio) -> Samples:
    """As the line carries it: one frame a row."""
    samples = np.clip(np.round(audio), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return samples[: samples.size // FRAME * FRAME].reshape(-1, FRAME)
