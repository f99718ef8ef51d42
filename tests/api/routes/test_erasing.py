"""Erased means erased: on every node, in every file, and after every crash."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from api.calls.recording_folder import FolderError, RecordingFolder, open_folder, recording_name
from api.calls.recording_keeper import RecordingKeeper
from api.calls.retention import DAY_S, Housekeeper, Purged
from api.resources.attempt import Ended, RecordingFile
from api.resources.call import Call
from api.resources.turn import Turn
from api.settings import Retention, StoreSection
from api.store import Store
from api.store.purge import BATCH
from tests.api.calls.test_retention import put_in_the_way, record
from tests.api.conftest import EQUIPPED, Bench, benching
from tests.api.story import NODE, NORMAL, claimed, completed
from tests.files import holding
from voice_loop.analysis import Analysis

NUMBER = "+15557654321"
WORDS = "canary words of a person"


@pytest.fixture
def here(tmp_path: Path) -> RecordingFolder:
    return open_folder(tmp_path / "here", "a-store")


@pytest.fixture
def there(tmp_path: Path) -> RecordingFolder:
    return open_folder(tmp_path / "there", "a-store")


async def cut_short(store: Store, folder: RecordingFolder, number: int = 1, **order: Any) -> Call:
    """A call that is being recorded; its node is killed in the middle of it."""
    claim = await claimed(store, **order)
    name = f"{claim.call.id}.wav"
    await store.calls.record_answered(claim.call.id, time.time(), RecordingFile(folder.node, name))
    await store.calls.add_turn(claim.call.id, Turn("person", WORDS, 10.0, 11.0))
    record(folder.path, name)
    return claim.call


async def ended(store: Store, folder: RecordingFolder, **order: Any) -> Call:
    """A call that was recorded and is over."""
    call = await cut_short(store, folder, **order)
    over = Ended(time.time(), NORMAL, "person_hangup", recording_path=f"{call.id}.wav")
    return await store.calls.record_ended(call.id, over)


def recordings(folder: RecordingFolder) -> list[str]:
    return sorted(file.name for file in folder.path.glob("*.wav"))


# -- recordings that were cut short ----------------------------------------------------------------


async def test_a_recording_under_way_is_named_and_not_yet_there(bench: Bench) -> None:
    call = await cut_short(bench.store, bench.services.recordings)
    path = f"/v1/calls/{call.id}"
    (attempt,) = (await bench.client.get(f"{path}/attempts")).json()["data"]
    assert attempt["recording_available"] is False
    assert (await bench.client.get(path)).json()["recording_available"] is False
    refused = await bench.client.get(f"{path}/recording")
    assert (refused.status_code, refused.json()["code"]) == (404, "no_recording")
    (kept,) = await bench.store.calls.attempts(call.id)
    assert kept.recording_path == f"{call.id}.wav"


async def test_recordings_that_no_attempt_names_are_swept(
    store: Store, here: RecordingFolder, there: RecordingFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """Not those of calls under way, here or on another process; nor what is not ours."""
    live, over = await cut_short(store, here), await ended(store, here)
    nobody = "0f3c2d1e-4b5a-4c6d-8e7f-901234567890"
    mine = [f"{live.id}.wav", f"{over.id}.wav"]
    for name in (f"{nobody}.wav", f"{nobody}-2.wav", f"{live.id}-3.wav"):
        record(here.path, name)
    others = ["interview.wav", f"{nobody}.wav.bak", f"{nobody}.mp3"]
    for name in others:
        record(here.path, name)
    record(there.path, f"{nobody}.wav")
    keeper = RecordingKeeper(store, here)
    await keeper.sweep()
    assert sorted(one.name for one in here.path.iterdir() if one.name[0] != ".") == sorted(
        mine + others
    )
    assert recordings(there) == [f"{nobody}.wav"]
    assert "deleted 3 recordings" in caplog.text


async def test_a_recording_that_is_lost_is_no_longer_available(
    bench: Bench,
) -> None:
    folder = bench.services.recordings
    lost, kept = await ended(bench.store, folder), await ended(bench.store, folder)
    folder.delete([f"{lost.id}.wav"])
    await RecordingKeeper(bench.store, folder).sweep()
    for call, there in ((lost, False), (kept, True)):
        path = f"/v1/calls/{call.id}"
        assert (await bench.client.get(path)).json()["recording_available"] is there
        (attempt,) = (await bench.client.get(f"{path}/attempts")).json()["data"]
        assert attempt["recording_available"] is there


async def test_a_folder_that_is_not_mounted_loses_nothing(
    store: Store, here: RecordingFolder, tmp_path: Path
) -> None:
    """Nor is anything erased then, and another folder in its place is left alone."""
    kept, erased = await ended(store, here), await ended(store, here)
    elsewhere = open_folder(tmp_path / "elsewhere", "a-store")
    record(elsewhere.path, f"{uuid.uuid4()}.wav")
    foreign = recordings(elsewhere)
    mine, keeper = sorted(f"{call.id}.wav" for call in (kept, erased)), RecordingKeeper(store, here)
    here.path.rename(tmp_path / "unmounted")
    here.path.mkdir()
    await keeper.sweep()
    assert await keeper.erase(erased.id) == [here.node]
    here.path.rmdir()
    elsewhere.path.rename(here.path)
    await keeper.sweep()
    assert recordings(here) == foreign
    assert await store.erasures.nodes(erased.id) == [here.node]
    here.path.rename(elsewhere.path)
    (tmp_path / "unmounted").rename(here.path)
    assert recordings(here) == mine
    await keeper.sweep()
    assert recordings(here) == [f"{kept.id}.wav"]
    assert await store.erasures.nodes(erased.id) == []
    assert (await store.calls.get(kept.id)).recording_path == f"{kept.id}.wav"


async def test_every_file_of_a_call_is_erased(bench: Bench) -> None:
    """Whatever its attempts say: a disk that was full, a crash, an earlier release."""
    call = await completed(bench.store)
    record(bench.recordings, f"{call.id}.wav")
    assert (await bench.client.delete(f"/v1/calls/{call.id}")).status_code == 204
    assert list(bench.recordings.glob("*.wav")) == []


async def test_a_node_claims_what_an_earlier_release_recorded(
    store: Store, here: RecordingFolder
) -> None:
    call = await completed(store)
    assert call.recording_path is None
    over = await claimed(store)
    name = f"{over.call.id}.wav"
    await store.calls.record_answered(over.call.id, time.time())
    record(here.path, name)
    end = Ended(time.time(), NORMAL, "person_hangup", recording_path=name)
    await store.calls.record_ended(over.call.id, end)
    await RecordingKeeper(store, here).sweep()
    (attempt,) = await store.calls.attempts(over.call.id)
    assert (attempt.recording_node, attempt.recording_path) == (here.node, name)
    assert recordings(here) == [name]


async def test_the_only_server_claims_what_came_from_another_machine(
    store: Store, here: RecordingFolder, there: RecordingFolder
) -> None:
    """Or from another folder: nobody else will ever give or erase it."""
    call = await ended(store, there)
    there.path.joinpath(f"{call.id}.wav").rename(here.path / f"{call.id}.wav")
    keeper = RecordingKeeper(store, here)
    await keeper.sweep()
    (attempt,) = await store.calls.attempts(call.id)
    assert attempt.recording_node == here.node
    assert await keeper.erase(call.id) == []
    assert recordings(here) == []


@pytest.mark.both_stores
async def test_a_server_that_shares_its_store_claims_nothing_of_the_others(
    store: Store, here: RecordingFolder, there: RecordingFolder
) -> None:
    if not store.shared:
        pytest.skip("one server has it")
    call = await ended(store, there)
    record(here.path, f"{call.id}.wav")
    await RecordingKeeper(store, here).sweep()
    (attempt,) = await store.calls.attempts(call.id)
    assert attempt.recording_node == there.node


# -- several nodes ---------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_each_node_erases_its_own_and_to_ask_again_tells_how_far_it_is(
    bench: Bench, there: RecordingFolder
) -> None:
    """The other node is down at first."""
    call = await ended(bench.store, there)
    path = f"/v1/calls/{call.id}"
    assert (await bench.client.get(path)).json()["recording_available"] is True
    for asked in ("recording", "recording_link"):
        elsewhere = await bench.client.get(f"{path}/{asked}")
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (421, "recording_elsewhere")
        assert there.node in elsewhere.json()["detail"]
    for _ in range(2):
        answer = await bench.client.delete(path)
        assert (answer.status_code, answer.json()) == (202, {"id": call.id, "nodes": [there.node]})
    assert (await bench.client.get(path)).status_code == 404
    assert recordings(there) == [f"{call.id}.wav"]
    await RecordingKeeper(bench.store, there).sweep()  # it starts
    assert recordings(there) == []
    assert (await bench.client.delete(path)).status_code == 404


@pytest.mark.both_stores
async def test_a_stuck_file_is_no_success_and_is_tried_again(bench: Bench) -> None:
    call = await ended(bench.store, bench.services.recordings)
    file = bench.recordings / f"{call.id}.wav"
    put_in_the_way(file)
    path = f"/v1/calls/{call.id}"
    answer = await bench.client.delete(path)
    assert (answer.status_code, answer.json()["nodes"]) == (202, [bench.services.node])
    file.rmdir()
    assert (await bench.client.delete(path)).status_code == 204
    assert (await bench.client.delete(path)).status_code == 404


# -- the folder ------------------------------------------------------------------------------------


def test_a_folder_is_private_and_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    path.mkdir(mode=0o755)
    one = open_folder(path, "a-store")
    assert path.stat().st_mode & 0o777 == 0o700
    assert open_folder(path, "a-store") == one
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o600}
    assert open_folder(tmp_path / "other", "a-store").node != one.node


def test_the_name_of_a_folder_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one, after a power cut, would keep the server from starting."""
    synced: list[Path] = []

    def sync(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink())

    monkeypatch.setattr("os.fsync", sync)
    open_folder(tmp_path, "a-store")
    mark, folder = synced
    assert (mark.parent, mark.name[:19], folder) == (tmp_path, ".offhook-node.json.", tmp_path)


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"recordings\.dir .*name a folder"):
        open_folder(tmp_path / "file", "a-store")
    (mark,) = (open_folder(tmp_path / "a", "a-store").path).iterdir()
    mark.write_text("{")
    with pytest.raises(FolderError, match="is broken"):
        open_folder(tmp_path / "a", "a-store")


def test_a_folder_is_one_stores(here: RecordingFolder) -> None:
    """Each of two would delete what the other one has recorded."""
    with pytest.raises(FolderError, match=r"of another store; name another folder, or move"):
        open_folder(here.path, "another-store")
    assert open_folder(here.path, "a-store") == here


# -- the store's own files -------------------------------------------------------------------------


async def lived(bench: Bench, number: str, canary: str) -> str:
    """A call with the canary in everything that there is of it; its id."""
    body = {
        "to": number,
        "prompt": f"Ask {canary}.",
        "context": {"patient": canary},
        "metadata": {"crm": canary},
        "variables": {"who": canary},
        "agent": {"after_call_sms_prompt": f"Thank {canary}."},
        "webhook_url": "https://hooks.example.org/",
        "returns": {"name": "string"},
    }
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    made = await bench.client.post("/v1/calls", json=body, headers=headers)
    assert made.status_code == 201, made.text
    calls, call_id = bench.store.calls, made.json()["id"]
    (claim,) = (await bench.store.claims.take(1, NODE)).claims
    folder = bench.services.recordings
    file = RecordingFile(folder.node, recording_name(call_id, 1))
    await calls.record_answered(call_id, time.time(), file)
    (bench.recordings / file.name).write_bytes(b"RIFF" + canary.encode())
    for turn in range(8):
        await calls.add_turn(call_id, Turn("person", canary * (turn + 1) ** 2, turn, turn + 1.0))
    end = Ended(time.time(), NORMAL, "person_hangup", awaits_result=True, recording_path=file.name)
    await calls.record_ended(claim.call.id, end)
    analysis = Analysis("do_not_contact", f"{canary} wants no calls.", canary)
    await calls.record_result(call_id, {"name": canary}, analysis=analysis)
    return str(call_id)


async def test_nothing_of_an_erased_call_is_in_any_file_while_the_server_runs(
    equipped: Bench, tmp_path: Path
) -> None:
    """Not in the log of the database, nor in the space that it thinks is free."""
    people = [(f"+1555555{n:04d}", f"canary{n:03d}x") for n in range(24)]
    ids = [await lived(equipped, *one) for one in people]
    erased, kept = people[::2], people[1::2]
    for call_id in ids[::2]:
        assert (await equipped.client.delete(f"/v1/calls/{call_id}")).status_code == 204
    for number, _ in erased:  # who wants no calls is not called, without a word of theirs
        listed = (await equipped.client.get(f"/v1/do_not_call/{number}")).json()
        assert (listed["reason"], listed["call_id"]) == ("", None)
        await equipped.client.delete(f"/v1/do_not_call/{number}")
    await equipped.store.scrub()
    needles = [text for number, canary in erased for text in (number, number[1:], canary)]
    assert holding(tmp_path, *needles) == []
    assert {name for _, name in holding(tmp_path, *(canary for _, canary in kept))} == {
        canary for _, canary in kept
    }


@pytest.fixture
def scrubs(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What came of each time that the database was written anew."""
    told: list[bool] = []
    scrub = store.scrub

    async def counted() -> bool:
        told.append(await scrub())
        return told[-1]

    monkeypatch.setattr(store, "scrub", counted)
    return told


async def test_the_database_is_written_anew_once_for_an_erasing(
    store: Store, here: RecordingFolder, scrubs: list[bool]
) -> None:
    """Other writers wait meanwhile."""
    call = await ended(store, here)
    running = asyncio.create_task(RecordingKeeper(store, here).run(3600.0))
    await asyncio.sleep(0.1)
    assert await RecordingKeeper(store, here).erase(call.id) == []
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.wait([running])
    assert scrubs == [True]
    call = await ended(store, here)
    await store.purge.erase([await store.purge.one(call.id)], time.time(), here.node)
    await asyncio.gather(*(RecordingKeeper(store, here).carry_out() for _ in range(3)))
    assert scrubs == [True, True]


async def test_the_database_is_written_anew_once_for_a_sweep(
    store: Store, here: RecordingFolder, scrubs: list[bool]
) -> None:
    for _ in range(2 * BATCH + 1):
        await completed(store)
    running = asyncio.create_task(RecordingKeeper(store, here).run(3600.0))
    await asyncio.sleep(0.1)
    in_two_days, retention = time.time() + 2 * DAY_S, Retention(calls_days=1)
    keeper = RecordingKeeper(store, here)
    await Housekeeper(store, retention, keeper, clock=lambda: in_two_days).sweep()
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.wait([running])
    assert scrubs == [True]


async def test_erasing_that_was_killed_is_gone_on_with_at_the_next_start(
    where: StoreSection, tmp_path: Path
) -> None:
    """After the rows are gone and before the files are."""
    store = await Store.open(where)
    async with benching(store, tmp_path, EQUIPPED) as bench:
        call_id, folder = await lived(bench, NUMBER, "canary"), bench.services.recordings
        old = await store.purge.one(call_id)
        await store.purge.erase([old], time.time(), folder.node)
        assert recordings(folder) == [f"{call_id}.wav"]
    await store.close()
    store = await Store.open(where)
    await store.do_not_call.delete(NUMBER)
    await RecordingKeeper(store, folder).sweep()
    assert recordings(folder) == []
    assert await store.erasures.nodes(call_id) == []
    await store.scrub()
    assert holding(tmp_path, "canary", NUMBER) == []
    await store.close()


async def test_a_command_beside_the_server_leaves_the_rewriting_to_it(
    where: StoreSection, here: RecordingFolder
) -> None:
    serving = await Store.open(where, exclusive=True)
    beside = await Store.open(where)
    call = await ended(beside, here)
    await beside.purge.erase([await beside.purge.one(call.id)], time.time(), here.node)
    assert await RecordingKeeper(beside, here).carry_out() == 0
    assert recordings(here) == []
    assert await beside.erasures.nodes(call.id) == [here.node]
    await RecordingKeeper(serving, here).sweep()
    assert await beside.erasures.nodes(call.id) == []
    await beside.close()
    await serving.close()


async def test_what_is_stripped_beside_the_server_is_rewritten_by_it(
    where: StoreSection, here: RecordingFolder, tmp_path: Path
) -> None:
    """As whatever was in the way of rewriting at first."""
    serving = await Store.open(where, exclusive=True)
    beside = await Store.open(where)
    await ended(beside, here)
    in_two_days, retention = time.time() + 2 * DAY_S, Retention(transcripts_days=1)
    keeper = RecordingKeeper(beside, here)
    await Housekeeper(beside, retention, keeper, clock=lambda: in_two_days).sweep()
    await beside.close()
    assert holding(tmp_path, WORDS) != []
    await RecordingKeeper(serving, here).sweep()
    assert holding(tmp_path, WORDS) == []
    assert await serving.erasures.scrub_asked() is None
    await serving.close()


async def test_what_retention_deletes_is_in_no_file(equipped: Bench, tmp_path: Path) -> None:
    await lived(equipped, NUMBER, "canary")
    await equipped.client.delete(f"/v1/do_not_call/{NUMBER}")
    keeper = RecordingKeeper(equipped.store, equipped.services.recordings)
    in_two_days = time.time() + 2 * DAY_S
    retention = Retention(calls_days=1)
    housekeeper = Housekeeper(equipped.store, retention, keeper, clock=lambda: in_two_days)
    assert await housekeeper.sweep() == Purged(calls=1, answers=1)
    assert holding(tmp_path, "canary", NUMBER) == []
