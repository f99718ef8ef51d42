"""What every `Switch` does with inbound calls: the carrier rings the PBX, we answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pbx.incoming import IncomingCall
from pbx.media import MediaServer
from pbx.switch import Answered, Digit, Ended
from tests.pbx.calls import (
    PATIENCE_S,
    Ear,
    cause,
    dial,
    every_kind,
    heard,
    kinds,
    until,
    until_over,
)
from tests.pbx.kinds import OUR_NUMBER, Pbx, Reception

pytestmark = every_kind


@pytest_asyncio.fixture(loop_scope="session")
async def reception(pbx: Pbx, media: MediaServer) -> AsyncIterator[Reception]:
    one = Reception(pbx, media)
    await one.switch.start()
    yield one
    await one.switch.close()


async def test_an_inbound_call_is_answered_and_heard(pbx: Pbx, reception: Reception) -> None:
    pbx.ring()
    call = await reception.next_call()
    ear = Ear(call.attempt.rate, tone_hz=620)
    call.attempt.attach(ear)
    await until(call.attempt, Answered)

    await heard(ear)
    await call.attempt.hang_up()

    end = cause(await until_over(call.attempt))
    assert (call.number, call.caller_number, call.caller_name) == (OUR_NUMBER, "+15550888", "Ann")
    assert (end.state, end.name) == ("completed", "normal_clearing")
    assert end.sip_call_id
    assert ear.pitch() == pytest.approx(620, abs=3)
    await pbx.until_calls(0)


async def test_the_pbx_itself_ends_a_call_that_nobody_ends(pbx: Pbx, media: MediaServer) -> None:
    async def take(call: IncomingCall) -> None:
        await call.attempt.limit(3)
        taken.put_nowait(call)

    taken: asyncio.Queue[IncomingCall] = asyncio.Queue()
    switch = pbx.make(media, take, link_grace_s=0.3)
    await switch.start()
    pbx.ring("Wait", "60")
    async with asyncio.timeout(PATIENCE_S):
        call = await taken.get()
    await until(call.attempt, Answered)
    await pbx.settled(call.attempt)
    await pbx.cable.cut()

    await pbx.until_calls(0)

    await until_over(call.attempt)
    await switch.close()


async def test_the_caller_hangs_up(pbx: Pbx, reception: Reception) -> None:
    pbx.ring("Wait", "1")
    call = await reception.next_call()

    events = await until_over(call.attempt)

    assert kinds(events) == [Answered, Ended]
    assert cause(events).state == "completed"
    await pbx.until_calls(0)


async def test_keys_of_the_caller_are_heard_once(pbx: Pbx, reception: Reception) -> None:
    pbx.ring("SendDTMF", "w7*0,250,120")
    call = await reception.next_call()

    events = await until_over(call.attempt)

    assert "".join(event.digit for event in events if isinstance(event, Digit)) == "7*0"


async def test_keys_pressed_here_arrive_at_the_caller(pbx: Pbx, reception: Reception) -> None:
    pbx.ring("Read", "KEYS,,3,,1,10")
    call = await reception.next_call()
    await until(call.attempt, Answered)

    await call.attempt.send_digits("5#")

    assert cause(await until_over(call.attempt)).state == "completed"


async def test_two_calls_at_once_are_two(pbx: Pbx, reception: Reception) -> None:
    pbx.ring()
    pbx.ring(name="Bob")
    first, second = await reception.next_call(), await reception.next_call()

    assert first.attempt.id != second.attempt.id
    assert {first.caller_name, second.caller_name} == {"Ann", "Bob"}
    for call in (first, second):
        await until(call.attempt, Answered)
        await pbx.settled(call.attempt)
        await call.attempt.hang_up()
        await until_over(call.attempt)
    await pbx.until_calls(0)


async def test_who_redirects_a_call_brings_none(pbx: Pbx, reception: Reception) -> None:
    """A callee's 302 is no way into our own inbound context, nor to any other number."""
    wish = dial("redirector")

    end = cause(await until_over(await reception.switch.originate(wish)))

    assert (end.state, end.sip_code) == ("failed", 302)
    assert [one.number for one in await pbx.dialled()] == [wish.number]
    await pbx.until_calls(0)
    assert reception.calls.empty()


HOSTILE_NAMES = {
    "percent": "%0D%0AAction: Originate",
    "lines": "a\\r\\nAction: Originate",
    "quotes": 'say \\"hi\\"',
    "variable": "${SHELL(id)}",
    "paren": ")\\; DROP TABLE calls",
    "long": "x" * 300,
    "uri": "Zoë <sip:evil@example.org>",
    "event": "x%0AEvent-Name: CHANNEL_HANGUP_COMPLETE%0A%0A",
}


@pytest.mark.parametrize("which", HOSTILE_NAMES)
async def test_a_hostile_display_name_is_only_a_name(
    pbx: Pbx, reception: Reception, which: str
) -> None:
    pbx.ring(name=HOSTILE_NAMES[which])
    call = await reception.next_call()
    await until(call.attempt, Answered)
    await pbx.settled(call.attempt)

    assert call.caller_name is None or len(call.caller_name) <= 80
    assert not any(char < " " for char in call.caller_name or "")
    assert (call.number, call.caller_number) == (OUR_NUMBER, "+15550888")
    await pbx.until_calls(1)
    await call.attempt.hang_up()
    assert cause(await until_over(call.attempt)).state == "completed"
    await pbx.until_calls(0)


async def test_a_display_name_with_control_characters(pbx: Pbx, reception: Reception) -> None:
    pbx.invite("a\x0b\x01\x7fEvent: Hangup %0D%0AUniqueid: offhook-1")
    call = await reception.next_call()

    assert call.caller_number == "+15550666"
    assert call.caller_name is not None
    assert not any(char < " " or char == "\x7f" for char in call.caller_name)
    await until(call.attempt, Answered)
    await pbx.settled(call.attempt)
    await call.attempt.hang_up()
    assert cause(await until_over(call.attempt)).state == "completed"
