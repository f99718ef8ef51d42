"""Whole conversations, as one hears them: who speaks when, what is remembered, how it ends."""

import asyncio

import numpy as np
import pytest

from tests.voice_loop.scripted import (
    NOISE,
    OPENING,
    Buggy,
    Fault,
    PhoneCall,
    Stubborn,
    settle,
)
from voice_loop.audio import FRAME_MS, Samples
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.phrases import phrases
from voice_loop.prompts import CALL_ANSWERED, CUT_OFF, END_CALL, READ_BACK

PHRASES = phrases("en")
QUESTION = "what day suits you?"
GOODBYE = "you are booked, goodbye."
PATIENT = FloorConfig(silence_ms=60_000)
ANSWERS = {
    "i want a visit": QUESTION,
    "tuesday": f"{GOODBYE} {END_CALL}",
}


async def in_conversation(**options: object) -> PhoneCall:
    """A call in which the opening was heard and the agent has just asked for a day."""
    call = PhoneCall(ANSWERS, **options)  # type: ignore[arg-type]
    await call.answer()
    await call.hears_out()
    await call.says("i want a visit")
    await call.hears_out()
    return call


# The opening ----------------------------------------------------------------------------


async def test_the_agent_opens_when_the_person_says_nothing() -> None:
    call = await PhoneCall().answer()
    await call.until(lambda: call.voiced[-1])
    assert 600 < call.ms <= 660
    await call.hears_out()
    assert call.said == [("agent", OPENING)]


async def test_a_hello_before_the_opening_is_answered_with_the_opening() -> None:
    call = await PhoneCall().answer()
    await call.quiet(200)
    await call.says("hello")
    assert not any(call.voiced)
    await call.hears_out()
    assert call.said == [("person", "hello"), ("agent", OPENING)]
    await call.says_and_waits("who is it")
    assert call.last_history == [
        ("user", f"{CALL_ANSWERED} hello"),
        ("assistant", OPENING),
        ("user", "who is it"),
    ]


async def test_a_noise_at_the_answer_brings_the_opening_too() -> None:
    call = await PhoneCall().answer()
    await call.says(NOISE, 300)
    await call.hears_out()
    assert call.said == [("agent", OPENING)]


async def test_a_hello_into_the_opening_does_not_stop_it() -> None:
    call = await PhoneCall().answer()
    await call.until(lambda: call.voiced[-1])
    await call.says("hello", 300)
    await call.hears_out()
    assert call.said == [("person", "hello"), ("agent", OPENING)]
    assert sum(call.voiced) * FRAME_MS == pytest.approx(40 * len(OPENING), abs=FRAME_MS)


async def test_an_opening_that_is_still_in_the_making_is_said_once_it_is_there() -> None:
    call = PhoneCall()
    call.mind.fault.gate = asyncio.Event()
    preparing = asyncio.create_task(call.conversation.prepare())
    await call.answer(prepared=False)
    await call.says_and_waits("hello")
    assert not any(call.voiced)
    await call.says_and_waits("anybody there")
    call.mind.fault.gate.set()
    await call.hears_out()
    assert call.said == [("person", "hello"), ("person", "anybody there"), ("agent", OPENING)]
    await preparing


async def test_the_opening_waits_for_what_the_first_words_were() -> None:
    call = await PhoneCall(config=ConversationConfig("talk", opening_delay_ms=1_200)).answer()
    gate = call.ears.fault.gate = asyncio.Event()
    await call.says("hello", 300)
    await call.quiet(1_400)
    assert not any(call.voiced)
    gate.set()
    await call.hears_out()
    assert call.said == [("person", "hello"), ("agent", OPENING)]


# Turns ----------------------------------------------------------------------------------


class TurnEnds:
    """A model of how turns end: so probably, whatever it hears."""

    def __init__(self, probability: float) -> None:
        self.fault = Fault()
        self.probability = probability
        self.heard_ms: list[int] = []
        self.at_work = 0

    async def end_probability(self, speech: Samples, rate: int) -> float:
        self.heard_ms.append(speech.size * 1000 // rate)
        self.at_work += 1
        try:
            await self.fault.pass_()
        finally:
            self.at_work -= 1
        return self.probability


async def silence_before_the_answer(turn_end: TurnEnds) -> int:
    """Milliseconds between words of no telling length and the answer to them."""
    call = await in_conversation(turn_end=turn_end)
    await call.says("anything at all")
    silent = call.ms
    await call.until(lambda: call.voiced[-1])
    call.conversation.hung_up()
    await call.end()
    return call.ms - silent


async def test_how_a_pause_sounds_tells_when_the_turn_is_over() -> None:
    over, open_ = TurnEnds(0.99), TurnEnds(0.02)
    assert await silence_before_the_answer(over) <= 240
    assert await silence_before_the_answer(open_) >= 800
    assert max(open_.heard_ms) <= 8_000
    assert len(open_.heard_ms) > len(over.heard_ms), "it is asked again while the pause lasts"


async def test_the_rest_of_the_evidence_decides_where_the_model_does_not() -> None:
    fails, hangs, raises = TurnEnds(0.99), TurnEnds(0.99), TurnEnds(0.99)
    fails.fault.error = "no model"
    hangs.fault.gate = asyncio.Event()
    raises.fault = Buggy()
    for model in (fails, hangs, raises):
        assert 260 <= await silence_before_the_answer(model) <= 340
        assert model.heard_ms
        assert not model.at_work, "one at a time, and none is left"


async def test_a_judgement_that_comes_after_more_speech_is_void() -> None:
    model = TurnEnds(0.01)
    gate = model.fault.gate = asyncio.Event()
    call = await in_conversation(turn_end=model)
    await call.says("anything")
    await call.quiet(140)
    await call.says("at all")
    model.fault.gate = None
    model.probability = 0.99
    gate.set()
    silent = call.ms
    await call.until(lambda: call.voiced[-1])
    assert call.ms - silent <= 240


async def test_a_number_is_dictated_with_pauses_and_all_of_it_is_one_turn() -> None:
    call = await PhoneCall({"hi": "what is your phone number?"}).answer()
    await call.hears_out()
    await call.says("hi")
    await call.hears_out()
    for group, gap in (("four one five", 900), ("five five five", 600), ("oh one three two", 0)):
        await call.says(group)
        await call.quiet(gap)
    await call.hears_out()
    assert call.said[-2:] == [
        ("person", "four one five five five five oh one three two"),
        ("agent", "i see."),
    ]
    assert call.last_history[-1][1].endswith(READ_BACK), "the agent is to make sure of it"
    await call.says("yes")
    await call.hears_out()
    assert not any(READ_BACK in content for _, content in call.last_history)


async def test_turns_follow_each_other_and_the_model_is_told_all_of_them() -> None:
    call = await in_conversation()
    assert call.said == [("agent", OPENING), ("person", "i want a visit"), ("agent", QUESTION)]
    await call.says_and_waits("tuesday")
    assert call.last_history == [
        ("user", CALL_ANSWERED),
        ("assistant", OPENING),
        ("user", "i want a visit"),
        ("assistant", QUESTION),
        ("user", "tuesday"),
    ]


async def test_turns_tell_when_they_were_heard() -> None:
    call = await PhoneCall(ANSWERS).answer()
    await call.hears_out()
    await call.quiet(1000)
    began = call.ms
    await call.says("i want a visit", 600)
    await call.until(lambda: call.voiced[-1])
    answered = call.ms
    await call.hears_out()
    _, person, agent = call.turns
    assert (person.started_ms, person.ended_ms) == (began, began + 600)
    assert person.confidence == 0.9
    assert agent.started_ms == answered - 20
    assert agent.ended_ms == pytest.approx(answered - 20 + 40 * len(QUESTION), abs=40)


async def test_clauses_are_short_until_there_is_enough_to_play() -> None:
    begin = ["of course,", "we have monday at ten in the morning,"]
    rest = "tuesday at noon in the north, or friday in the afternoon, as you like."
    call = PhoneCall({"tuesday": " ".join([*begin, rest])})
    await call.answer()
    await call.hears_out()
    await call.says_and_waits("tuesday")
    assert call.mouth.said[-3:] == [*begin, rest]


async def test_marks_of_an_answer_are_in_order() -> None:
    call = await in_conversation()
    timings = call.turns[-1].timings
    assert timings is not None
    assert timings.transcript_ms is not None
    assert timings.first_token_ms is not None
    assert timings.first_audio_ms is not None
    assert timings.endpoint_ms is not None
    assert timings.wire_ms is not None
    assert 0 <= timings.transcript_ms <= timings.first_token_ms <= timings.first_audio_ms
    assert timings.first_audio_ms <= timings.wire_ms
    assert timings.endpoint_ms <= timings.wire_ms
    assert call.turns[0].timings is None, "the opening answers nobody"


async def test_marks_count_from_the_arrival_of_the_last_voiced_packet() -> None:
    call = await in_conversation()
    call.voiced_before_s = 5.0
    await call.says("tuesday")
    await call.hears_out()
    timings = call.turns[-1].timings
    assert timings is not None
    for mark in ("transcript_ms", "first_token_ms", "first_audio_ms", "endpoint_ms", "wire_ms"):
        assert 5_000 <= getattr(timings, mark) < 10_000


async def test_an_answer_is_prepared_at_the_pause_and_spoken_at_the_end_of_the_turn() -> None:
    call = await in_conversation()
    await call.says("tuesday")
    await call.quiet(80)
    assert GOODBYE in call.mouth.said
    await call.quiet(180)
    assert not call.voiced[-1]
    await call.quiet(60)
    assert call.voiced[-1]


async def test_an_answer_prepared_at_a_pause_is_dropped_when_the_person_goes_on() -> None:
    call = await in_conversation()
    await call.says("tuesday")
    await call.quiet(200)
    assert GOODBYE in call.mouth.said
    await call.says("no wednesday")
    await call.hears_out()
    assert call.said[3:] == [("person", "tuesday no wednesday"), ("agent", "i see.")]
    assert call.last_history[-1] == ("user", "tuesday no wednesday")


async def test_unfinished_words_get_more_time() -> None:
    call = await in_conversation()
    await call.says("i can come on")
    await call.quiet(1100)
    await call.says("tuesday")
    await call.hears_out()
    assert call.said[3:] == [("person", "i can come on tuesday"), ("agent", "i see.")]


async def test_unfinished_words_are_answered_in_the_end() -> None:
    call = await in_conversation()
    await call.says("i can come on")
    await call.quiet(1_300)
    assert not any(call.voiced[-70:])
    await call.quiet(180)
    assert call.voiced[-1]


async def test_two_turns_before_the_first_is_understood_are_one() -> None:
    call = await in_conversation()
    call.ears.fault.gate = asyncio.Event()
    await call.says("next week")
    await call.quiet(600)
    await call.says("i mean monday")
    await call.quiet(240)
    call.ears.fault.gate.set()
    await call.hears_out()
    assert call.said[3:] == [("person", "next week i mean monday"), ("agent", "i see.")]


async def test_a_transcript_that_comes_while_the_person_speaks_again_does_not_cut_them_off() -> (
    None
):
    call = await in_conversation()
    call.ears.fault.gate = asyncio.Event()
    await call.says("next week")
    await call.quiet(600)
    await call.says("i mean", 300)
    call.ears.fault.gate.set()
    await call.says("monday", 600)
    assert not any(call.voiced[-40:])
    await call.hears_out()
    assert [text for who, text in call.said[3:] if who == "person"] in (
        ["next week i mean monday"],
        ["next week", "i mean monday"],
    )
    assert call.said[-1] == ("agent", "i see.")
    assert call.last_history[-1] == ("user", "next week i mean monday")


async def test_who_goes_on_before_the_answer_is_heard_gets_one_answer_to_both() -> None:
    call = await in_conversation()
    call.mind.fault.gate = asyncio.Event()
    await call.says("next week")
    await call.quiet(600)
    await call.says("or tomorrow")
    await call.quiet(300)
    call.mind.fault.gate.set()
    await call.hears_out()
    assert call.said[3:] == [("person", "next week or tomorrow"), ("agent", "i see.")]
    assert call.last_history[-1] == ("user", "next week or tomorrow")


async def test_who_goes_on_as_the_answer_begins_gets_one_answer_to_both() -> None:
    call = await in_conversation()
    call.mind.answers["next week"] = LONG
    await call.says("next week")
    await call.until(lambda: call.voiced[-1])
    await call.quiet(100)
    await call.says("or tomorrow")
    await call.hears_out()
    assert call.said[-2:] == [("person", "next week or tomorrow"), ("agent", "i see.")]
    assert call.said[3:-2] == [("agent", "our…")], "what was heard was said"
    assert call.last_history[-1][1].endswith('"] next week or tomorrow')


async def test_an_answer_that_was_heard_for_a_while_is_no_longer_withdrawn() -> None:
    call = await in_conversation()
    call.mind.answers["next week"] = LONG
    await call.says("next week")
    await call.until(lambda: call.voiced[-1])
    await call.quiet(600)
    assert call.said[3:] == [("person", "next week")], "told while it is answered"
    await call.says("or tomorrow")
    await call.hears_out()
    assert [who for who, _ in call.said[3:]] == ["person", "agent", "person", "agent"]
    assert call.said[-2:] == [("person", "or tomorrow"), ("agent", "i see.")]


async def test_a_backchannel_to_an_answer_that_is_not_heard_yet_does_not_lose_it() -> None:
    call = await in_conversation()
    call.mind.answers["next week"] = LONG
    gate = call.mind.fault.gate = asyncio.Event()
    await call.says("next week")
    await call.quiet(600)
    await call.says("okay", 300)
    gate.set()
    await call.hears_out()
    assert call.said[3:] == [("person", "next week"), ("person", "okay"), ("agent", LONG)]
    assert call.last_history[-1] == ("user", "next week")


async def test_keys_between_two_parts_of_a_turn_leave_each_word_once() -> None:
    call = await in_conversation()
    gate = call.mind.fault.gate = asyncio.Event()
    await call.says("next week")
    await call.quiet(600)
    ears = call.ears.fault.gate = asyncio.Event()
    await call.says("or tomorrow")
    await call.quiet(1_000)
    call.conversation.press("#", 0.0)
    await call.quiet(40)
    gate.set()
    ears.set()
    await call.hears_out()
    assert sorted(text for who, text in call.said[3:] if who == "person") == [
        "#",
        "next week",
        "or tomorrow",
    ]


async def test_a_noise_before_the_answer_is_heard_does_not_lose_the_answer() -> None:
    call = await in_conversation()
    call.mind.fault.gate = asyncio.Event()
    await call.says("next week")
    await call.quiet(600)
    await call.says(NOISE, 200)
    call.mind.fault.gate.set()
    await call.hears_out(3_000)
    assert call.said[3:] == [("person", "next week"), ("agent", "i see.")]


async def test_a_turn_without_end_is_answered_and_goes_on() -> None:
    config = ConversationConfig("listen", floor=FloorConfig(max_turn_ms=5_000))
    call = await in_conversation(config=config)
    await call.says("and so it went", 5_100)
    await call.says("until monday", 1_000)
    await call.hears_out()
    assert call.last_history[-1][1].endswith("and so it went until monday")


async def test_a_turn_without_end_after_one_not_understood_yet_is_heard_too() -> None:
    config = ConversationConfig("listen", floor=FloorConfig(max_turn_ms=3_000))
    call = await in_conversation(config=config)
    gate = call.ears.fault.gate = asyncio.Event()
    await call.says("next week", 400)
    await call.quiet(600)
    await call.says("at length", 3_060)
    await call.quiet(200)
    gate.set()
    await call.hears_out()
    assert call.last_history[-1] == ("user", "next week at length")


async def test_of_a_very_long_wait_the_last_half_minute_is_heard() -> None:
    call = await in_conversation()
    gate = call.ears.fault.gate = asyncio.Event()
    await call.says("next week", 400)
    await call.quiet(20_000)
    await call.says("or the week after", 12_000)
    await call.quiet(300)
    gate.set()
    await call.hears_out()
    assert call.last_history[-1] == ("user", "or the week after")


async def test_what_speech_recognition_is_not_sure_of_is_asked_for_again() -> None:
    call = await in_conversation()
    call.ears.confidence["mumble mumble"] = 0.2
    asked = len(call.mind.asked)
    await call.says("mumble mumble")
    await call.hears_out()
    assert call.said[3:] == [("person", "mumble mumble"), ("agent", PHRASES.repeat)]
    assert call.turns[3].confidence == 0.2
    assert len(call.mind.asked) == asked
    await call.says("monday")
    await call.hears_out()
    assert call.last_history[-2:] == [("assistant", QUESTION), ("user", "monday")]


# Barge-in -------------------------------------------------------------------------------

LONG = "our doctors are here from monday to friday and on the first saturday of every month."


async def interrupted_call() -> PhoneCall:
    """A call in which the agent is in the middle of a long answer."""
    call = await PhoneCall({"when": LONG}).answer()
    await call.hears_out()
    await call.says("when")
    await call.until(lambda: call.voiced[-1])
    await call.quiet(1_000)
    return call


def gaps(call: PhoneCall, from_ms: int) -> int:
    """Frames without the agent's voice between its first and its last since then."""
    voiced = call.voiced[from_ms // FRAME_MS :]
    while voiced and not voiced[-1]:
        voiced.pop()
    return voiced.count(False)


async def test_who_sounds_like_a_taker_silences_the_agent_in_that_frame() -> None:
    call = await interrupted_call()
    call.sound.takers.add("stop")
    await call.says("stop", 180)
    assert call.voiced[-1]
    await call.says("stop", 20)
    assert not call.voiced[-1]


async def test_speech_that_lasts_takes_the_floor_whatever_it_sounds_like() -> None:
    call = await interrupted_call()
    call.sound.listeners.add("well you know")
    await call.says("well you know", 680)
    assert call.voiced[-1]
    await call.says("well you know", 20)
    assert not call.voiced[-1]


async def test_the_voice_is_lowered_without_a_click_while_one_speaks_into_it() -> None:
    call = await interrupted_call()
    began = call.ms // FRAME_MS
    await call.says("uh huh", 300)
    await call.quiet(400)
    sent = np.concatenate([one for one in call.sent[began:] if one is not None])
    assert np.abs(np.diff(sent.astype(np.int32))).max() < 30
    levels = np.array([one.max() for one in call.sent[began:] if one is not None]) / 5000
    assert levels[:7].min() == 1.0
    assert 0.3 < levels[9:17].max() < 0.33, "from 160 ms on, until the words are known"
    assert levels[25:].min() == 1.0


async def test_words_that_the_sound_did_not_give_away_silence_the_agent_at_the_pause() -> None:
    call = await interrupted_call()
    call.sound.listeners.add("no")
    await call.says("no", 240)
    assert call.voiced[-1]
    await call.until(lambda: not call.voiced[-1], limit_ms=220)
    await call.hears_out()
    assert call.said[-2:] == [("person", "no"), ("agent", "i see.")]


async def test_a_listener_who_sounded_like_a_taker_is_told_the_word_again() -> None:
    call = await interrupted_call()
    call.sound.takers.add("okay")
    began = call.ms
    await call.says("okay", 300)
    assert not call.voiced[-1]
    await call.hears_out()
    assert call.said[-1] == ("agent", LONG)
    assert gaps(call, began) * FRAME_MS < 400
    repeated = sum(call.voiced) * FRAME_MS - 40 * len(OPENING + LONG)
    assert 200 <= repeated <= 800


async def test_unsure_words_that_do_not_sound_like_a_taker_are_no_interruption() -> None:
    call = await interrupted_call()
    call.ears.confidence |= {"bye": 0.2, "stop it": 0.2}
    call.sound.listeners |= {"bye", "stop it"}
    began = call.ms
    await call.says("bye", 300)
    await call.quiet(600)
    assert gaps(call, began) == 0
    began = call.ms
    await call.says("stop it", 300)
    await call.quiet(600)
    assert gaps(call, began) > 0


async def test_a_yes_to_a_question_within_a_sentence_answers_it() -> None:
    call = await PhoneCall({"hi": f"is that right for you? {LONG}"}).answer()
    await call.hears_out()
    await call.says("hi")
    await call.until(lambda: call.voiced[-1])
    await call.quiet(40 * len("is that right for"))
    await call.says("yes", 300)
    await call.until(lambda: len(call.turns) == 5)
    assert call.said[-2:] == [("person", "yes"), ("agent", "i see.")]
    assert call.turns[2].interrupted


async def test_who_objects_to_the_goodbye_while_it_ends_is_answered() -> None:
    call = await PhoneCall({"when": f"{GOODBYE} {END_CALL}"}).answer()
    await call.hears_out()
    await call.says("when")
    await call.until(lambda: call.voiced[-1])
    await call.quiet(40 * len(GOODBYE) - 300)
    call.sound.listeners.add("wait")
    await call.says("wait", 280)
    await call.quiet(1_000)
    assert not call.is_over
    assert call.said[-2:] == [("person", "wait"), ("agent", "i see.")]
    call.conversation.hung_up()
    await call.end()


async def test_after_an_interruption_only_what_was_heard_is_remembered() -> None:
    call = await interrupted_call()
    call.sound.takers.add("stop please")
    await call.says("stop please")
    await call.hears_out()
    heard = call.turns[2]
    assert heard.interrupted
    # 1000 ms and the 200 ms of the person's first words, at 40 ms a character.
    assert heard.text == "our doctors are here from"
    assert heard.ended_ms - heard.started_ms == pytest.approx(1_200, abs=40)
    assert call.said[2:] == [
        ("agent", "our doctors are here from…"),
        ("person", "stop please"),
        ("agent", "i see."),
    ]
    assert call.last_history[-2:] == [
        ("assistant", "our doctors are here from" + CUT_OFF),
        ("user", f'[not heard: "{LONG.removeprefix("our doctors are here from ")}"] stop please'),
    ]


async def test_the_rest_of_an_interrupted_answer_is_not_made() -> None:
    call = await PhoneCall(
        {"when": "from monday to friday, i think. the second clause hangs."}
    ).answer()
    await call.hears_out()
    call.mouth.only_at = "second"
    call.mouth.fault.gate = asyncio.Event()
    await call.says("when")
    await call.until(lambda: call.voiced[-1])
    assert (call.mind.open, call.mouth.open) == (1, 1)
    call.sound.takers.add("stop please")
    await call.says("stop please")
    await call.hears_out()
    assert call.said[-1] == ("agent", "i see.")
    assert (call.mind.open, call.mouth.open) == (0, 0)


@pytest.mark.parametrize("sound", ["uh huh", NOISE])
async def test_the_agent_goes_on_after_a_backchannel_or_a_noise(sound: str) -> None:
    call = await interrupted_call()
    asked = len(call.mind.asked)
    began = call.ms
    await call.says(sound, 300)
    await call.hears_out()
    assert call.said[-1] == ("agent", LONG)
    assert len(call.mind.asked) == asked
    assert gaps(call, began) == 0
    frames = sum(call.voiced) * 20
    assert frames == pytest.approx(40 * len(OPENING + LONG), abs=80), "not a frame is lost"


async def test_a_noise_understood_late_does_not_let_the_agent_talk_into_words() -> None:
    call = await interrupted_call()
    gate = call.ears.fault.gate = asyncio.Event()
    await call.says(NOISE, 300)
    await call.quiet(600)
    call.sound.takers.add("stop")
    await call.says("stop", 200)
    gate.set()
    await call.says("please", 600)
    assert not any(call.voiced[-30:])
    await call.hears_out()
    assert call.said[-2:] == [("person", "stop please"), ("agent", "i see.")]
    assert call.turns[-3].interrupted


async def test_a_backchannel_that_becomes_an_objection_yields() -> None:
    call = await interrupted_call()
    await call.says("yeah", 300)
    await call.quiet(200)
    assert call.voiced[-1]
    call.sound.takers.add("but not saturday")
    await call.says("but not saturday")
    await call.quiet(1_000)
    assert call.said[-4::3] == [("person", "yeah"), ("agent", "i see.")]
    assert call.said[-2] == ("person", "but not saturday")
    assert call.turns[-3].interrupted


async def test_an_answer_that_overlaps_the_end_of_the_question_is_an_answer() -> None:
    call = await PhoneCall({"hi there": QUESTION}).answer()
    await call.hears_out()
    await call.says("hi there")
    await call.until(lambda: call.voiced[-1])
    await call.quiet(40 * len(QUESTION) - 320)
    await call.says("yeah", 400)
    await call.hears_out()
    assert call.said[-2:] == [("person", "yeah"), ("agent", "i see.")]


async def uninterruptible_call() -> PhoneCall:
    config = ConversationConfig("talk", interruptible=False)
    call = await PhoneCall({"when": LONG}, config=config).answer()
    await call.hears_out()
    return call


async def test_without_barge_in_the_agent_finishes_and_hears_nothing_meanwhile() -> None:
    call = await uninterruptible_call()
    await call.says("when")
    await call.until(lambda: call.voiced[-1])
    await call.says("stop please", 2_000)
    assert all(call.voiced[-100:])
    await call.hears_out()
    await call.says("thursday")
    await call.hears_out()
    assert call.said[1:] == [
        ("person", "when"),
        ("agent", LONG),
        ("person", "thursday"),
        ("agent", "i see."),
    ]


@pytest.mark.parametrize("engine", ["ears", "mind"])
async def test_without_barge_in_one_may_go_on_before_the_answer_is_heard(engine: str) -> None:
    call = await uninterruptible_call()
    gate = getattr(call, engine).fault.gate = asyncio.Event()
    await call.says("next week")
    await call.quiet(600)
    await call.says("or", 300)
    gate.set()
    await call.says("tomorrow")
    await call.hears_out()
    assert call.said[-1] == ("agent", "i see.")
    assert call.last_history[-1] == ("user", "next week or tomorrow")


# Keys -----------------------------------------------------------------------------------


async def test_keys_are_a_turn() -> None:
    call = await in_conversation()
    for digit in "42":
        call.conversation.press(digit, 0.0)
        await call.quiet(400)
    assert not any(call.voiced[-10:])
    await call.hears_out()
    assert call.said[3:] == [("person", "42"), ("agent", "i see.")]
    assert call.turns[3].keys
    assert call.turns[3].confidence is None
    assert call.last_history[-1] == ("user", "[pressed 4 2]")


async def test_keys_before_the_opening_take_its_place() -> None:
    call = await PhoneCall().answer()
    call.conversation.press("#", 0.0)
    await call.hears_out()
    await call.quiet(1_000)
    assert call.said == [("person", "#"), ("agent", "i see.")]


async def test_the_hash_key_ends_the_keys_at_once() -> None:
    call = await in_conversation()
    for digit in "42#":
        call.conversation.press(digit, 0.0)
    await call.quiet(40)
    assert call.voiced[-1]


async def test_words_that_are_not_understood_yet_are_not_lost_to_the_keys() -> None:
    call = await in_conversation()
    gate = call.ears.fault.gate = asyncio.Event()
    await call.says("my number is four")
    await call.quiet(600)
    call.conversation.press("2", 0.0)
    call.conversation.press("#", 0.0)
    await call.quiet(20)
    gate.set()
    await call.hears_out()
    assert call.said[3:] == [
        ("person", "2#"),
        ("person", "my number is four"),
        ("agent", "i see."),
    ]
    assert call.last_history[-1] == ("user", "[pressed 2 #] my number is four")


async def test_keys_in_a_pause_are_answered_with_the_words() -> None:
    call = await in_conversation()
    await call.says("my number is four")
    await call.quiet(200)
    call.conversation.press("#", 0.0)
    await call.hears_out()
    assert call.last_history[-1] == ("user", "[pressed #] my number is four")
    assert call.said[3:] == [
        ("person", "#"),
        ("person", "my number is four"),
        ("agent", "i see."),
    ]


async def test_the_answer_to_keys_waits_for_who_is_speaking() -> None:
    call = await in_conversation()
    await call.says("my number is four", 300)
    call.conversation.press("#", 0.0)
    await call.says("my number is four", 1_000)
    assert not any(call.voiced[-60:])
    await call.hears_out()
    assert call.last_history[-1] == ("user", "[pressed #] my number is four")


async def test_keys_without_end_are_cut() -> None:
    call = await in_conversation()
    for _ in range(500):
        call.conversation.press("1", 0.0)
    await call.hears_out()
    assert all(len(turn.text) <= 64 for turn in call.turns)


# How it ends ----------------------------------------------------------------------------


async def test_the_call_ends_after_the_goodbye_was_heard() -> None:
    call = await in_conversation()
    await call.says("tuesday")
    await call.hears_out()
    assert await call.end() == "agent_hangup"
    assert call.said[-1] == ("agent", GOODBYE)


async def test_a_bye_into_the_goodbye_does_not_cut_it() -> None:
    call = await in_conversation()
    await call.says("tuesday")
    await call.until(lambda: call.voiced[-1])
    await call.says("bye bye", 300)
    await call.hears_out()
    assert await call.end() == "agent_hangup"
    assert call.said[-2:] == [("person", "bye bye"), ("agent", GOODBYE)]


async def test_an_objection_to_the_goodbye_is_answered() -> None:
    call = await in_conversation()
    await call.says("tuesday")
    await call.until(lambda: call.voiced[-1])
    await call.quiet(460)
    call.sound.takers.add("wait one question")
    await call.says("wait one question")
    await call.hears_out()
    assert not call.is_over
    assert call.said[-2:] == [("person", "wait one question"), ("agent", "i see.")]


async def test_a_silent_person_is_asked_and_then_left() -> None:
    call = await in_conversation()
    await call.quiet(8_100)
    await call.hears_out()
    assert call.said[-1] == ("agent", PHRASES.are_you_there)
    await call.quiet(7_500)
    assert not call.is_over
    await call.hears_out()
    assert await call.end() == "silence"
    assert call.said[-1] == ("agent", PHRASES.nobody_there)
    assert not any(message["content"] == PHRASES.are_you_there for message in call.mind.asked[-1])


async def test_noises_do_not_keep_a_silent_call_up() -> None:
    call = await in_conversation()
    await call.quiet(8_100)
    await call.hears_out()
    await call.says(NOISE, 300)
    await call.quiet(8_600)
    await call.hears_out()
    assert await call.end() == "silence"


async def test_who_answers_the_question_whether_they_are_there_is_there() -> None:
    call = await in_conversation()
    await call.quiet(8_100)
    await call.until(lambda: call.voiced[-1])
    await call.says("yeah", 300)
    await call.hears_out()
    await call.hears_out()
    assert call.said[-1] == ("agent", "i see.")
    await call.quiet(8_100)
    await call.hears_out()
    assert call.said[-1] == ("agent", PHRASES.are_you_there)
    assert not call.is_over


@pytest.mark.rows("RV-62", "RV-63", "RV-65", "RV-66", "CB-50")
async def test_the_time_limit_is_announced_and_the_announcement_is_not_interrupted() -> None:
    config = ConversationConfig("talk", max_duration_ms=20_000)
    call = await PhoneCall(config=config).answer()
    await call.quiet(20_000 - 600 - 40 * len(PHRASES.time_up) - 1_000)
    assert call.said == [("agent", OPENING), ("agent", PHRASES.are_you_there)]
    await call.says("so tell me", 1_500)
    assert all(call.voiced[-20:])
    await call.hears_out()
    assert 20_000 - 700 <= call.ms < 20_000
    assert await call.end() == "max_duration"
    assert call.said[-2:] == [("person", "so tell me"), ("agent", PHRASES.time_up)]


@pytest.mark.rows("RV-63", "RV-66")
async def test_a_message_of_any_length_ends_before_the_time_limit() -> None:
    message = "i have to go now. " + "thank you very much for your time. " * 3
    config = ConversationConfig(
        "talk", floor=PATIENT, max_duration_ms=30_000, time_up_message=message
    )
    call = await PhoneCall(config=config).answer()
    await call.quiet(20_000)
    await call.hears_out()
    assert 30_000 - 700 <= call.ms < 30_000
    assert call.said[-1] == ("agent", message.strip())
    assert await call.end() == "max_duration"


@pytest.mark.rows("RV-67")
async def test_without_a_message_the_call_ends_silently_at_the_time_limit() -> None:
    config = ConversationConfig("talk", floor=PATIENT, max_duration_ms=10_000, time_up_message="")
    call = await PhoneCall(config=config).answer()
    await call.hears_out()
    await call.quiet(9_980 - call.ms)
    assert not call.is_over
    await call.quiet(40)
    assert await call.end() == "max_duration"
    assert call.said == [("agent", OPENING)]


@pytest.mark.rows("RV-66")
async def test_a_message_that_takes_longer_than_half_the_call_is_cut_at_the_limit() -> None:
    config = ConversationConfig("talk", max_duration_ms=5_000, time_up_message="goodbye. " * 16)
    call = await PhoneCall(config=config).answer()
    await call.until(lambda: call.is_over)
    assert call.ms == 5_020
    assert await call.end() == "max_duration"


async def test_a_message_that_cannot_be_voiced_is_left_out() -> None:
    config = ConversationConfig("talk", floor=PATIENT, max_duration_ms=10_000)
    call = PhoneCall(config=config)
    call.mouth.only_at = "our time is up"
    call.mouth.fault.error = "broken"
    await call.answer()
    await call.until(lambda: call.is_over)
    assert await call.end() == "max_duration"
    assert call.said == [("agent", OPENING)]


async def test_at_the_time_limit_it_ends_whatever_the_voice_does() -> None:
    config = ConversationConfig("talk", max_duration_ms=10_000, time_up_message="")
    call = await PhoneCall(config=config).answer()
    await call.hears_out()
    call.mouth.fault.gate = asyncio.Event()
    await call.quiet(10_000)
    assert await call.end() == "max_duration"


async def test_the_operator_ends_it() -> None:
    call = await in_conversation()
    call.conversation.stop()
    assert await call.end() == "operator_hangup"


# The person hangs up ----------------------------------------------------------------------

STAGES = ["at once", "opening", "speaking", "pause", "hearing", "thinking", "voicing", "answer",
          "interruption", "silence prompt", "goodbye", "apology"]  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
async def test_whenever_the_person_hangs_up_everything_is_given_back(stage: str) -> None:
    call = await PhoneCall({**ANSWERS, "when": LONG}).answer()
    hanging = asyncio.Event()
    if stage != "at once":
        await call.until(lambda: call.voiced[-1])
    if stage not in ("at once", "opening"):
        await call.hears_out()
    match stage:
        case "speaking":
            await call.says("i want a visit")
        case "pause":
            await call.says("i want a visit")
            await call.quiet(300)
        case "hearing":
            call.ears.fault.gate = hanging
            await call.says_and_waits("i want a visit")
        case "thinking":
            call.mind.fault.gate = hanging
            await call.says_and_waits("i want a visit")
        case "voicing":
            call.mouth.fault.gate = hanging
            await call.says_and_waits("i want a visit")
        case "answer" | "interruption":
            await call.says_and_waits("when")
            if stage == "interruption":
                await call.says("no", 300)
        case "silence prompt":
            call.mouth.fault.gate = hanging
            await call.quiet(9_000)
        case "goodbye":
            await call.says_and_waits("tuesday")
        case "apology":
            call.ears.fault.error = "broken"
            await call.says_and_waits("tuesday")
    call.conversation.hung_up()
    call.ears.fault.gate = None
    assert await call.end() == "person_hangup"


async def test_an_opening_in_the_making_is_given_up_with_the_call() -> None:
    call = PhoneCall()
    call.mind.fault.gate = asyncio.Event()
    preparing = asyncio.create_task(call.conversation.prepare())
    await call.answer(prepared=False)
    await call.quiet(100)
    call.conversation.hung_up()
    assert await call.end() == "person_hangup"
    await asyncio.wait([preparing], timeout=1)
    assert preparing.done()


async def test_an_opening_for_a_call_that_nobody_answers_is_given_up() -> None:
    call = PhoneCall()
    call.mind.fault.gate = asyncio.Event()
    before = asyncio.all_tasks()
    preparing = asyncio.create_task(call.conversation.prepare())
    await settle()
    assert call.mind.open == 1
    preparing.cancel()
    await settle()
    assert call.mind.open == 0
    assert asyncio.all_tasks() == before


async def test_the_words_before_the_hang_up_count() -> None:
    call = await in_conversation()
    await call.says("tuesday and goodbye")
    await call.quiet(100)
    call.conversation.hung_up()
    assert await call.end() == "person_hangup"
    assert call.said[-1] == ("person", "tuesday and goodbye")


async def test_a_recogniser_that_fails_on_those_words_changes_nothing() -> None:
    call = await in_conversation()
    call.ears.fault = Buggy()
    await call.says("tuesday and goodbye")
    call.conversation.hung_up()
    assert await call.end() == "person_hangup"
    assert call.said[-1] == ("agent", QUESTION)


@pytest.mark.parametrize("conversed", [True, False])
async def test_only_who_said_nothing_is_told_to_be_called_again(conversed: bool) -> None:
    call = PhoneCall(ANSWERS, config=ConversationConfig("talk", called_again=True))
    await call.answer()
    await call.hears_out()
    if conversed:
        await call.says("i want a visit")
        await call.hears_out()
    assert call.conversation.with_human is conversed
    for _ in range(2):
        await call.quiet(8_100)
        await call.hears_out()
    assert await call.end() == "silence"
    last = PHRASES.nobody_there if conversed else PHRASES.nobody_there_yet
    assert call.said[-1] == ("agent", last)


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_failure_promises_another_call_where_one_follows(language: str) -> None:
    lines = phrases(language)
    for again in (True, False):
        call = PhoneCall(config=ConversationConfig("talk", language=language, called_again=again))
        call.mind.fault.error = "broken"
        await call.answer()
        await call.hears_out()
        assert await call.end() == "engine_error"
        assert call.said == [("agent", lines.apology_for_now if again else lines.apology)]


# Engines that fail ------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["ears", "mind", "mouth"])
async def test_an_engine_that_fails_is_apologised_for(engine: str) -> None:
    call = await in_conversation()
    getattr(call, engine).fault.error = "broken"
    await call.says("tuesday")
    await call.hears_out()
    assert await call.end() == "engine_error"
    understood = [] if engine == "ears" else [("person", "tuesday")]
    assert call.said[3:] == [*understood, ("agent", PHRASES.apology)]


async def test_a_model_that_fails_at_the_opening_is_apologised_for() -> None:
    call = PhoneCall()
    call.mind.fault.error = "broken"
    await call.answer()
    await call.hears_out()
    assert await call.end() == "engine_error"
    assert call.said == [("agent", PHRASES.apology)]


async def test_a_voice_that_fails_at_the_opening_ends_the_call_at_once() -> None:
    call = PhoneCall()
    call.mouth.fault.error = "broken"
    await call.answer()
    assert await call.end() == "engine_error"
    assert call.turns == []


async def test_the_opening_does_not_come_after_the_apology() -> None:
    call = await PhoneCall().answer()
    call.ears.fault.error = "broken"
    await call.says("hello", 220)
    await call.quiet(200)
    await call.hears_out()
    assert await call.end() == "engine_error"
    assert call.said == [("agent", PHRASES.apology)]


async def test_a_second_failure_does_not_cut_the_apology() -> None:
    call = PhoneCall()
    gate = call.mind.fault.gate = asyncio.Event()
    preparing = asyncio.create_task(call.conversation.prepare())
    await call.answer(prepared=False)
    call.ears.fault.error = call.mind.fault.error = "broken"
    await call.says("hello", 300)
    await call.until(lambda: call.voiced[-1])
    gate.set()
    await call.hears_out()
    assert await call.end() == "engine_error"
    assert call.said == [("agent", PHRASES.apology)]
    await preparing


@pytest.mark.parametrize("line", ["are you still there?", "i can not hear you."])
async def test_a_fixed_line_that_cannot_be_voiced_is_apologised_for(line: str) -> None:
    call = await in_conversation()
    call.mouth.fault.error = "broken"
    call.mouth.only_at = line
    while not any(text == PHRASES.apology for _, text in call.said):
        await call.quiet(5_000)
    assert await call.end() == "engine_error"
    assert call.said[-1] == ("agent", PHRASES.apology)


async def test_the_failure_of_an_answer_that_was_given_up_is_forgiven() -> None:
    call = await in_conversation()
    call.mind.fault.gate = asyncio.Event()
    call.mind.fault.error = "broken"
    await call.says("next week")
    await call.quiet(600)
    await call.says("or tomorrow")
    call.mind.fault.error = None
    call.mind.fault.gate.set()
    await call.hears_out()
    assert call.said[-1] == ("agent", "i see.")


@pytest.mark.parametrize("engine", ["ears", "mind", "mouth"])
async def test_an_engine_that_hangs_is_one_that_fails(engine: str) -> None:
    config = ConversationConfig("talk", engine_timeout_s=0.05)
    call = await in_conversation(config=config)
    getattr(call, engine).fault.gate = asyncio.Event()
    await call.says("tuesday")
    await call.quiet(500)
    await asyncio.sleep(0.1)
    await call.hears_out()
    assert await call.end() == "engine_error"
    assert call.said[-1] == ("agent", PHRASES.apology)


async def test_a_bug_in_an_engine_is_an_engine_that_fails() -> None:
    call = await in_conversation()
    call.mind.fault = Buggy()
    await call.says("tuesday")
    await call.hears_out()
    assert await call.end() == "engine_error"
    assert call.said[-1] == ("agent", PHRASES.apology)


async def test_a_cancelled_run_gives_everything_back_too() -> None:
    call = await in_conversation()
    call.mind.fault.gate = asyncio.Event()
    await call.says_and_waits("tuesday")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.end()
    call.assert_given_back()


async def test_a_line_that_fails_to_hang_up_gives_everything_back_too() -> None:
    call = await in_conversation()
    call.line.error = OSError("the PBX is gone")
    await call.says_and_waits("when")
    call.conversation.hung_up()
    with pytest.raises(OSError, match="the PBX is gone"):
        await call.end()
    call.assert_given_back()


async def test_an_engine_that_ignores_cancellation_does_not_hold_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("voice_loop.work._CANCEL_WAIT_S", 0.01)
    call = await in_conversation()
    call.mind.fault = stubborn = Stubborn()
    await call.says_and_waits("tuesday")
    call.conversation.hung_up()
    with pytest.raises(AssertionError):
        await call.end()
    assert call.is_over
    assert call.line.hang_ups == 1
    assert "1 tasks do not end" in caplog.text
    stubborn.release.set()
    await settle()
