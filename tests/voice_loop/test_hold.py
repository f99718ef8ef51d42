"""On hold the agent waits: it neither hears the music nor talks to it, and then goes on."""

from tests.voice_loop.scripted import OPENING, PhoneCall
from voice_loop.config import ConversationConfig
from voice_loop.phrases import phrases

PHRASES = phrases("en")
QUESTION = "what day suits you?"
ANSWERS = {"i want a visit": QUESTION, "tuesday": "see you on tuesday."}


async def held(**config: object) -> PhoneCall:
    """A call whose agent has asked for a day and is on hold now."""
    call = PhoneCall(ANSWERS, ConversationConfig("book a visit", **config))  # type: ignore[arg-type]
    await call.answer()
    await call.hears_out()
    await call.says("i want a visit")
    await call.hears_out()
    call.conversation.hold(True)
    return call


async def test_the_music_is_neither_heard_nor_answered_nor_is_its_end() -> None:
    call = await held()
    turns = list(call.turns)
    await call.says("tuesday", ms=20_000)
    await call.quiet(40_000)
    assert call.turns == turns
    assert not any(call.voiced[-3000:])
    assert not call.is_over


async def test_the_conversation_goes_on_after_it() -> None:
    call = await held()
    await call.says("music", ms=10_000)
    call.conversation.hold(False)
    await call.quiet(300)
    await call.says("tuesday")
    await call.hears_out()
    assert call.said[-2:] == [("person", "tuesday"), ("agent", "see you on tuesday.")]


async def test_who_says_nothing_after_it_is_asked_whether_they_are_there() -> None:
    call = await held()
    await call.quiet(30_000)
    call.conversation.hold(False)
    await call.quiet(7_000)
    assert call.said[-1] == ("agent", QUESTION)
    await call.hears_out()
    assert call.said[-1] == ("agent", PHRASES.are_you_there)


async def test_silence_before_it_does_not_count_after_it() -> None:
    call = PhoneCall(ANSWERS)
    await call.answer()
    await call.hears_out()
    await call.quiet(7_000)
    await call.hears_out()
    assert call.said == [("agent", OPENING), ("agent", PHRASES.are_you_there)]
    call.conversation.hold(True)
    await call.quiet(2_000)
    call.conversation.hold(False)
    await call.quiet(7_000)
    await call.hears_out()
    assert call.said[-1] == ("agent", PHRASES.are_you_there)
    assert not call.is_over


async def test_what_was_being_said_is_said_to_its_end_after_it() -> None:
    call = PhoneCall(ANSWERS)
    await call.answer()
    await call.until(lambda: call.voiced[-1])
    call.conversation.hold(True)
    await call.quiet(5_000)
    assert not any(call.voiced[-200:])
    call.conversation.hold(False)
    await call.hears_out()
    assert call.said == [("agent", OPENING)]


async def test_a_hold_has_an_end() -> None:
    call = await held(max_hold_ms=60_000)
    await call.quiet(59_900)
    assert not call.is_over
    await call.quiet(200)
    assert await call.end() == "silence"


async def test_holds_do_not_add_up() -> None:
    call = await held(max_hold_ms=60_000)
    await call.quiet(50_000)
    call.conversation.hold(False)
    call.conversation.hold(True)
    await call.quiet(50_000)
    assert not call.is_over


async def test_the_longest_conversation_counts_holds() -> None:
    call = await held(max_duration_ms=30_000)
    await call.quiet(31_000)
    assert await call.end() == "max_duration"
