"""The ledger on a real SQLite file and a real PostgreSQL: moves, invariants, restarts."""

import asyncio
import json
import math
import stat
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import DropTable

from api.base.lifecycle import EVENT_OF, MOVES, STATUSES, TERMINAL, WEBHOOK_EVENTS, IllegalMoveError
from api.base.refusals import Conflict, NotFound
from api.resources.attempt import Ended
from api.resources.call import NewCall
from api.resources.turn import Turn
from api.settings import StoreSection
from api.store import Store, StoreError
from api.store.database import Database, Transaction, UnstorableError
from api.store.event_bus import EventBus, Lagged
from api.store.keys import hash_key
from api.store.ledger_writer import insist
from api.store.tables import api_keys, attempts, call_events, calls, turns
from pbx.switch import Cause
from tests.api.story import (
    BUSY,
    NORMAL,
    NUMBER,
    OURS,
    answered,
    claim_up_to,
    claimed,
    completed,
    new_call,
)

pytestmark = pytest.mark.both_stores


async def types(store: Store, call_id: str) -> list[str]:
    return [event.type for event in await store.calls.events(call_id)]


# -- the story of a call -------------------------------------------------------------------------


async def test_an_answered_call_tells_its_story_once(store: Store) -> None:
    """X-CB-1…4, X-CB-9; the terminal event comes with the result (CB-53)."""
    claim = await claimed(store, returns={"ok": "boolean"})
    call_id, start = claim.call.id, claim.call.created_at
    assert claim.attempt.channel_id.startswith("offhook-")
    assert (claim.attempt.number, claim.attempt.state) == (1, "dialing")
    await store.calls.record_early_media(call_id, start + 1)
    await store.calls.record_ringing(call_id, start + 2)
    await store.calls.record_answered(call_id, start + 5)
    await store.calls.record_digit(call_id, start + 6, "5", 80)
    await store.calls.add_turn(call_id, Turn("agent", "hi", start + 5, start + 6))
    ended = await store.calls.record_ended(
        call_id, Ended(start + 39, NORMAL, "agent_hangup", awaits_result=True, answered_by="human")
    )
    assert (ended.status, ended.result_status) == ("completed", "pending")
    before = [
        "call.queued",
        "call.initiated",
        "call.ringing",
        "call.early_media",
        "call.answered",
        "call.digit",
        "call.turn",
        "call.ended",
        "call.transcript.final",
    ]
    assert await types(store, call_id) == before
    done = await store.calls.record_result(call_id, {"ok": None})
    assert await types(store, call_id) == [*before, "call.analyzed", "call.completed"]
    events = await store.calls.events(call_id)
    assert [event.seq for event in events] == list(range(1, 12))
    assert [event.terminal for event in events] == [False] * 10 + [True]
    assert events[-1].data["call"] == done.shown.model_dump()
    assert (done.result, done.result_status) == ({"ok": None}, "completed")
    with pytest.raises(IllegalMoveError):
        await store.calls.record_result(call_id, {"ok": True})


@pytest.mark.parametrize("first", ["ringing", "answered"])
async def test_a_call_id_is_known_from_when_it_is_told(store: Store, first: str) -> None:
    """A last word that knows none takes it back no more."""
    call_id = (await claimed(store)).call.id
    if first == "ringing":
        await store.calls.record_ringing(call_id, time.time(), "a@b")
        assert (await store.calls.get(call_id)).sip_call_id == "a@b"
        await store.calls.record_answered(call_id, time.time())
    else:
        await store.calls.record_answered(call_id, time.time(), sip_call_id="a@b")
    assert (await store.calls.get(call_id)).sip_call_id == "a@b"
    lost = Cause("failed", "pbx_lost_call", "Gone.")
    done = await store.calls.record_ended(call_id, Ended(time.time(), lost, "failed"))
    (attempt,) = await store.calls.attempts(call_id)
    assert done.sip_call_id == attempt.sip_call_id == "a@b"
    (ended,) = [one for one in await store.calls.events(call_id) if one.type == "call.ended"]
    assert ended.data["sip_call_id"] == "a@b"


async def test_times_and_money_follow_the_seed_example(store: Store) -> None:
    """CB-123…129: 38 s in all, 34 s billed, no error fields on success."""
    claim = await claimed(store)
    start = claim.call.created_at
    await store.calls.record_ringing(claim.call.id, start + 1)
    await store.calls.record_answered(claim.call.id, start + 5)
    call = await store.calls.record_ended(claim.call.id, Ended(start + 39, NORMAL, "agent_hangup"))
    shown = call.shown.model_dump()
    assert (shown["duration_seconds"], shown["billed_duration_seconds"]) == (38, 34)
    assert (shown["billing_amount_milli_cents"], shown["reservation_status"]) == (0, "settled")
    assert (shown["error_code"], shown["error_message"], shown["hangup_cause"]) == (None,) * 3
    assert (shown["q850_cause"], shown["sip_code"], shown["sip_call_id"]) == (16, 200, "a@b")
    assert shown["created_at"] < shown["started_at"] < shown["answered_at"] < shown["ended_at"]
    assert shown["ended_at"] <= shown["updated_at"]


async def test_a_busy_call_ends_with_the_networks_words(store: Store) -> None:
    """CB-57, CB-62, CB-63, CB-87, CB-89, X-CB-7."""
    claim = await claimed(store, returns={"ok": "boolean"})
    call = await store.calls.record_ended(
        claim.call.id, Ended(claim.call.created_at + 2, BUSY, "not_answered")
    )
    shown = call.shown.model_dump()
    assert (shown["status"], shown["error_code"], shown["hangup_cause"]) == (
        "busy",
        "486",
        "user_busy",
    )
    assert shown["error_message"] == "The line was busy."
    assert (shown["started_at"], shown["answered_at"]) == (None, None)
    assert (shown["duration_seconds"], shown["billed_duration_seconds"]) == (0, 0)
    assert (shown["reservation_status"], shown["result_status"]) == ("released", "pending")
    assert (await types(store, call.id))[-2:] == ["call.ended", "call.busy"]


async def test_a_voicemail_is_no_answer_by_a_machine_and_free(store: Store) -> None:
    """CB-58, CB-63."""
    call = await answered(store)
    cause = Cause("no_answer", "normal_clearing", "Voicemail answered.", 16)
    ended = await store.calls.record_ended(
        call.id, Ended(time.time() + 9, cause, "voicemail", answered_by="machine")
    )
    shown = ended.shown.model_dump()
    assert (shown["status"], shown["answered_by"]) == ("no_answer", "machine")
    assert (shown["billed_duration_seconds"], shown["reservation_status"]) == (0, "released")


async def test_a_failed_extraction_is_told(store: Store) -> None:
    """CB-74, CB-104."""
    call = await answered(store)
    await store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "agent_hangup", True))
    done = await store.calls.record_result(call.id, None, "the language model timed out")
    assert (done.result_status, done.result_error) == ("failed", "the language model timed out")
    assert (await types(store, call.id))[-1] == "call.completed"


async def test_what_a_model_or_a_network_makes_up_can_be_stored_and_sent(store: Store) -> None:
    call = await answered(store)
    turn = await store.calls.add_turn(call.id, Turn("person", "a\0\ud83d b", 1.0, 2.0))
    assert turn.text == "a\ufffd\ufffd b"
    cause = Cause("completed", "normal_clearing", "ok\udcff", 16, None, "\udcffid@h")
    await store.calls.record_ended(call.id, Ended(time.time(), cause, "x", awaits_result=True))
    done = await store.calls.record_result(call.id, {"k\ud800": ["v\udfff", {"n": "\0"}]})
    assert done.result == {"k\ufffd": ["v\ufffd", {"n": "\ufffd"}]}
    for event in await store.calls.events(call.id):
        json.dumps(event.data, ensure_ascii=False).encode()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_a_number_that_is_none_is_refused_at_once(store: Store, number: float) -> None:
    """Stored, it would make every list that shows it fail; and no second try mends it."""
    call = await answered(store)
    for turn in (
        Turn("person", "hi", 1.0, 2.0, confidence=number),
        Turn("person", "hi", 1.0, 2.0, timings={"llm_ms": number}),
        Turn("tool", "hi", 1.0, 2.0, tool={"arguments": {"n": [number]}}),
    ):
        with pytest.raises(UnstorableError):
            await store.calls.add_turn(call.id, turn)
    assert await store.calls.turns(call.id) == []


async def test_an_integer_that_no_column_holds_is_refused_at_once(store: Store) -> None:
    call = await answered(store)
    cause = replace(NORMAL, q850=10**30)
    with pytest.raises(UnstorableError):
        await store.calls.record_ended(call.id, Ended(time.time(), cause, "agent_hangup"))


async def test_a_database_that_does_not_answer_is_a_store_error(store: Store) -> None:
    call = await new_call(store)

    async def vandalise(transaction: Transaction) -> None:
        await transaction.connection.execute(DropTable(turns))

    await store.database.write(vandalise)
    with pytest.raises(StoreError, match="does not answer") as caught:
        await store.calls.add_turn(call.id, Turn("person", "my secret words", 1.0, 2.0))
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.__cause__)


async def test_the_clock_of_the_pbx_cannot_turn_times_around(store: Store) -> None:
    claim = await claimed(store)
    await store.calls.record_answered(claim.call.id, claim.call.created_at - 100)
    call = await store.calls.record_ended(claim.call.id, Ended(1.0, NORMAL, "agent_hangup"))
    times = [call.created_at, call.started_at, call.answered_at, call.ended_at, call.updated_at]
    assert times == sorted(time for time in times if time is not None)


async def test_latency_is_summed_up_at_the_end(store: Store) -> None:
    call = await answered(store)
    for first, wire in ((10.0, 100.0), (20.0, 300.0), (60.0, 200.0)):
        turn = Turn("agent", "x", 1.0, 2.0, timings={"first_token_ms": first, "wire_ms": wire})
        await store.calls.add_turn(call.id, turn)
    await store.calls.add_turn(call.id, Turn("person", "x", 1.0, 2.0, timings={"stt_ms": 1.0}))
    ended = await store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "agent_hangup"))
    assert ended.latency == {
        "first_token_ms": {"p50": 20.0, "max": 60.0},
        "wire_ms": {"p50": 200.0, "max": 300.0},
    }


async def test_the_oldest_order_is_claimed_first_and_only_once(store: Store) -> None:
    made = [(await new_call(store)).id for _ in range(5)]
    first = await claim_up_to(store, 2)
    rest = await asyncio.gather(*(claim_up_to(store, 2) for _ in range(3)))
    got = [claim.call.id for claim in [*first, *(claim for part in rest for claim in part)]]
    assert [claim.call.id for claim in first] == made[:2]
    assert sorted(got) == sorted(made)
    assert await claim_up_to(store, 0) == []


async def test_the_dialer_is_woken_at_once(store: Store) -> None:
    await store.claims.wait(None)  # a fresh start may have work
    assert await claim_up_to(store, 5) == []
    waiting = asyncio.create_task(store.claims.wait(None))
    await asyncio.sleep(0)
    assert not waiting.done()
    await new_call(store)
    await asyncio.wait_for(waiting, 5)
    assert len(await claim_up_to(store, 1)) == 1
    await asyncio.wait_for(store.claims.wait(None), 5)  # there may be more than the limit


@pytest.mark.rows("CB-99", "X-CB-8")
async def test_cancel_depends_on_how_far_the_call_is(store: Store) -> None:
    queued = await new_call(store)
    assert await store.calls.request_cancel(queued.id) == "canceled"
    assert await types(store, queued.id) == ["call.queued", "call.canceled"]
    assert await claim_up_to(store, 9) == []
    dialling = await claimed(store)
    assert await store.calls.request_cancel(dialling.call.id) == "requested"
    found = await store.calls.get(dialling.call.id)
    assert found.status == "initiated"
    assert found.cancel_requested_at is not None
    live = await answered(store)
    with pytest.raises(Conflict, match="use hangup"):
        await store.calls.request_cancel(live.id)
    with pytest.raises(NotFound):
        await store.calls.request_cancel("nope")


async def test_a_restart_finds_what_is_unfinished(where: StoreSection) -> None:
    store = await Store.open(where)
    queued = await new_call(store)
    await claim_up_to(store, 0)
    dialling = (await claim_up_to(store, 1))[0]
    live = await answered(store)
    pending = await answered(store)
    await store.calls.record_ended(pending.id, Ended(time.time(), NORMAL, "agent_hangup", True))
    await completed(store)
    last = await new_call(store)
    await store.close()

    store = await Store.open(where)
    found = {item.call.id: item for item in await store.calls.orphans()}
    assert set(found) == {dialling.call.id, live.id, pending.id}
    assert queued.id == dialling.call.id
    attempt = found[dialling.call.id].attempt
    assert attempt is not None
    assert attempt.channel_id == dialling.attempt.channel_id
    assert attempt.ended_at is None
    ended = found[pending.id].attempt
    assert ended is not None
    assert ended.ended_at is not None
    assert [claim.call.id for claim in await claim_up_to(store, 9)] == [last.id]
    await store.close()


# -- writes whose answer was lost ----------------------------------------------------------------


class Lost:
    """A write that is committed the first time, and answered only the second."""

    def __init__(self, write: Callable[[], Awaitable[object]]) -> None:
        self._write = write
        self.told: list[object] = []

    async def __call__(self) -> object:
        self.told.append(await self._write())
        if len(self.told) == 1:
            raise StoreError("the commit's answer was lost")
        return self.told[-1]


async def twice(write: Callable[[], Awaitable[object]]) -> None:
    """Tell it as the scribe does where the first answer is lost; both answers are the same."""
    lost = Lost(write)
    await insist("call", lost, (0.0, 0.0))
    assert lost.told[0] == lost.told[1]


async def test_a_turn_whose_answer_was_lost_is_not_said_twice(store: Store) -> None:
    call = await answered(store)
    for turn in (
        Turn("agent", "hello", 10.0, 11.0, timings={"wire_ms": 1.0}),
        Turn("person", "a\0b", 12.0, 12.5, confidence=0.9),
        Turn("person", "a\0b", 13.0, 13.5, confidence=0.9),
        Turn("keypad", "1", 14.0, 14.1),
    ):
        await twice(partial(store.calls.add_turn, call.id, turn))
    assert [turn.started_at for turn in await store.calls.turns(call.id)] == [10, 12, 13, 14]
    assert (await types(store, call.id)).count("call.turn") == 4


@pytest.mark.parametrize("awaits_result", [False, True])
async def test_an_end_whose_answer_was_lost_ends_once(store: Store, awaits_result: bool) -> None:
    call = await answered(store, webhook_url="https://hooks.example.org/")
    ended = Ended(time.time() + 5, NORMAL, "agent_hangup", awaits_result)
    await twice(partial(store.calls.record_ended, call.id, ended))
    if awaits_result:
        await twice(partial(store.calls.record_result, call.id, {"k\0": 1}))
        with pytest.raises(IllegalMoveError):
            await store.calls.record_result(call.id, {"k": 2})
    analyzed = ["call.analyzed"] if awaits_result else []
    closing = ["call.ended", *analyzed, "call.completed"]
    assert (await types(store, call.id))[-len(closing) :] == closing
    with pytest.raises(IllegalMoveError):
        await store.calls.record_ended(call.id, Ended(ended.at, BUSY, "agent_hangup"))
    with pytest.raises(IllegalMoveError):
        await store.calls.record_ended(call.id, Ended(ended.at, NORMAL, "person_hangup"))


# -- the table of moves --------------------------------------------------------------------------


def test_the_table_is_whole() -> None:
    assert set(MOVES) == set(STATUSES) == set(EVENT_OF)
    assert {"completed", "no_answer", "busy", "canceled", "failed"} == TERMINAL
    assert len(WEBHOOK_EVENTS) == 8
    reachable = {"queued"}
    for status in STATUSES:
        if status in reachable:
            reachable |= MOVES[status]
    assert reachable == set(STATUSES)


STEPS = ["claim", "ringing", "early", "answered", "cancel", "turn", "end", "end_wait", "result"]
CAUSES = {
    state: Cause(state, "x", "y.")
    for state in ("completed", "no_answer", "busy", "canceled", "failed")
}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(sorted(CAUSES))), max_size=9))
async def test_whatever_is_told_a_call_keeps_its_promises(
    store: Store, steps: list[tuple[str, str]]
) -> None:
    """Any telling: illegal moves raise and change nothing; one terminal event at most, at the
    end; events numbered without gaps; statuses follow the table; times in order."""
    call = await new_call(store, webhook_url="https://hooks.example.org/")
    ledger = store.calls
    for step, state in steps:
        before = (await ledger.get(call.id), await ledger.events(call.id))
        at = time.time()
        try:
            match step:
                case "claim":
                    await claim_up_to(store, 1000)
                case "ringing":
                    await ledger.record_ringing(call.id, at)
                case "early":
                    await ledger.record_early_media(call.id, at)
                case "answered":
                    await ledger.record_answered(call.id, at)
                case "cancel":
                    await ledger.request_cancel(call.id)
                case "turn":
                    await ledger.add_turn(call.id, Turn("person", "x", at, at))
                case "result":
                    await ledger.record_result(call.id, {})
                case _:
                    ended = Ended(at, CAUSES[state], "why", awaits_result=step == "end_wait")
                    await ledger.record_ended(call.id, ended)
        except (IllegalMoveError, Conflict):
            assert (await ledger.get(call.id), await ledger.events(call.id)) == before
        after = await ledger.get(call.id)
        assert after.status == before[0].status or after.status in MOVES[before[0].status]
    events = await ledger.events(call.id)
    now = await ledger.get(call.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    terminal = [event for event in events if event.terminal]
    assert [event.type for event in terminal] in ([], [EVENT_OF[now.status]])
    times = [now.created_at, now.started_at, now.answered_at, now.ended_at]
    known = [time for time in times if time is not None]
    assert known == sorted(known)
    assert (now.ended_at is not None) == now.over
    told = [event.type for event in events if event.type in WEBHOOK_EVENTS]
    due = await store.outbox.due(time.time() + 1, 100)
    assert [item.event.type for item in due if item.event.call_id == call.id] == told[:1]


# -- what the schema itself refuses --------------------------------------------------------------


async def refused(store: Store, *statements: object) -> None:
    async def work(transaction: Transaction) -> None:
        for statement in statements:
            await transaction.connection.execute(statement)  # type: ignore[call-overload]

    with pytest.raises(IntegrityError):
        await store.database.write(work)


async def test_the_schema_keeps_the_invariants(store: Store) -> None:
    claim = await claimed(store)
    call_id = claim.call.id
    values = {"call_id": call_id, "state": "dialing", "created_at": 1.0}
    second = insert(attempts).values(id="2", number=2, channel_id="offhook-2", **values)
    await refused(store, second)  # one live attempt per call
    event = {"call_id": call_id, "type": "x", "at": 1.0, "terminal": True, "data": {}}
    await refused(
        store,
        insert(call_events).values(id="evt_1", seq=98, **event),
        insert(call_events).values(id="evt_2", seq=99, **event),
    )  # one terminal event per call
    await refused(store, update(calls).values(status="cancelled"))
    await refused(store, update(calls).values(result_status="done"))
    await refused(store, update(attempts).values(state="queued"))
    await refused(
        store, insert(call_events).values(id="evt_3", seq=9, **(event | {"call_id": "nobody"}))
    )


async def test_opening_twice_migrates_once_and_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "offhook.db"
    store = await Store.open(path)
    call = await new_call(store, context={"ü": "😀"})
    await store.close()
    path.chmod(0o644)  # as whoever restored it left it
    store = await Store.open(path)
    assert await store.calls.get(call.id) == call
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = sorted(path.parent.iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
    await store.close()


async def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database " * 100)
    with pytest.raises(StoreError, match=r"store\.path .*text\.db"):
        await Store.open(tmp_path / "text.db")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"store\.path"):
        await Store.open(tmp_path / "file" / "x.db")


async def test_a_second_server_on_one_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    server = await Store.open(path, exclusive=True)
    with pytest.raises(StoreError, match=r"a\.db is in use by another server; stop that one"):
        await Store.open(path, exclusive=True)
    beside = await Store.open(path)  # as `offhook keys` does
    await beside.close()
    await server.close()
    await (await Store.open(path, exclusive=True)).close()


# -- cancellation and concurrency ----------------------------------------------------------------


async def test_a_cancelled_request_never_loses_or_halves_anything(store: Store) -> None:
    """Cancel at many points: the call is there whole, with its event and delivery, or not."""
    for step in range(40):
        task = asyncio.create_task(new_call(store, webhook_url="https://hooks.example.org/"))
        for _ in range(step):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await new_call(store)
    async with asyncio.timeout(20):  # for the writes that were cut loose
        while True:
            page = await store.calls.page(limit=100)
            due = await store.outbox.due(time.time() + 1, 100)
            if len(due) == len(page.items) - 1:
                break
            await asyncio.sleep(0.05)
    assert 1 <= len(page.items) <= 41
    for call in page.items:
        assert await types(store, call.id) == ["call.queued"]


async def test_a_failing_transaction_leaves_nothing_and_harms_nobody(store: Store) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.connection.execute(
            insert(api_keys).values(id="1", name="n", prefix="p", key_hash="h", created_at=1.0)
        )
        transaction.after_commit.append(lambda: published.append("never"))
        raise ZeroDivisionError

    published: list[str] = []
    results = await asyncio.gather(
        new_call(store),
        store.database.write(work),
        new_call(store),
        return_exceptions=True,
    )
    assert isinstance(results[1], ZeroDivisionError)
    assert published == []
    assert await store.keys.list() == []
    assert len((await store.calls.page(limit=9)).items) == 2


async def test_many_writers_and_readers_at_once(store: Store) -> None:
    async def story() -> None:
        call = await new_call(store)
        for number in range(5):
            await store.calls.add_turn(call.id, Turn("person", str(number), 1.0, 2.0))
            assert len(await store.calls.turns(call.id)) == number + 1

    await asyncio.gather(*(story() for _ in range(20)))
    page = await store.calls.page(limit=50)
    for call in page.items:
        assert [turn.text for turn in await store.calls.turns(call.id)] == list("01234")


async def test_another_process_may_write_too(store: Store, where: StoreSection) -> None:
    """`offhook keys create` beside a running server."""
    other = await Store.open(where)
    await asyncio.gather(*(new_call(store) for _ in range(5)), other.keys.create("cli"))
    assert len(await store.keys.list()) == 1
    await other.close()


async def test_closing_waits_for_what_is_under_way(where: StoreSection) -> None:
    store = await Store.open(where)
    task = asyncio.create_task(new_call(store))
    await asyncio.sleep(0)
    task.cancel()
    await store.close()
    await asyncio.gather(task, return_exceptions=True)
    store = await Store.open(where)
    assert len((await store.calls.page(limit=9)).items) == 1
    await store.close()


async def test_a_page_survives_calls_that_come_in_between(store: Store) -> None:
    made = [(await new_call(store)).id for _ in range(4)]
    first = await store.calls.page(limit=2)
    await new_call(store)
    second = await store.calls.page(limit=2, cursor=first.next_cursor)
    assert [call.id for call in (*first.items, *second.items)] == made[::-1]


# -- keys, kept values, the bus ------------------------------------------------------------------


def contents(folder: Path) -> list[bytes]:
    """Of the SQLite file and what lies beside it."""
    return [file.read_bytes() for file in folder.glob("data/*")]


async def test_keys_are_stored_as_hashes_only(store: Store, tmp_path: Path) -> None:
    record, key = await store.keys.create("ci")
    assert key.startswith("sk_")
    assert len(key) >= 43
    assert (await store.keys.recognise(key)) == record
    assert await store.keys.recognise(key + "x") is None
    assert await store.keys.recognise(hash_key(key)) is None
    (listed,) = await store.keys.list()
    assert key not in repr(listed)
    assert not any(key.encode() in content for content in contents(tmp_path))
    assert await store.keys.revoke(record.prefix)
    assert not await store.keys.revoke(record.id)
    assert await store.keys.recognise(key) is None
    (listed,) = await store.keys.list()
    assert listed.revoked_at is not None


async def test_the_bus_tells_in_the_order_of_commits(store: Store) -> None:
    with store.bus.subscribe() as every:
        call = await completed(store)
        with store.bus.subscribe(call.id) as one:
            other = await new_call(store)
            await store.calls.add_turn(call.id, Turn("agent", "late", 1.0, 2.0))
            assert (await one.next()).type == "call.turn"
        told = [await every.next() for _ in range(8)]
    assert [event.type for event in told if event.call_id == call.id] == await types(store, call.id)
    assert [event.type for event in told if event.call_id == other.id] == ["call.queued"]


async def test_a_slow_subscriber_is_dropped_and_told(store: Store) -> None:
    bus: EventBus = store.bus
    with bus.subscribe(limit=3) as slow, bus.subscribe() as quick:
        for _ in range(4):
            await new_call(store)
        with pytest.raises(Lagged):
            await slow.next()
        assert len([await quick.next() for _ in range(4)]) == 4
    assert bus._subscriptions == {}


async def test_a_deleted_call_takes_everything_along(store: Store) -> None:
    call = await completed(store, webhook_url="https://hooks.example.org/")

    async def work(transaction: Transaction) -> int:
        await transaction.connection.execute(delete(calls).where(calls.c.id == call.id))
        rows = await transaction.connection.execute(select(call_events))
        return len(rows.all())

    assert await store.database.write(work) == 0
    assert await store.outbox.due(time.time() + 1, 9) == []


async def test_the_file_is_open_for_readers_while_a_write_is_under_way(store: Store) -> None:
    call = await new_call(store)
    database: Database = store.database
    release = threading.Event()

    async def slow(transaction: Transaction) -> None:
        await transaction.connection.execute(update(calls).values(outcome="x"))
        if database.shared:
            await asyncio.to_thread(release.wait, 5)
        else:  # SQLite's transactions run in a thread
            release.wait(5)

    writing = asyncio.create_task(database.write(slow))
    try:
        assert (await asyncio.wait_for(store.calls.get(call.id), 5)).outcome is None
    finally:
        release.set()
    await writing
    assert (await store.calls.get(call.id)).outcome == "x"


def test_a_new_call_has_the_defaults_of_the_seed() -> None:
    new = NewCall(NUMBER, OURS, "hi")
    assert (new.language, dict(new.context), dict(new.returns), new.direction) == (
        "en",
        {},
        {},
        "outbound",
    )
