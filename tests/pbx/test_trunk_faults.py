"""Whose fault it is that a call does not get through: our trunk's, or the network's of the number.

Over a real Asterisk, whose trunks lead to carriers that are played.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from pbx.asterisk import AsteriskSwitch
from pbx.media import MediaServer
from pbx.switch import Cause, Dial
from pbx.testbed import TestBed
from tests.pbx.calls import cause, config, new_id, until_over
from tests.pbx.played_carrier import Answer, more_trunks

ANSWERS: Final[Mapping[str, Sequence[Answer]]] = {
    "silent": (),
    "trying": (100,),
    "unauthorized": (401,),
    "unauthorized-proxy": (100, 407),
    "broke": (402,),
    "congested": (100, 503),
    "overloaded": (500,),
    "busy-behind": (100, (503, 17)),
    "unanswered-behind": ((500, 19),),
    "late": (100, 408),
    "progress-then-congested": (100, 183, 503),
    "rings-then-fails": (180, 500),
    "terminated": (100, 487),
    "declined": (603,),
    "unwanted": (607,),
    "screened": (100, 608),
    "moved": (301,),
    "gone": (410,),
    "incomplete": (484,),
    "no-codec": (488,),
    "not-acceptable": (606,),
}
WANTED: Final = {
    "silent": ("failed", "recovery_on_timer_expire", None, "trunk_unreachable"),
    "trying": ("no_answer", "no_answer", None, None),
    "unauthorized": ("failed", "call_rejected", 401, "trunk_refused"),
    "unauthorized-proxy": ("failed", "call_rejected", 407, "trunk_refused"),
    "broke": ("failed", "interworking", 402, "trunk_refused"),
    "congested": ("failed", "normal_circuit_congestion", 503, "trunk_failed"),
    "overloaded": ("failed", "network_out_of_order", 500, "trunk_failed"),
    # Asterisk does not tell of a Reason.
    "busy-behind": ("failed", "normal_circuit_congestion", 503, "trunk_failed"),
    "unanswered-behind": ("failed", "network_out_of_order", 500, "trunk_failed"),
    "late": ("no_answer", "no_user_response", 408, None),
    "progress-then-congested": ("failed", "normal_circuit_congestion", 503, None),
    "rings-then-fails": ("failed", "network_out_of_order", 500, None),
    "terminated": ("failed", "interworking", 487, None),
    "declined": ("failed", "call_rejected", 603, None),
    "unwanted": ("failed", "call_rejected", 607, None),
    "screened": ("failed", "call_rejected", 608, None),
    "moved": ("failed", "redirection_to_new_destination", 301, None),
    "gone": ("failed", "number_changed", 410, None),
    "incomplete": ("failed", "invalid_number_format", 484, None),
    "no-codec": ("failed", "bearercapability_notavail", 488, None),
    "not-acceptable": ("failed", "bearercapability_notavail", 606, None),
}


@pytest.mark.asyncio(loop_scope="session")
async def test_what_each_answer_of_a_carrier_comes_to(bed: TestBed, media: MediaServer) -> None:
    async with more_trunks(bed, ANSWERS) as trunks:
        switch = AsteriskSwitch(config(bed), media)
        await switch.start()

        async def end(trunk: str) -> Cause:
            dial = Dial(new_id(), "+15550123", "+15550199", None, 4, trunk)
            return cause(await until_over(await switch.originate(dial)))

        ends = dict(zip(ANSWERS, await asyncio.gather(*map(end, ANSWERS)), strict=True))
        await switch.close()
        assert await bed.ours.channels() == []

    told = {
        name: (one.state, one.name, one.sip_code, one.trunk_fault) for name, one in ends.items()
    }
    assert {name: one for name, one in told.items() if one != WANTED[name]} == {}
    assert {name: len(carrier.calls) for name, carrier in trunks.items()} == dict.fromkeys(
        ANSWERS, 1
    )


@pytest.mark.asyncio(loop_scope="session")
async def test_a_silent_trunk_is_over_when_its_invite_is(bed: TestBed, media: MediaServer) -> None:
    loop = asyncio.get_running_loop()
    async with more_trunks(bed, {"slow": (180,)}, wait_s=7.1) as trunks:
        switch = AsteriskSwitch(config(bed), media)
        await switch.start()
        dial = Dial(new_id(), "+15550123", "+15550199", None, 30, "slow")
        end = cause(await until_over(await switch.originate(dial)))
        over_at = loop.time()
        await asyncio.sleep(2.5)  # the carrier looks on
        await switch.close()

    assert (end.state, end.trunk_fault) == ("failed", "trunk_unreachable")
    assert trunks["slow"].heard_at < over_at
