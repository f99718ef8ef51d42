"""The sounds that are shipped: what they are, and that the script makes them."""

import numpy as np
import pytest

from api.resources.sound import SOUNDS
from models.sounds import RATE, decoded, encoded, load_sound
from models.training import sounds as script
from pbx.codecs import PCMU
from voice_loop.audio import Samples, level_dbfs


def shipped(sound: str, rate: int = RATE) -> Samples:
    return load_sound(sound).at(rate).astype(np.int16)


@pytest.mark.rows("RV-18", "RV-74…81")
@pytest.mark.parametrize("sound", SOUNDS)
def test_every_sound_is_shipped_and_is_what_the_script_makes(sound: str) -> None:
    ours = shipped(sound)
    name = sound.removeprefix("audio/").removesuffix(".ogg")
    made = decoded(encoded(script.make(name)))
    assert made.shape == ours.shape
    # The last bit of a wave may differ between machines; then a sample lands one step away.
    assert np.mean(made != ours) < 0.001
    assert np.allclose(made, ours, rtol=0.07, atol=10)


@pytest.mark.rows("RV-17", "RV-20…23")
@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("rate", [8000, 16000])
def test_every_sound_is_a_loop_below_speech_and_within_the_telephone_band(
    sound: str, rate: int
) -> None:
    samples = shipped(sound, rate)
    assert samples.size == load_sound(sound).seconds * rate
    assert -36 < level_dbfs(samples) < -26
    assert int(np.abs(samples.astype(np.int32)).max()) < 23_000
    # The seam is no greater a step than others are.
    steps = np.abs(np.diff(np.append(samples, samples[0]).astype(np.int32)))
    assert steps[-1] <= steps[:-1].max()
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(samples.size, 1 / rate)
    assert power[(hz > 300) & (hz < 3400)].sum() > 0.4 * power.sum()


def test_sounds_of_one_name_are_loaded_once() -> None:
    assert load_sound("hold_music.ogg") is load_sound("hold_music.ogg")


def test_files_are_g711_as_the_line_has_it() -> None:
    every_code = bytes(range(256))
    header = encoded(np.zeros(0, dtype=np.int16))
    read = decoded(header[:8] + (256).to_bytes(4, "big") + header[12:] + every_code)
    assert read.tolist() == PCMU.decode(every_code).tolist()
    assert decoded(encoded(read)).tolist() == read.tolist()
    with pytest.raises(ValueError, match="16000 Hz"):
        decoded(b"RIFF" + header[4:])
