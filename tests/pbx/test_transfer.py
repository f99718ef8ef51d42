"""What every `Switch` does with transfers; the carrier is the witness."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from pbx.incoming import IncomingCall
from pbx.media import MediaServer
from pbx.switch import (
    Answered,
    Attempt,
    Cause,
    Ended,
    Ringing,
    Switch,
    SwitchRefused,
    Transferred,
)
from pbx.testbed import TestBed, persona
from pbx.transfer import Briefing, Ringback, bridge
from tests.pbx.calls import (
    PATIENCE_S,
    Ear,
    cause,
    connected,
    dial,
    every_kind,
    heard,
    kinds,
    until,
    until_over,
)
from tests.pbx.kinds import Pbx


async def call(switch: Switch, *names: str) -> Sequence[Attempt]:
    """Answered calls to those personas."""
    attempts = [await switch.originate(dial(name)) for name in names]
    for attempt in attempts:
        await until(attempt, Answered)
    return attempts


async def listener_hears(pbx: Pbx, bed: TestBed, before: int = 0) -> None:
    """Wait until listeners have heard something, more often than `before`."""

    async def it_does() -> bool:
        return noises(bed) > before

    await pbx.until("the listener hears", it_does)


def noises(bed: TestBed) -> int:
    return len(re.findall("NOTICE.*listener NOISE", bed.carrier.log()))


def referrals(bed: TestBed) -> Sequence[str]:
    """The numbers that the carrier was ever asked to call instead of us."""
    return re.findall(r"NOTICE.*: referred (\S+)", bed.carrier.log())


async def referred(pbx: Pbx, bed: TestBed, before: int) -> Any:
    """Those since the first `before`."""

    async def numbers() -> Sequence[str]:
        return referrals(bed)[before:]

    return await pbx.ask("referred", numbers)


async def carrier_talks_to(pbx: Pbx, bed: TestBed) -> Any:
    """The extensions in which the carrier's channels are."""

    async def extensions() -> Sequence[str]:
        return [one.extension for one in await bed.carrier.channels()]

    return await pbx.ask("carrier's channels", extensions)


async def until_carrier_has_two(pbx: Pbx, bed: TestBed) -> None:
    async def it_has() -> bool:
        return len(await bed.carrier.channels()) >= 2

    await pbx.until("the carrier has two channels", it_has)


async def hang_up_at_carrier(pbx: Pbx, bed: TestBed, name: str) -> None:
    """The person of that name hangs up."""

    async def hang_up() -> None:
        (theirs,) = [
            one.name
            for one in await bed.carrier.channels()
            if one.extension == persona(name).number and one.name.startswith("PJSIP")
        ]
        await bed.carrier.cli(f"channel request hangup {theirs}")

    await pbx.act(f"{name} hangs up", hang_up)


async def goes_on(attempt: Attempt) -> None:
    """The echo hears us and we hear it; then we hang up, and it was not transferred."""
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await heard(ear)
    assert ear.pitch() == pytest.approx(620, abs=8)
    await attempt.hang_up()
    events = await until_over(attempt)
    assert Transferred not in kinds(events)
    assert cause(events).state == "completed"


@every_kind
async def test_a_far_end_that_agrees_to_a_refer(
    bed: TestBed, pbx: Pbx, switch: Switch, media: MediaServer
) -> None:
    before = len(referrals(bed))
    (attempt,) = await call(switch, "referable")

    await attempt.refer(persona("silent").number)

    events = await until_over(attempt)
    assert kinds(events) == [Transferred, Ended]
    assert cause(events).state == "completed"
    assert await referred(pbx, bed, before) == [persona("silent").number]
    assert media.open_legs == 0
    assert persona("silent").number in await carrier_talks_to(pbx, bed)
    await pbx.clear_carrier()
    await pbx.until_calls(0)


@pytest_asyncio.fixture(loop_scope="session")
async def no_transfers(bed: TestBed) -> AsyncIterator[None]:
    """The carrier answers every REFER with 603, as many a trunk does."""
    settings = bed.carrier.etc / "pjsip.conf"
    usual = settings.read_text()
    settings.write_text(usual.replace("type = endpoint", "type = endpoint\nallow_transfer = no"))
    await bed.carrier.cli("module reload res_pjsip.so")
    yield
    settings.write_text(usual)
    await bed.carrier.cli("module reload res_pjsip.so")


@every_kind
@pytest.mark.usefixtures("no_transfers")
async def test_a_trunk_that_takes_no_refer(bed: TestBed, pbx: Pbx, switch: Switch) -> None:
    before = len(referrals(bed))
    (attempt,) = await call(switch, "referable")

    for _ in range(2):
        with pytest.raises(SwitchRefused, match="603") as refusal:
            await attempt.refer(persona("silent").number)
        assert refusal.value.field == "transfer"

    await goes_on(attempt)
    assert await referred(pbx, bed, before) == []
    await pbx.until_calls(0)


FAILING = pytest.mark.parametrize(
    ("name", "number"),
    [("referable", "+4930123456"), ("echo", "+15550100")],
    ids=["nobody there", "no transfers"],
)


@FAILING
async def test_a_far_end_that_fails_stays(
    bed: TestBed, pbx: Pbx, switch: Switch, name: str, number: str
) -> None:
    """It agreed to the REFER (202), and told later (NOTIFY) that nothing came of it."""
    before = len(referrals(bed))
    (attempt,) = await call(switch, name)

    for _ in range(2):
        with pytest.raises(SwitchRefused, match=r"40[04]") as refusal:
            await attempt.refer(number)
        assert refusal.value.field == "transfer"

    await goes_on(attempt)
    assert await referred(pbx, bed, before) == []
    await pbx.until_calls(0)


@FAILING
@pytest.mark.parametrize("pbx", ["freeswitch"], indirect=True)
async def test_a_far_end_that_fails_is_lost_by_freeswitch(
    pbx: Pbx, switch: Switch, name: str, number: str
) -> None:
    """The same over FreeSWITCH, which says BYE by itself: at least no channel lingers."""
    (attempt,) = await call(switch, name)

    with pytest.raises(SwitchRefused, match=r"40[04]") as refusal:
        await attempt.refer(number)

    assert refusal.value.field == "transfer"
    events = await until_over(attempt)
    assert kinds(events) == [Ended]
    assert cause(events).state == "completed"
    await pbx.until_calls(0)


@every_kind
@pytest.mark.parametrize(
    "number", ["", "+1@evil", "sip:a@evil;x", "+1,1,g", "+1\r\nAction: x", "+1${SHELL(id)}", "+1;x"]
)
async def test_a_hostile_number_is_not_asked_for(switch: Switch, number: str) -> None:
    (attempt,) = await call(switch, "echo")
    with pytest.raises(SwitchRefused) as refusal:
        await attempt.refer(number)
    assert refusal.value.field == "number"
    await goes_on(attempt)


@every_kind
async def test_a_call_that_rings_cannot_be_transferred(pbx: Pbx, switch: Switch) -> None:
    (echo,) = await call(switch, "echo")
    ringing = await switch.originate(dial("no answer"))
    await until(ringing, Ringing)
    for transfer in (ringing.refer("+15550100"), ringing.join(echo), echo.join(ringing)):
        with pytest.raises(SwitchRefused) as refusal:
            await transfer
        assert refusal.value.field == "transfer"
    await ringing.hang_up()
    assert cause(await until_over(ringing)).state == "canceled"
    await goes_on(echo)
    await pbx.until_calls(0)


@every_kind
async def test_hanging_up_while_the_far_end_is_asked(
    bed: TestBed, pbx: Pbx, switch: Switch
) -> None:
    before = len(referrals(bed))
    (attempt,) = await call(switch, "referable")
    asking = asyncio.create_task(attempt.refer(persona("no answer").number))

    async def it_is_asked() -> bool:
        return len(referrals(bed)) > before

    await pbx.until("it is asked", it_is_asked)
    await attempt.hang_up()

    assert cause(await until_over(attempt)).state == "completed"
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(SwitchRefused):  # it may have agreed at the last moment
            await asking
    await pbx.clear_carrier()
    await pbx.until_calls(0)


@every_kind
@pytest.mark.parametrize("end", ["first", "second", "person"])
async def test_joined_far_ends_hear_each_other_and_end_together(
    bed: TestBed, pbx: Pbx, switch: Switch, media: MediaServer, end: str
) -> None:
    before = noises(bed)
    noise, listener = await call(switch, "noise", "listener")

    await noise.join(listener)

    for attempt in (noise, listener):
        assert kinds(await until(attempt, Transferred)) == [Transferred]
    assert media.open_legs == 0
    await listener_hears(pbx, bed, before)
    with pytest.raises(SwitchRefused):
        await listener.join(noise)
    with pytest.raises(SwitchRefused):
        await noise.send_digits("1")
    if end == "person":
        await hang_up_at_carrier(pbx, bed, "listener")
    else:
        await (noise if end == "first" else listener).hang_up()
    for attempt in (noise, listener):
        events = await until_over(attempt)
        assert kinds(events) == [Ended]
        assert cause(events).state == "completed"
    await pbx.until_calls(0)


@every_kind
@pytest.mark.parametrize("which", [0, 1])
async def test_the_pbx_itself_ends_a_joined_call(pbx: Pbx, switch: Switch, which: int) -> None:
    both = await call(switch, "noise", "silent")
    await both[0].join(both[1])
    for attempt in both:
        await until(attempt, Transferred)

    await both[which].limit(1)

    for attempt in both:
        assert cause(await until_over(attempt)).state == "completed"
    await pbx.until_calls(0)


@every_kind
async def test_keys_pressed_between_the_two_are_theirs(pbx: Pbx, switch: Switch) -> None:
    reader, presser = await call(switch, "key reader", "key presser")

    await presser.join(reader)

    for attempt in (reader, presser):
        assert kinds(await until_over(attempt)) == [Transferred, Ended]
    assert await pbx.keys_at_carrier() == "123"
    await pbx.until_calls(0)


@every_kind
async def test_a_call_that_is_over_cannot_be_joined(pbx: Pbx, switch: Switch) -> None:
    echo, hasty = await call(switch, "echo", "hasty")
    await until_over(hasty)
    for one, other in ((echo, hasty), (hasty, echo), (echo, echo)):
        with pytest.raises(SwitchRefused) as refusal:
            await one.join(other)
        assert refusal.value.field == "transfer"
    await goes_on(echo)
    await pbx.until_calls(0)


@every_kind
@pytest.mark.parametrize("caller_first", [True, False])
async def test_a_caller_is_put_through(
    bed: TestBed, pbx: Pbx, media: MediaServer, caller_first: bool
) -> None:
    calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
    switch = pbx.make(media, calls.put)
    await switch.start()
    before = noises(bed)
    pbx.ring("Milliwatt")
    async with asyncio.timeout(PATIENCE_S):
        caller = (await calls.get()).attempt
    await until(caller, Answered)
    (listener,) = await call(switch, "listener")

    await (caller.join(listener) if caller_first else listener.join(caller))

    await listener_hears(pbx, bed, before)
    await hang_up_at_carrier(pbx, bed, "listener")
    for attempt in (caller, listener):
        events = await until_over(attempt)
        assert kinds(events) == [Transferred, Ended]
        assert cause(events).state == "completed"
    assert calls.empty()
    await pbx.until_calls(0)
    await switch.close()


@every_kind
async def test_a_caller_is_referred(bed: TestBed, pbx: Pbx, media: MediaServer) -> None:
    calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
    switch = pbx.make(media, calls.put)
    await switch.start()
    pbx.ring("Dial", "Local/echo@rooms/n")  # it refers only a caller who talks to somebody there
    async with asyncio.timeout(PATIENCE_S):
        caller = (await calls.get()).attempt
        await until(caller, Answered)

    async def they_talk() -> bool:
        return "rooms" in [one.context for one in await bed.carrier.channels()]

    await pbx.until("the caller talks to somebody", they_talk)

    await caller.refer(persona("silent").number)

    assert kinds(await until_over(caller)) == [Transferred, Ended]
    assert persona("silent").number in await carrier_talks_to(pbx, bed)
    assert calls.empty()
    await pbx.clear_carrier()
    await pbx.until_calls(0)
    await switch.close()


@every_kind
@pytest.mark.usefixtures("no_transfers")
async def test_a_caller_whom_the_trunk_does_not_refer(pbx: Pbx, media: MediaServer) -> None:
    calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
    switch = pbx.make(media, calls.put)
    await switch.start()
    pbx.ring()
    async with asyncio.timeout(PATIENCE_S):
        caller = (await calls.get()).attempt
        await until(caller, Answered)

    with pytest.raises(SwitchRefused, match="603"):
        await caller.refer(persona("silent").number)

    await goes_on(caller)
    assert calls.empty()
    await pbx.until_calls(0)
    await switch.close()


@every_kind
@pytest.mark.parametrize("ends_meanwhile", [True, False])
async def test_a_joined_call_outlives_a_cut_link(
    bed: TestBed, pbx: Pbx, switch: Switch, ends_meanwhile: bool
) -> None:
    noise, listener = await call(switch, "noise", "listener")
    await noise.join(listener)
    await pbx.cable.cut()
    await connected(switch, False)
    if ends_meanwhile:
        await hang_up_at_carrier(pbx, bed, "listener")
        await pbx.until_calls(0)
    await pbx.cable.plug_in()
    await connected(switch)
    if not ends_meanwhile:
        assert len(await carrier_talks_to(pbx, bed)) == 2
        await listener.hang_up()

    for attempt in (noise, listener):
        events = await until_over(attempt)
        assert kinds(events) == [Transferred, Ended]
        assert cause(events).state == "completed"
    await pbx.until_calls(0)


@every_kind
async def test_a_bridge_to_somebody_who_answers(
    bed: TestBed, pbx: Pbx, switch: Switch, media: MediaServer
) -> None:
    before = noises(bed)
    (caller,) = await call(switch, "noise")

    assert await bridge(switch, caller, dial("listener")) is None

    await listener_hears(pbx, bed, before)
    assert media.open_legs == 0
    await caller.hang_up()
    assert kinds(await until_over(caller)) == [Transferred, Ended]
    await pbx.until_calls(0)


@every_kind
@pytest.mark.parametrize(
    ("name", "state", "sip_code"), [("busy", "busy", 486), ("redirector", "failed", 302)]
)
async def test_a_bridge_to_somebody_who_does_not_answer(
    pbx: Pbx, switch: Switch, name: str, state: str, sip_code: int
) -> None:
    (caller,) = await call(switch, "echo")

    answer = await bridge(switch, caller, dial(name))

    assert isinstance(answer, Cause)
    assert (answer.state, answer.sip_code) == (state, sip_code)
    await goes_on(caller)
    await pbx.until_calls(0)


@every_kind
async def test_a_bridge_nobody_answers_is_heard_to_ring(
    bed: TestBed, pbx: Pbx, switch: Switch
) -> None:
    before = noises(bed)
    (caller,) = await call(switch, "listener")

    answer = await bridge(switch, caller, dial("no answer", ring_timeout_s=2))

    assert isinstance(answer, Cause)
    assert answer.state == "no_answer"
    await listener_hears(pbx, bed, before)
    await caller.hang_up()
    await until_over(caller)
    await pbx.until_calls(0)


@every_kind
async def test_an_announcement_is_heard_by_who_is_bridged(
    bed: TestBed, pbx: Pbx, switch: Switch
) -> None:
    before = noises(bed)
    (caller,) = await call(switch, "listener")

    answer = await bridge(switch, caller, dial("announcement"))

    assert isinstance(answer, Cause)
    assert answer.sip_code == 404
    await listener_hears(pbx, bed, before)
    await caller.hang_up()
    await until_over(caller)
    await pbx.until_calls(0)


@every_kind
async def test_a_bridge_is_given_up_while_it_rings(bed: TestBed, pbx: Pbx, switch: Switch) -> None:
    (caller,) = await call(switch, "echo")
    bridging = asyncio.create_task(bridge(switch, caller, dial("no answer")))
    await until_carrier_has_two(pbx, bed)

    bridging.cancel()
    await asyncio.gather(bridging, return_exceptions=True)

    await pbx.until_calls(1)
    await goes_on(caller)
    await pbx.until_calls(0)


@every_kind
async def test_the_caller_hangs_up_while_it_rings(bed: TestBed, pbx: Pbx, switch: Switch) -> None:
    (caller,) = await call(switch, "echo")
    bridging = asyncio.create_task(bridge(switch, caller, dial("listener")))
    await until_carrier_has_two(pbx, bed)

    await caller.hang_up()

    with pytest.raises(SwitchRefused):
        await bridging
    await until_over(caller)
    await pbx.until_calls(0)


@pytest.mark.rows("RV-56")
async def test_who_answers_is_told_first_while_the_caller_is_on_hold(
    bed: TestBed, pbx: Pbx, switch: Switch
) -> None:
    before = noises(bed)
    (caller,) = await call(switch, "echo")
    hold = Ear(caller.rate, tone_hz=620)
    told: list[Attempt] = []

    async def tell(other: Attempt) -> None:
        await heard(hold)
        assert noises(bed) == before
        told.append(other)

    assert await bridge(switch, caller, dial("noise"), briefing=Briefing(tell, hold)) is None

    assert len(told) == 1
    assert hold.pitch() == pytest.approx(620, abs=8)
    await caller.hang_up()
    assert kinds(await until_over(caller)) == [Transferred, Ended]
    assert kinds(await until_over(told[0])) == [Transferred, Ended]
    await pbx.until_calls(0)


@pytest.mark.rows("RV-56")
async def test_who_hangs_up_while_being_told_is_not_joined(pbx: Pbx, switch: Switch) -> None:
    (caller,) = await call(switch, "echo")

    async def tell(other: Attempt) -> None:
        await asyncio.sleep(3600)

    answer = await bridge(switch, caller, dial("hasty"), briefing=Briefing(tell, Ear(caller.rate)))

    assert isinstance(answer, Cause)
    assert answer.state == "completed"
    await goes_on(caller)
    await pbx.until_calls(0)


@pytest.mark.rows("RV-56")
async def test_a_briefing_that_fails_leaves_the_caller_with_us(pbx: Pbx, switch: Switch) -> None:
    (caller,) = await call(switch, "echo")

    async def tell(other: Attempt) -> None:
        raise LookupError("no voice")

    with pytest.raises(LookupError):
        await bridge(switch, caller, dial("silent"), briefing=Briefing(tell, Ear(caller.rate)))

    await goes_on(caller)
    await pbx.until_calls(0)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_ringing_tone_is_on_for_two_seconds_of_six(rate: int) -> None:
    ringback = Ringback(rate)
    silence = np.zeros(rate // 50, np.int16)
    frames = [ringback.exchange(silence, 0.0, 0.0) for _ in range(600)]
    on = [index for index, frame in enumerate(frames) if frame is not None]
    assert on == [*range(100), *range(300, 400)]
    tone = np.concatenate([frame for frame in frames[:100] if frame is not None]).astype(float)
    spectrum = np.abs(np.fft.rfft(tone))
    strongest = np.argsort(spectrum)[-2:] * rate / len(tone)
    assert sorted(strongest) == pytest.approx([440, 480], abs=1)
    assert 1500 < np.sqrt(np.mean(tone**2)) < 3600
