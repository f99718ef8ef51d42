"""People's words into the agent's sentence, with the detector and the net that calls have."""

from pathlib import Path

import pytest

from bench.barge_in import GAP_MS, Said, figures, first_sound, hear, levelled
from models.onset import OnsetNet
from models.recordings import Recording
from voice_loop.floor import FloorConfig

HERE = Path(__file__).parent / "onsets"


def said(word: str) -> Said:
    (path,) = HERE.glob(f"{word}_*.flac")
    recording = Recording("words", path.name, path, "", "en", word, (), "CC BY 4.0")
    samples = levelled(recording.samples())
    return Said("word", word, samples, first_sound(samples))


@pytest.mark.parametrize("word", ["no", "stop"])
async def test_a_taker_silences_the_agent(word: str) -> None:
    result = await hear(said(word), FloorConfig(), OnsetNet(), None)
    assert result.silent_ms is not None
    assert result.silent_ms <= 300
    assert not result.went_on


@pytest.mark.parametrize("word", ["yes", "wow"])
async def test_a_listener_makes_no_gap(word: str) -> None:
    result = await hear(said(word), FloorConfig(), OnsetNet(), None)
    assert (result.silent_ms, result.gap_ms, result.went_on) == (None, 0, True)


async def test_at_the_highest_sensitivity_any_speech_interrupts_at_once() -> None:
    result = await hear(said("yes"), FloorConfig().interrupted(1), OnsetNet(), None)
    assert result.silent_ms is not None
    assert result.silent_ms <= 200
    assert result.gap_ms > GAP_MS
    assert result.went_on
    assert figures([result])["silent by 260 ms"] == 1


async def test_without_the_net_the_words_decide() -> None:
    result = await hear(said("no"), FloorConfig(), None, None)
    assert result.silent_ms is not None
    assert 300 < result.silent_ms < 1200
    assert not result.went_on
