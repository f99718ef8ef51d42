"""A trunk that is a context of the PBX's own dialplan: calls through Local channels.

Of the trunk's leg beneath come Call-ID, SIP code and hold; of the Local channel all else.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from pbx.asterisk import AsteriskSwitch
from pbx.media import MediaServer
from pbx.switch import (
    Answered,
    Attempt,
    Cause,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Ringing,
    Switch,
    SwitchRefused,
)
from pbx.testbed import TestBed
from pbx.transfer import bridge
from tests.pbx.calls import Ear, cause, dial, heard, kinds, no_channels, until, until_over
from tests.pbx.calls import config as config_of
from tests.pbx.kinds import AsteriskPbx
from tests.pbx.operator_dialplan import extended

#: The dialplan's habits: route by route, a group of phones, an extension that nobody has.
_DIALPLAN = """
[operator-out]
exten => _+1555X.,1,Dial(PJSIP/${EXTEN}@trunk,30)
 same => n,Hangup(${HANGUPCAUSE})
[operator-routes]
exten => _+1555X.,1,Dial(PJSIP/+1555010012@trunk,30)
 same => n,Dial(PJSIP/${EXTEN}@trunk,30)
 same => n,Hangup(${HANGUPCAUSE})
[operator-group]
exten => _+1555X.,1,Dial(Local/+1555010011@operator-out/n&Local/${EXTEN}@operator-out/n,30)
 same => n,Hangup(${HANGUPCAUSE})
[operator-congested]
exten => _+1555X.,1,Congestion(1)
"""
OUT = "Local/{number}@operator-out/n"
ROUTES = "Local/{number}@operator-routes/n"
GROUP = "Local/{number}@operator-group/n"


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def operator(bed: TestBed) -> AsyncIterator[None]:
    async with extended(bed.ours, _DIALPLAN):
        yield


async def call(switch: Switch, name: str, way: str, ring_timeout_s: int = 10) -> Attempt:
    return await switch.originate(replace(dial(name, ring_timeout_s), dial_string=way))


def last_call_id(bed: TestBed) -> str:
    return bed.dialled()[-1][1]


@pytest.mark.parametrize(
    ("name", "seen", "told"),
    [
        ("busy", [Dialing, Ringing, Ended], ("busy", 486, 17)),
        ("rejecter", [Dialing, Ringing, Ended], ("failed", 403, 21)),
        ("announcement", [Dialing, EarlyMedia, Ended], ("failed", 404, 1)),
        ("hasty", [Dialing, Ringing, Answered, Ended], ("completed", 200, 16)),
    ],
)
async def test_how_a_call_ends_is_told_of_the_leg_beneath(
    pbx: AsteriskPbx,
    switch: Switch,
    name: str,
    seen: list[type],
    told: tuple[object, ...],
) -> None:
    events = await until_over(await call(switch, name, OUT))
    end = cause(events)
    assert kinds(events) == seen
    assert (end.state, end.sip_code, end.q850) == told
    assert end.sip_call_id == last_call_id(pbx.bed)
    assert end.trunk_fault is None
    await no_channels(pbx.bed)


@pytest.mark.parametrize(("name", "sip_code"), [("wrong number", 404), ("congestion", 503)])
async def test_a_refusal_at_once(
    pbx: AsteriskPbx, switch: Switch, name: str, sip_code: int
) -> None:
    end = cause(await until_over(await call(switch, name, OUT)))
    assert (end.state, end.sip_code) == ("failed", sip_code)
    assert end.trunk_fault == ("trunk_failed" if sip_code == 503 else None)
    await no_channels(pbx.bed)


async def test_a_dialplan_that_goes_to_the_next_route(pbx: AsteriskPbx, switch: Switch) -> None:
    before = len(pbx.bed.dialled())
    end = cause(await until_over(await call(switch, "busy", ROUTES)))
    assert (end.state, end.sip_code, end.q850, end.trunk_fault) == ("busy", 486, 17, None)
    assert len(pbx.bed.dialled()) == before + 2
    assert end.sip_call_id == last_call_id(pbx.bed)


async def test_of_several_phones_it_is_the_one_that_answers(
    pbx: AsteriskPbx, switch: Switch
) -> None:
    attempt = await call(switch, "noise", GROUP)
    ear = Ear(attempt.rate)
    attempt.attach(ear)
    await until(attempt, Answered)
    await heard(ear)
    await attempt.hang_up()
    end = cause(await until_over(attempt))
    answered = dict(pbx.bed.dialled()[-2:])
    assert (end.state, end.q850, end.sip_call_id) == ("completed", 16, answered["+1555010022"])
    await no_channels(pbx.bed)


async def test_a_dialplan_that_will_not_is_no_fault_of_the_trunk(
    pbx: AsteriskPbx, switch: Switch
) -> None:
    end = cause(await until_over(await call(switch, "busy", "Local/{number}@operator-congested/n")))
    assert (end.state, end.sip_code, end.trunk_fault) == ("failed", None, None)
    end = cause(await until_over(await call(switch, "busy", "Local/9{number}@operator-out/n")))
    assert (end.state, end.trunk_fault) == ("failed", None)
    await no_channels(pbx.bed)


async def test_a_context_that_is_not_there_is_refused(switch: Switch) -> None:
    with pytest.raises(SwitchRefused, match="no context 'nowhere'"):
        await call(switch, "busy", "Local/{number}@nowhere/n")


async def test_keys_both_ways(pbx: AsteriskPbx, switch: Switch) -> None:
    attempt = await call(switch, "key presser", OUT)
    pressed = ""
    async with asyncio.timeout(20):
        async for event in attempt.progress():
            if isinstance(event, Digit):
                pressed += event.digit
            if len(pressed) == 4:
                break
    assert pressed == "123#"
    await attempt.hang_up()
    reader = await call(switch, "key reader", OUT)
    await until(reader, Answered)
    await reader.send_digits("4711")
    await until_over(reader)
    assert "keys 4711" in pbx.bed.carrier.log()
    await no_channels(pbx.bed)


async def test_a_cancel_reaches_the_carrier(pbx: AsteriskPbx, switch: Switch) -> None:
    attempt = await call(switch, "no answer", OUT)
    await until(attempt, Ringing)
    await asyncio.sleep(0.5)  # nobody is that quick; the Call-ID is asked for meanwhile
    await attempt.hang_up()
    end: Cause = cause(await until_over(attempt))
    assert (end.state, end.sip_code, end.sip_call_id) == (
        "canceled",
        487,
        last_call_id(pbx.bed),
    )
    await no_channels(pbx.bed)


async def test_nobody_answers(pbx: AsteriskPbx, switch: Switch) -> None:
    end = cause(await until_over(await call(switch, "no answer", OUT, 2)))
    assert (end.state, end.sip_code, end.trunk_fault) == ("no_answer", 487, None)
    await no_channels(pbx.bed)


async def test_the_limit_ends_it(pbx: AsteriskPbx, switch: Switch) -> None:
    attempt = await switch.originate(replace(dial("silent"), dial_string=OUT, limit_s=2))
    events = await until_over(attempt)
    assert cause(events).state == "completed"
    assert 1.5 < events[-1].at - events[-2].at < 4
    await no_channels(pbx.bed)


async def test_two_such_calls_are_joined(pbx: AsteriskPbx, switch: Switch) -> None:
    before = pbx.bed.carrier.log().count("listener NOISE")
    attempt = await call(switch, "noise", OUT)
    await until(attempt, Answered)
    assert await bridge(switch, attempt, replace(dial("listener"), dial_string=OUT)) is None
    async with asyncio.timeout(20):
        while pbx.bed.carrier.log().count("listener NOISE") == before:
            await asyncio.sleep(0.05)
    await attempt.hang_up()
    assert cause(await until_over(attempt)).state == "completed"
    await no_channels(pbx.bed)


async def test_doctor_looks_for_the_context(bed: TestBed, media: MediaServer) -> None:
    for way, ok in ((OUT, True), ("Local/{number}@nowhere/n", False)):
        switch = AsteriskSwitch(replace(config_of(bed), dial_string=way, trunk="My PBX"), media)
        await switch.start()
        found = [one for one in await switch.check() if one.check == "trunk"]
        await switch.close()
        assert [(one.ok, "operator-out" in one.message) for one in found] == [(ok, ok)]
