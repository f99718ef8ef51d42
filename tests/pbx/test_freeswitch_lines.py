"""The far ends and callers of `test_lines`, each with a real FreeSWITCH: most calls come to the
same, and `UNLIKE` says where they do not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

import pytest
import pytest_asyncio

from pbx.incoming import IncomingCall
from pbx.media import MediaServer
from pbx.switch import Answered, AudioLost, Dial, Dialing, Held, Resumed, Ringing
from pbx.testbed import TestBed
from tests.pbx.cable import Cable
from tests.pbx.calls import Ear, new_id
from tests.pbx.conftest import LiveFreeSwitch, plugged
from tests.pbx.far_ends import CALLERS
from tests.pbx.kinds import FreeSwitchPbx
from tests.pbx.sipp import SippLab
from tests.pbx.test_lines import LINES, Calls, came_to
from tests.pbx.test_sipp_audio import Outcome, follow

pytestmark = [pytest.mark.bed, pytest.mark.live_freeswitch]

#: What FreeSWITCH itself does otherwise.
UNLIKE: Final[Mapping[str, Mapping[str, Any]]] = {
    # Its own cause for a 480, unless the far end names one.
    "early_then_480": {"q850": 20},
    "480_cause_26": {"q850": 26},
    # It ends these by itself.
    "200_no_sdp": {"told": (Dialing, Ringing), "sip_code": 500, "q850": 41},
    "200_port_0": {"sip_code": None, "q850": 88},
    "c_no_ack": {"q850": 31},
    # It takes no re-INVITE without an offer (`enable-3pcc`), and ends the call.
    "reinvite_no_sdp": {"q850": 96, "loud": (0.0, 0.0)},
    "c_reinvite_no_sdp": {"q850": 96},
    # Of these holds it tells nothing, and at a hang-up during one that it is over.
    "200_zero_address": {"told": (Dialing, Ringing, Answered)},
    "update_hold": {"told": (Dialing, Ringing, Answered)},
    "c_update_hold": {"told": (Answered,)},
    "c_hold_at_once": {"told": (Answered,)},
    "hold_bye": {"told": (Dialing, Ringing, Answered, Held, Resumed)},
    "c_hold_bye": {"told": (Answered, Held, Resumed)},
    # Audio from another port, or by another law than was agreed at first, it does not take.
    "200_from_another_port": {"loud": (0.0, 0.0)},
    "reinvite_ulaw": {"loud": (0.0, 0.0)},
    # A key whose ends are all lost; and keys by INFO, unless its `liberal-dtmf` is set.
    "keys_lost_ends": {"keys": "1235"},
    "c_keys_lost_ends": {"keys": "1235"},
    "keys_info": {"keys": ""},
    "c_keys_info": {"keys": ""},
}
#: A second hold is refused (488), a caller's timer of 90 s never reaches us; and the others came to
#: one thing in one run and to another in the next.
NOT_FOR_IT: Final = {"hold_twice", "c_timer", "hold_speaks", "update_same"}
_LIMIT_S: Final = 60.0
_LOST_S: Final = 15.0
_TALK_S: Final = 9.0
_BATCHES: Final = 4


class Office:
    """Places and takes the calls; callers are told apart by what they dial."""

    def __init__(self, sipp: SippLab, pbx: FreeSwitchPbx, sip: int, media: MediaServer) -> None:
        self._sipp = sipp
        self._sip = sip
        self._arrived: dict[str, asyncio.Future[IncomingCall]] = {}
        self.switch = pbx.make(media, self._take)

    async def _take(self, call: IncomingCall) -> None:
        self._arrived.setdefault(call.number, asyncio.Future()).set_result(call)

    async def call(self, name: str) -> Outcome:
        if name in CALLERS:
            number = f"+1555078{list(CALLERS).index(name):04}"
            async with self._sipp.calling_freeswitch(name, self._sip, number=number) as caller:
                future = self._arrived.setdefault(number, asyncio.Future())
                async with asyncio.timeout(20):
                    attempt = (await future).attempt
                outcome = Outcome(attempt, caller, Ear(attempt.rate, 440))
                await follow(outcome, _LIMIT_S)
                await caller.ended(10)
                return outcome
        async with self._sipp.answering_freeswitch(name) as far_end:
            way = f"sofia/offhook/{{number}}@127.0.0.1:{far_end.port}"
            wish = Dial(new_id(), "+15550100", "+15550199", trunk="trunk", dial_string=way)
            attempt = await self.switch.originate(wish)
            outcome = Outcome(attempt, far_end, Ear(attempt.rate, 440))
            await follow(outcome, _LOST_S if AudioLost in LINES[name].told else _TALK_S)
            assert await far_end.ended(5) == 0, far_end.errors()
            return outcome


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calls(
    bed: TestBed, sipp: SippLab, freeswitch: LiveFreeSwitch | None
) -> AsyncIterator[Calls]:
    if freeswitch is None:
        pytest.skip("a real FreeSWITCH only")
    names = [name for name in LINES if name not in NOT_FOR_IT]
    over: dict[str, Outcome | BaseException] = {}
    async with AsyncExitStack() as stack:
        media = MediaServer("127.0.0.1", 41000, 41999)
        await media.start()
        stack.push_async_callback(media.close)
        server = freeswitch.server
        cable = await stack.enter_async_context(plugged(Cable(server.host, server.port)))
        pbx = FreeSwitchPbx(bed, server, freeswitch.sip, cable)
        office = Office(sipp, pbx, freeswitch.sip, media)
        await office.switch.start()
        for at in range(_BATCHES):
            some = names[at::_BATCHES]
            async with asyncio.timeout(_LIMIT_S + 20):
                came = await asyncio.gather(*map(office.call, some), return_exceptions=True)
            over.update(zip(some, came, strict=True))
        await pbx.until_calls(0)
        assert media.open_legs == 0
        await office.switch.close()
        pbx.close()
    yield Calls(over)


@pytest.mark.parametrize("name", [name for name in LINES if name not in NOT_FOR_IT])
def test_a_line_over_freeswitch(calls: Calls, name: str) -> None:
    call, line = calls[name], replace(LINES[name], **UNLIKE.get(name, {}))
    assert came_to(call, line) == line, call
    assert (call.end.cause.sip_call_id or "none") in call.far_end.messages()
