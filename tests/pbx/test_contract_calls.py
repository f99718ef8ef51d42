"""What every `Switch` does with outbound calls: what each of the carrier's numbers comes to."""

import asyncio

import pytest

from pbx.codecs import PCMA, PCMU, Codec
from pbx.media import MediaServer
from pbx.switch import (
    Answered,
    Dial,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Ringing,
    Switch,
    SwitchRefused,
    SwitchUnavailable,
)
from pbx.testbed import CAUSE_NUMBER, persona
from tests.pbx.calls import (
    PATIENCE_S,
    Ear,
    cause,
    dial,
    every_kind,
    heard,
    kinds,
    new_id,
    until,
    until_over,
)
from tests.pbx.kinds import Pbx

pytestmark = every_kind


@pytest.mark.parametrize(
    ("name", "before", "state", "cause_name", "q850", "sip_code"),
    [
        ("busy", [Dialing, Ringing], "busy", "user_busy", 17, 486),
        ("congestion", [Dialing], "failed", "normal_circuit_congestion", 34, 503),
        ("wrong number", [Dialing], "failed", "unallocated_number", 1, 404),
        ("announcement", [Dialing, EarlyMedia], "failed", "unallocated_number", 1, 404),
        ("rejecter", [Dialing, Ringing], "failed", "call_rejected", 21, 403),
        ("redirector", [Dialing], "failed", "redirection_to_new_destination", 23, 302),
        ("hasty", [Dialing, Ringing, Answered], "completed", "normal_clearing", 16, 200),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_number_ends_as_it_should(  # noqa: PLR0917
    pbx: Pbx,
    switch: Switch,
    name: str,
    before: list[type],
    state: str,
    cause_name: str,
    q850: int,
    sip_code: int,
) -> None:
    wish = dial(name)

    events = await until_over(await switch.originate(wish))

    assert kinds(events) == [*before, Ended]
    end = cause(events)
    assert (end.state, end.name, end.q850, end.sip_code) == (state, cause_name, q850, sip_code)
    (reached,) = await pbx.dialled()
    assert (reached.number, reached.call_id) == (wish.number, end.sip_call_id)
    for event in events:
        if isinstance(event, Ringing | EarlyMedia | Answered):
            assert event.sip_call_id == reached.call_id
    assert [event.at for event in events] == sorted(event.at for event in events)
    await pbx.until_calls(0)


# Asterisk makes the Q.850 cause of the SIP code; FreeSWITCH takes the one in the carrier's Reason.
@pytest.mark.parametrize(
    ("q850", "state", "names", "sip_code"),
    [
        (16, "failed", "call_rejected normal_clearing", 603),
        (18, "no_answer", "no_user_response", 408),
        (19, "no_answer", "no_answer", 480),
        (22, "failed", "number_changed", 410),
        (27, "failed", "destination_out_of_order", 502),
        (28, "failed", "invalid_number_format", 484),
        (127, "failed", "network_out_of_order interworking", 500),
    ],
)
async def test_refusals_of_the_carrier(
    switch: Switch, q850: int, state: str, names: str, sip_code: int
) -> None:
    attempt = await switch.originate(Dial(new_id(), CAUSE_NUMBER.format(q850)))

    end = cause(await until_over(attempt))

    assert (end.state, end.sip_code) == (state, sip_code)
    assert end.name in names.split()


async def test_nobody_answers(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("no answer", ring_timeout_s=1))

    events = await until_over(attempt)

    assert kinds(events) == [Dialing, Ringing, Ended]
    end = cause(events)
    assert (end.state, end.name, end.sip_code) == ("no_answer", "no_answer", 487)
    await pbx.until_calls(0)


async def test_cancel_while_ringing(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("no answer"))
    await until(attempt, Ringing)

    await attempt.hang_up()
    await attempt.hang_up()

    end = cause(await until_over(attempt))
    assert (end.state, end.name, end.sip_code) == ("canceled", "originator_cancel", 487)
    await pbx.until_calls(0)
    await attempt.hang_up()


async def test_cancel_at_once(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("no answer"))
    await attempt.hang_up()

    assert cause(await until_over(attempt)).state == "canceled"
    await pbx.until_calls(0)


async def test_early_media_is_heard(switch: Switch) -> None:
    attempt = await switch.originate(dial("announcement"))
    ear = Ear(attempt.rate)
    attempt.attach(ear)

    await until_over(attempt)

    assert ear.level() > 500
    assert attempt.media_stats().received > 60


async def test_the_call_id_is_that_of_the_trunk(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("busy"))

    end = cause(await until_over(attempt))

    assert [end.sip_call_id] == [one.call_id for one in await pbx.dialled()]


@pytest.mark.parametrize("codec", [PCMU, PCMA], ids=lambda codec: str(codec.name))
async def test_audio_goes_both_ways(pbx: Pbx, media: MediaServer, codec: Codec) -> None:
    switch = pbx.make(media, codec=codec)
    await switch.start()
    attempt = await switch.originate(dial("echo"))
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await until(attempt, Answered)

    await heard(ear)
    await attempt.hang_up()

    end = cause(await until_over(attempt))
    assert (end.state, end.name) == ("completed", "normal_clearing")
    # A frame that is late on a busy machine is a gap in the tone.
    assert ear.pitch() == pytest.approx(620, abs=15)
    stats = attempt.media_stats()
    assert (stats.lost, stats.duplicate) == (0, 0)
    await switch.close()
    await pbx.until_calls(0)


async def test_keys_pressed_there_are_heard_once(switch: Switch) -> None:
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


async def test_keys_pressed_here_arrive(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("key reader"))
    await until(attempt, Answered)

    await attempt.send_digits("42*9")

    end = cause(await until_over(attempt))
    assert end.state == "completed"
    assert await pbx.keys_at_carrier() == "42*9"
    with pytest.raises(SwitchRefused) as refusal:
        await attempt.send_digits("1")
    assert refusal.value.field == "digits"


async def test_one_id_is_dialled_once(pbx: Pbx, switch: Switch, media: MediaServer) -> None:
    wish = dial("silent")
    attempt = await switch.originate(wish)
    await until(attempt, Answered)

    with pytest.raises(SwitchRefused) as here:
        await switch.originate(wish)
    other = pbx.make(media)
    await other.start()
    with pytest.raises(SwitchRefused) as elsewhere:
        await other.originate(wish)
    await other.close()

    assert (here.value.field, elsewhere.value.field) == ("id", "id")
    assert await switch.living_channels() == [wish.id]
    assert len(await pbx.dialled()) == 1
    await attempt.hang_up()
    assert cause(await until_over(attempt)).state == "completed"


HOSTILE = [
    ("number", "+1555\r\nAction: Originate"),
    ("number", "+1555\n\napi shutdown"),
    ("number", "+15550100&PJSIP/+1999@trunk"),
    ("number", "+15550100,sofia/gateway/trunk/+1999"),
    ("number", "+15550100|+1999"),
    ("number", "+15550100,1,g"),
    ("number", "+15550100 &park()"),
    ("number", "+1555@evil"),
    ("number", ""),
    ("number", "٣٤٥"),
    ("caller_number", "+1555\nX: y"),
    ("caller_number", "+1555}sofia/gateway/trunk/+1999"),
    ("caller_name", "A\r\nAction: Command\r\nCommand: core stop now"),
    ("caller_name", "A\n\nbgapi shutdown"),
    ("caller_name", "A\x00B"),
    ("caller_name", "A\x85B"),
    ("caller_name", "A\u2028B"),
    ("caller_name", "\udc80"),
    ("caller_name", "x" * 10_000),
    ("id", "offhook-1\r\nApplication: System"),
    ("id", "offhook-1,execute_on_answer=hangup"),
    ("id", "PJSIP/trunk-00000001"),
    ("trunk", "trunk\r\nX: y"),
    ("trunk", "trunk,1,U(evil)"),
    ("trunk", "trunk/+1999,sofia/gateway/trunk"),
]


def spoilt(field: str, value: str) -> Dial:
    """A good wish but for one field."""
    wish = dial("busy")
    return Dial(
        id=value if field == "id" else wish.id,
        number=value if field == "number" else wish.number,
        caller_number=value if field == "caller_number" else None,
        caller_name=value if field == "caller_name" else None,
        trunk=value if field == "trunk" else None,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    HOSTILE,
    ids=[f"{field}{number}" for number, (field, _) in enumerate(HOSTILE)],
)
async def test_hostile_values_do_not_reach_the_pbx(
    pbx: Pbx, switch: Switch, field: str, value: str
) -> None:
    with pytest.raises(SwitchRefused) as refusal:
        await switch.originate(spoilt(field, value))
    assert refusal.value.field == field
    assert await pbx.dialled() == []
    await pbx.until_calls(0)


NAMES = {
    "plain": "Offhook",
    "apostrophe": "O'Neil",
    "quotes": 'He said "hi"',
    "backslash": "back\\slash",
    "angles": "a <+1999>",
    "percent": "100% %0AAction",
    "quote in percent": "a%22 <sip:+15550001@evil>",
    "variable": "Zoë, Ltd; ${X}",
    "expression": "$${domain} @@x@@ #{y}",
    "dialstring": "x}sofia/gateway/trunk/+15550001",
    "enterprise": "a:_:b",
    "bar": "a|b,c",
    "separator": "^^;a;b",
    "brackets": "[a=b]<c=d>{e=f}",
    "application": "x &park()",
    "spaces": "a  b   c",
    "emoji": "☎ 😀",
    "header": "a\u00a0Content-Length: 0",
    "tag": "</caller><b>&amp;",
    "long": "ä" * 39 + "x",
}
#: What a PBX that must not be shown these characters is shown instead.
LOOK_ALIKE = str.maketrans("'\"{}|\\/:@^%", "’”()｜＼／：＠＾％")


@pytest.mark.parametrize("which", NAMES)
async def test_a_strange_caller_name_is_only_a_name(pbx: Pbx, switch: Switch, which: str) -> None:
    name = NAMES[which]
    wish = Dial(new_id(), persona("busy").number, "+15550199", name)

    end = cause(await until_over(await switch.originate(wish)))

    assert end.state == "busy"
    (call,) = await pbx.dialled()
    assert (call.number, call.caller_number) == (wish.number, "+15550199")
    assert call.caller_name in (name, name.translate(LOOK_ALIKE))
    await pbx.until_calls(0)


async def test_a_trunk_that_is_not_there(switch: Switch) -> None:
    with pytest.raises(SwitchRefused, match="nowhere") as refusal:
        await switch.originate(Dial(new_id(), "+15550100", trunk="nowhere"))
    assert refusal.value.field == "trunk"


async def test_a_wrong_password(pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media, password="wrong")
    with pytest.raises(SwitchUnavailable, match=pbx.password_setting):
        await switch.start()
    assert not switch.connected
    await switch.close()


async def test_no_pbx(pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media, port=1)
    with pytest.raises(SwitchUnavailable, match=pbx.port_setting):
        await switch.start()
    findings = await switch.check()
    assert [one.check for one in findings if not one.ok] == [pbx.link]
    await switch.close()


async def test_the_doctor_is_content(pbx: Pbx, switch: Switch) -> None:
    findings = await switch.check()
    assert {finding.check for finding in findings} >= {pbx.link, "modules", "trunk", "rtp"}
    assert [finding for finding in findings if not finding.ok] == []


async def test_the_doctor_names_a_trunk_that_is_not_there(pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media, trunk="nowhere")
    await switch.start()

    (wrong,) = [finding for finding in await switch.check() if not finding.ok]

    assert wrong.check == "trunk"
    assert "nowhere" in wrong.message
    with pytest.raises(SwitchRefused, match="nowhere") as refusal:
        await switch.originate(dial("busy"))
    assert refusal.value.field == "trunk"
    await switch.close()
