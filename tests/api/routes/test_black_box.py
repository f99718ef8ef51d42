"""The black box of a call: whoever may hear the recording gets it, and it goes with the call."""

import asyncio
import io
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from api.blackbox.archive import unpack
from api.calls.boxing import Boxes
from api.calls.recording_folder import RecordingFolder, box_name, open_folder
from api.calls.recording_keeper import RecordingKeeper
from api.calls.retention import DAY_S, Housekeeper
from api.calls.runner import RunnerConfig
from api.resources.attempt import Ended
from api.resources.call import Call
from api.settings import Retention, Settings
from api.settings.server import BlackBoxSection
from api.store import Store
from tests.api.conftest import Bench
from tests.api.story import NORMAL, claimed, completed
from tests.api.switchboard import Office, until
from tests.files import holding
from tests.voice_loop.scripted import frame

SECRET = "very-secret-4711"


class BoxingOffice(Office):
    """An office whose calls leave black boxes."""

    boxes: Boxes

    @property
    def config(self) -> RunnerConfig:
        return replace(super().config, boxes=self.boxes, recordings=self.boxes.folder)


def office_of(bench: Bench, **fields: Any) -> BoxingOffice:
    office = BoxingOffice(bench.store, bench.recordings, **fields)
    settings = Settings(black_box=BlackBoxSection(enabled=True))
    office.boxes = Boxes(settings, RecordingFolder(bench.recordings, bench.services.node))
    return office


async def held(office: BoxingOffice, *, listens: bool = False) -> Call:
    """A call that was answered, listened to first or not, spoken in, and hung up."""
    claim = await claimed(
        office.store,
        agent={"llm": {"api_url": "http://llm.example", "model": "m", "api_key": SECRET}},
    )
    run = asyncio.create_task(office.runner(claim).run())
    attempt = await office.switch.dialed()
    attempt.ring()
    attempt.answer()
    await until(office.store, claim.call.id, "answered")
    loud = frame(office.ears.code("hello there"))
    if listens:
        await attempt.until_spoken()
    for _ in range(100):
        await attempt.tick(loud)
    attempt.press("5")
    attempt.end()
    await run
    return await office.store.calls.get(claim.call.id)


async def test_it_is_fetched_once_the_call_is_over(bench: Bench) -> None:
    office = office_of(bench)
    call = await held(office)
    answer = await bench.client.get(f"/v1/calls/{call.id}/black_box")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    packed = ZipFile(io.BytesIO(answer.content))
    entries = [json.loads(line) for line in packed.read("entries.jsonl").splitlines()]
    kinds = {one["is"] for one in entries}
    assert {"header", "told", "began", "tick", "line", "request", "answer", "decision"} <= kinds
    assert {"pbx", "ended", "end"} <= kinds
    assert json.loads(packed.read("manifest.json"))["call_id"] == call.id
    assert SECRET.encode() not in b"".join(packed.read(name) for name in packed.namelist())
    assert holding(bench.recordings, SECRET) == []
    file = bench.recordings / box_name(call.id, 1)
    assert file.stat().st_mode & 0o777 == 0o600


async def test_without_one_there_is_none(bench: Bench) -> None:
    call = await completed(bench.store)
    for path in (f"/v1/calls/{call.id}/black_box", f"/v1/calls/{call.id}/black_box?attempt=1"):
        answer = await bench.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_black_box")


async def test_a_call_that_is_not_recorded_leaves_no_audio(bench: Bench) -> None:
    office = office_of(bench, records=lambda _: False)
    call = await held(office)
    content = (await bench.client.get(f"/v1/calls/{call.id}/black_box")).content
    file = bench.recordings / "box.zip"
    file.write_bytes(content)
    box = unpack(file)
    assert all(entry.pcm is None for entry in box.entries)
    assert any("redacted" in entry.fields for entry in box.entries if entry.kind == "tick")
    assert frame(1000).tobytes() not in (bench.recordings / box_name(call.id, 1)).read_bytes()


async def test_who_objects_leaves_none(bench: Bench) -> None:
    """Though the call goes on."""
    office = office_of(bench)
    claim = await claimed(office.store)
    run = asyncio.create_task(office.runner(claim).run())
    attempt = await office.switch.dialed()
    attempt.ring()
    attempt.answer()
    await until(office.store, claim.call.id, "answered")
    await attempt.until_spoken()
    file = bench.recordings / box_name(claim.call.id, 1)
    while not there(file):
        await attempt.tick()
        await asyncio.sleep(0.02)
    await office.hears(attempt, "please do not record this call")
    while there(file):
        await attempt.tick()
        await asyncio.sleep(0.02)
    await office.hears(attempt, "thank you")
    attempt.end()
    await run
    assert not there(file)
    answer = await bench.client.get(f"/v1/calls/{claim.call.id}/black_box")
    assert answer.status_code == 404


async def test_nothing_from_the_line_is_kept_before_the_announcement_was_heard(
    bench: Bench,
) -> None:
    office = office_of(bench, announcement="this call is recorded, you know.")
    call = await held(office, listens=True)
    entries = [
        json.loads(line)
        for line in ZipFile(
            io.BytesIO((await bench.client.get(f"/v1/calls/{call.id}/black_box")).content)
        )
        .read("entries.jsonl")
        .splitlines()
    ]
    kept = ["pcm" in one for one in entries if one["is"] == "tick"]
    first = kept.index(True)
    assert 40 < first < len(kept) - 40
    assert all(kept[first:])
    assert not any("redacted" in one for one in entries if one["is"] == "answer")


def there(file: Path) -> bool:
    return file.exists()


async def test_one_that_is_too_large_says_so(bench: Bench) -> None:
    office = office_of(bench)
    office.boxes = replace(office.boxes, megabyte=400)
    call = await held(office)
    file = bench.recordings / box_name(call.id, 1)
    assert file.stat().st_size < 25_000
    assert b'"cut"' in file.read_bytes()


async def test_it_is_erased_with_the_call(bench: Bench) -> None:
    call = await held(office_of(bench))
    assert (await bench.client.delete(f"/v1/calls/{call.id}")).status_code == 204
    assert list(bench.recordings.glob("*.blackbox")) == []


@pytest.mark.parametrize("part", ["transcripts_days", "recordings_days", "events_days"])
async def test_it_is_kept_no_longer_than_what_is_in_it(
    store: Store, tmp_path: Path, part: str
) -> None:
    folder = open_folder(tmp_path / "kept", "a-store")
    call = await completed(store)
    (folder.path / box_name(call.id, 1)).write_bytes(b"words")
    (folder.path / box_name("0" * 8 + call.id[8:], 1)).write_bytes(b"of nobody")
    retention = Retention(**{part: 2.0})
    for days, left in ((1, [box_name(call.id, 1)]), (3, [])):
        then = partial(float, time.time() + days * DAY_S)
        keeper = RecordingKeeper(store, folder, retention.black_boxes_days, then)
        await Housekeeper(store, retention, keeper).sweep()
        assert [one.name for one in folder.path.glob("*.blackbox")] == left


async def test_another_node_erases_its_own(bench: Bench, tmp_path: Path) -> None:
    """Though nothing was recorded there."""
    there = open_folder(tmp_path / "there", "a-store")
    claim = await claimed(bench.store)
    await bench.store.calls.record_answered(claim.call.id, time.time(), node=there.node)
    (there.path / box_name(claim.call.id, 1)).write_bytes(b"words")
    await bench.store.calls.record_ended(claim.call.id, Ended(time.time(), NORMAL, "silence"))
    elsewhere = await bench.client.get(f"/v1/calls/{claim.call.id}/black_box")
    assert elsewhere.status_code == 421
    answer = await bench.client.delete(f"/v1/calls/{claim.call.id}")
    assert (answer.status_code, answer.json()["nodes"]) == (202, [there.node])
    await RecordingKeeper(bench.store, there).sweep()
    assert list(there.path.glob("*.blackbox")) == []
