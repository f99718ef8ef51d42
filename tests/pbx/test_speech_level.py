"""The active speech level against P.56 itself, sample by sample, and against known signals."""

from math import exp, log10

import numpy as np
import pytest

from pbx.codecs import PCMA, PCMU
from pbx.speech_level import NO_LEVEL, Level, SpeechLevel
from voice_loop.audio import Samples, frame_samples


def measured(sound: Samples, rate: int = 8000) -> Level:
    meter = SpeechLevel(rate)
    size = frame_samples(rate)
    for start in range(0, len(sound) - size + 1, size):
        meter.push(sound[start : start + size])
    return meter.level()


def p56(sound: Samples, rate: int = 8000) -> float:
    """Method B of P.56 as the Recommendation writes it, for one sample after the other."""
    decay, hangover = exp(-1 / (rate * 0.03)), round(0.2 * rate)
    thresholds = [2.0**-j for j in range(15, -1, -1)]
    active, quiet_for = [0] * 16, [hangover] * 16
    p = q = power = 0.0
    for one in sound.astype(float) / 32768:
        power += one * one
        p = decay * p + (1 - decay) * abs(one)
        q = decay * q + (1 - decay) * p
        for j, threshold in enumerate(thresholds):
            quiet_for[j] = 0 if q >= threshold else quiet_for[j] + 1
            active[j] += quiet_for[j] < hangover
    before = None
    for count, threshold in zip(active, thresholds, strict=True):
        level = 10 * log10(power / count)
        above = level - 20 * log10(threshold)
        if above <= 15.9:
            assert before is not None
            return before[0] + (before[1] - 15.9) / (before[1] - above) * (level - before[0])
        before = level, above
    raise AssertionError("there is no speech")


def syllables(seconds: float, peak: float, seed: int = 1) -> Samples:
    """Noise in bursts, as syllables come: four a second, every third one a pause."""
    chance = np.random.default_rng(seed)
    at = np.arange(round(8000 * seconds)) / 8000
    shape = np.clip(np.sin(2 * np.pi * 4 * at), 0, None) * (np.floor(at * 4) % 3 > 0)
    return np.asarray(chance.normal(size=at.size) * shape * peak, np.int16)


@pytest.mark.parametrize("peak", [300, 2000, 8000])
def test_speech_is_as_loud_as_p56_says(peak: float) -> None:
    sound = syllables(6, peak)
    found = measured(sound).active_dbov
    assert found == pytest.approx(p56(sound), abs=0.3)


def test_pauses_do_not_make_it_quieter() -> None:
    speech = syllables(4, 5000)
    with_pauses = np.concatenate([speech, np.zeros(8000 * 6, np.int16), speech])
    alone, paused = measured(speech), measured(with_pauses)
    assert paused.active_dbov == pytest.approx(alone.active_dbov, abs=0.5)
    assert paused.activity == pytest.approx(alone.activity * 8 / 14, abs=0.05)


def test_a_tone_at_full_scale_is_3_db_below_a_square_wave() -> None:
    at = np.arange(8000 * 4)
    tone = (32767 * np.sin(2 * np.pi * 1000 / 8000 * at + 0.3)).astype(np.int16)
    found = measured(tone)
    assert found.active_dbov == pytest.approx(-3.01, abs=0.1)
    assert found.activity == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("sound", [np.zeros(16000, np.int16), np.ones(16000, np.int16)])
def test_silence_has_no_level(sound: Samples) -> None:
    assert measured(sound) == NO_LEVEL


def test_nothing_at_all_has_no_level() -> None:
    assert SpeechLevel(8000).level() == NO_LEVEL


def test_the_rate_makes_no_difference() -> None:
    narrow = syllables(4, 5000)
    assert measured(np.repeat(narrow, 2), 16000).active_dbov == pytest.approx(
        measured(narrow).active_dbov, abs=0.1
    )


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_what_the_line_cut_off_is_clipped(codec: object) -> None:
    assert codec in (PCMU, PCMA)
    at = np.arange(8000)
    loud = np.clip(90_000 * np.sin(2 * np.pi * 200 / 8000 * at), -32768, 32767).astype(np.int16)
    heard = PCMU.decode(PCMU.encode(loud)) if codec is PCMU else PCMA.decode(PCMA.encode(loud))
    assert 600 < measured(heard).clipped_ms < 900
    assert measured((heard * 0.9).astype(np.int16)).clipped_ms == 0


def test_single_peaks_are_not_clipped() -> None:
    sound = syllables(2, 1000)
    sound[100::400] = 32767
    assert measured(sound).clipped_ms == 0
