"""Far ends that put us on hold or send no audio, over the whole server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.cli.example import EXAMPLE
from pbx.testbed import TestBed
from tests.e2e.conftest import Phone, phoning, settings_on
from tests.pbx.sipp import SippLab

#: A busy machine leaves ticks out, and turns are told in the time of the audio.
LATE = timedelta(seconds=1.5)
NUMBERS = {
    "11_hold": "+15550110011",
    "26_nort": "+15550110026",
    "13_bye100": "+15550110013",
    "only_noise": "+15550110050",
    "stops": "+15550110051",
    "200_no_sdp": "+15550110052",
    "hold_speaks": "+15550110053",
}


class Calls:
    """One call to each, over at the same time."""

    def __init__(self, phone: Phone, by_scenario: dict[str, dict[str, Any]]) -> None:
        self.phone = phone
        self.by_scenario = by_scenario

    def events(self, scenario: str) -> list[dict[str, Any]]:
        return self.phone.events[self.by_scenario[scenario]["id"]]

    async def media(self, scenario: str) -> dict[str, Any]:
        path = f"/v1/calls/{self.by_scenario[scenario]['id']}/attempts"
        (attempt,) = (await self.phone.ask("GET", path))["data"]
        media: dict[str, Any] = attempt["media"]
        return media


@pytest.fixture(scope="module")
async def calls(
    bed: TestBed, sipp: SippLab, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Calls]:
    folder = tmp_path_factory.mktemp("media")
    # It takes 10 s to know that audio is lost.
    voice = settings_on(bed, folder).voice.model_copy(update={"silence_prompt_s": 4.0})
    async with (
        phoning(bed, folder, voice=voice) as phone,
        AsyncExitStack() as far_ends,
    ):
        for scenario, number in NUMBERS.items():
            one = await far_ends.enter_async_context(sipp.answering(scenario))
            trunk = {"name": one.trunk, "allowed_prefixes": [number]}
            await phone.ask("POST", "/v1/trunks", trunk)

        async def call(scenario: str) -> dict[str, Any]:
            order = {**EXAMPLE, "to": NUMBERS[scenario]}
            placed = await phone.client.create_call(order)
            return await phone.wait(placed.id)

        over = await asyncio.gather(*map(call, NUMBERS))
        yield Calls(phone, dict(zip(NUMBERS, over, strict=True)))


async def test_an_answer_without_audio_fails_and_costs_nothing(calls: Calls) -> None:
    call = calls.by_scenario["26_nort"]
    assert (call["status"], call["end_reason"]) == ("failed", "no_media")
    assert call["billed_duration_seconds"] == 0
    assert "no audio" in call["error_message"]
    assert (await calls.media("26_nort"))["received"] == 0


async def test_who_hangs_up_at_once_was_there(calls: Calls) -> None:
    call = calls.by_scenario["13_bye100"]
    assert (call["status"], call["end_reason"]) == ("completed", "person_hangup")


async def test_the_agent_waits_on_hold_and_goes_on_after_it(calls: Calls) -> None:
    events = calls.events("11_hold")
    times = {one["type"]: datetime.fromisoformat(one["timestamp"]) for one in events}
    held, resumed = times["call.held"], times["call.resumed"]
    assert 11 < (resumed - held).total_seconds() < 14
    assert times["call.ended"] > resumed
    for turn in (one["data"]["turn"] for one in events if one["type"] == "call.turn"):
        assert not held < datetime.fromisoformat(turn["started_at"]) < resumed - LATE, turn
    media = await calls.media("11_hold")
    assert media["holds"] == 1
    assert 11 < media["held_s"] < 14
    assert calls.by_scenario["11_hold"]["status"] == "completed"


@pytest.mark.parametrize(
    ("scenario", "status", "reason"),
    [
        ("only_noise", "completed", "silence"),
        ("stops", "completed", "media_lost"),
        ("200_no_sdp", "failed", "failed"),
    ],
)
async def test_a_line_without_a_voice(
    calls: Calls, scenario: str, status: str, reason: str
) -> None:
    call = calls.by_scenario[scenario]
    assert (call["status"], call["end_reason"]) == (status, reason)
    types = [one["type"] for one in calls.events(scenario)]
    assert ("call.audio_lost" in types) == (scenario == "stops")
    assert (await calls.media(scenario))["comfort_noise"] == (scenario == "only_noise")


async def test_an_answer_without_a_codec_says_so(calls: Calls) -> None:
    call = calls.by_scenario["200_no_sdp"]
    assert call["hangup_cause"] == call["error_code"] == "incompatible_destination"
    assert call["sip_call_id"]


async def test_who_speaks_on_hold_is_not_talked_to(calls: Calls) -> None:
    events = calls.events("hold_speaks")
    times = {one["type"]: datetime.fromisoformat(one["timestamp"]) for one in events}
    held, resumed = times["call.held"], times["call.resumed"]
    turns = [
        (datetime.fromisoformat(turn["started_at"]), turn["speaker"], turn["text"])
        for turn in (one["data"]["turn"] for one in events if one["type"] == "call.turn")
    ]
    assert [one for one in turns if held < one[0] < resumed - LATE] == [], (held, resumed)
    assert [one for one in turns if one[0] > resumed], turns
