"""How a conversation begins and ends where its configuration says so, and how the agent sounds."""

import pytest

from tests.voice_loop.scripted import OPENING, PhoneCall
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.phrases import phrases
from voice_loop.prompts import CALL_ANSWERED, END_CALL, opening_text

PHRASES = phrases("en")
PATIENT = FloorConfig(silence_ms=60_000)
GREETING = "good day, this is ada. how can i help?"
END_SENTENCE = "thank you for your time."


async def answered(answers: dict[str, str] | None = None, **config: object) -> PhoneCall:
    held = ConversationConfig("talk", **({"floor": PATIENT} | config))  # type: ignore[arg-type]
    return await PhoneCall(answers or {}, config=held).answer()


# The first sentence -----------------------------------------------------------------------


@pytest.mark.rows("RV-42", "RV-43", "RV-49")
async def test_a_generated_opening_follows_the_instruction_which_is_not_kept() -> None:
    asked = f"{CALL_ANSWERED} {opening_text('greet them as ada')}"
    call = await answered({asked: GREETING}, first_sentence="greet them as ada")
    await call.hears_out()
    assert call.said == [("agent", GREETING)]
    await call.says_and_waits("who is it")
    assert call.last_history == [
        ("user", CALL_ANSWERED),
        ("assistant", GREETING),
        ("user", "who is it"),
    ]


@pytest.mark.rows("RV-50", "OI-27")
async def test_a_static_opening_is_said_word_for_word_and_is_known_to_the_model() -> None:
    call = await answered(first_sentence=GREETING, first_sentence_mode="static")
    assert " ".join(call.mouth.said).count(GREETING) == 1, "it was made while it rang"
    await call.hears_out()
    assert call.said == [("agent", GREETING)]
    await call.says_and_waits("who is it")
    assert call.last_history == [
        ("user", CALL_ANSWERED),
        ("assistant", GREETING),
        ("user", "who is it"),
    ]


async def test_a_static_opening_needs_no_language_model() -> None:
    held = ConversationConfig(
        "talk", floor=PATIENT, first_sentence=GREETING, first_sentence_mode="static"
    )
    call = PhoneCall(config=held)
    call.mind.fault.error = "broken"
    await call.answer()
    await call.hears_out()
    assert call.said == [("agent", GREETING)]


async def test_without_a_sentence_a_static_opening_is_a_generated_one() -> None:
    call = await answered(first_sentence_mode="static")
    await call.hears_out()
    assert call.said == [("agent", OPENING)]


@pytest.mark.rows("RV-48", "RV-51")
async def test_the_agent_may_wait_for_the_person_to_speak() -> None:
    call = await answered(
        {f"{CALL_ANSWERED} hello": "hi there."}, first_sentence=GREETING, first_sentence_mode="none"
    )
    await call.quiet(5_000)
    assert not any(call.voiced)
    await call.says("hello")
    await call.hears_out()
    assert call.said == [("person", "hello"), ("agent", "hi there.")]


@pytest.mark.rows("RV-51")
async def test_an_agent_that_waits_for_nobody_asks_whether_they_are_there() -> None:
    call = await answered(first_sentence_mode="none", floor=FloorConfig())
    await call.quiet(7_500)
    assert not any(call.voiced)
    await call.hears_out()
    assert call.said == [("agent", PHRASES.are_you_there)]


@pytest.mark.parametrize("mode", ["static", "none"])
async def test_a_model_that_does_not_open_the_call_has_read_its_instructions_all_the_same(
    mode: str,
) -> None:
    call = await answered(first_sentence=GREETING, first_sentence_mode=mode)
    assert [message["role"] for message in call.mind.asked[0]] == ["system", "user"]


@pytest.mark.rows("RV-44")
@pytest.mark.parametrize("delay_ms", [0, 400, 20_000])
@pytest.mark.parametrize("mode", ["generated", "static"])
async def test_the_opening_keeps_its_delay(delay_ms: int, mode: str) -> None:
    call = await answered(
        first_sentence=GREETING,
        first_sentence_mode=mode,
        opening_delay_ms=delay_ms,
        floor=FloorConfig(),
    )
    await call.until(lambda: call.voiced[-1], delay_ms + 200)
    assert delay_ms < call.ms <= delay_ms + 60
    assert not call.said, "nobody is asked whether they are there before"


# The last one -----------------------------------------------------------------------------


@pytest.mark.rows("RV-37")
@pytest.mark.parametrize("words", ["you are booked.", ""])
async def test_the_end_sentence_is_said_when_the_agent_ends_the_call(words: str) -> None:
    call = await answered({"tuesday": f"{words} {END_CALL}"}, end_sentence=END_SENTENCE)
    await call.hears_out()
    await call.says("tuesday")
    await call.hears_out()
    assert await call.end() == "agent_hangup"
    assert call.said[-1] == ("agent", f"{words} {END_SENTENCE}".strip())


async def test_an_objection_to_the_end_sentence_is_answered() -> None:
    call = await answered({"tuesday": END_CALL}, end_sentence=END_SENTENCE)
    await call.hears_out()
    await call.says("tuesday")
    await call.until(lambda: call.voiced[-1])
    await call.says("wait one question")
    await call.hears_out()
    assert not call.is_over
    assert call.said[-1] == ("agent", "i see.")


async def test_the_end_sentence_is_not_said_when_others_end_the_call() -> None:
    call = await answered(end_sentence=END_SENTENCE, floor=FloorConfig())
    await call.hears_out()
    await call.quiet(8_100)
    await call.hears_out()
    await call.quiet(7_500)
    await call.hears_out()
    assert await call.end() == "silence"
    assert END_SENTENCE not in call.mouth.said


# How it thinks and sounds -----------------------------------------------------------------


@pytest.mark.rows("OI-17")
async def test_the_temperature_is_that_of_the_configuration() -> None:
    call = await answered(temperature=0.7)
    await call.hears_out()
    await call.says_and_waits("hello there")
    assert call.mind.temperatures == {0.7}


@pytest.mark.rows("OI-25")
async def test_every_word_is_spoken_at_the_configured_speed() -> None:
    call = await answered(speed=1.3, floor=FloorConfig())
    await call.hears_out()
    await call.quiet(9_000)
    assert call.mouth.speeds == {1.3}
