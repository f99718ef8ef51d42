"""Sounds in whole conversations: each is a constant here, so that one sees what is in a frame."""

import asyncio

import numpy as np
import pytest

from tests.voice_loop.scripted import CHAR_MS, OPENING, RATE, PhoneCall
from voice_loop.ambience import AmbienceConfig, Loop
from voice_loop.audio import FRAME_MS
from voice_loop.config import ConversationConfig

ANSWER = "what day suits you?"
ANSWERS = {"i want a visit": ANSWER, "is there a place": "let me see. yes there is."}

SPEECH = 5000
"""The scripted voice's level."""
BACKGROUND, DUCKED = 100, 60
THINKING = 40


def loop(level: int) -> Loop:
    return Loop(np.full(RATE, level, dtype=np.int16), RATE)


def call_with(ambience: AmbienceConfig) -> PhoneCall:
    return PhoneCall(ANSWERS, config=ConversationConfig("book a visit", ambience=ambience))


def levels(call: PhoneCall, since: int = 0) -> list[int]:
    """The last sample of every frame since that tick; 0 where nothing was sent."""
    return [0 if sent is None else int(sent[-1]) for sent in call.sent[since:]]


@pytest.mark.rows("RV-17")
async def test_the_background_plays_from_the_answer_on_whoever_speaks() -> None:
    call = call_with(AmbienceConfig(background=loop(BACKGROUND)))
    assert call.conversation.exchange(np.zeros(160, np.int16), 0.0, 0.0) is None, "it rings"
    await call.answer()
    await call.quiet(500)
    fade = levels(call)
    assert fade == sorted(fade)
    assert 0 < fade[0] < 10
    assert fade[-1] == BACKGROUND
    await call.hears_out()
    assert SPEECH + DUCKED in levels(call)
    await call.quiet(500)
    began = len(call.sent)
    await call.says("i want a visit")
    assert set(levels(call, began)) == {BACKGROUND}
    await call.hears_out()
    assert all(sent is not None for sent in call.sent)


@pytest.mark.rows("RV-17")
async def test_the_background_goes_on_when_the_person_interrupts() -> None:
    call = await call_with(AmbienceConfig(background=loop(BACKGROUND))).answer()
    await call.until(lambda: call.voiced[-1])
    await call.says("i want a visit", 1_000)
    assert not call.voiced[-1]
    assert levels(call)[-1] == BACKGROUND


async def test_what_was_heard_and_when_is_reckoned_without_the_sounds() -> None:
    plain, loud = AmbienceConfig(), AmbienceConfig(loop(3000), 0.5, loop(3000), 0.5)
    told = []
    for ambience in (plain, loud):
        call = await call_with(ambience).answer()
        await call.quiet(2_500)
        await call.says("i want a visit")
        await call.quiet(750)
        call.sound.takers.add("no, listen")
        await call.says("no, listen")
        await call.quiet(3_000)
        told.append([(turn.text, turn.started_ms, turn.ended_ms) for turn in call.turns])
        assert [turn.speaker for turn in call.turns][:4] == ["agent", "person", "agent", "person"]
        assert call.turns[2].interrupted
    assert told[0] == told[1]


@pytest.mark.rows("RV-73", "RV-82")
async def test_the_thinking_sound_fills_the_time_from_the_end_of_the_turn_to_the_answer() -> None:
    call = await call_with(AmbienceConfig(thinking=loop(THINKING))).answer()
    await call.hears_out()
    gate = call.mind.fault.gate = asyncio.Event()
    await call.says("i want a visit")
    assert set(levels(call)) == {0, SPEECH}, "not before the opening, under it or after it"
    await call.until(lambda: levels(call)[-1] == THINKING, limit_ms=1_000)
    await call.quiet(400)
    assert set(levels(call)[-20:]) == {THINKING}
    gate.set()
    await call.until(lambda: call.voiced[-1])
    first = len(call.sent) - 1
    await call.hears_out()
    spoken = len(ANSWER) * CHAR_MS // FRAME_MS
    under, after = levels(call)[first : first + spoken], levels(call)[first + spoken :]
    assert under[:4] == [SPEECH + 30, SPEECH + 20, SPEECH + 10, SPEECH]
    assert set(under[4:]) == {SPEECH}
    assert set(after) == {0}


@pytest.mark.rows("RV-73")
async def test_the_thinking_sound_also_fills_the_time_in_which_speech_is_understood() -> None:
    call = await call_with(AmbienceConfig(thinking=loop(THINKING))).answer()
    await call.hears_out()
    gate = call.ears.fault.gate = asyncio.Event()
    await call.says("i want a visit")
    await call.until(lambda: levels(call)[-1] == THINKING, limit_ms=1_000)
    began = len(call.sent)
    await call.says("i want a visit")
    assert levels(call, began)[-1] == 0, "the person speaks again"
    gate.set()


@pytest.mark.rows("RV-73")
async def test_the_thinking_sound_bridges_a_gap_in_an_answer_and_is_not_under_its_words() -> None:
    call = await call_with(AmbienceConfig(thinking=loop(THINKING))).answer()
    await call.hears_out()
    call.mouth.only_at, gate = "yes", asyncio.Event()
    call.mouth.fault.gate = gate
    await call.says("is there a place")
    await call.until(lambda: call.voiced[-1])
    first = len(call.sent) - 1
    spoken = len("let me see.") * CHAR_MS // FRAME_MS
    await call.quiet(600)
    heard = levels(call, first)
    assert set(heard[4:spoken]) == {SPEECH}
    assert heard[spoken:][:4] == [10, 20, 30, 40]
    gate.set()
    await call.hears_out()
    assert call.said[-1] == ("agent", "let me see. yes there is.")


@pytest.mark.rows("RV-82…85")
@pytest.mark.parametrize(("probability", "level"), [(0.0, 0), (1.0, THINKING)])
async def test_the_probability_decides_whether_it_is_heard(probability: float, level: int) -> None:
    ambience = AmbienceConfig(thinking=loop(THINKING), thinking_probability=probability)
    call = await call_with(ambience).answer()
    await call.hears_out()
    gate = call.mind.fault.gate = asyncio.Event()
    await call.says("i want a visit")
    await call.quiet(1_500)
    assert levels(call)[-1] == level
    gate.set()


async def test_the_answer_counts_as_heard_when_its_voice_is_not_when_one_thinks_aloud() -> None:
    call = await call_with(AmbienceConfig(thinking=loop(8_000))).answer()
    await call.hears_out()
    gate = call.mind.fault.gate = asyncio.Event()
    await call.says("i want a visit")
    await call.until(lambda: call.voiced[-1])
    gate.set()
    await call.until(lambda: len(call.turns) == 3)
    timings = call.turns[-1].timings
    assert timings is not None
    assert timings.first_audio_ms is not None
    assert timings.wire_ms is not None
    assert timings.first_audio_ms <= timings.wire_ms


@pytest.mark.rows("RV-247")
async def test_the_voices_volume_is_heard_and_what_it_said_is_the_same() -> None:
    call = await call_with(AmbienceConfig(voice_volume=2.0)).answer()
    await call.hears_out()
    assert max(levels(call)) == 2 * SPEECH
    assert call.said == [("agent", OPENING)]
