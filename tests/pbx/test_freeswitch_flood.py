"""Twenty thousand events at once while a call is up: its audio and its end are as ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psutil
import pytest

from pbx.media import MediaServer
from pbx.switch import Answered, Digit, Ended, Switch
from pbx.testbed import TestBed
from tests.pbx.cable import Cable
from tests.pbx.calls import (
    PATIENCE_S,
    Ear,
    begin_ids,
    cause,
    dial,
    heard,
    until,
    until_over,
)
from tests.pbx.conftest import LiveFreeSwitch, plugged
from tests.pbx.esl_peer import EslPeer
from tests.pbx.kinds import FreeSwitchPbx, ReplayedFreeSwitch
from tests.pbx.tape import FOLDER, Record, read_tape, tape_name

_EVENTS = 20_000
_OF_OURS = 2_000
_GROWTH_BYTES = 100_000_000
_TEST = "test_audio_goes_both_ways[PCMU-freeswitch]"


def flood(attempt_id: str) -> list[str]:
    """Events that pass our filters: keys of others' calls; keys and progress of ours."""
    ours = [
        f"Event-Name: {name}\nUnique-ID: {attempt_id}\nAnswer-State: answered\nDTMF-Digit: 5\n"
        "DTMF-Duration: 1600\n"
        for name in ("DTMF", "CHANNEL_PROGRESS")
    ]
    others = [
        f"Event-Name: DTMF\nUnique-ID: {number:08d}-0000-4000-8000-000000000000\n"
        f"DTMF-Digit: 7\nDTMF-Duration: 1600\nFiller: {'x' * 500}\n"
        for number in range(_EVENTS - 2 * _OF_OURS)
    ]
    events = ours * _OF_OURS + others
    return events[::2] + events[1::2]


async def endure(switch: Switch, attempt_id: str, pour: Callable[[], Awaitable[None]]) -> None:
    """A call with an echo, events poured over it, and its end."""
    memory = psutil.Process()
    before = memory.memory_info().rss
    attempt = await switch.originate(dial("echo"))
    assert attempt.id == attempt_id
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await until(attempt, Answered)
    await heard(ear, 20)

    frames, start = len(ear.heard), time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        await pour()
    await heard(ear, frames + 50)
    frames, passed_s = len(ear.heard) - frames, time.monotonic() - start

    assert 0.8 * 50 * passed_s < frames < 50 * passed_s + 5
    assert ear.pitch() == pytest.approx(620, abs=3)
    await attempt.hang_up()
    events = await until_over(attempt)
    assert cause(events).state == "completed"
    assert {type(event) for event in events} == {Digit, Ended}
    assert len(events) < 300
    assert memory.memory_info().rss - before < _GROWTH_BYTES


async def test_a_flood_over_a_tape(media: MediaServer) -> None:
    begin_ids(_TEST)
    attempt_id = dial("echo").id
    begin_ids(_TEST)
    records = list(read_tape(FOLDER / tape_name(_TEST)))
    (unicast,) = [i for i, one in enumerate(records) if "call-command: unicast" in one.text]
    at_ms = records[unicast + 1].at_ms
    water = [
        Record(
            at_ms,
            0,
            "theirs",
            f"Content-Length: {len(body) + 1}\nContent-Type: text/event-plain\n\n{body}\n",
        )
        for body in flood(attempt_id)
    ]
    records[unicast + 2 : unicast + 2] = [
        Record(at_ms, -1, "do", "flood"),
        *water,
        Record(at_ms, -1, "ask", "flood"),
        Record(at_ms, -1, "answer", ""),
    ]
    async with EslPeer(records) as peer, plugged(Cable("127.0.0.1", peer.port)) as cable:
        switch = ReplayedFreeSwitch(peer, cable).make(media)
        await switch.start()

        async def pour() -> None:
            peer.do("flood")
            await peer.ask("flood")

        await endure(switch, attempt_id, pour)
        await switch.close()
        await peer.ask("until calls 0")


async def test_a_flood_from_freeswitch(
    bed: TestBed, media: MediaServer, freeswitch: LiveFreeSwitch | None
) -> None:
    if freeswitch is None:
        pytest.skip("no FreeSWITCH here")
    begin_ids(_TEST)
    attempt_id = dial("echo").id
    begin_ids(_TEST)
    server = freeswitch.server
    async with plugged(Cable(server.host, server.port)) as cable:
        pbx = FreeSwitchPbx(bed, server, freeswitch.sip, cable)
        switch = pbx.make(media, port=server.port)
        await switch.start()

        async def pour() -> None:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(f"auth {server.password}\n\n".encode())
            for body in flood(attempt_id):
                name, _, headers = body.removeprefix("Event-Name: ").partition("\n")
                writer.write(f"sendevent {name}\n{headers}\n".encode())
            writer.write(b"exit\n\n")
            while await reader.read(65536):
                pass
            writer.close()

        await endure(switch, attempt_id, pour)
        await switch.close()
        await pbx.until_calls(0)
