"""Bad days of every `Switch`: the link is cut, the PBX dies.

Every attempt ends once, none is dialled twice, no channel is left.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from pbx.media import MediaServer
from pbx.switch import (
    Answered,
    Dialing,
    EarlyMedia,
    Ended,
    Progress,
    Ringing,
    Switch,
    SwitchRefused,
    SwitchUnavailable,
)
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

pytestmark = every_kind


@pytest_asyncio.fixture(loop_scope="session")
async def switch(pbx: Pbx, media: MediaServer) -> AsyncIterator[Switch]:
    """One whose patience is short."""
    one = pbx.make(media, timeout_s=1.0, link_grace_s=5.0)
    await one.start()
    yield one
    await one.close()
    await pbx.until_calls(0)


def needs_to_kill(pbx: Pbx) -> None:
    if not pbx.can_die:
        pytest.skip("kills the PBX: only where this run has started it (OFFHOOK_FREESWITCH)")


async def test_a_call_outlives_a_cut_link(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("echo"))
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await until(attempt, Answered)
    await heard(ear, 10)

    await pbx.cable.cut()
    await connected(switch, False)
    before = len(ear.heard)
    with pytest.raises(SwitchUnavailable):
        await switch.originate(dial("busy"))
    await pbx.cable.plug_in()
    await connected(switch)

    assert await switch.living_channels() == [attempt.id]
    await heard(ear, before + 50)
    assert ear.pitch() == pytest.approx(620, abs=3)
    await attempt.hang_up()
    assert cause(await until_over(attempt)).state == "completed"
    assert len(await pbx.dialled()) == 1


async def test_a_link_that_is_cut_while_the_audio_is_being_opened(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("noise"))
    ear = Ear(attempt.rate)
    attempt.attach(ear)
    await until(attempt, Ringing)
    pbx.cable.mute = True
    await until(attempt, Answered)
    await pbx.cable.cut()
    await connected(switch, False)
    pbx.cable.mute = False
    await pbx.cable.plug_in()
    await connected(switch)

    await heard(ear, level=1000)
    await attempt.hang_up()
    assert cause(await until_over(attempt)).state == "completed"


async def test_what_happened_meanwhile_is_caught_up(pbx: Pbx, switch: Switch) -> None:
    answered_meanwhile = await switch.originate(dial("late answerer"))
    ended_meanwhile = await switch.originate(dial("hasty"))
    await pbx.cable.cut()
    await connected(switch, False)
    await pbx.until_calls(1)
    await pbx.until_answered()
    await pbx.cable.plug_in()

    end = cause(await until_over(ended_meanwhile))
    assert (end.state, end.name) == ("failed", "pbx_lost_call")
    assert "link" in end.message
    await until(answered_meanwhile, Answered)
    await answered_meanwhile.hang_up()
    assert cause(await until_over(answered_meanwhile)).state == "completed"


async def test_a_hang_up_during_the_cut_is_made_good(pbx: Pbx, switch: Switch) -> None:
    attempt = await switch.originate(dial("no answer", ring_timeout_s=60))
    await until(attempt, Ringing)
    await pbx.cable.cut()
    await connected(switch, False)
    await attempt.hang_up()
    await pbx.until_calls(1)
    await pbx.cable.plug_in()

    assert cause(await until_over(attempt)).state == "canceled"
    await pbx.until_calls(0)


async def test_an_originate_of_unknown_fate_is_not_repeated(pbx: Pbx, switch: Switch) -> None:
    await switch.living_channels()
    pbx.cable.mute = True
    with pytest.raises(SwitchUnavailable):
        await switch.originate(dial("silent"))
    pbx.cable.mute = False
    await pbx.cable.cut()
    await connected(switch, False)
    await pbx.cable.plug_in()
    await connected(switch)

    assert await switch.living_channels() == []
    assert len(await pbx.dialled()) == 0


async def test_a_link_that_stays_down_ends_the_calls(pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media, link_grace_s=0.3, timeout_s=1.0)
    await switch.start()
    attempt = await switch.originate(dial("silent"))
    await until(attempt, Answered)
    await pbx.settled(attempt)
    await pbx.cable.cut()

    events = await until_over(attempt)

    assert kinds(events) == [Ended]
    assert cause(events).name == "pbx_lost_call"
    await pbx.until_calls(1)
    await pbx.cable.plug_in()
    await connected(switch)
    await pbx.until_calls(0)  # the call that was given up is hung up at last
    await switch.close()


@pytest.mark.live_freeswitch
@pytest.mark.parametrize(("name", "reached"), [("silent", Answered), ("late answerer", EarlyMedia)])
async def test_the_pbx_itself_ends_a_call_whose_owner_is_gone(
    pbx: Pbx, switch: Switch, name: str, reached: type[Progress]
) -> None:
    wish = replace(dial(name, ring_timeout_s=3), limit_s=1)
    attempt = await switch.originate(wish)
    await until(attempt, reached)
    if reached is Answered:
        await pbx.settled(attempt)

    await pbx.cable.cut()

    await pbx.until_calls(0)
    await until_over(attempt)
    await pbx.cable.plug_in()
    await connected(switch)


async def test_a_limit_is_set_anew(pbx: Pbx, switch: Switch) -> None:
    begun = time.monotonic()

    async def past_the_first() -> bool:
        return time.monotonic() > begun + 11

    attempt = await switch.originate(replace(dial("silent", ring_timeout_s=3), limit_s=1))
    await until(attempt, Answered)
    await attempt.limit(60)
    await pbx.settled(attempt)
    await pbx.until("its first limit is past", past_the_first)
    await pbx.until_calls(1)

    await attempt.limit(1)

    assert cause(await until_over(attempt)).state == "completed"
    with pytest.raises(SwitchRefused):
        await attempt.limit(1)
    await pbx.until_calls(0)


@pytest.mark.parametrize("seconds", [0, -1, 10**7])
async def test_a_limit_that_is_none(switch: Switch, seconds: int) -> None:
    with pytest.raises(SwitchRefused) as refusal:
        await switch.originate(replace(dial("silent"), limit_s=seconds))
    assert refusal.value.field == "limit_s"


async def test_a_channel_of_an_earlier_life_can_be_hung_up(pbx: Pbx, media: MediaServer) -> None:
    earlier = pbx.make(media, link_grace_s=0.1)
    await earlier.start()
    attempt = await earlier.originate(dial("silent"))
    await until(attempt, Answered)
    await pbx.settled(attempt)
    await pbx.cable.cut()
    await until_over(attempt)
    await earlier.close()
    await pbx.cable.plug_in()

    later = pbx.make(media)
    await later.start()
    assert await later.living_channels() == [attempt.id]
    await later.hang_up_channel(attempt.id)
    await pbx.until_calls(0)
    await later.hang_up_channel(attempt.id)
    assert await later.living_channels() == []
    await later.close()


async def test_calls_beside_those_of_an_earlier_life_are_heard(
    pbx: Pbx, media: MediaServer
) -> None:
    earlier = pbx.make(media, link_grace_s=0.1)
    await earlier.start()
    left = [await earlier.originate(dial("silent")) for _ in range(4)]
    for attempt in left:
        await until(attempt, Answered)
        await pbx.settled(attempt)
    await pbx.cable.cut()
    for attempt in left:
        await until_over(attempt)
    await earlier.close()
    await pbx.cable.plug_in()

    later = pbx.make(media)
    await later.start()
    attempt = await later.originate(dial("echo"))
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await until(attempt, Answered)
    await heard(ear)

    assert set(await later.living_channels()) == {attempt.id, *(one.id for one in left)}
    for one in left:
        await later.hang_up_channel(one.id)
    await later.close()
    await pbx.until_calls(0)


async def test_the_pbx_dies_in_mid_call(pbx: Pbx, media: MediaServer) -> None:
    needs_to_kill(pbx)
    switch = pbx.make(media, link_grace_s=15)
    await switch.start()
    names = ["echo", "silent", "no answer"]
    attempts = [await switch.originate(dial(name, ring_timeout_s=60)) for name in names]
    await until(attempts[0], Answered)

    killed_at = time.time()
    await pbx.kill()
    await connected(switch, False)
    await asyncio.sleep(2)
    await pbx.start_again()

    for attempt in attempts:
        events = await until_over(attempt)
        assert cause(events).name == "pbx_lost_call"
        assert events[-1].at == pytest.approx(killed_at, abs=1), "nobody talked since"
    await connected(switch)
    assert await switch.living_channels() == []
    # Nobody said goodbye to the carrier: its sides of the calls are for us to clear.
    await pbx.clear_carrier()
    await pbx.until_calls(0)
    again = await switch.originate(dial("busy"))
    assert cause(await until_over(again)).state == "busy"
    await switch.close()


async def test_the_pbx_is_shut_down_in_mid_call(pbx: Pbx, media: MediaServer) -> None:
    needs_to_kill(pbx)
    switch = pbx.make(media, link_grace_s=15)
    await switch.start()
    names = ["echo", "no answer"]
    attempts = [await switch.originate(dial(name, ring_timeout_s=60)) for name in names]
    await until(attempts[0], Answered)

    await pbx.stop()
    await connected(switch, False)
    await pbx.start_again()

    answered, ringing = [cause(await until_over(attempt)) for attempt in attempts]
    assert answered.state in ("completed", "failed")
    assert ringing.state in ("no_answer", "failed")
    await connected(switch)
    assert await switch.living_channels() == []
    await pbx.clear_carrier()
    await pbx.until_calls(0)
    await switch.close()


async def test_a_pbx_that_stays_away_ends_the_calls(pbx: Pbx, media: MediaServer) -> None:
    needs_to_kill(pbx)
    switch = pbx.make(media, link_grace_s=3)
    await switch.start()
    attempt = await switch.originate(dial("silent"))
    await until(attempt, Answered)
    try:
        killed_at = time.time()
        await pbx.kill()
        events = await until_over(attempt)
        assert cause(events).name == "pbx_lost_call"
        assert events[-1].at == pytest.approx(killed_at, abs=1), "nobody talked since"
        async with asyncio.timeout(PATIENCE_S):
            await switch.close()
    finally:
        await pbx.start_again()
        await pbx.clear_carrier()
    await pbx.until_calls(0)


async def test_the_operator_hangs_a_leg_up_on_the_console(pbx: Pbx, switch: Switch) -> None:
    for leg in pbx.legs:
        attempt = await switch.originate(dial("echo"))
        ear = Ear(attempt.rate, tone_hz=620)
        attempt.attach(ear)
        await until(attempt, Answered)
        await heard(ear, 10)
        await pbx.hang_up_on_console(attempt, leg)

        events = await until_over(attempt)

        assert kinds(events) == [Ended]
        assert cause(events).state == "completed"
        assert cause(events).by_pbx


async def test_closing_hangs_everything_up(pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media)
    await switch.start()
    attempts = [await switch.originate(dial(name)) for name in ("echo", "silent", "no answer")]
    await until(attempts[0], Answered)
    await pbx.settled(attempts[0])

    await switch.close()

    for attempt in attempts:
        assert isinstance((await until_over(attempt))[-1], Ended)
    await pbx.until_calls(0)
    assert not switch.connected
    assert media.open_legs == 0


async def test_many_calls_at_once_each_end_once(pbx: Pbx, switch: Switch) -> None:
    names = ["busy", "hasty", "no answer", "rejecter"] * 4
    attempts = await asyncio.gather(*(switch.originate(dial(name)) for name in names))
    for name, attempt in zip(names, attempts, strict=True):
        if name == "no answer":
            await until(attempt, Dialing)
            await attempt.hang_up()

    ends = [cause(await until_over(attempt)).state for attempt in attempts]

    assert ends == ["busy", "completed", "canceled", "failed"] * 4
    assert len(await pbx.dialled()) == len(names)
    await pbx.until_calls(0)
