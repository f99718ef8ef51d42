"""An answering machine greets and beeps: the agent hangs up, or leaves a message."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.voice_loop.scripted import OPENING, RATE, PhoneCall, settle
from voice_loop.audio import Samples, frame_samples, silence
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.phrases import phrases
from voice_loop.ports import Transcript
from voice_loop.prompts import CALL_ANSWERED, END_CALL, LEAVE_MESSAGE

PATIENT = FloorConfig(silence_ms=60_000)
GREETING = "you have reached the smiths leave a message"
#: What no machine says in particular.
WORDS = "we are all down at the beach today"
MESSAGE = "please call the clinic."
BEEP_MS = 240


async def answered(answers: dict[str, str] | None = None, **config: Any) -> PhoneCall:
    held = ConversationConfig("talk", **({"floor": PATIENT} | config))
    return await PhoneCall(answers or {}, config=held).answer()


def beep(ms: int = BEEP_MS, hz: float = 1000) -> Sequence[Samples]:
    """Frames of a beep that is too soft for the scripted detector of speech, and 80 ms after it."""
    times = np.arange(RATE * ms // 1000) / RATE
    sound = (900 * np.sin(2 * np.pi * hz * times)).astype(np.int16)
    return [*sound.reshape(-1, frame_samples(RATE)), *[silence(RATE)] * 4]


async def beeps(call: PhoneCall, ms: int = BEEP_MS) -> None:
    for heard in beep(ms):
        await call.tick(heard)


async def greets_and_beeps(call: PhoneCall, ms: int = 2500) -> None:
    await call.quiet(200)
    await call.says(GREETING, ms)
    await beeps(call)


@pytest.mark.rows("CB-40", "CB-56", "RV-92", "RV-503")
async def test_at_the_tone_the_agent_hangs_up() -> None:
    call = await answered()
    await greets_and_beeps(call)
    assert call.is_over
    assert await call.end() == "voicemail"
    assert call.conversation.took_voicemail
    assert not any(call.voiced), "nothing was said to it"
    assert call.said == [("person", GREETING)]


@pytest.mark.rows("CB-41", "RV-91", "RV-92")
async def test_a_message_is_left_after_the_tone_and_before_hanging_up() -> None:
    call = await answered(voicemail="leave_message", voicemail_message=MESSAGE)
    made = list(call.mouth.said)
    await greets_and_beeps(call)
    assert not any(call.voiced[:-1])
    await call.hears_out()
    assert await call.end() == "voicemail"
    assert call.said == [("person", GREETING), ("agent", MESSAGE)]
    assert MESSAGE in made, "it was rendered before it was needed"
    assert call.mouth.said.count(MESSAGE) == 1


@pytest.mark.rows("CB-41")
@pytest.mark.parametrize("mode", ["generated", "static"])
@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("this is the clinic. call us back. goodbye.",) * 2,
        (f"call us back. goodbye. {END_CALL}", "call us back. goodbye."),
        ("", phrases("en").voicemail),
        (OPENING, phrases("en").voicemail),
        ("hello. is anybody there?", phrases("en").voicemail),
        ('{"quote": "null", "outcome": "interested"}', phrases("en").voicemail),
    ],
)
async def test_without_a_message_the_model_writes_one_and_never_opens_the_call(
    mode: str, written: str, left: str
) -> None:
    asked = f"{CALL_ANSWERED} {LEAVE_MESSAGE}"
    call = await answered(
        {asked: written},
        voicemail="leave_message",
        first_sentence=OPENING,
        first_sentence_mode=mode,
    )
    await greets_and_beeps(call)
    await call.hears_out()
    assert await call.end() == "voicemail"
    assert call.said[-1] == ("agent", left)
    assert ("agent", OPENING) not in call.said


async def test_whose_calls_the_person_opens_has_a_message_too() -> None:
    call = await answered(
        {f"{CALL_ANSWERED} {LEAVE_MESSAGE}": MESSAGE},
        voicemail="leave_message",
        first_sentence_mode="none",
    )
    await greets_and_beeps(call)
    await call.hears_out()
    assert await call.end() == "voicemail"
    assert call.said == [("person", GREETING), ("agent", MESSAGE)]


async def test_nothing_interrupts_the_message() -> None:
    """Machines go on: a second beep, a voice that says that one may press a key."""
    call = await answered(voicemail="leave_message", voicemail_message=MESSAGE)
    await greets_and_beeps(call)
    await call.until(lambda: call.voiced[-1])
    await beeps(call)
    call.conversation.press("1", 0.0)
    await call.says("are you still there", 800)
    assert not call.is_over
    await call.until(lambda: not any(call.voiced[-5:]))
    await asyncio.sleep(0.4)
    assert await call.end() == "voicemail"
    assert ("agent", MESSAGE) in call.said


async def test_a_machine_that_hangs_up_on_the_message_was_one_all_the_same() -> None:
    call = await answered(voicemail="leave_message", voicemail_message=MESSAGE)
    await greets_and_beeps(call)
    await call.until(lambda: call.voiced[-1])
    await call.quiet(200)
    call.conversation.hung_up()
    assert await call.end() == "person_hangup"
    assert call.conversation.took_voicemail
    assert call.said[-1][1].endswith("…")


async def test_a_voice_that_fails_leaves_no_message_and_no_open_line() -> None:
    held = ConversationConfig(
        "talk", floor=PATIENT, voicemail="leave_message", voicemail_message=MESSAGE
    )
    call = PhoneCall(config=held)
    call.mouth.fault.error, call.mouth.only_at = "broken", MESSAGE
    await call.answer()
    await greets_and_beeps(call)
    await asyncio.sleep(0.5)
    assert await call.end() == "voicemail"
    assert not any(call.voiced)


async def test_what_the_agent_says_into_the_greeting_ends_at_the_tone() -> None:
    """A greeting with a pause is answered; its end and the tone show what it is."""
    call = await answered()
    await call.says("this is the smiths", 1000)
    await call.quiet(600)
    await call.until(lambda: call.voiced[-1])
    await call.says("leave a message", 1200)
    await call.quiet(200)
    await beeps(call)
    assert call.is_over
    assert await call.end() == "voicemail"


async def test_a_greeting_after_the_opening_is_still_a_greeting() -> None:
    call = await answered()
    await call.hears_out()
    await greets_and_beeps(call)
    assert await call.end() == "voicemail"


# -- what is no machine -----------------------------------------------------------------------


async def goes_on(call: PhoneCall) -> None:
    """The agent talks, and nobody is taken for a machine."""
    assert not call.is_over
    assert not call.conversation.took_voicemail
    call.mind.answers["bye"] = f"goodbye. {END_CALL}"
    await call.quiet(3_000)
    await call.says("bye")
    await call.hears_out()
    assert await call.end() == "agent_hangup"


async def test_a_beep_in_a_conversation_is_none_of_a_machine() -> None:
    """Who listens to the agent and answers, twice, is a person; their oven may beep."""
    call = await answered()
    for words in ("hello yes it is me", "tuesday would be fine"):
        await call.hears_out()
        await call.says(words, 1200)
    await call.hears_out()
    await beeps(call)
    await goes_on(call)


@pytest.mark.parametrize("ms", [0, 600, 1200])
async def test_who_says_little_before_a_beep_is_none(ms: int) -> None:
    call = await answered()
    await call.says("hello", ms)
    await beeps(call)
    await goes_on(call)


@pytest.mark.parametrize("wait_ms", [5_000, 59_000])
async def test_a_beep_long_after_the_words_is_none(wait_ms: int) -> None:
    call = await answered(floor=FloorConfig(silence_ms=120_000))
    await call.says(WORDS, 2500)
    await call.quiet(wait_ms)
    await beeps(call)
    await goes_on(call)


async def test_long_after_the_answer_nobody_listens_for_a_machine() -> None:
    call = await answered(floor=FloorConfig(silence_ms=120_000))
    await call.quiet(87_000)
    await call.says(WORDS, 2500)
    await beeps(call, ms=600)
    await goes_on(call)


async def test_a_pressed_key_that_is_heard_is_no_tone() -> None:
    call = await answered()
    await call.says(WORDS, 2500)
    await call.quiet(100)
    call.conversation.press("1", 0.0)
    await beeps(call, ms=240)
    await settle()
    assert not call.conversation.took_voicemail
    await goes_on(call)


async def test_where_voicemail_is_not_looked_for_a_tone_is_nothing() -> None:
    call = await answered(voicemail="ignore")
    await greets_and_beeps(call)
    await goes_on(call)


# -- who is a human ---------------------------------------------------------------------------


async def heard(*said: str, **config: Any) -> PhoneCall:
    """A call in which the agent is heard out before each of these."""
    call = await answered(**config)
    for words in said:
        await call.hears_out()
        await call.says(words, 800)
    await call.quiet(600)
    return call


async def hung_up(call: PhoneCall) -> bool:
    """Whether the one who hangs up now was a human."""
    call.conversation.hung_up()
    await call.end()
    return call.conversation.with_human


@pytest.mark.rows("RV-491")
@pytest.mark.parametrize(
    "answer",
    [
        "yes speaking",
        "no thank you",
        "who is this",
        "you have reached the right person",
        "monday is not available",
        "i will call you back",
        "can you take a note of my number please",
        "the person in charge is at lunch",
        "sí, soy yo",
        "no puedo el lunes",
    ],
)
async def test_who_answers_the_agent_is_a_human(answer: str) -> None:
    assert await hung_up(await heard(answer))


async def test_the_last_words_before_the_hang_up_are_an_answer() -> None:
    call = await answered()
    await call.hears_out()
    await call.says("no thanks", 600)
    assert await hung_up(call)


async def test_a_key_after_the_agents_words_is_a_humans() -> None:
    call = await answered()
    await call.hears_out()
    call.conversation.press("1", 0.0)
    await call.quiet(2_000)
    assert await hung_up(call)


async def test_who_only_says_hello_is_not_known() -> None:
    call = await answered()
    await call.says("hello", 600)
    await call.hears_out()
    assert not await hung_up(call)


@pytest.mark.rows("RV-490", "RV-492")
@pytest.mark.parametrize(
    "words",
    [
        "please leave a message after the tone",
        "hi this is bob leave me your name and number",
        "the person you are trying to reach is not available",
        "i can't come to the phone right now",
        "hi you've reached sam i'm away so leave your details and i'll call you back",
        "we are unable to take your call",
        "at the sound of the beep after the beep please",
        "the number you have dialed is not in service",
        "your call cannot be completed as dialed",
        "this call may be recorded",
        "all our agents are busy",
        "please stay on the line",
        "our office is closed",
        "please state your name",
        "dial zero for the operator",
        "no puedo atender tu llamada deja un mensaje",
        "el teléfono está apagado o fuera de cobertura",
        "esta llamada puede ser grabada",
        "der teilnehmer ist zurzeit nicht erreichbar",
        "your call has been forwarded to voicemail",
        "the mailbox is full goodbye",
        "for sales press one",
        "please record your name and reason for calling",
        "deje su mensaje después de la señal",
        "el buzón de voz está lleno",
        "para ventas pulse uno",
        "bitte hinterlassen sie eine nachricht",
        "merci de laisser, laissez un message après le bip",
    ],
)
async def test_what_machines_say_is_no_humans_answer(words: str) -> None:
    """Nobody acts on it where nobody asks who answered; elsewhere the call would be over."""
    ignored = {"voicemail": "ignore"}
    assert not await hung_up(await heard(words, **ignored))
    parts = (words, "and thank you", words)
    assert not await hung_up(await heard(*parts, **ignored)), "nor in several parts"
    assert await hung_up(await heard(words, "hello", "yes it is me", **ignored)), "it was picked up"


async def test_a_greeting_that_says_what_it_is_before_the_agent_speaks() -> None:
    call = await answered(voicemail="ignore")
    await call.says("you have reached bob please leave a message", 1400)
    await call.hears_out()
    await call.says("thank you", 600)
    await call.quiet(600)
    assert not await hung_up(call)


async def test_noise_that_is_taken_for_words_is_no_answer() -> None:
    call = await answered()
    call.ears.confidence["you"] = 0.2
    await call.hears_out()
    await call.says("you", 200)
    await call.quiet(600)
    assert not await hung_up(call)


async def test_a_beep_that_is_taken_for_words_is_no_answer() -> None:
    """A detector may take a loud one for speech, and a recogniser for a word."""
    call = await answered()
    await call.hears_out()
    times = np.arange(RATE * 400 // 1000) / RATE
    sound = (6000 * np.sin(2 * np.pi * 1000 * times)).astype(np.int16)
    call.ears.transcribe = _boop  # type: ignore[method-assign]
    for part in sound.reshape(-1, frame_samples(RATE)):
        await call.tick(part)
    await call.quiet(900)
    assert ("person", "boop.") in call.said
    assert not await hung_up(call)


async def _boop(speech: Samples, rate: int, language: str) -> Transcript:
    return Transcript("boop.", 0.9)
