"""Tones of many countries and of fax machines, told from beeps and from voices."""

import wave
from pathlib import Path

import numpy as np
import pytest

from pbx.testbed import SOUNDS
from tests.voice_loop.answering.sounds import (
    BUSY,
    RINGING,
    SIT,
    cadence,
    frames,
    quiet,
    tone,
)
from voice_loop.answering.tones import Heard, ToneWatch
from voice_loop.audio import Samples

RATE = 8000


def heard(*sounds: Samples) -> list[Heard]:
    watch = ToneWatch(RATE)
    line = np.concatenate([quiet(713), *sounds, quiet(500)])
    return [found for frame in frames(line) if (found := watch.push(frame)) is not None]


@pytest.mark.parametrize("country", RINGING)
def test_it_rings(country: str) -> None:
    found = heard(cadence(*RINGING[country], times=2))
    assert Heard.RINGING in found
    assert not {Heard.BUSY, Heard.FAX, Heard.INFORMATION} & set(found)


@pytest.mark.parametrize("country", BUSY)
def test_it_is_busy(country: str) -> None:
    found = heard(cadence(*BUSY[country], times=6))
    assert Heard.BUSY in found
    assert Heard.RINGING not in found


@pytest.mark.parametrize("kind", SIT)
@pytest.mark.parametrize("gap_ms", [0, 20])
def test_information_tones(kind: str, gap_ms: int) -> None:
    parts = [part for hz, ms in SIT[kind] for part in (tone((hz,), ms), quiet(gap_ms))]
    assert heard(*parts) == [Heard.INFORMATION]


def test_a_fax_machine_answers() -> None:
    assert Heard.FAX in heard(tone((2100,), 2600))


def test_a_fax_machine_calls() -> None:
    assert Heard.FAX in heard(cadence((1100,), (0.5, 3), times=2))
    assert Heard.FAX not in heard(tone((1100,), 500)), "that is a beep, too"


@pytest.mark.parametrize("pitch", [440, 500, 620, 850, 1000, 1100, 1400, 1800])
@pytest.mark.parametrize("ms", [200, 330, 500, 700])
def test_a_beep(pitch: float, ms: int) -> None:
    assert heard(tone((pitch,), ms)) == [Heard.BEEP]


@pytest.mark.parametrize("pitches", [(1000,), (1400,), (800, 1200)])
@pytest.mark.parametrize("ms", [100, 120, 150])
def test_a_short_beep_needs_words_before_it(pitches: tuple[float, ...], ms: int) -> None:
    assert heard(tone(pitches, ms)) == [Heard.SHORT_BEEP]


@pytest.mark.parametrize("file", sorted(Path(SOUNDS).glob("*.wav")), ids=lambda file: file.stem)
def test_a_voice_is_none(file: Path) -> None:
    with wave.open(str(file)) as audio:
        words = np.frombuffer(audio.readframes(audio.getnframes()), "<i2").astype(np.int16)
    assert not set(heard(words)) - {Heard.SHORT_BEEP}
