"""Recordings over real PBXs: as long as their calls, silent where nothing is to be recorded."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pytest

from api.client import ApiError
from pbx.testbed import TestBed, persona
from pbx.testbed.freeswitch import PROGRAM_VARIABLE, FreeSwitch, installed
from tests.e2e.conftest import Phone, phoning, settings_on
from voice_loop.audio import Samples, level_dbfs

ANNOUNCEMENT: Final = "this call is recorded"
RATE: Final = 8000
#: How exactly a recording is as long as its call, and silences stand where they were, seconds.
OFF_S: Final = 0.020
PLACED_S: Final = 0.060


@pytest.fixture(scope="module", params=["asterisk", "freeswitch"])
async def phone(
    bed: TestBed, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Phone]:
    """A server that keeps recordings in Opus, and heeds a key."""
    folder = tmp_path_factory.mktemp("recordings")
    base = settings_on(bed, folder)
    recordings = base.recordings.model_copy(
        update={"dir": folder / "recordings", "format": "opus", "objection_key": "3"}
    )
    if request.param == "asterisk":
        async with phoning(bed, folder, recordings=recordings) as one:
            yield one
        return
    if installed() is None:
        pytest.skip(f"no FreeSWITCH is installed, and {PROGRAM_VARIABLE} names none")
    async with (
        FreeSwitch(bed.ports.carrier_sip) as pbx,
        phoning(bed, folder, pbx, recordings=recordings) as one,
    ):
        yield one


def folder_of(phone: Phone) -> Path:
    return phone.server.settings.recordings.dir


async def recorded(phone: Phone, call_id: str) -> Samples:
    answer = await phone.client.request("GET", f"/v1/calls/{call_id}/recording")
    assert answer.headers["content-type"] == "audio/ogg"
    with av.open(io.BytesIO(answer.content), "r") as file:
        resampler = av.AudioResampler("s16", "stereo", RATE)
        parts = [
            part.to_ndarray()
            for one in [*file.decode(audio=0), None]
            for part in resampler.resample(one)
        ]
    return np.concatenate(parts, axis=1).astype(np.int16).reshape(-1, 2)


def at(told: str) -> float:
    return datetime.fromisoformat(told).timestamp()


def assert_as_long(call: dict[str, Any], audio: Samples) -> None:
    lasted = at(call["ended_at"]) - at(call["answered_at"])
    assert len(audio) / RATE == pytest.approx(lasted, abs=OFF_S)


def silent(audio: Samples, from_s: float, to_s: float) -> bool:
    """Whether nothing is heard on either side in that time."""
    part = audio[max(0, round(from_s * RATE)) : max(0, round(to_s * RATE))]
    return all(level_dbfs(part[:, side]) < -60 for side in (0, 1))


async def in_progress(phone: Phone, called: str, **fields: Any) -> dict[str, Any]:
    call_id = (await phone.place(called, max_duration_seconds=30, **fields))["id"]
    async with asyncio.timeout(30):
        while (call := await phone.read(call_id))["status"] != "in_progress":
            await asyncio.sleep(0.02)
    return call


async def hung_up(phone: Phone, call_id: str) -> dict[str, Any]:
    await phone.client.end_call(call_id)
    return await phone.wait(call_id)


async def test_a_conversation_that_is_announced(phone: Phone) -> None:
    call = await phone.call("talker", recording_announcement=ANNOUNCEMENT)
    assert call["status"] == "completed"
    assert call["result"]["confirmed"] is True
    told = call["recording_details"]
    said_s = at(told["announcement"]["said_at"]) - at(call["answered_at"])
    assert told["status"] == "ended"
    turns = await phone.turns(call["id"])
    agent = [turn for turn in turns if turn["speaker"] == "agent"]
    assert agent[0]["text"] == ANNOUNCEMENT
    assert not agent[0]["interrupted"]
    audio = await recorded(phone, call["id"])
    assert_as_long(call, audio)
    assert silent(audio, 0, said_s - PLACED_S)
    for side in (0, 1):
        blocks = [level_dbfs(block) for block in np.array_split(audio[:, side], len(audio) // 1600)]
        assert max(blocks) > -30
    types = phone.types(call["id"])
    assert types.index("call.answered") < types.index("call.recording.announced")


async def test_a_pause_is_silence_of_its_length(phone: Phone) -> None:
    """The person is a tone, all the time."""
    call_id = (await in_progress(phone, "noise"))["id"]
    await asyncio.sleep(1.5)
    paused = await phone.client.pause_recording(call_id)
    await asyncio.sleep(1.0)
    resumed = await phone.client.resume_recording(call_id)
    assert paused.recording_details is not None
    assert resumed.recording_details is not None
    assert paused.recording_details.status == "paused"
    assert resumed.recording_details.status == "recording"
    await asyncio.sleep(1.0)
    call = await hung_up(phone, call_id)
    audio = await recorded(phone, call_id)
    assert_as_long(call, audio)
    (pause,) = call["recording_details"]["pauses"]
    begun, over = (at(pause[end]) - at(call["answered_at"]) for end in ("started_at", "ended_at"))
    assert silent(audio, begun + PLACED_S, over - PLACED_S)
    for from_s, to_s in ((begun - 0.5, begun - PLACED_S), (over + PLACED_S, over + 0.5)):
        assert level_dbfs(audio[round(from_s * RATE) : round(to_s * RATE), 0]) > -30


async def test_a_stall_of_ours_costs_no_length(phone: Phone) -> None:
    call_id = (await in_progress(phone, "noise"))["id"]
    for _ in range(3):
        await asyncio.sleep(0.7)
        time.sleep(0.5)  # noqa: ASYNC251 - the server runs in this loop
    await asyncio.sleep(0.5)
    call = await hung_up(phone, call_id)
    assert_as_long(call, await recorded(phone, call_id))


async def test_a_key_on_the_telephone_objects(phone: Phone) -> None:
    call = await phone.call("key presser", max_duration_seconds=6)
    assert call["recording_details"]["status"] == "objected"
    assert call["recording_details"]["objection"]["words"] == "3"
    assert not call["recording_available"]
    assert not list(folder_of(phone).glob(f"{call['id']}*"))
    with pytest.raises(ApiError, match="not recorded"):
        await phone.client.get_recording(call["id"], folder_of(phone) / "not")


async def test_a_call_that_is_not_recorded_leaves_nothing_nor_does_its_transfer(
    phone: Phone,
) -> None:
    before = sorted(folder_of(phone).iterdir())
    call_id = (await in_progress(phone, "noise", agent={"recording": False}))["id"]
    body = {"number": persona("listener").number, "mode": "warm"}
    await phone.client.transfer_call(call_id, body)
    async with asyncio.timeout(30):
        while (await phone.read(call_id))["transfer"]["status"] == "dialing":
            assert sorted(folder_of(phone).iterdir()) == before
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    call = await hung_up(phone, call_id)
    assert (call["end_reason"], call["recording_details"]) == ("transferred", None)
    assert sorted(folder_of(phone).iterdir()) == before


async def test_after_a_transfer_nothing_more_is_recorded(phone: Phone) -> None:
    call_id = (await in_progress(phone, "noise"))["id"]
    await phone.client.transfer_call(call_id, {"number": persona("echo").number})
    async with asyncio.timeout(30):
        while (await phone.read(call_id))["transfer"]["status"] == "dialing":
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)
    call = await hung_up(phone, call_id)
    audio = await recorded(phone, call_id)
    joined_s = at(call["transfer"]["at"]) - at(call["answered_at"])
    assert len(audio) / RATE == pytest.approx(joined_s, abs=OFF_S)
