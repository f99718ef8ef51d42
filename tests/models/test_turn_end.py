"""The model of turn ends that comes with Offhook, and how another one is read."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.recordings import recordings
from models.training.turn_data import places, voice
from models.turn_end import SHIPPED, TurnEnd
from voice_loop.audio import resample
from voice_loop.ports import EngineError

RATE = 8000
PEOPLE = Path(__file__).with_name("people")


@pytest.fixture(scope="module")
def model() -> Iterator[TurnEnd]:
    loaded = TurnEnd()
    yield loaded
    loaded.close()


def test_it_is_small() -> None:
    assert SHIPPED.stat().st_size <= 500_000


async def test_ends_of_people_s_turns_stand_out_of_their_pauses(model: TurnEnd) -> None:
    ends: list[float] = []
    pauses: list[float] = []
    rng = np.random.default_rng(0)
    for one in filter(None, map(voice, recordings(PEOPLE))):
        for place in places(one):
            heard = one.paused(rng, place.at, min(place.natural, RATE // 10), RATE // 4)
            samples = (16384 * heard / np.abs(heard).max()).astype(np.int16)
            told = await model.end_probability(samples, RATE)
            (ends if place.ends else pauses).append(told)
    assert min(ends) > max(pauses)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.5, 20.0])
async def test_any_length_will_do(model: TurnEnd, seconds: float) -> None:
    noise = np.random.default_rng(0).normal(0, 1000, int(seconds * RATE)).astype(np.int16)
    assert 0 <= await model.end_probability(noise, RATE) <= 1


async def test_a_wide_line_is_heard_alike(model: TurnEnd) -> None:
    one = next(iter(recordings(PEOPLE))).samples()[: 4 * RATE]
    narrow, wide = [
        await model.end_probability(resample(one, RATE, rate), rate) for rate in (RATE, 2 * RATE)
    ]
    assert wide == pytest.approx(narrow, abs=0.1)


async def test_calls_beyond_its_limit_are_told(model: TurnEnd) -> None:
    busy = TurnEnd(waiting=0)
    speech = np.zeros(4 * RATE, np.int16)
    try:
        told = await asyncio.gather(
            *(busy.end_probability(speech, RATE) for _ in range(20)), return_exceptions=True
        )
    finally:
        busy.close()
    assert any(isinstance(one, EngineError) and "overloaded" in str(one) for one in told)
    assert any(isinstance(one, float) for one in told)


def test_a_damaged_model_is_told(tmp_path: Path) -> None:
    damaged = tmp_path / "turn.onnx"
    damaged.write_bytes(SHIPPED.read_bytes()[:1000])
    with pytest.raises(EngineError, match=r"cannot load the model of turn ends .*turn\.onnx"):
        TurnEnd(damaged)
    with pytest.raises(EngineError, match="cannot load"):
        TurnEnd(tmp_path / "none.onnx")


def test_a_model_of_another_kind_is_told() -> None:
    with pytest.raises(EngineError, match="cannot load"):
        TurnEnd(SHIPPED.parents[1] / "starter" / "voice.onnx")
