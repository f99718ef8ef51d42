"""Far ends that put us on hold or send no audio, over the whole server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import pytest

from api.cli.example import EXAMPLE
from pbx.testbed import TestBed
from tests.e2e.conftest import Phone, phoning
from tests.pbx.sipp import SippLab

NUMBERS = {"11_hold": "+15550110011", "26_nort": "+15550110026", "13_bye100": "+15550110013"}


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
    async with (
        phoning(bed, tmp_path_factory.mktemp("media")) as phone,
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
        assert not held < datetime.fromisoformat(turn["started_at"]) < resumed, turn
    media = await calls.media("11_hold")
    assert media["holds"] == 1
    assert 11 < media["held_s"] < 14
    assert calls.by_scenario["11_hold"]["status"] == "completed"
