"""Calls that the operator's own dialplan had before Offhook: answered, or by Local channels."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pbx.incoming import Brought
from pbx.switch import Answered, Attempt, Dial, Ended
from pbx.testbed import TestBed
from tests.pbx.calls import Ear, cause, heard, kinds, new_id, no_channels, until, until_over
from tests.pbx.kinds import OUR_NUMBER, AsteriskPbx, Reception
from tests.pbx.operator_dialplan import (
    ANSWERED,
    ANSWERED_LOCAL,
    ARGUED,
    ARGUED_LOCAL,
    DESK,
    LOCAL,
    LOCAL_N,
    MOVER,
    QUEUED,
    operated,
)

NUMBERS = {
    "answered": ANSWERED,
    "local": LOCAL,
    "local/n": LOCAL_N,
    "answered local": ANSWERED_LOCAL,
    "queued": QUEUED,
}
every_way = pytest.mark.parametrize("way", NUMBERS)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def operator(bed: TestBed) -> AsyncIterator[None]:
    async with operated(bed):
        yield


def ring(
    pbx: AsteriskPbx,
    number: str,
    application: str = "Echo",
    data: str = "",
    place: tuple[str, str] | None = None,
) -> None:
    pbx.bed.carrier.call_in(
        f"PJSIP/{number}@customer",
        caller_id='"Ann" <+15550888>',
        application=application,
        data=data,
        place=place,
    )


async def goes_on(attempt: Attempt, bed: TestBed) -> None:
    """The attempt, whose far end was silent, is with the echo, and ends it."""
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await heard(ear, frames=100)
    assert ear.pitch() == pytest.approx(620, abs=3)
    await asyncio.sleep(4.5)  # the PBX's last word about who is gone has been said
    await attempt.hang_up()
    events = await until_over(attempt)
    assert cause(events).state == "completed"
    assert Answered in kinds(events)
    await no_channels(bed)


@every_way
async def test_such_a_call_is_answered_and_heard(
    pbx: AsteriskPbx, reception: Reception, way: str
) -> None:
    ring(pbx, NUMBERS[way])
    call = await reception.next_call()
    ear = Ear(call.attempt.rate, tone_hz=620)
    call.attempt.attach(ear)
    await until(call.attempt, Answered)
    await heard(ear, frames=100)
    assert ear.pitch() == pytest.approx(620, abs=3)

    await call.attempt.hang_up()

    end = cause(await until_over(call.attempt))
    assert (end.state, end.name) == ("completed", "normal_clearing")
    assert end.sip_call_id


@every_way
async def test_its_caller_hangs_up(pbx: AsteriskPbx, reception: Reception, way: str) -> None:
    ring(pbx, NUMBERS[way], "Wait", "3")
    call = await reception.next_call()

    events = await until_over(call.attempt)

    assert kinds(events) == [Answered, Ended]
    assert cause(events).state == "completed"
    assert events[1].at - events[0].at > 1.5


async def test_a_caller_who_transfers_us_is_followed_by_the_new_party(
    pbx: AsteriskPbx, reception: Reception
) -> None:
    ring(pbx, OUR_NUMBER, place=("movers", "blind"))
    call = await reception.next_call()
    await goes_on(call.attempt, pbx.bed)


async def test_a_callee_who_transfers_us_is_followed_by_the_new_party(
    pbx: AsteriskPbx, reception: Reception
) -> None:
    attempt = await reception.switch.originate(Dial(new_id(), MOVER, "+15550199"))
    await goes_on(attempt, pbx.bed)


async def test_an_attended_transfer_is_followed(pbx: AsteriskPbx, reception: Reception) -> None:
    ring(pbx, DESK, place=("movers", "consult"))
    await asyncio.sleep(2)
    ring(pbx, OUR_NUMBER, place=("movers", "attended"))
    call = await reception.next_call()
    await goes_on(call.attempt, pbx.bed)


@pytest.mark.parametrize("number", [ARGUED, ARGUED_LOCAL])
async def test_what_a_call_brings_along_is_read(
    pbx: AsteriskPbx, reception: Reception, number: str
) -> None:
    pbx.invite(
        "Ann",
        [
            "Diversion: <sip:+15559998888@x.invalid>;reason=unconditional",
            "X-Customer: 4711 ${SHELL(id)} (a) %0D%0AAction: Originate",
            "x-empty:",
            f"X-Long: {'y' * 900}",
            *(f"X-Many-{index}: {index}" for index in range(20)),
        ],
        number,
    )
    call = await reception.next_call()
    await until(call.attempt, Answered)
    told = call.brought
    assert told.diversion == "<sip:+15559998888@x.invalid>;reason=unconditional"
    assert told.headers["x-customer"] == "4711 ${SHELL(id)} (a) %0D%0AAction: Originate"
    assert told.headers["x-long"] == "y" * 200
    assert 3 <= len(told.headers) <= 16
    assert told.arguments == ("sales", "b c")
    assert (call.trunk, call.dialled) == (pbx.bed.trunk, number)
    await call.attempt.hang_up()
    assert cause(await until_over(call.attempt)).state == "completed"


async def test_who_brings_nothing_along(pbx: AsteriskPbx, reception: Reception) -> None:
    pbx.invite("Ann")
    call = await reception.next_call()
    (answered,) = await until(call.attempt, Answered)
    assert (call.brought, call.trunk) == (Brought(), pbx.bed.trunk)
    await call.attempt.hang_up()
    end = cause(await until_over(call.attempt))
    assert isinstance(answered, Answered)
    assert answered.sip_call_id == end.sip_call_id
    assert (end.sip_call_id or "").startswith("raw-")
