"""Outbound calls over two real Asterisks: what each of the carrier's numbers comes to."""

import asyncio
from dataclasses import replace

import pytest

from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.codecs import PCMA, PCMU, SLIN16, Codec
from pbx.media import MediaServer
from pbx.switch import (
    Answered,
    Dial,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Ringing,
    SwitchRefused,
    SwitchUnavailable,
)
from pbx.testbed import CAUSE_NUMBER, TestBed, persona
from tests.pbx.calls import (
    PATIENCE_S,
    Ear,
    cause,
    config,
    dial,
    kinds,
    new_id,
    no_channels,
    until,
    until_over,
)


@pytest.mark.parametrize(
    ("name", "before", "state", "cause_name", "q850", "sip_code"),
    [
        ("busy", [Dialing, Ringing], "busy", "user_busy", 17, 486),
        ("congestion", [Dialing], "failed", "normal_circuit_congestion", 34, 503),
        ("wrong number", [Dialing], "failed", "unallocated_number", 1, 404),
        ("announcement", [Dialing, EarlyMedia], "failed", "unallocated_number", 1, 404),
        ("rejecter", [Dialing, Ringing], "failed", "call_rejected", 21, 403),
        ("hasty", [Dialing, Ringing, Answered], "completed", "normal_clearing", 16, 200),
    ],
)
async def test_each_number_ends_as_it_should(  # noqa: PLR0917
    bed: TestBed,
    switch: AsteriskSwitch,
    name: str,
    before: list[type],
    state: str,
    cause_name: str,
    q850: int,
    sip_code: int,
) -> None:
    wish = dial(name)
    calls = len(bed.dialled())

    events = await until_over(await switch.originate(wish))

    assert kinds(events) == [*before, Ended]
    end = cause(events)
    assert (end.state, end.name, end.q850, end.sip_code) == (state, cause_name, q850, sip_code)
    assert [number for number, _ in bed.dialled()[calls:]] == [wish.number]
    assert [event.at for event in events] == sorted(event.at for event in events)
    await no_channels(bed)


@pytest.mark.parametrize(
    ("q850", "state", "name", "sip_code"),
    [
        (16, "failed", "call_rejected", 603),
        (18, "no_answer", "no_user_response", 408),
        (19, "no_answer", "no_answer", 480),
        (22, "failed", "number_changed", 410),
        (27, "failed", "destination_out_of_order", 502),
        (28, "failed", "invalid_number_format", 484),
        (127, "failed", "network_out_of_order", 500),
    ],
)
async def test_refusals_of_the_carrier(
    switch: AsteriskSwitch, q850: int, state: str, name: str, sip_code: int
) -> None:
    attempt = await switch.originate(Dial(new_id(), CAUSE_NUMBER.format(q850)))

    end = cause(await until_over(attempt))

    assert (end.state, end.name, end.sip_code) == (state, name, sip_code)


async def test_nobody_answers(bed: TestBed, switch: AsteriskSwitch) -> None:
    attempt = await switch.originate(dial("no answer", ring_timeout_s=1))

    events = await until_over(attempt)

    assert kinds(events) == [Dialing, Ringing, Ended]
    assert (cause(events).state, cause(events).name) == ("no_answer", "no_answer")
    await no_channels(bed)


async def test_cancel_while_ringing(bed: TestBed, switch: AsteriskSwitch) -> None:
    attempt = await switch.originate(dial("no answer"))
    await until(attempt, Ringing)

    await attempt.hang_up()
    await attempt.hang_up()

    end = cause(await until_over(attempt))
    assert (end.state, end.name, end.sip_code) == ("canceled", "originator_cancel", 487)
    await no_channels(bed)
    await attempt.hang_up()


async def test_early_media_is_heard(switch: AsteriskSwitch) -> None:
    attempt = await switch.originate(dial("announcement"))
    ear = Ear(attempt.rate)
    attempt.attach(ear)

    await until_over(attempt)

    assert ear.level() > 500
    assert attempt.media_stats().received > 60


async def test_the_call_id_is_that_of_the_trunk(bed: TestBed, switch: AsteriskSwitch) -> None:
    attempt = await switch.originate(dial("busy"))

    end = cause(await until_over(attempt))

    assert end.sip_call_id == bed.dialled()[-1][1]


@pytest.mark.parametrize("codec", [PCMU, PCMA], ids=lambda codec: str(codec.name))
async def test_audio_goes_both_ways(bed: TestBed, media: MediaServer, codec: Codec) -> None:
    switch = AsteriskSwitch(replace(config(bed), codec=codec), media)
    await switch.start()
    attempt = await switch.originate(dial("echo"))
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await until(attempt, Answered)

    async with asyncio.timeout(PATIENCE_S):
        while ear.level() < 4000 or len(ear.heard) < 75:
            await asyncio.sleep(0.02)
    await attempt.hang_up()

    end = cause(await until_over(attempt))
    assert (end.state, end.name) == ("completed", "normal_clearing")
    assert ear.pitch() == pytest.approx(620, abs=3)
    stats = attempt.media_stats()
    assert (stats.lost, stats.duplicate) == (0, 0)
    await switch.close()
    await no_channels(bed)


async def test_a_codec_that_asterisk_would_not_hear_is_refused(bed: TestBed) -> None:
    with pytest.raises(ValueError, match="L16"):
        replace(config(bed), codec=SLIN16)


async def test_keys_pressed_there_are_heard_once(switch: AsteriskSwitch) -> None:
    attempt = await switch.originate(dial("key presser"))
    digits: list[Digit] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in attempt.progress():
            if isinstance(event, Digit):
                digits.append(event)
                if event.digit == "#":
                    await attempt.hang_up()

    assert "".join(event.digit for event in digits) == "123#"
    assert all(50 <= event.duration_ms <= 400 for event in digits)


async def test_keys_pressed_here_arrive(bed: TestBed, switch: AsteriskSwitch) -> None:
    attempt = await switch.originate(dial("key reader"))
    await until(attempt, Answered)

    await attempt.send_digits("42*9")

    end = cause(await until_over(attempt))
    assert end.state == "completed"
    assert "keys 42*9" in bed.carrier.log()
    with pytest.raises(SwitchRefused) as refusal:
        await attempt.send_digits("1")
    assert refusal.value.field == "digits"


async def test_one_id_is_dialled_once(
    bed: TestBed, switch: AsteriskSwitch, media: MediaServer
) -> None:
    wish = dial("silent")
    calls = len(bed.dialled())
    attempt = await switch.originate(wish)
    await until(attempt, Answered)

    with pytest.raises(SwitchRefused) as here:
        await switch.originate(wish)
    other = AsteriskSwitch(config(bed), media)
    await other.start()
    with pytest.raises(SwitchRefused) as elsewhere:
        await other.originate(wish)
    await other.close()

    assert (here.value.field, elsewhere.value.field) == ("id", "id")
    assert await switch.living_channels() == [wish.id]
    assert len(bed.dialled()) == calls + 1
    await attempt.hang_up()
    assert cause(await until_over(attempt)).state == "completed"


HOSTILE = [
    ("number", "+1555\r\nAction: Originate"),
    ("number", "+15550100&PJSIP/+1999@trunk"),
    ("number", "+15550100,1,g"),
    ("number", "+1555@evil"),
    ("number", ""),
    ("number", "٣٤٥"),
    ("caller_number", "+1555\nX: y"),
    ("caller_name", "A\r\nAction: Command\r\nCommand: core stop now"),
    ("caller_name", "A\x00B"),
    ("caller_name", "A\x85B"),
    ("caller_name", "A\u2028B"),
    ("caller_name", "\udc80"),
    ("caller_name", "x" * 10_000),
    ("id", "offhook-1\r\nApplication: System"),
    ("id", "PJSIP/trunk-00000001"),
    ("trunk", "trunk\r\nX: y"),
    ("trunk", "trunk,1,U(evil)"),
]


@pytest.mark.parametrize(("field", "value"), HOSTILE)
async def test_hostile_values_do_not_reach_asterisk(
    bed: TestBed, switch: AsteriskSwitch, field: str, value: str
) -> None:
    wish = dial("busy")
    before = bed.ours.log()
    with pytest.raises(SwitchRefused) as refusal:
        await switch.originate(
            Dial(
                id=value if field == "id" else wish.id,
                number=value if field == "number" else wish.number,
                caller_number=value if field == "caller_number" else None,
                caller_name=value if field == "caller_name" else None,
                trunk=value if field == "trunk" else None,
            )
        )
    assert refusal.value.field == field
    assert bed.ours.log() == before
    assert await bed.ours.channels() == []


@pytest.mark.parametrize(
    "name",
    ["O'Neil", 'He said "hi"', "back\\slash", "a <+1999>", "100% %0AAction", "Zoë, Ltd; ${X}"],
)
async def test_a_strange_caller_name_is_only_a_name(
    bed: TestBed, switch: AsteriskSwitch, name: str
) -> None:
    wish = Dial(new_id(), persona("busy").number, "+15550199", name)

    end = cause(await until_over(await switch.originate(wish)))

    assert end.state == "busy"
    line = [one for one in bed.carrier.log().splitlines() if "dialled" in one][-1]
    assert line.endswith("from +15550199")


async def test_a_trunk_that_is_not_there(switch: AsteriskSwitch) -> None:
    with pytest.raises(SwitchRefused, match="nowhere") as refusal:
        await switch.originate(Dial(new_id(), "+15550100", trunk="nowhere"))
    assert refusal.value.field == "trunk"


async def test_a_wrong_password(bed: TestBed, media: MediaServer) -> None:
    switch = AsteriskSwitch(replace(config(bed), secret="wrong"), media)
    with pytest.raises(SwitchUnavailable, match=r"pbx\.ami\.secret"):
        await switch.start()
    assert not switch.connected


async def test_no_asterisk(media: MediaServer) -> None:
    switch = AsteriskSwitch(AsteriskConfig(port=1), media)
    with pytest.raises(SwitchUnavailable, match=r"pbx\.ami\.port"):
        await switch.start()


async def test_the_doctor_is_content(switch: AsteriskSwitch) -> None:
    findings = await switch.check()
    assert {finding.check for finding in findings} >= {"ami", "modules", "trunk", "rtp"}
    assert [finding for finding in findings if not finding.ok] == []
