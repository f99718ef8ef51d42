"""Pauses of people for the model of turn ends: where they lie, and how they are made longer.

Recordings of one sentence or two hold few pauses, and short ones. So a pause may be made as long
as it has to be: the sound of a dip between two words is kept for as long as nobody speaks, then
goes on as noise of the same spectrum as the recording's own background. The end of a turn is
treated alike, so that nothing but the voice before it tells which it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.recordings import RATE, Recording
from voice_loop.audio import FULL_SCALE

Floats = NDArray[np.float32]
Random = np.random.Generator

#: Levels are taken of frames so long, samples.
FRAME: Final = RATE // 100
#: A dip of this many frames or more parts two stretches of speech.
SHORTEST_DIP: Final = 4
#: What is shorter, frames, is no speech.
_BLIP: Final = 5
#: A stretch of speech is this far above the background, or within so much of the loudest, dB.
_ABOVE_FLOOR, _BELOW_TOP, _AT_LEAST_BELOW_TOP = 8.0, 30.0, 12.0
#: No speech is quieter, dB of full scale.
_QUIETEST = -75.0
#: Frames at the edges of a pause that may hold what is left of a sound.
_EDGE: Final = 3
#: How one sound passes into another, samples.
_FADE: Final = FRAME
#: Fourier transforms are of multiples of this, which are quick.
_ROUND: Final = RATE // 10


def levels(audio: Floats) -> Floats:
    """dB of each frame of 10 ms, smoothed over three."""
    count = audio.size // FRAME
    power = np.mean(audio[: count * FRAME].reshape(count, FRAME) ** 2, axis=1)
    return np.convolve(10 * np.log10(power + 1e-10), np.ones(3) / 3, "same").astype(np.float32)


def stretches(audio: Floats, shortest_dip: int = SHORTEST_DIP) -> list[tuple[int, int]]:
    """Where somebody speaks, in samples, told from the recording's own noise and speech level."""
    level = levels(audio)
    top, floor = float(np.percentile(level, 95)), float(np.percentile(level, 10))
    least = min(max(floor + _ABOVE_FLOOR, top - _BELOW_TOP), top - _AT_LEAST_BELOW_TOP)
    least = max(least, _QUIETEST)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], level > least, [0]]).astype(int)))
    found: list[tuple[int, int]] = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if end - begin < _BLIP:
            continue
        if found and begin - found[-1][1] < shortest_dip:
            found[-1] = found[-1][0], int(end)
        else:
            found.append((int(begin), int(end)))
    return [(begin * FRAME, end * FRAME) for begin, end in found]


@dataclass(frozen=True)
class Voice:
    """A recording as pauses are made of it."""

    recording: Recording
    audio: Floats
    """Full scale is 1."""
    spoken: Sequence[tuple[int, int]]
    """As `stretches`."""
    background: Floats = field(repr=False)
    """The spectrum (RMS amplitude per sample) of what is heard where nobody speaks."""

    def noise(self, rng: Random, size: int) -> Floats:
        """The background, going on."""
        length = -(-size // _ROUND) * _ROUND
        shape = np.interp(
            np.linspace(0, 1, length // 2 + 1),
            np.linspace(0, 1, self.background.size),
            self.background,
        )
        waves = shape * np.exp(2j * np.pi * rng.random(shape.size)) * np.sqrt(length / 2)
        return np.fft.irfft(waves, length)[:size].astype(np.float32)

    def paused(self, rng: Random, at: int, natural: int, silent: int, begin: int = 0) -> Floats:
        """What is heard up to `silent` samples of a pause.

        Args:
            rng: of the noise.
            at: where the pause begins, samples.
            natural: how much of the recording is kept from there on.
            silent: how long the pause has lasted.
            begin: where the recording begins to be heard; the background comes before.
        """
        kept = self.audio[begin : at + min(natural, silent)]
        if silent <= natural:
            return kept
        return joined(kept, self.noise(rng, silent - natural + _FADE))


def joined(first: Floats, second: Floats, fade: int = _FADE) -> Floats:
    """One sound passing into another over `fade` samples, which they share."""
    fade = min(fade, first.size, second.size)
    ramp = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
    shared = first[first.size - fade :] * ramp[::-1] + second[:fade] * ramp
    return np.concatenate([first[: first.size - fade], shared, second[fade:]])


def voice(recording: Recording) -> Voice | None:
    """None where nobody speaks in it. Raises OSError and av.FFmpegError where it is no audio."""
    return voice_of(recording, recording.samples().astype(np.float32) / np.float32(FULL_SCALE))


def voice_of(recording: Recording, audio: Floats) -> Voice | None:
    """The same with what is heard in it."""
    spoken = stretches(audio)
    if not spoken:
        return None
    return Voice(recording, audio, spoken, _background(audio, spoken))


def _background(audio: Floats, spoken: Sequence[tuple[int, int]]) -> Floats:
    size, edge = 4 * FRAME, _EDGE * FRAME
    bounds = [0, *(bound for stretch in spoken for bound in stretch), audio.size]
    quiet = [
        audio[place : place + size]
        for begin, end in zip(bounds[::2], bounds[1::2], strict=True)
        for place in range(begin + edge, end - edge - size + 1, size // 2)
    ]
    if not quiet:
        level = levels(audio)
        place = int(np.argmin(level)) * FRAME
        quiet = [audio[max(0, place - size // 2) :][:size]]
    # Of all that is quiet, what is quieter than half: no clicks, no breath.
    power = np.array([np.mean(one**2) for one in quiet])
    chosen = [one for one, own in zip(quiet, power, strict=True) if own <= np.median(power)]
    hann = np.hanning(chosen[0].size).astype(np.float32)
    spectra = [np.abs(np.fft.rfft(one * hann, size)) ** 2 for one in chosen]
    return np.asarray(np.sqrt(2 * np.mean(spectra, axis=0) / np.sum(hann**2)), np.float32)


Kind = Literal["end", "pause", "dip", "word"]


@dataclass(frozen=True)
class Place:
    """Where somebody has spoken up to."""

    voice: Voice
    at: int
    """Samples into the recording."""
    natural: int
    """Samples from there on in which nobody speaks."""
    kind: Kind
    """The end of the turn; a pause of `PAUSE` or longer within; a shorter dip; the midst of a
    word."""

    @property
    def ends(self) -> bool:
        return self.kind == "end"


#: A dip between words that may be made longer into a pause, samples.
PAUSE: Final = 10 * FRAME
#: Speech before a pause, samples, without which it is none.
SHORTEST_TURN: Final = 30 * FRAME


def places(own: Voice) -> list[Place]:
    """Those of a recording, the last of which is its end."""
    found = []
    for (_, at), (following, _) in zip(own.spoken, own.spoken[1:], strict=False):
        if at - own.spoken[0][0] >= SHORTEST_TURN:
            kind: Kind = "pause" if following - at >= PAUSE else "dip"
            found.append(Place(own, at, following - at - 2 * FRAME, kind))
    end = own.spoken[-1][1]
    return [*found, Place(own, end, own.audio.size - end, "end")]


def cuts(own: Voice, rng: Random, count: int) -> list[Place]:
    """Places in the midst of speech, where a turn does not end either."""
    found: list[Place] = []
    for _ in range(4 * count):
        begin, end = own.spoken[int(rng.integers(len(own.spoken)))]
        at = int(rng.integers(begin, end))
        if at - own.spoken[0][0] >= SHORTEST_TURN and end - at >= 15 * FRAME:
            found.append(Place(own, at, 0, "word"))
        if len(found) == count:
            break
    return found


@dataclass(frozen=True)
class Line:
    """How a telephone line changes what is said."""

    noises: Sequence[Floats]
    """Recordings of noise."""

    def heard(self, rng: Random, clean: Floats) -> NDArray[np.int16]:
        """At a level, through a room, with noise and a codec, all by chance."""
        power = np.sqrt(3 * np.mean(clean**2) + 1e-12)
        sound = _through(rng, clean / power)
        if rng.random() < 0.7:
            sound = sound + 10 ** (-rng.uniform(5, 30) / 20) * self._noise(rng, sound.size)
        sound *= 10 ** (rng.uniform(-40, -12) / 20)
        return _coded(rng, np.clip(sound, -1, 1))

    def _noise(self, rng: Random, size: int) -> Floats:
        if rng.random() < 0.3:
            hz = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 30) / 1000
            waves = hz ** -rng.uniform(0, 1) * np.exp(2j * np.pi * rng.random(hz.size))
            noise = np.fft.irfft(waves, size)
        else:
            # The longer one is, the more there is to learn of it.
            share = np.sqrt([one.size for one in self.noises])
            whole = self.noises[int(rng.choice(share.size, p=share / share.sum()))]
            noise = np.resize(np.roll(whole, -int(rng.integers(whole.size))), size)
        return np.asarray(noise / np.sqrt(np.mean(noise**2) + 1e-12), np.float32)


def _through(rng: Random, sound: Floats) -> Floats:
    """A microphone's frequency response, and at times a room."""
    size = sound.size + RATE // 5
    hz = np.fft.rfftfreq(size, 1 / RATE)
    knots = np.linspace(0, RATE / 2, 6)
    response = 10 ** (np.interp(hz, knots, rng.normal(0, 3, knots.size)) / 20)
    response *= hz > rng.uniform(0, 300)
    if rng.random() < 0.3:
        decay = rng.uniform(0.1, 0.5)
        seconds = np.arange(RATE // 5) / RATE
        room = rng.normal(size=seconds.size) * 10 ** (-3 * seconds / decay)
        room *= 10 ** (-rng.uniform(3, 15) / 20) / np.sqrt(np.sum(room**2))
        room[0] += 1
        response = response * np.fft.rfft(room, size)
    return np.fft.irfft(np.fft.rfft(sound, size) * response, size)[: sound.size].astype(np.float32)


def _coded(rng: Random, sound: Floats) -> NDArray[np.int16]:
    """Through µ-law, A-law, or neither."""
    kind = rng.integers(3)
    size, sign = np.abs(sound), np.sign(sound)
    if kind == 0:
        steps = np.round(127 * np.log1p(255 * size) / np.log(256)) / 127
        size = (256**steps - 1) / 255
    elif kind == 1:
        steps = np.where(size < 1 / 87.6, 87.6 * size, 1 + np.log(np.maximum(87.6 * size, 1)))
        steps = np.round(127 * steps / (1 + np.log(87.6))) / 127 * (1 + np.log(87.6))
        size = np.where(steps < 1, steps / 87.6, np.exp(steps - 1) / 87.6)
    return np.asarray(np.round(sign * size * 32767), np.int16)


def faster(sound: Floats, speed: float) -> Floats:
    """Played at another speed, its pitch with it."""
    where = np.arange(0, sound.size - 1, speed)
    return np.asarray(np.interp(where, np.arange(sound.size), sound), np.float32)


def example(rng: Random, place: Place, line: Line) -> NDArray[np.int16]:
    """A pause at a place as it may be heard: how long it has lasted, how much of the turn was heard
    before, and how, is left to chance."""
    own = place.voice
    silent = int(rng.uniform(0.04, 0.7) * RATE)
    natural = min(place.natural, int(rng.uniform(0.02, 0.16) * RATE))
    if place.kind == "end" and rng.random() < 0.3:
        natural = place.natural
    first, begin = own.spoken[0][0], 0
    if rng.random() < 0.5 and place.at - first > RATE // 2:
        # Neither does the turn's length tell whether it is over.
        begin = int(rng.integers(first, place.at - RATE // 3))
    sound = own.paused(rng, place.at, max(natural, 1), silent, begin)
    missing = 5 * RATE - sound.size
    if missing > 0:
        sound = joined(own.noise(rng, missing + FRAME), sound)
    # What is looked at, and before it what may sound on in the room.
    latest = faster(sound[-5 * RATE :], rng.uniform(0.9, 1.1))[-int(4.4 * RATE) :]
    return line.heard(rng, latest)
