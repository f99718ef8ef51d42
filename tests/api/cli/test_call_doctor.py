"""`offhook doctor --call`: what the store knows of a call's line, for people and programs."""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from api.resources.attempt import Ended
from api.store import Store
from pbx.quality import assess, problem_of
from pbx.switch import AudioProblem
from tests.api.story import NORMAL, answered
from tests.pbx.test_quality import GOOD


@dataclass(frozen=True)
class Told:
    """What the command said."""

    exit_code: int
    output: str
    error: str


class Doctor:
    """Runs the command, as an operator does beside the server."""

    def __init__(self, store: Path) -> None:
        self._environment = {**os.environ, "OFFHOOK_STORE__PATH": str(store), "COLUMNS": "200"}

    async def look(self, *arguments: str) -> Told:
        program = "from api.cli import main; main()"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, "doctor", "--call", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        output, error = await process.communicate()
        return Told(await process.wait(), output.decode(), error.decode())


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path / "data/offhook.db")


async def over(store: Store, **bad: Any) -> str:
    call = await answered(store)
    quality = assess(replace(GOOD, **bad))
    ended = Ended(time.time(), NORMAL, "agent_hangup", media={"received": 1500}, quality=quality)
    return (await store.calls.record_ended(call.id, ended)).id


async def test_a_good_line(store: Store, doctor: Doctor) -> None:
    told = await doctor.look(await over(store))
    assert told.exit_code == 0, told.error
    assert "nothing is wrong with its line" in told.output
    assert "-24 dBov" in told.output


async def test_a_bad_line_with_the_mend(store: Store, doctor: Doctor) -> None:
    call_id = await over(store, lost=79, leg_lost=79, bursts=75, mean_jitter_ms=21.0)
    told = await doctor.look(call_id)
    assert told.exit_code == 1
    assert "inbound loss (network): 5 % of the packets were lost: look at the way" in told.output
    (attempt,) = json.loads((await doctor.look(call_id, "--json")).output)
    assert [one["problem"] for one in attempt["problems"]] == ["loss", "jitter"]
    assert attempt["quality"]["inbound"]["loss_percent"] == 5.0
    assert attempt["sip_call_id"] == "a@b"


async def test_a_call_that_goes_on_tells_what_is_known(store: Store, doctor: Doctor) -> None:
    call = await answered(store)
    told = AudioProblem(time.time(), "no_audio_in", "rtp_address", "mend rtp.advertise")
    await store.calls.record_problem(call.id, told.at, asdict(problem_of(told)))
    shown = await doctor.look(call.id)
    assert shown.exit_code == 1
    assert "inbound no_audio_in (rtp_address): mend rtp.advertise" in shown.output


async def test_a_call_that_there_is_not(store: Store, doctor: Doctor) -> None:
    assert store is not None
    told = await doctor.look("0b9f")
    assert (told.exit_code, told.output) == (1, "")
    assert "there is no call with the id 0b9f" in told.error
