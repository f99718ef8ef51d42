"""A SIP phone that nobody here wrote, as a callee and as a caller: talk, keys and hold."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pbx.media import MediaServer
from pbx.switch import Answered, Attempt, Dial, Digit, Ended, Held, Resumed
from tests.pbx.baresip import TONE_HZ, Baresip, baresip, why_not
from tests.pbx.calls import Ear, heard, new_id, no_channels
from tests.pbx.conftest import LiveFreeSwitch
from tests.pbx.kinds import OUR_NUMBER, AsteriskPbx, Pbx, Reception
from tests.pbx.sipp import SippLab

_NUMBER = "+15550100777"


@pytest_asyncio.fixture(loop_scope="session")
async def phone(tmp_path: Path) -> AsyncIterator[Baresip]:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    async with baresip(tmp_path, _NUMBER) as one:
        yield one


async def conversed(attempt: Attempt, phone: Baresip) -> None:
    """Hear and be heard, press and be pressed, be held and resumed, and be hung up on."""
    ear = Ear(attempt.rate, 700)
    attempt.attach(ear)
    progress = attempt.progress()
    async for event in progress:
        if isinstance(event, Answered):
            break
    await heard(ear, 50, 2000)
    assert abs(ear.pitch() - TONE_HZ) < 10
    await attempt.send_digits("42#")
    for key in "5*":
        await phone.do("sndcode", key)
        await asyncio.sleep(0.3)
    await phone.do("hold")
    await asyncio.sleep(1)
    await phone.do("resume")
    await asyncio.sleep(1)
    await phone.do("hangup")
    told = []
    async with asyncio.timeout(10):
        told = [event async for event in progress]
    assert "".join(one.digit for one in told if isinstance(one, Digit)) == "5*"
    assert [type(one) for one in told if not isinstance(one, Digit)] == [Held, Resumed, Ended]
    assert isinstance(told[-1], Ended)
    assert (told[-1].cause.state, told[-1].cause.sip_code) == ("completed", 200)
    await phone.until("CALL_CLOSED")
    assert phone.keys() == "42#"


async def test_a_phone_is_called(phone: Baresip, sipp: SippLab, reception: Reception) -> None:
    async with sipp.trunk_to("127.0.0.1", phone.port) as trunk:
        wish = Dial(new_id(), _NUMBER, "+15550199", trunk=trunk)
        await conversed(await reception.switch.originate(wish), phone)


async def test_a_phone_calls(
    phone: Baresip, pbx: AsteriskPbx, reception: Reception, media: MediaServer
) -> None:
    bed = pbx.bed
    await phone.do("dial", f"sip:{OUR_NUMBER}@{bed.host}:{bed.ports.sip}")
    await conversed((await reception.next_call()).attempt, phone)
    await no_channels(bed)
    assert media.open_legs == 0


@pytest.mark.live_freeswitch
@pytest.mark.parametrize("pbx", ["freeswitch"], indirect=True)
async def test_a_phone_calls_freeswitch(
    phone: Baresip, freeswitch: LiveFreeSwitch, pbx: Pbx, media: MediaServer
) -> None:
    reception = Reception(pbx, media)
    await reception.switch.start()
    await phone.do("dial", f"sip:{OUR_NUMBER}@127.0.0.1:{freeswitch.sip}")
    await conversed((await reception.next_call()).attempt, phone)
    await pbx.until_calls(0)
    await reception.switch.close()
    assert media.open_legs == 0
