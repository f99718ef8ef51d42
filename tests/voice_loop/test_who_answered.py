"""What the agent does about who answered: it listens out, waits, says who calls, walks, or goes."""

import asyncio
from typing import Any

import pytest

from pbx.testbed.music import tune
from tests.voice_loop.answering.sounds import cadence, frames, tone
from tests.voice_loop.scripted import OPENING, PhoneCall
from tests.voice_loop.test_voicemail import MESSAGE, PATIENT, beeps
from voice_loop.answering.watch import AnswerConfig
from voice_loop.config import ConversationConfig
from voice_loop.prompts import ANSWER_SCREENING, CALL_ANSWERED, MENU_AGAIN

LEAVE: dict[str, Any] = {"voicemail": "leave_message", "voicemail_message": MESSAGE}
INVITES = "sam is out so leave a message"
ANNOUNCES = "please leave a message after the tone"
MENU = "for sales press one for service press two"


async def answered(answers: dict[str, str] | None = None, **config: Any) -> PhoneCall:
    held = ConversationConfig("talk", **({"floor": PATIENT} | config))
    return await PhoneCall(answers or {}, config=held).answer()


def who(call: PhoneCall) -> str:
    return call.conversation.answerer.who


async def ends(call: PhoneCall, limit_ms: int = 60_000) -> str:
    """The reason of the end, while nothing more is said."""
    for _ in range(limit_ms // 20):
        if call.is_over:
            break
        await call.tick()
        if not any(call.voiced[-30:]):
            await asyncio.sleep(0.002)
    return await call.end()


# -- people ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ms", "after_ms"), [(300, 500), (800, 500), (1_600, 700)])
async def test_who_says_little_is_answered_as_soon_as_ever(ms: int, after_ms: int) -> None:
    call = await answered(**LEAVE)
    await call.quiet(300)
    await call.says("hello", ms)
    silent = call.ms
    await call.until(lambda: call.voiced[-1])
    assert call.ms - silent <= after_ms
    await call.quiet(500)
    assert who(call) == "human"


async def test_who_answers_at_length_is_answered_once_they_wait() -> None:
    call = await answered(**LEAVE)
    await call.says("good morning lopez dental this is ana", 3_200)
    silent = call.ms
    await call.until(lambda: call.voiced[-1])
    assert 700 <= call.ms - silent <= 1_200
    await call.hears_out()
    assert who(call) == "human"
    assert call.said[-1] == ("agent", OPENING)


async def test_who_asks_what_people_ask_is_answered_sooner() -> None:
    call = await answered(**LEAVE)
    await call.says("lopez dental how can i help you", 3_200)
    silent = call.ms
    await call.until(lambda: call.voiced[-1])
    assert call.ms - silent <= 700


async def test_a_secretary_who_offers_to_take_a_message_is_no_machine() -> None:
    call = await answered(**LEAVE)
    await call.says("hello", 500)
    await call.hears_out()
    await call.says("he is not here right now would you like to leave a message", 3_000)
    await call.hears_out()
    assert not call.is_over
    assert ("agent", "i see.") in call.said


async def test_who_has_no_time_is_no_announcement() -> None:
    call = await answered(**LEAVE)
    await call.hears_out()
    await call.says("could you try again later", 1_500)
    await call.hears_out()
    assert not call.is_over
    assert who(call) != "unavailable"


# -- a voicemail -------------------------------------------------------------------------------


async def test_a_message_is_left_without_a_beep_right_after_the_invitation() -> None:
    call = await answered(**LEAVE)
    await call.says("hi this is sam", 1_000)
    await call.quiet(300)
    await call.says(INVITES, 2_000)
    silent = call.ms
    await call.until(lambda: call.voiced[-1])
    assert call.ms - silent <= 300
    await call.hears_out()
    assert await ends(call) == "voicemail"
    assert call.said[-1] == ("agent", MESSAGE)
    assert ("agent", OPENING) not in call.said


async def leaves_its_message_after_a_beep(call: PhoneCall) -> None:
    await beeps(call)
    ended = call.ms - 80
    await call.until(lambda: call.voiced[-1])
    assert call.ms - ended <= 300
    assert await ends(call) == "voicemail"
    assert call.said[-1] == ("agent", MESSAGE)


async def test_a_tone_that_was_announced_is_waited_for() -> None:
    call = await answered(**LEAVE)
    await call.says(ANNOUNCES, 2_400)
    await call.quiet(2_500)
    assert not any(call.voiced)
    await leaves_its_message_after_a_beep(call)


async def test_a_tone_that_does_not_come_is_not_waited_for_for_ever() -> None:
    call = await answered(**LEAVE)
    await call.says(ANNOUNCES, 2_400)
    await call.until(lambda: call.voiced[-1], 3_500)
    assert await ends(call) == "voicemail"
    assert call.said[-1] == ("agent", MESSAGE)


async def test_a_greeting_that_goes_on_has_the_whole_message_after_it() -> None:
    call = await answered(**LEAVE)
    await call.says(INVITES, 2_000)
    await call.until(lambda: call.voiced[-1])
    await call.says("and have a great day", 1_200)
    assert not call.voiced[-1], "it has stopped"
    await call.quiet(300)
    await leaves_its_message_after_a_beep(call)


async def test_a_beep_over_the_message_begins_it_again() -> None:
    call = await answered(**LEAVE)
    await call.says(INVITES, 2_000)
    await beeps(call)
    await call.until(lambda: call.voiced[-1])
    await call.quiet(300)
    await beeps(call)
    began = call.ms
    assert await ends(call) == "voicemail"
    assert call.said[-1] == ("agent", MESSAGE)
    assert call.ms - began >= 40 * len(MESSAGE), "all of it comes after the second beep"


async def test_a_voice_after_the_beep_does_not_stop_the_message() -> None:
    call = await answered(**LEAVE)
    await call.says(INVITES, 2_000)
    await beeps(call)
    await call.until(lambda: call.voiced[-1])
    await call.says("are you still there", 600)
    assert await ends(call) == "voicemail"
    assert [words for speaker, words in call.said if speaker == "agent"] == [MESSAGE]


@pytest.mark.parametrize("words", ["the mailbox is full", "he can not accept any messages"])
async def test_a_mailbox_that_is_full_is_hung_up_on(words: str) -> None:
    call = await answered(**LEAVE)
    await call.says(words, 2_000)
    assert await ends(call) == "voicemail"
    assert not any(call.voiced)


async def test_a_greeting_in_words_that_nobody_understands_is_told_by_its_length() -> None:
    call = await answered(voicemail="hangup")
    call.ears.confidence["mumble"] = 0.1
    await call.says("mumble", 7_200)
    assert await ends(call) == "voicemail"
    assert not any(call.voiced)


async def test_somebody_picks_up_while_the_machine_greets() -> None:
    call = await answered(**LEAVE)
    await call.says(ANNOUNCES, 2_000)
    await call.quiet(700)
    await call.says("hello", 500)
    await call.hears_out()
    assert who(call) == "human"
    assert call.said[-1] == ("agent", OPENING)
    assert not call.conversation.took_voicemail


async def test_the_model_is_asked_where_the_words_are_nobodys() -> None:
    strange = "ahoy there the captain is at sea and none of the crew is aboard"
    asks = AnswerConfig(ask_model=True)
    call = await answered({strange: '{"who": "voicemail"}'}, answering=asks, **LEAVE)
    await call.says(strange, 3_000)
    await call.quiet(300)
    assert who(call) == "voicemail"
    assert call.conversation.answerer.evidence == ("language model",)
    assert await ends(call) == "voicemail"
    assert call.said[-1] == ("agent", MESSAGE)


@pytest.mark.parametrize("told", ['{"who": "nobody"}', "ahoy", '{"who": "human"}'])
async def test_what_the_model_does_not_tell_is_decided_without_it(told: str) -> None:
    strange = "ahoy there this is the captain of the ship"
    asks = AnswerConfig(ask_model=True)
    call = await answered({strange: told}, answering=asks, **LEAVE)
    await call.says(strange, 3_000)
    await call.hears_out()
    assert call.said[-1] == ("agent", OPENING)


async def test_the_model_is_not_asked_unless_the_agent_says_so() -> None:
    call = await answered(**LEAVE)
    await call.says("ahoy there this is the captain of the ship", 3_000)
    await call.quiet(1_200)
    assert not any(schema and "who" in schema["properties"] for schema in call.mind.schemas)


async def test_music_is_waited_through() -> None:
    call = await answered(**LEAVE, opening_delay_ms=9_000)
    for heard in frames(tune()[: 8000 * 10] // 7):
        await call.tick(heard)
    assert who(call) == "hold_queue"
    assert not any(call.voiced)
    await call.says("hello", 500)
    await call.hears_out()
    assert call.said[-1] == ("agent", OPENING)


# -- nobody ------------------------------------------------------------------------------------


async def test_an_announcement_is_hung_up_on_once_it_is_over() -> None:
    call = await answered(**LEAVE)
    await call.says("the number you have dialed is not in service", 3_000)
    assert await ends(call) == "unavailable"
    assert not any(call.voiced)


async def test_a_busy_tone_after_the_answer_is_hung_up_on() -> None:
    call = await answered(**LEAVE, opening_delay_ms=5_000)
    for heard in frames(cadence((425,), (0.5, 0.5), 5)):
        await call.tick(heard // 6)
    assert who(call) == "unavailable"
    heard_ms = call.ms
    assert await ends(call) == "unavailable"
    assert call.ms - heard_ms < 3_000


async def test_nobody_hears_a_busy_tone_to_its_end() -> None:
    call = await answered(**LEAVE, opening_delay_ms=5_000)
    for heard in frames(cadence((425,), (0.5, 0.5), 30)):
        if not call.is_over:
            await call.tick(heard // 6)
    assert call.is_over
    assert await call.end() == "unavailable"
    assert call.ms < 25_000


async def test_a_fax_machine_is_hung_up_on() -> None:
    call = await answered(**LEAVE, opening_delay_ms=3_000)
    for heard in frames(tone((2100,), 1_500, dbfs=-35)):
        await call.tick(heard)
    assert await ends(call) == "unavailable"
    assert who(call) == "fax"


async def test_while_it_rings_on_after_the_answer_the_agent_waits() -> None:
    call = await answered(**LEAVE, opening_delay_ms=3_000)
    for heard in frames(cadence((440, 480), (2, 4), 3)):
        await call.tick(heard // 12)
    assert who(call) == "ringing"
    assert not any(call.voiced)
    await call.says("hello", 500)
    await call.hears_out()
    assert call.said[-1] == ("agent", OPENING)


# -- a screener --------------------------------------------------------------------------------


async def test_a_screener_is_told_who_calls_and_the_person_is_waited_for() -> None:
    call = await answered(screening_message="ana of lopez dental about tuesday.", **LEAVE)
    await call.says("please state your name and why you are calling", 3_000)
    silent = call.ms
    await call.until(lambda: call.voiced[-1])
    assert call.ms - silent <= 600
    await call.hears_out()
    await call.quiet(400)
    await call.says("thank you please stay on the line", 1_600)
    await call.quiet(9_000)
    assert call.said[-1] == ("person", "thank you please stay on the line")
    await call.says("hello", 500)
    await call.hears_out()
    assert [words for speaker, words in call.said if speaker == "agent"] == [
        "ana of lopez dental about tuesday.",
        OPENING,
    ]
    assert who(call) == "human"


async def test_without_such_a_text_the_model_says_it() -> None:
    asks = "please state your name and why you are calling"
    told = f"{CALL_ANSWERED} {asks} {ANSWER_SCREENING}"
    call = await answered({told: "ana of lopez dental."}, **LEAVE)
    await call.says(asks, 3_000)
    await call.hears_out()
    assert call.said[-1] == ("agent", "ana of lopez dental.")
    assert not call.is_over


async def test_a_person_who_never_comes_is_not_waited_for_for_ever() -> None:
    call = await answered(
        screening_message="ana of lopez dental.",
        answering=AnswerConfig(screening_ms=4_000),
        **LEAVE,
    )
    await call.says("please state your name and why you are calling", 3_000)
    assert await ends(call) == "silence"
    assert who(call) == "screening"


# -- a queue -----------------------------------------------------------------------------------


async def test_on_hold_the_agent_waits_silently_and_wakes_on_a_voice() -> None:
    call = await answered(**LEAVE)
    for _ in range(3):
        await call.says("all our agents are busy please stay on the line", 3_000)
        await call.quiet(4_000)
    assert who(call) == "hold_queue"
    assert not any(call.voiced)
    await call.says("hello this is tom", 1_200)
    await call.hears_out()
    assert call.said[-1] == ("agent", OPENING)
    assert who(call) == "human"


async def test_a_queue_is_left_after_the_longest_hold() -> None:
    call = await answered(max_hold_ms=8_000, **LEAVE)
    await call.says("all our agents are busy please stay on the line", 3_000)
    assert await ends(call) == "silence"
    assert not any(call.voiced)


# -- a menu ------------------------------------------------------------------------------------


async def test_a_menu_is_answered_by_the_model_and_the_person_behind_it_is_greeted() -> None:
    call = await answered({MENU: "sales.", f"{CALL_ANSWERED} {MENU}": "sales."}, **LEAVE)
    await call.says(MENU, 3_000)
    await call.hears_out()
    assert who(call) == "menu"
    assert call.said == [("person", MENU), ("agent", "sales.")]
    await call.says("hello this is tom", 1_000)
    await call.hears_out()
    assert call.said[-1] == ("agent", OPENING)
    await call.says("yes that works for me", 900)
    await call.hears_out()
    assert who(call) == "human"
    assert call.conversation.with_human, "one exchange is enough"


async def test_a_menu_that_comes_again_is_a_dead_end_at_last() -> None:
    call = await answered(**LEAVE)
    for _ in range(3):
        await call.says(MENU, 3_000)
        await call.hears_out()
    assert call.last_history[-1][1].endswith(f"{MENU} {MENU_AGAIN}")
    await call.says(MENU, 3_000)
    assert await ends(call) == "ivr_no_navigate"


async def test_a_menu_that_falls_silent_is_a_dead_end() -> None:
    call = await answered(**{**LEAVE, "floor": ConversationConfig("talk").floor})
    await call.says(MENU, 3_000)
    await call.hears_out()
    assert await ends(call) == "ivr_no_navigate"
    assert not any("still there" in words for _, words in call.said)
