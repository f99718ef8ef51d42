"""Calls with far ends and callers that each do one thing in a way of their own, as lines have it.

Many talk side by side, for most of the time is theirs; then each test looks at one. Nothing may be
left of any.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import pytest
import pytest_asyncio

from pbx.media import MediaServer
from pbx.switch import (
    Answered,
    AudioLost,
    AudioProblem,
    Dial,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Held,
    Progress,
    Resumed,
    Ringing,
)
from pbx.testbed import TestBed
from tests.pbx.cable import Cable
from tests.pbx.calls import Ear, cause, new_id, no_channels, until, until_over
from tests.pbx.conftest import plugged
from tests.pbx.far_ends import CALLERS, FAR_ENDS
from tests.pbx.kinds import Reception
from tests.pbx.sipp import SippLab
from tests.pbx.test_sipp_audio import Desk, Outcome, follow

_BATCHES: Final = 4
_TALK_S: Final = 9.0
#: As long as it takes to know that audio is lost.
_LOST_S: Final = 15.0
_LIMIT_S: Final = 60.0
_RANG: Final = (Dialing, Ringing, Answered)
_PLAYED: Final = (Dialing, EarlyMedia)
#: Callers whom the PBX refuses by itself, and how.
REFUSED: Final = {"c_only_t38": "488", "c_requires": "420"}


@dataclass(frozen=True)
class Line:
    """What a call comes to."""

    told: tuple[type[Progress], ...] = _RANG
    """But for keys and the end."""
    state: str = "completed"
    sip_code: int | None = 200
    q850: int = 16
    keys: str = ""
    loud: tuple[float, float] | None = None
    """Between which seconds of its audio somebody is heard."""


LINES: Final[Mapping[str, Line]] = {
    "183_then_486": Line(_PLAYED, "busy", 486, 17),
    "early_then_480": Line(_PLAYED, "no_answer", 480, 19, loud=(0, 8)),
    "180_forks": Line((Dialing, Ringing, EarlyMedia, Answered), loud=(6, 9)),
    "180_with_sdp": Line((*_PLAYED, Answered), loud=(0, 2)),
    "182_queued": Line(loud=(6, 9)),
    "200_no_sdp": Line(state="failed", sip_code=None, q850=88),
    "200_port_0": Line((Dialing, Ringing), "failed", 488, 58),
    "200_zero_address": Line((Dialing, Ringing, Held, Answered)),
    "200_at_once": Line((Dialing, Answered), loud=(6, 9)),
    "200_from_another_port": Line(loud=(6, 9)),
    "200_recvonly": Line((*_RANG, AudioLost)),
    "200_video_too": Line(loud=(6, 9)),
    "bye_reason": Line(q850=31),
    "bye_reason_41": Line(q850=41),
    "bye_reason_sip": Line(),
    "bye_cause_26": Line(q850=26),
    "480_cause_26": Line((Dialing, Ringing), "no_answer", 480, 19),
    "reinvite_same": Line(loud=(6, 9)),
    "reinvite_no_sdp": Line(loud=(6, 9)),
    "reinvite_address": Line(loud=(3, 6)),
    "reinvite_ulaw": Line(loud=(6, 9)),
    "update_same": Line(loud=(6, 9)),
    "update_hold": Line((*_RANG, Held, Resumed), loud=(5, 9)),
    "hold_inactive": Line((*_RANG, Held, Resumed), loud=(5, 9)),
    "hold_zero": Line((*_RANG, Held, Resumed), loud=(5, 9)),
    "hold_twice": Line((*_RANG, Held, Resumed, Held, Resumed)),
    "hold_speaks": Line((*_RANG, Held, Resumed), loud=(6, 9)),
    "hold_bye": Line((*_RANG, Held)),
    "p10": Line(loud=(6, 9)),
    "p40": Line(loud=(6, 9)),
    "sources": Line(loud=(6, 9)),
    "wrap": Line(loud=(6, 9)),
    "only_noise": Line(),
    "stops": Line((*_RANG, AudioLost), loud=(0, 2)),
    "fax_called": Line(loud=(0, 4)),
    "keys_lost_ends": Line(keys="12345"),
    "keys_all": Line(keys="*#ABCD7"),
    "keys_repeated": Line(keys="1155"),
    "keys_overlap": Line(keys="123"),
    "keys_doubled": Line(keys="159#"),
    "keys_both": Line(keys="1590"),
    "keys_early": Line((*_PLAYED, Answered), keys="*#ABCD7"),
    "keys_info": Line(keys="1*#AD2*0"),
    "c_talk": Line((Answered,), loud=(6, 9)),
    "c_no_ack": Line((Answered,)),
    "c_hold_at_once": Line((Answered, Held, Resumed), loud=(3, 6)),
    "c_dynamic_first": Line((Answered,), loud=(0, 2)),
    "c_video_too": Line((Answered,), loud=(0, 2)),
    "c_timer": Line((Answered,), loud=(0, 2)),
    "c_reinvite_no_sdp": Line((Answered,), loud=(0, 2)),
    "c_hold_inactive": Line((Answered, Held, Resumed), loud=(4, 7)),
    "c_hold_zero": Line((Answered, Held, Resumed), loud=(4, 7)),
    "c_hold_bye": Line((Answered, Held)),
    "c_update_hold": Line((Answered, Held, Resumed), loud=(4, 7)),
    "c_p10": Line((Answered,), loud=(0, 2)),
    "c_p40": Line((Answered,), loud=(0, 2)),
    "c_sources": Line((Answered,), loud=(6, 12)),
    "c_wrap": Line((Answered,), loud=(6, 9)),
    "c_only_noise": Line((Answered,)),
    "c_stops": Line((Answered, AudioLost), loud=(0, 2)),
    "c_no_rtp": Line((Answered, AudioLost)),
    "c_keys_lost_ends": Line((Answered,), keys="12345"),
    "c_keys_all": Line((Answered,), keys="*#ABCD7"),
    "c_keys_repeated": Line((Answered,), keys="1155"),
    "c_keys_overlap": Line((Answered,), keys="123"),
    "c_keys_doubled": Line((Answered,), keys="159#"),
    "c_keys_both": Line((Answered,), keys="1590"),
    "c_keys_info": Line((Answered,), keys="1*#AD"),
}


class Office:
    """Places and takes the calls."""

    def __init__(self, sipp: SippLab, desk: Desk) -> None:
        self.sipp = sipp
        self.desk = desk

    async def call(self, name: str) -> Outcome:
        """One call of that name, from its beginning to its end on both sides."""
        if name in CALLERS:
            return await self.desk.be_called(self.sipp, name)
        async with self.sipp.answering(name) as far_end:
            wish = Dial(new_id(), "+15550100", "+15550199", trunk=far_end.trunk)
            attempt = await self.desk.switch.originate(wish)
            outcome = Outcome(attempt, far_end, Ear(attempt.rate, 440))
            await follow(outcome, _LOST_S if AudioLost in LINES[name].told else _TALK_S)
            assert await far_end.ended(5) == 0, far_end.errors()
            return outcome


@dataclass(frozen=True)
class Calls:
    """Those that are over, and what was raised in others."""

    came: Mapping[str, Outcome | BaseException]

    def __getitem__(self, name: str) -> Outcome:
        one = self.came[name]
        if isinstance(one, BaseException):
            raise one
        return one


def came_to(call: Outcome, wanted: Line) -> Line:
    """What that call came to, to be compared."""
    told = tuple(
        type(one) for one in call.events if not isinstance(one, Digit | AudioProblem | Ended)
    )
    if told[:2] == (Held, Answered):  # a caller who holds at once may do so before we know it
        told = (Answered, Held, *told[2:])
    keys = "".join(one.digit for one in call.events if isinstance(one, Digit))
    end = call.end.cause
    loud = wanted.loud if wanted.loud is None or call.loud(*wanted.loud) else (0.0, 0.0)
    return Line(told, end.state, end.sip_code, end.q850 or 0, keys, loud)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calls(bed: TestBed, sipp: SippLab) -> AsyncIterator[Calls]:
    names = list(LINES)
    before = len(asyncio.all_tasks())
    over: dict[str, Outcome | BaseException] = {}
    async with AsyncExitStack() as stack:
        media = MediaServer("127.0.0.1", 41000, 41999)
        await media.start()
        stack.push_async_callback(media.close)
        cable = await stack.enter_async_context(plugged(Cable(bed.host, bed.ports.ami)))
        desk = Desk(bed, media, cable)
        await desk.switch.start()
        office = Office(sipp, desk)
        for at in range(_BATCHES):
            some = names[at::_BATCHES]
            async with asyncio.timeout(_LIMIT_S):
                came = await asyncio.gather(*map(office.call, some), return_exceptions=True)
            over.update(zip(some, came, strict=True))
        await no_channels(bed)
        assert media.open_legs == 0
        await desk.switch.close()
    assert len(asyncio.all_tasks()) <= before
    yield Calls(over)


@pytest.mark.parametrize("name", LINES)
def test_a_line(calls: Calls, name: str) -> None:
    call, line = calls[name], LINES[name]
    assert came_to(call, line) == line, call
    call_id = call.end.cause.sip_call_id
    assert call_id
    assert call_id in call.far_end.messages()
    assert call.stats.lost < 100, call


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("stops", "network"),
        ("c_stops", "network"),
        ("c_no_rtp", "firewall"),
        ("200_recvonly", "firewall"),
    ],
)
def test_who_is_not_heard_is_told_with_the_likely_cause(
    calls: Calls, name: str, cause: str
) -> None:
    call = calls[name]
    (told,) = [one for one in call.events if isinstance(one, AudioProblem)]
    assert (told.problem, told.cause) == ("no_audio_in", cause)
    lost = next(one for one in call.events if isinstance(one, AudioLost))
    assert 4.5 < told.at - lost.since < 7.5
    assert list(call.attempt.problems) == [told]


@pytest.mark.parametrize("name", ["200_from_another_port", "only_noise", "hold_bye", "p40", "wrap"])
def test_who_is_heard_has_no_problem(calls: Calls, name: str) -> None:
    assert list(calls[name].attempt.problems) == []


def test_every_scenario_is_looked_at() -> None:
    others = {*REFUSED, "cancel_crosses"}
    assert {*FAR_ENDS, *CALLERS} == {*LINES, *others}


async def test_an_answer_that_crosses_our_cancel_is_ended(
    sipp: SippLab, reception: Reception
) -> None:
    async with sipp.answering("cancel_crosses") as far_end:
        wish = Dial(new_id(), "+15550100", "+15550199", trunk=far_end.trunk)
        attempt = await reception.switch.originate(wish)
        await until(attempt, Ringing)
        await attempt.hang_up()
        assert cause(await until_over(attempt)).state == "canceled"
        assert await far_end.ended(5) == 0, far_end.errors()


@pytest.mark.parametrize("name", ["only_noise", "c_only_noise"])
def test_comfort_noise_is_a_sign_of_life(calls: Calls, name: str) -> None:
    stats = calls[name].stats
    assert (stats.received, stats.gaps, stats.comfort_noise) == (0, 0, True)


@pytest.mark.parametrize("name", ["stops", "c_stops", "c_no_rtp"])
def test_what_was_lost_is_counted(calls: Calls, name: str) -> None:
    stats = calls[name].stats
    assert (stats.gaps, stats.comfort_noise) == (1, False)
    assert 10 < stats.gap_s < 17


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_asked_in_vain_is_refused(sipp: SippLab, name: str) -> None:
    async with sipp.calling(name) as caller:
        assert await caller.ended(10) == 0, caller.errors()
        assert f"SIP/2.0 {REFUSED[name]} " in caller.messages()
    await no_channels(sipp.bed)
