"""What is said before everything else, to its end, and what the person says meanwhile."""

from dataclasses import replace

import pytest

from tests.voice_loop.scripted import OPENING, Fault, PhoneCall, end_all
from voice_loop.config import ConversationConfig

ANNOUNCEMENT = "this call is recorded."
CONFIG = ConversationConfig("book a visit", announcement=ANNOUNCEMENT)


@pytest.fixture(autouse=True)
async def ended() -> object:
    yield
    await end_all()


class Announcing(PhoneCall):
    """A call that begins with an announcement."""

    def connect(self) -> None:
        super().connect()
        self.announced_ms: list[int] = []
        self.conversation._on_announced = lambda: self.announced_ms.append(self.ms)

    @property
    def voiced_ms(self) -> int:
        """Of the agent's voice so far."""
        return 20 * sum(self.voiced)


def call(**config: object) -> Announcing:
    return Announcing({}, replace(CONFIG, **config))  # type: ignore[arg-type]


#: How long the scripted voice takes for it.
LASTS_MS = 40 * len(ANNOUNCEMENT)


async def test_it_is_said_before_the_opening() -> None:
    phone = await call().answer()
    await phone.until(lambda: bool(phone.announced_ms))
    assert phone.voiced_ms == pytest.approx(LASTS_MS, abs=40)
    await phone.hears_out()
    assert phone.said == [("agent", ANNOUNCEMENT), ("agent", OPENING)]
    assert len(phone.announced_ms) == 1
    phone.conversation.stop()
    assert await phone.end() == "operator_hangup"


async def test_who_says_hello_first_hears_it_first() -> None:
    phone = await call().answer()
    await phone.says("hello?")
    await phone.hears_out()
    assert phone.said == [("person", "hello?"), ("agent", ANNOUNCEMENT), ("agent", OPENING)]


@pytest.mark.parametrize("begins_ms", [620, 900, 1300])
async def test_nobody_interrupts_it_and_what_they_say_is_noted(begins_ms: int) -> None:
    phone = await call().answer()
    await phone.quiet(begins_ms)
    await phone.says("do not record me", 400)
    await phone.until(lambda: bool(phone.announced_ms), 4000)
    assert phone.voiced_ms >= LASTS_MS - 40
    sent = [bool(voiced) for voiced in phone.voiced]
    first = sent.index(True)
    assert all(sent[first : first + LASTS_MS // 20 - 2])
    await phone.quiet(2500)
    assert ("person", "do not record me") in phone.said
    assert ("agent", ANNOUNCEMENT) in phone.said
    assert ("agent", OPENING) in phone.said


async def test_keys_do_not_interrupt_it() -> None:
    phone = await call().answer()
    await phone.quiet(700)
    phone.conversation.press("9", 0.0)
    phone.conversation.press("#", 0.0)
    await phone.until(lambda: bool(phone.announced_ms), 4000)
    assert phone.voiced_ms == pytest.approx(LASTS_MS, abs=40)
    assert ("person", "9#") in phone.said
    await phone.hears_out()
    assert phone.said[-1] == ("agent", OPENING)


async def test_a_person_who_is_to_speak_first_hears_it_first() -> None:
    phone = await call(first_sentence_mode="none").answer()
    await phone.until(lambda: bool(phone.announced_ms), 4000)
    await phone.says_and_waits("i would like a visit.")
    await phone.quiet(500)
    assert phone.said == [
        ("agent", ANNOUNCEMENT),
        ("person", "i would like a visit."),
        ("agent", "i see."),
    ]


async def test_a_hang_up_within_it_is_no_announcement() -> None:
    phone = await call().answer()
    await phone.quiet(1000)
    phone.conversation.hung_up()
    assert await phone.end() == "person_hangup"
    assert phone.announced_ms == []


async def test_a_voice_that_fails_ends_the_call() -> None:
    phone = call()
    phone.mouth.only_at, phone.mouth.fault = ANNOUNCEMENT, Fault(error="the voice is broken")
    await phone.answer()
    await phone.hears_out()
    assert await phone.end() == "engine_error"
    assert phone.announced_ms == []
    assert OPENING not in [text for _, text in phone.said]


async def test_it_is_waited_for_where_the_voice_is_slow() -> None:
    phone = call()
    phone.mouth.fault = Fault()
    await phone.answer(prepared=False)
    await phone.quiet(1000)
    await phone.says("hello?")
    await phone.quiet(600)
    assert phone.voiced_ms == 0
    await phone.conversation.prepare()
    await phone.until(lambda: bool(phone.announced_ms), 4000)
    await phone.hears_out()
    assert phone.said == [("person", "hello?"), ("agent", ANNOUNCEMENT), ("agent", OPENING)]


async def test_at_the_limit_of_the_call_it_is_given_up() -> None:
    phone = await call(max_duration_ms=1200, time_up_message="").answer()
    await phone.quiet(1300)
    assert await phone.end() == "max_duration"
    assert phone.announced_ms == []


async def test_what_is_said_into_it_is_noted_where_nobody_may_interrupt_the_agent() -> None:
    phone = await call(interruptible=False).answer()
    await phone.quiet(700)
    await phone.says("do not record me", 400)
    await phone.until(lambda: bool(phone.announced_ms), 4000)
    await phone.quiet(3000)
    assert ("person", "do not record me") in phone.said
