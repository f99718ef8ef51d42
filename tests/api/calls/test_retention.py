"""How long things are kept, and erasing one call wholly."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.calls.recording_folder import open_folder
from api.calls.recording_keeper import RecordingKeeper
from api.calls.retention import DAY_S, Housekeeper, Purged
from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.idempotency import Idempotency
from api.resources.turn import Turn
from api.settings import Retention
from api.store import Store
from api.store.purge import BATCH
from api.store.tables import (
    attempts,
    budget_entries,
    call_events,
    calls,
    idempotency_keys,
    turns,
    webhook_attempts,
    webhook_deliveries,
)
from tests.api.conftest import Bench
from tests.api.receiver import receiving, status
from tests.api.story import NORMAL, answered, completed, new_call
from tests.api.webhooks.test_deliverer import delivering, settled

HOOK = "https://hooks.example.org/"


async def count(store: Store, table: Any) -> int:
    async def work(connection: AsyncConnection) -> int:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)

    return await store.database.read(work)


def record(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"RIFF")


def put_in_the_way(path: Path) -> None:
    """Root may delete any file, and a folder is none."""
    path.unlink()
    path.mkdir()


async def talked(store: Store, folder: Path, at: float | None = None, **values: Any) -> Call:
    """A call that was held, recorded, and is over; it ended at `at`."""
    call = await answered(store, **values)
    await store.calls.record_digit(call.id, time.time(), "4", 90)
    await store.calls.add_turn(call.id, Turn("person", "my secret", 10.0, 11.0))
    name = f"{call.id}.wav"
    record(folder, name)
    ended = Ended(time.time() if at is None else at, NORMAL, "agent_hangup", recording_path=name)
    return await store.calls.record_ended(call.id, ended)


def in_days(days: float) -> float:
    return time.time() + days * DAY_S


def housekeeper(store: Store, folder: Path, days_later: float, **days: float) -> Housekeeper:
    retention = Retention.model_validate(days)
    keeper = RecordingKeeper(store, open_folder(folder, "tests"))
    return Housekeeper(store, retention, keeper, clock=lambda: in_days(days_later))


async def remaining(store: Store) -> Sequence[str]:
    return [call.id for call in (await store.calls.page(limit=99)).items]


@pytest.mark.both_stores
async def test_a_call_goes_with_everything_of_it_when_its_time_is_over(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    old = await talked(store, folder, webhook_url=HOOK)
    young = await talked(store, folder, at=in_days(5))
    waiting, talking = await answered(store), await new_call(store)
    keeper = housekeeper(store, folder, 10.1, calls_days=10)
    assert await keeper.sweep(dry_run=True) == Purged(calls=1)
    assert len(await remaining(store)) == 4
    assert await keeper.sweep() == Purged(calls=1)
    assert set(await remaining(store)) == {young.id, waiting.id, talking.id}
    assert [file.stem for file in folder.glob("*.wav")] == [young.id]
    for table in (attempts, call_events, turns, webhook_deliveries):

        async def work(connection: AsyncConnection, table: Any = table) -> int | None:
            query = select(func.count()).where(table.c.call_id == old.id)
            found: int | None = await connection.scalar(query)
            return found

        assert await store.database.read(work) == 0
    assert await keeper.sweep() == Purged()


async def test_a_call_whose_result_is_on_the_way_is_not_over(store: Store, tmp_path: Path) -> None:
    call = await answered(store)
    await store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "x", awaits_result=True))
    keeper = housekeeper(store, tmp_path, 2, calls_days=1)
    assert await keeper.sweep() == Purged()
    await store.calls.record_result(call.id, {})
    assert await keeper.sweep() == Purged(calls=1)


@pytest.mark.both_stores
async def test_parts_go_and_the_call_stays(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    call = await talked(store, folder, webhook_url=HOOK)
    keeper = housekeeper(store, folder, 2, recordings_days=1, transcripts_days=1)
    assert await keeper.sweep() == Purged(recordings=1, transcripts=1)
    assert await keeper.sweep() == Purged()
    stripped = await store.calls.get(call.id)
    assert stripped == replace(call, recording_path=None)
    assert list(folder.glob("*.wav")) == []
    assert await store.calls.turns(call.id) == []
    events = await store.calls.events(call.id)
    assert not [event for event in events if "my secret" in repr(event)]
    assert not [event for event in events if event.type == "call.digit"]
    assert events[-1].terminal

    keeper = housekeeper(store, folder, 2, events_days=1)
    assert await keeper.sweep() == Purged(events=1)
    (last,) = await store.calls.events(call.id)
    assert last.terminal
    assert await store.calls.orphans() == []  # a restart does not take it for unfinished
    assert await keeper.sweep() == Purged()


async def test_what_was_spoken_is_not_delivered_after_its_time(
    store: Store, tmp_path: Path
) -> None:
    """A delivery that waits does not outlive its event; the other events still go out."""
    async with receiving() as receiver:
        call = await talked(store, tmp_path, webhook_url=receiver.url)
        keeper = housekeeper(store, tmp_path, 2, transcripts_days=1, events_days=1)
        assert await keeper.sweep() == Purged(transcripts=1, events=1)
        async with delivering(store):
            await settled(store, call, "delivered")
        assert [b'"call.completed"' in request.body for request in receiver.got] == [True]


@pytest.mark.both_stores
async def test_deliveries_go_when_they_came_to_an_end(store: Store, tmp_path: Path) -> None:
    """The one that the call's `webhook_status` tells of stays as long as the call (CB-115)."""
    async with (
        receiving(status(500)) as failing,
        receiving() as receiver,
        delivering(store, retry_schedule_s=[]),
    ):
        call = await completed(store, webhook_url=receiver.url)
        await settled(store, call, "delivered")
        await settled(store, await completed(store, webhook_url=failing.url), "failed")
    waiting = await new_call(store, webhook_url=HOOK)
    keeper = housekeeper(store, tmp_path, 2, deliveries_days=1)
    assert await keeper.sweep(dry_run=True) == Purged(deliveries=6)
    assert await keeper.sweep() == Purged(deliveries=6)
    page = await store.deliveries.page(limit=99)
    assert [one.status for one in page.items] == ["pending", "exhausted", "delivered"]
    assert page.items[0].call_id == waiting.id
    assert (await store.calls.get(call.id)).webhook_status == "delivered"
    assert await count(store, webhook_attempts) == 2


async def test_many_calls_go_in_batches(store: Store, tmp_path: Path) -> None:
    for _ in range(BATCH + 3):
        await store.calls.request_cancel((await new_call(store)).id)
    last = await new_call(store)
    keeper = housekeeper(store, tmp_path, 2, calls_days=1)
    assert await keeper.sweep(dry_run=True) == Purged(calls=BATCH + 3)
    assert await keeper.sweep() == Purged(calls=BATCH + 3)
    assert await remaining(store) == [last.id]


async def test_a_recording_that_cannot_be_deleted_is_tried_again(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The words go, and the others' recordings."""
    stuck, other = await talked(store, tmp_path), await talked(store, tmp_path)
    put_in_the_way(tmp_path / f"{stuck.id}.wav")
    keeper = housekeeper(store, tmp_path, 2, recordings_days=1)
    assert await keeper.sweep() == Purged(failed=1, recordings=2)
    assert (await store.calls.get(stuck.id)).recording_path is None
    assert f"recording of call {stuck.id} cannot be deleted" in caplog.text
    assert not (tmp_path / f"{other.id}.wav").exists()
    keeper = housekeeper(store, tmp_path, 2, calls_days=1)
    assert await keeper.sweep() == Purged(failed=1, calls=2)
    (tmp_path / f"{stuck.id}.wav").rmdir()
    record(tmp_path, f"{stuck.id}.wav")
    assert await keeper.sweep() == Purged()
    assert not (tmp_path / f"{stuck.id}.wav").exists()


async def test_a_name_that_leads_out_of_the_folder_deletes_nothing(
    store: Store, tmp_path: Path
) -> None:
    outside = tmp_path / "precious.wav"
    outside.write_bytes(b"")
    folder = tmp_path / "recordings"
    folder.mkdir()
    call = await answered(store)
    ended = Ended(time.time(), NORMAL, "x", recording_path="../precious.wav")
    await store.calls.record_ended(call.id, ended)
    assert await housekeeper(store, folder, 2, calls_days=1).sweep() == Purged(calls=1)
    assert outside.exists()


async def test_answers_of_lapsed_idempotency_keys_go(bench: Bench) -> None:
    await bench.client.post(
        "/v1/calls", json={"to": "+15551234567"}, headers={"Idempotency-Key": "x"}
    )
    keeper = housekeeper(bench.store, bench.recordings, 0.9)
    assert await keeper.sweep() == Purged()
    keeper = housekeeper(bench.store, bench.recordings, 1.1)
    assert await keeper.sweep() == Purged(answers=1)


# -- erasing one call ----------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_a_call_is_erased_wholly(bench: Bench) -> None:
    """GDPR article 17: nothing of the person is left, whatever held it."""
    body = {"to": "+15557654321", "context": {"patient": "Maria Lopez"}, "webhook_url": HOOK}
    headers = {"Idempotency-Key": "x"}
    made = (await bench.client.post("/v1/calls", json=body, headers=headers)).json()
    path = f"/v1/calls/{made['id']}"
    refused = await bench.client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_over")

    (claim,) = (await bench.store.claims.take(1, "tests")).claims
    await bench.store.calls.record_answered(claim.call.id, time.time())
    await bench.store.calls.add_turn(claim.call.id, Turn("person", "Maria Lopez", 1.0, 2.0))
    name = f"{made['id']}.wav"
    record(bench.recordings, name)
    ended = Ended(time.time(), NORMAL, "person_hangup", recording_path=name)
    await bench.store.calls.record_ended(claim.call.id, ended)
    entries = await count(bench.store, budget_entries)

    assert (await bench.client.delete(path)).status_code == 204
    assert (await bench.client.get(path)).status_code == 404
    assert (await bench.client.delete(path)).status_code == 404
    assert list(bench.recordings.glob("*.wav")) == []
    for table in (calls, attempts, turns, call_events, webhook_deliveries):
        assert await count(bench.store, table) == 0
    assert await count(bench.store, budget_entries) == entries
    assert await count(bench.store, idempotency_keys) == 1

    again = await bench.client.post("/v1/calls", json=body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (410, "erased")
    assert "Maria" not in again.text
    assert await count(bench.store, calls) == 0  # the order is not placed a second time


@pytest.mark.both_stores
async def test_an_answer_is_emptied_however_old_its_call_is(store: Store) -> None:
    """Whatever was asked for lately, and whoever else it tells of."""
    old, other = await completed(store), await completed(store)
    now = time.time()
    answers = {"alone": [old], "both": [other, old], "other": [other], "none": []}
    for key, told in answers.items():
        request = Idempotency("api-key", key, "fingerprint")
        await store.answers.reserve(request, now)
        body = json.dumps([{"id": call.id, "to": call.to_number} for call in told])
        await store.answers.keep(request, now, 200, body)
    for number in range(1000):
        await store.answers.reserve(Idempotency("another", str(number), "fingerprint"), now)
    await store.purge.erase([await store.purge.one(old.id)], now + 7 * DAY_S, "here")
    kept = {key: await store.answers.find(Idempotency("api-key", key, ""), now) for key in answers}
    statuses = {key: answer.status_code for key, answer in kept.items() if answer is not None}
    assert statuses == {"alone": 410, "both": 410, "other": 200, "none": 200}
