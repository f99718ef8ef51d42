"""What becomes of audio as trunks really send it, in both directions of calling.

All far ends talk side by side, for most of the time is theirs; then each test looks at one.
"""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from pbx.codecs import PCMU
from pbx.incoming import IncomingCall
from pbx.media import MediaServer
from pbx.switch import Answered, Attempt, Dial, Ended, Held, MediaStats, Progress, Resumed, Switch
from pbx.testbed import TestBed
from tests.pbx.cable import Cable
from tests.pbx.calls import Ear, new_id
from tests.pbx.conftest import plugged
from tests.pbx.kinds import AsteriskPbx
from tests.pbx.sipp import Sipp, SippLab

_LONGEST_S = 60.0
_ARRIVAL_S = 20.0
_LOUD = 2500
#: Scenarios of far ends, and for how many seconds we stay on the line where they do not hang up.
DIALLED = {
    "05_alaw": 12,
    "06_g722": 8,
    "07_opus": 8,
    "11_hold": 22,
    "12_cn": 12,
    "15_sendonly": 5,
    "20_g722only": 8,
    "25_latertp": 10,
    "26_nort": 8,
    "29_reinvite": 9,
    "30_t38": 6,
    "33_loss": 23,
    "34_p60": 12,
    "35_odd": 8,
    "40_g729": 8,
}
CALLERS = (
    "u_04_hold",
    "u_05_nortp",
    "u_06_latertp",
    "u_07_odd",
    "u_09_p30",
    "u_10_p60",
    "u_12_byenow",
    "v_loss",
    "v_ssrc",
)
TRANSCODED = ("v_loss",)
REFUSED = ("u_03_badsdp", "u_11_g729")
#: What the trunk may speak, where that is not as shipped.
CODECS = {"06_g722": "g722,alaw,ulaw", "20_g722only": "alaw,ulaw"}


@dataclass(repr=False)
class Outcome:
    """One call that is over."""

    attempt: Attempt
    far_end: Sipp
    ear: Ear
    events: list[Progress] = field(default_factory=list)

    def __repr__(self) -> str:
        told = [(type(one).__name__, round(one.at - self.events[0].at, 1)) for one in self.events]
        return f"{told} {self.end.cause} {self.stats} loud in second {self._loud_seconds()}"

    @property
    def stats(self) -> MediaStats:
        return self.attempt.media_stats()

    @property
    def end(self) -> Ended:
        assert isinstance(self.events[-1], Ended)
        return self.events[-1]

    def seconds_of(self, kind: type[Progress]) -> list[float]:
        """When those were told, in seconds after the answer."""
        answered = next(event.at for event in self.events if isinstance(event, Answered))
        return [round(event.at - answered, 1) for event in self.events if isinstance(event, kind)]

    def loud(self, after_s: float = 0.0, before_s: float = _LONGEST_S) -> bool:
        """Whether a voice was heard within those seconds of its audio."""
        return any(after_s <= one < before_s for one in self._loud_seconds())

    def _loud_seconds(self) -> Sequence[int]:
        frames = zip(self.ear.times, self.ear.heard, strict=True)
        loud = [at for at, frame in frames if np.abs(frame.astype(int)).max() > _LOUD]
        return sorted({int(at - self.ear.times[0]) for at in loud})


@dataclass
class Calls:
    """All of them."""

    by_scenario: Mapping[str, Outcome]
    refused: Mapping[str, Sipp]
    log: Sequence[str]

    def __getitem__(self, scenario: str) -> Outcome:
        return self.by_scenario[scenario]


async def follow(outcome: Outcome, seconds: float) -> Outcome:
    """Take part in a call until the far end hangs up, or for so long after the answer."""
    outcome.attempt.attach(outcome.ear)
    hanging_up: asyncio.TimerHandle | None = None
    loop = asyncio.get_running_loop()
    async for event in outcome.attempt.progress():
        outcome.events.append(event)
        if isinstance(event, Answered):
            hanging_up = loop.call_later(
                seconds, lambda: loop.create_task(outcome.attempt.hang_up())
            )
    if hanging_up is not None:
        hanging_up.cancel()
    return outcome


async def _dial(sipp: SippLab, switch: Switch, scenario: str) -> Outcome:
    codecs = CODECS.get(scenario, "alaw,ulaw")
    async with sipp.answering(scenario, codecs=codecs) as far_end:
        dial = Dial(new_id(), "+15550100", "+15550199", ring_timeout_s=10, trunk=far_end.trunk)
        attempt = await switch.originate(dial)
        outcome = Outcome(attempt, far_end, Ear(attempt.rate, 440))
        return await follow(outcome, DIALLED[scenario])


class Desk:
    """A switch that takes calls, each for who waits for that trunk's."""

    def __init__(self, bed: TestBed, media: MediaServer, cable: Cable, **settings: Any) -> None:
        self._waiting: dict[str, asyncio.Future[Attempt]] = defaultdict(asyncio.Future)
        self.switch = AsteriskPbx(bed, cable).make(media, self._take, **settings)

    async def _take(self, call: IncomingCall) -> None:
        assert call.trunk is not None
        self._waiting[call.trunk].set_result(call.attempt)

    async def be_called(self, sipp: SippLab, scenario: str) -> Outcome:
        async with sipp.calling(scenario) as caller:
            async with asyncio.timeout(_ARRIVAL_S):
                attempt = await self._waiting[caller.trunk]
            outcome = await follow(Outcome(attempt, caller, Ear(attempt.rate, 440)), _LONGEST_S)
            await caller.ended(10)
            return outcome


async def _refuse(sipp: SippLab, scenario: str) -> Sipp:
    async with sipp.calling(scenario) as caller:
        await caller.ended(_ARRIVAL_S)
        return caller


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calls(bed: TestBed, sipp: SippLab) -> AsyncIterator[Calls]:
    log = _Log()
    logging.getLogger("pbx").addHandler(log)
    async with AsyncExitStack() as stack:
        media = MediaServer("127.0.0.1", 41000, 41999)
        await media.start()
        stack.push_async_callback(media.close)
        cable = await stack.enter_async_context(plugged(Cable(bed.host, bed.ports.ami)))
        desk = Desk(bed, media, cable)
        await desk.switch.start()
        async with asyncio.timeout(_LONGEST_S), asyncio.TaskGroup() as group:
            dialled = [group.create_task(_dial(sipp, desk.switch, one)) for one in DIALLED]
            called = [group.create_task(desk.be_called(sipp, one)) for one in CALLERS]
            refused = [group.create_task(_refuse(sipp, one)) for one in REFUSED]
        await desk.switch.close()
        desk = Desk(bed, media, cable, codec=PCMU)
        await desk.switch.start()
        async with asyncio.timeout(_LONGEST_S), asyncio.TaskGroup() as group:
            transcoded = [group.create_task(desk.be_called(sipp, one)) for one in TRANSCODED]
        await desk.switch.close()
        logging.getLogger("pbx").removeHandler(log)
        names = (*DIALLED, *CALLERS, *(f"{one} transcoded" for one in TRANSCODED))
        over = [task.result() for task in (*dialled, *called, *transcoded)]
        yield Calls(
            dict(zip(names, over, strict=True)),
            dict(zip(REFUSED, (task.result() for task in refused), strict=True)),
            log.lines,
        )


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.mark.parametrize("scenario", ["33_loss", "v_loss"])
async def test_of_a_bad_line_only_what_is_lost_is_concealed(calls: Calls, scenario: str) -> None:
    stats = calls[scenario].stats
    assert 30 < stats.lost < 90
    assert stats.concealed_frames < 110


async def test_transcoded_a_bad_line_is_put_in_order_and_its_loss_told(calls: Calls) -> None:
    stats = calls["v_loss transcoded"].stats
    assert 30 < stats.lost < 90
    assert stats.concealed_frames < 160


async def test_a_new_source_is_heard(calls: Calls) -> None:
    call = calls["v_ssrc"]
    for since, until in ((0, 3), (6, 12), (15, 22)):
        assert call.loud(since, until), (since, call)


@pytest.mark.parametrize(
    "scenario",
    ["05_alaw", "12_cn", "29_reinvite", "30_t38", "34_p60", "u_06_latertp", "u_09_p30", "u_10_p60"],
)
async def test_a_voice_is_heard(calls: Calls, scenario: str) -> None:
    call = calls[scenario]
    assert call.loud(), call
    assert call.end.cause.state == "completed"


async def test_after_a_change_of_codec_the_voice_is_heard(calls: Calls) -> None:
    assert calls["29_reinvite"].loud(5.5, 9)


async def test_audio_may_begin_late(calls: Calls) -> None:
    call = calls["25_latertp"]
    assert not call.loud(0, 6)
    assert call.loud(7, 10), call


@pytest.mark.parametrize("scenario", ["35_odd", "u_07_odd"])
async def test_odd_packets_do_no_harm(calls: Calls, scenario: str) -> None:
    call = calls[scenario]
    assert call.end.cause.state == "completed"
    assert call.stats.received > 5


async def test_a_fax_is_refused_and_the_call_goes_on(calls: Calls) -> None:
    assert "SIP/2.0 488" in calls["30_t38"].far_end.messages()


async def test_holds_are_told(calls: Calls) -> None:
    for scenario, at, longest in (("11_hold", 5, 12), ("u_04_hold", 2.5, 1.5)):
        call = calls[scenario]
        (held,), (resumed,) = call.seconds_of(Held), call.seconds_of(Resumed)
        assert abs(held - at) < 1, call
        assert abs(resumed - held - longest) < 1, call
        assert abs(call.stats.held_s - longest) < 1, call


async def test_who_answers_on_hold_is_told(calls: Calls) -> None:
    call = calls["15_sendonly"]
    assert len(call.seconds_of(Held)) == 1, call
    assert not call.seconds_of(Resumed)


@pytest.mark.parametrize("scenario", ["26_nort", "06_g722"])
async def test_of_a_silent_trunk_the_log_warns(calls: Calls, scenario: str) -> None:
    call = calls[scenario]
    assert call.stats.received == 0
    (line,) = [one for one in calls.log if call.attempt.id in one and "no audio" in one]
    assert "external_media_address" in line
    assert call.end.cause.state == "completed"


@pytest.mark.parametrize("scenario", ["07_opus", "20_g722only", "40_g729"])
async def test_without_a_common_codec_the_call_fails_with_the_reason(
    calls: Calls, scenario: str
) -> None:
    call = calls[scenario]
    assert call.end.cause.state == "failed", call
    assert "no codec in common" in call.end.cause.message
    assert call.seconds_of(Ended)[0] < 7


@pytest.mark.parametrize("scenario", REFUSED)
async def test_a_caller_without_a_codec_of_ours_is_refused(calls: Calls, scenario: str) -> None:
    messages = calls.refused[scenario].messages()
    assert re.search(r"^SIP/2\.0 [4-6]\d\d ", messages, re.MULTILINE), messages
    assert "SIP/2.0 200" not in messages


async def test_who_hangs_up_at_once_is_no_riddle(calls: Calls) -> None:
    call = calls["u_12_byenow"]
    assert call.end.cause.state == "completed"
    assert not [one for one in calls.log if call.attempt.id in one and "no audio" in one]
