"""Announced, objected to in words, or off: what is on the disk of real calls, and what is heard."""

import asyncio
import os
import stat
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from api.cli.example import CALLER_NUMBER
from api.settings import LlmEndpoint, Models
from api.settings.engines import TranscriberEndpoint
from pbx.testbed import SENTENCES, SOUNDS, TestBed
from tests.e2e.conftest import Phone, phoning, settings_on
from tests.e2e.listener import listening
from tests.e2e.receptionist import Move, Told, receptionist
from tests.e2e.test_recordings import ANNOUNCEMENT, at, hung_up, in_progress
from voice_loop.audio import Samples, level_dbfs

KNOWN: Final = {
    "not_recorded": "please don't record this call",
    **{name: SENTENCES[name] for name in ("hello", "confirm")},
}
OPENING: Final = "hello, this is the dental clinic."
RATE: Final = 8000


def rules(told: Told) -> Move:
    """Go on, whatever is said, until the appointment is confirmed."""
    if "works" in told.said:
        return 'thank you, goodbye. <tool_call>{"name": "end_call", "arguments": {}}</tool_call>'
    return "i see. does monday at two work for you?"


@pytest.fixture(scope="module")
async def phone(bed: TestBed, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Phone]:
    """A server that takes calls, and understands who does not want to be recorded."""
    folder = tmp_path_factory.mktemp("consent")
    known = {Path(SOUNDS) / f"{name}.wav": text for name, text in KNOWN.items()}
    async with receptionist(rules) as mind, listening(known) as ears:
        heard = TranscriberEndpoint(url=ears.url, model="known", languages=("en",))
        models = Models(
            llms={"office": LlmEndpoint(url=mind.url, model="rules")},
            transcribers={"known": heard},
        )
        base = settings_on(bed, folder)
        inbound = base.pbx.model_copy(update={"inbound": True})
        async with phoning(bed, folder, models=models, pbx=inbound) as one:
            yield one


def files(phone: Phone, name: str) -> list[Path]:
    return list(phone.server.settings.recordings.dir.glob(f"{name}*"))


def sound_of(path: Path) -> Samples:
    """Shaped (n, channels)."""
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        read = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return read.reshape(-1, file.getnchannels())


def seconds_loud(sound: Samples) -> float:
    blocks = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    return 0.02 * sum(level_dbfs(block) > -45 for block in blocks)


def where(part: Samples, sound: Samples) -> int:
    """The sample of a sound that a part of it begins at."""
    fit = np.correlate(sound.astype(np.float64), part.astype(np.float64), "valid")
    best = int(fit.argmax())
    there = sound[best : best + len(part)].astype(np.float64)
    assert fit[best] > 0.9 * np.linalg.norm(there) * np.linalg.norm(part.astype(np.float64))
    return best


async def test_who_says_so_is_not_recorded_and_the_call_goes_on(phone: Phone) -> None:
    placed = await phone.place(
        "unrecorded",
        prompt="Confirm the appointment.",
        returns={},
        llm={"model": "office"},
        transcriber={"model": "known"},
        first_sentence=OPENING,
    )
    was_there = False
    async with asyncio.timeout(60):
        while (call := await phone.read(placed["id"]))["status"] != "completed":
            there = bool(files(phone, call["id"]))
            was_there |= there
            told = call["recording_details"]
            assert not (there and told["status"] == "objected" and was_gone(told))
            await asyncio.sleep(0.05)
    assert was_there
    assert not files(phone, call["id"])
    assert not call["recording_available"]
    told = call["recording_details"]
    assert told["status"] == "objected"
    assert (told["objection"]["by"], told["objection"]["words"]) == ("words", "don't record")
    objected = at(told["objection"]["at"])
    assert at(call["answered_at"]) < objected < at(call["ended_at"]) - 2
    turns = await phone.turns(call["id"])
    assert [turn["text"] for turn in turns if turn["speaker"] == "person"][-1] == KNOWN["confirm"]
    assert call["end_reason"] == "agent_hangup"


def was_gone(told: dict[str, Any]) -> bool:
    """Whether the writer has had its second to delete the file."""
    return time.time() - at(told["objection"]["at"]) > 1.5


async def test_a_caller_hears_the_announcement_before_anything_is_kept(
    phone: Phone, tmp_path: Path
) -> None:
    (number,) = (await phone.ask("GET", "/v1/numbers"))["data"]
    agent = {
        "name": "Reception",
        "type": "inbound",
        "number_ids": [number["id"]],
        "instructions": "Answer questions.",
        "llm": {"model": "office"},
        "transcriber": {"model": "known"},
        "first_sentence": OPENING,
        "recording_announcement": ANNOUNCEMENT,
    }
    await phone.ask("POST", "/v1/agents", agent)
    heard = tmp_path / "heard"
    phone.bed.carrier.call_in(
        f"PJSIP/{CALLER_NUMBER}@customer",
        caller_id='"Ann" <+15550888001>',
        application="Record",
        data=f"{heard}.wav,0,9,qk",
    )
    async with asyncio.timeout(30):
        while not (found := (await phone.ask("GET", "/v1/calls?direction=inbound"))["data"]):
            await asyncio.sleep(0.02)
        call_id = found[0]["id"]
        while True:
            kept = files(phone, call_id)  # looked for first: nothing is there that is not told
            call = await phone.read(call_id)
            told = call["recording_details"]
            assert not kept or told["announcement"]["said_at"] is not None
            if call["ended_at"] is not None:
                break
            await asyncio.sleep(0.02)
    told = call["recording_details"]
    said_s = at(told["announcement"]["said_at"]) - at(call["answered_at"])
    (recording,) = files(phone, call_id)
    agent_side = sound_of(recording)[:, 1]
    assert not agent_side[: round((said_s - 0.06) * RATE)].any()
    # What is kept first is the opening; in what the caller has heard, words come before that.
    begins = int(np.flatnonzero(np.abs(agent_side) > 300)[0])
    assert begins / RATE >= said_s - 0.06
    heard_by_caller = sound_of(heard.with_suffix(".wav"))[:, 0]
    opened = where(agent_side[begins : begins + RATE], heard_by_caller)
    assert seconds_loud(heard_by_caller[: opened - round(0.1 * RATE)]) > 0.8
    assert seconds_loud(agent_side[:begins]) == 0


def open_for_writing() -> set[str]:
    """Regular files that this process could write to, deleted ones too, but for the store's."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            target, kind = str(link.readlink()), link.stat().st_mode
            flags = Path(f"/proc/self/fdinfo/{link.name}").read_text()
        except OSError:
            continue
        (mode,) = [line.split()[1] for line in flags.splitlines() if line.startswith("flags:")]
        if stat.S_ISREG(kind) and int(mode, 8) & os.O_ACCMODE != os.O_RDONLY:
            found.add(target)
    return {one for one in found if ".sqlite" not in one and ".db" not in one}


def every_file(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def test_off_is_off_while_the_call_lasts_too(phone: Phone) -> None:
    """No file of ours and none of the PBX's is opened for it: not even a temporary one."""
    settings = phone.server.settings
    folders = [settings.recordings.dir, phone.bed.ours.home / "spool"]
    before, open_before = [every_file(one) for one in folders], open_for_writing()
    call = await in_progress(phone, "noise", agent={"recording": False})
    begun = time.monotonic()
    while time.monotonic() - begun < 2.5:
        assert open_for_writing() <= open_before
        assert [every_file(one) for one in folders] == before
        await asyncio.sleep(0.05)
    over = await hung_up(phone, call["id"])
    assert (over["recording_details"], over["recording_available"]) == (None, False)
    assert [every_file(one) for one in folders] == before
    # The same look finds the file of a call that is recorded.
    call = await in_progress(phone, "noise")
    async with asyncio.timeout(10):
        while open_for_writing() <= open_before:
            await asyncio.sleep(0.05)
    await hung_up(phone, call["id"])
