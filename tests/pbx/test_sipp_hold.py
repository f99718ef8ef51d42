"""Hold and resume, as each kind of PBX tells them."""

import asyncio

import pytest

from pbx.media import MediaServer
from pbx.switch import Answered, Ended, Held, Progress, Resumed
from tests.pbx.conftest import LiveFreeSwitch
from tests.pbx.kinds import AsteriskPbx, Pbx, Reception
from tests.pbx.operator_dialplan import ANSWERED, LOCAL, LOCAL_N, QUEUED, operated
from tests.pbx.sipp import SippLab


@pytest.mark.live_freeswitch
@pytest.mark.parametrize("pbx", ["freeswitch"], indirect=True)
async def test_freeswitch_tells_of_a_hold(
    sipp: SippLab, freeswitch: LiveFreeSwitch, pbx: Pbx, media: MediaServer
) -> None:
    reception = Reception(pbx, media)
    await reception.switch.start()
    async with sipp.calling_freeswitch("u_04_hold", freeswitch.sip) as caller:
        attempt = (await reception.next_call()).attempt
        async with asyncio.timeout(30):
            told: list[Progress] = [event async for event in attempt.progress()]
        assert [type(one) for one in told] == [Answered, Held, Resumed, Ended]
        assert await caller.ended(5) == 0
    stats = attempt.media_stats()
    assert stats.holds == 1
    assert 1 < stats.held_s < 2.5
    await reception.switch.close()


@pytest.mark.parametrize("number", [ANSWERED, LOCAL, LOCAL_N, QUEUED])
async def test_a_hold_is_told_through_the_operators_dialplan(
    sipp: SippLab, pbx: AsteriskPbx, media: MediaServer, number: str
) -> None:
    reception = Reception(pbx, media)
    await reception.switch.start()
    async with operated(pbx.bed), sipp.calling("u_04_hold", number=number) as caller:
        attempt = (await reception.next_call()).attempt
        async with asyncio.timeout(30):
            told: list[Progress] = [event async for event in attempt.progress()]
        assert [type(one) for one in told] == [Answered, Held, Resumed, Ended]
        assert await caller.ended(5) == 0
    assert 1 < attempt.media_stats().held_s < 2.5
    await reception.switch.close()
