"""Beeps are told from all else that is heard on a line.

Measured at 8 and 16 kHz on 568 recorded prompts of one person (Asterisk's English sounds, 27
minutes): `beep` is found, nothing else is. Of 4000 beeps of any frequency in noise, through
G.711, all are found down to 15 dB above the noise (of two frequencies: 97 %), half at 12 dB.
"""

import itertools
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.sounds import load_sound
from pbx.codecs import PCMU
from pbx.testbed import SENTENCES, SOUNDS
from pbx.testbed.provide import cache_directory
from voice_loop.audio import FULL_SCALE, Samples, frame_samples, resample
from voice_loop.tone import ToneDetector

RATES = pytest.mark.parametrize("rate", [8000, 16000])
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


def tone(
    rate: int, *pitches: float, ms: int = 400, dbfs: float = -18.0, noise_dbfs: float = -60.0
) -> Samples:
    """Half a second of noise, a tone that begins within a frame, half a second of noise."""
    rng = np.random.default_rng(int(sum(pitches)) + ms)
    times = np.arange(rate * ms // 1000) / rate
    sines = np.sum([np.sin(2 * np.pi * pitch * times) for pitch in pitches], axis=0)
    level = FULL_SCALE * 10 ** (dbfs / 20)
    before = np.zeros(rate // 2 + rate * 7 // 1000)
    sound = np.concatenate([before, sines * level / sines.std(), np.zeros(rate // 2)])
    sound += rng.normal(0, FULL_SCALE * 10 ** (noise_dbfs / 20), sound.size)
    samples = np.clip(sound, -32768, 32767).astype(np.int16)
    return PCMU.decode(PCMU.encode(samples)) if rate == 8000 else samples


def found(samples: Samples, rate: int) -> int:
    """How many tones there are, with half a second of silence at the end."""
    size = frame_samples(rate)
    padded = np.concatenate([samples, np.zeros(rate // 2 + size - samples.size % size, np.int16)])
    detector = ToneDetector(rate)
    return sum(detector.push(frame) for frame in padded.reshape(-1, size))


def recording(path: Path) -> Samples:
    with wave.open(str(path)) as file:
        assert file.getframerate() == 8000
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


@RATES
@pytest.mark.parametrize("ms", [210, 400, 1000, 1900])
@pytest.mark.parametrize("pitch", [360, 425, 512.5, 700, 941, 1000, 1004, 1336, 1400, 1777, 2090])
def test_a_beep_is_found_once(rate: int, pitch: float, ms: int) -> None:
    assert found(tone(rate, pitch, ms=ms), rate) == 1


@RATES
@pytest.mark.parametrize(("dbfs", "noise_dbfs"), [(-3, -40), (-10, -26), (-25, -41), (-38, -60)])
def test_it_may_be_loud_or_soft_and_the_line_noisy(
    rate: int, dbfs: float, noise_dbfs: float
) -> None:
    pitches = np.linspace(380, 2050, 20)
    heard = [found(tone(rate, at, dbfs=dbfs, noise_dbfs=noise_dbfs), rate) for at in pitches]
    assert heard == [1] * 20


@RATES
@pytest.mark.parametrize("pitches", [(400, 800), (440, 1000), (950, 1400), (1000, 2000)])
def test_a_beep_of_two_frequencies_is_found(rate: int, pitches: Sequence[float]) -> None:
    assert found(tone(rate, *pitches), rate) == 1


@RATES
def test_keys_are_no_beeps(rate: int) -> None:
    keys = itertools.product(ROWS, COLUMNS)
    assert [found(tone(rate, *pair, ms=300), rate) for pair in keys] == [0] * 16


@RATES
@pytest.mark.parametrize("ms", [100, 160, 2300, 5000])
def test_what_is_too_short_or_goes_on_is_none(rate: int, ms: int) -> None:
    assert found(tone(rate, 1000, ms=ms), rate) == 0


@RATES
@pytest.mark.parametrize("pitch", [120, 250, 320, 2300, 3000])
def test_hum_and_whistles_are_none(rate: int, pitch: float) -> None:
    assert found(tone(rate, pitch), rate) == 0


@RATES
def test_a_whisper_of_a_tone_and_one_that_noise_drowns_are_none(rate: int) -> None:
    assert found(tone(rate, 1000, dbfs=-45), rate) == 0
    assert found(tone(rate, 1000, noise_dbfs=-24), rate) == 0


@RATES
def test_a_tone_that_glides_or_swells_is_none(rate: int) -> None:
    times = np.arange(rate) / rate
    siren = 8000 * np.sin(2 * np.pi * (600 * times + 200 * times**2))
    swell = 100 * 80**times * np.sin(2 * np.pi * 1000 * times)
    assert [found(sound.astype(np.int16), rate) for sound in (siren, swell)] == [0, 0]


@RATES
def test_a_tone_that_another_follows_is_none(rate: int) -> None:
    """As in a melody, and in the special tones of a network."""
    times = np.arange(rate * 300 // 1000) / rate
    notes = [8000 * np.sin(2 * np.pi * pitch * times) for pitch in (950, 1400, 1800)]
    melody = np.concatenate([*notes, notes[0][: rate // 10]])
    assert found(melody.astype(np.int16), rate) == 0


@RATES
@pytest.mark.parametrize(
    "sound", ["office", "crowded-room", "city-ambience", "forest-ambience", "keyboard-typing"]
)
def test_surroundings_are_none(rate: int, sound: str) -> None:
    assert found(np.tile(load_sound(sound).at(rate).astype(np.int16), 2), rate) == 0


@RATES
def test_music_that_goes_on_is_none(rate: int) -> None:
    size = frame_samples(rate)
    music = load_sound("hold_music").at(rate).astype(np.int16)
    frames = music[: music.size - music.size % size].reshape(-1, size)
    detector = ToneDetector(rate)
    assert not any(detector.push(frame) for frame in frames)


@pytest.mark.parametrize("name", SENTENCES)
def test_the_test_beds_people_are_none(name: str) -> None:
    said = recording(SOUNDS / f"{name}.wav")
    assert found(said, 8000) == 0
    assert found(resample(said, 8000, 16000), 16000) == 0


def test_of_all_recorded_prompts_only_the_beep_is_one() -> None:
    """A person who reads 27 minutes of words and sentences, as Asterisk ships them."""
    folders = (cache_directory(), Path("/usr/share/asterisk/sounds"))
    prompts = [path for folder in folders for path in folder.rglob("en_*/**/*.wav")]
    if not prompts:
        pytest.skip("Asterisk's recorded prompts are not installed")
    assert {path.stem for path in prompts if found(recording(path), 8000)} == {"beep"}
