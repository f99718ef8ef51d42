"""Far ends that put us on hold, send no audio, or a bad line, over the whole server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.cli.example import EXAMPLE
from api.settings.server import Hep
from pbx.testbed import TestBed
from tests.api.telemetry.decoder import HepPacket, decode
from tests.e2e.conftest import Phone, command, phoning, settings_on
from tests.pbx.sipp import SippLab

#: A busy machine leaves ticks out, and turns are told in the time of the audio.
LATE = timedelta(seconds=1.5)
NUMBERS = {
    "33_loss": "+15550110033",
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

    def __init__(
        self, phone: Phone, by_scenario: dict[str, dict[str, Any]], captured: list[HepPacket]
    ) -> None:
        self.phone = phone
        self.by_scenario = by_scenario
        self.captured = captured
        """What Homer was told."""

    def events(self, scenario: str) -> list[dict[str, Any]]:
        return self.phone.events[self.by_scenario[scenario]["id"]]

    async def doctor(self, scenario: str) -> tuple[int, str, str]:
        """What `offhook doctor --call` says beside the running server."""
        store = self.phone.server.settings.store.path
        call_id = self.by_scenario[scenario]["id"]
        return await command("doctor", "--call", call_id, OFFHOOK_STORE__PATH=str(store))

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
    captured: list[HepPacket] = []
    async with (
        _homer(captured) as hep,
        phoning(bed, folder, voice=voice, hep=hep) as phone,
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
        yield Calls(phone, dict(zip(NUMBERS, over, strict=True)), captured)


@contextlib.asynccontextmanager
async def _homer(captured: list[HepPacket]) -> AsyncIterator[Hep]:
    """A collector that keeps what comes, and the settings that lead to it."""

    class Collector(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            captured.append(decode(data))

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Collector, ("127.0.0.1", 0))
    yield Hep(host="127.0.0.1", port=transport.get_extra_info("sockname")[1])
    transport.close()


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


async def test_a_bad_line_is_found_by_its_record_its_event_and_the_doctor(calls: Calls) -> None:
    call = calls.by_scenario["33_loss"]
    inbound = call["quality"]["inbound"]
    assert 3 < inbound["loss_percent"] < 8
    assert 14 < inbound["jitter_ms"] < 32
    assert 1.5 < inbound["mos"] < 4.2
    assert -35 < inbound["level_dbov"] < -10
    assert call["quality"]["codec"] == "alaw"
    problems = {one["problem"]: one for one in call["quality"]["problems"]}
    assert problems["loss"]["cause"] == problems["jitter"]["cause"] == "network"
    (event,) = [one for one in calls.events("33_loss") if one["type"] == "call.quality"]
    assert event["data"]["quality"] == call["quality"]
    code, out, err = await calls.doctor("33_loss")
    assert code == 1, err
    assert "inbound loss (network)" in out
    assert "DSCP EF" in out


async def test_one_way_audio_is_told_with_the_likely_cause(calls: Calls) -> None:
    for scenario, cause in (("26_nort", "firewall"), ("stops", "network")):
        (told,) = [one for one in calls.events(scenario) if one["type"] == "call.audio_problem"]
        assert told["data"]["problem"]["problem"] == "no_audio_in"
        assert told["data"]["problem"]["cause"] == cause
        assert told["data"]["problem"] in calls.by_scenario[scenario]["quality"]["problems"]
    code, out, _ = await calls.doctor("26_nort")
    assert code == 1
    assert "inbound no_audio_in (firewall)" in out


async def test_homer_is_told_under_the_call_id_without_a_word_or_a_number(calls: Calls) -> None:
    call = calls.by_scenario["33_loss"]
    known_as = call["sip_call_id"].encode()
    mine = [one for one in calls.captured if one.correlation == known_as]
    told = [json.loads(one.payload) for one in mine if one.payload_type == 100]
    steps = [one["event"] for one in told]
    assert steps[:4] == ["placed", "dialing", "ringing", "answered"]
    assert steps.index("turn") < steps.index("ended")
    assert "problem" in steps
    reports = [json.loads(one.payload) for one in mine if one.payload_type == 34]
    assert [one["TYPE"] for one in reports] == ["FINAL", "FINAL"]
    assert reports[0]["MOS"] == call["quality"]["inbound"]["mos"]
    assert [one.payload_type for one in mine].count(5) == 2
    everything = b"".join(one.payload for one in calls.captured).lower()
    for secret in (call["to_number"], call["from_number"], "maria", "appointment", "hello"):
        assert secret.lower().encode() not in everything
