"""Several processes on one PostgreSQL, and what a network and a server can do to them.

Each process is a store with connections of its own: in a real one there is nothing else that two
could share.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, text, update

from api.base.money import Rate
from api.base.refusals import Conflict, NotFound, Unaffordable
from api.cli.doctor import examine
from api.resources.attempt import Ended
from api.resources.call import NewCall
from api.resources.idempotency import Idempotency
from api.resources.transfer import TransferWish
from api.resources.trunk import NewTrunk, Route
from api.resources.turn import Turn
from api.routes.events import stream
from api.settings import Settings
from api.store import Store, StoreError
from api.store.database import Topic, Transaction
from api.store.keys import hash_key
from api.store.ledger_writer import insist
from api.store.tables import budget, calls
from tests.api.dialing.test_dialer import dialing
from tests.api.story import NORMAL, NUMBER, OURS, answered, claim_up_to, claimed, new_call
from tests.api.switchboard import Office, until
from tests.postgres import PostgresServer, at

#: What a healthy server needs on a busy machine, and a test can wait for a dead one.
PATIENCE_S = 2.0


@pytest.fixture
async def url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    async with postgres_server.database() as fresh:
        yield fresh


@pytest.fixture
async def nodes(url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two processes on one database."""
    async with contextlib.AsyncExitStack() as stack:
        opened = [await Store.open(at(url)) for _ in range(2)]
        for store in opened:
            stack.push_async_callback(store.close)
        yield opened[0], opened[1]


class Heard:
    """What a process hears of a topic."""

    def __init__(self, store: Store, topic: Topic) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        store.notices.subscribe(topic, self._queue.put_nowait)

    async def next(self) -> str | None:
        return await asyncio.wait_for(self._queue.get(), 20)

    def quiet(self) -> bool:
        return self._queue.empty()


async def eventually(work: Callable[[], Awaitable[Any]]) -> Any:
    """What `work` gives once the store answers again."""
    return await insist("call", work, (0.0, *(0.1 for _ in range(200))))


async def notify(store: Store, topic: Topic, payload: str = "") -> None:
    async def work(transaction: Transaction) -> None:
        transaction.notify(topic, payload)

    await store.database.write(work)


# -- together --------------------------------------------------------------------------------------


async def test_processes_never_claim_one_order_twice(nodes: tuple[Store, Store]) -> None:
    """Many dialers of both processes at once; each order is taken by one."""
    made = {(await new_call(nodes[0])).id for _ in range(20)}
    rounds = [claim_up_to(nodes[turn % 2], 3) for turn in range(10)]
    taken = [claim.call.id for found in await asyncio.gather(*rounds) for claim in found]
    assert len(taken) == len(made)
    assert set(taken) == made


async def test_an_order_made_here_wakes_the_dialer_there(nodes: tuple[Store, Store]) -> None:
    here, there = nodes
    await there.claims.wait(None)  # a fresh start may have work
    waiting = asyncio.create_task(there.claims.wait(None))
    there.webhook_due.clear()
    await new_call(here, webhook_url="https://hooks.example.org/")
    await asyncio.wait_for(waiting, 20)
    assert len(await claim_up_to(there, 1)) == 1
    await asyncio.wait_for(there.webhook_due.wait(), 20)


async def test_a_notice_reaches_every_process_once_and_only_after_the_commit(
    nodes: tuple[Store, Store],
) -> None:
    here, there = Heard(nodes[0], "control"), Heard(nodes[1], "control")

    async def fails(transaction: Transaction) -> None:
        transaction.notify("control", "never")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await nodes[0].database.write(fails)
    for payload in ("call-1", "ü '\"\\"):
        await notify(nodes[0], "control", payload)
        assert await here.next() == await there.next() == payload
    await notify(nodes[1], "control", "last")
    assert await here.next() == await there.next() == "last"
    assert here.quiet()
    assert there.quiet()


async def test_what_nobody_can_send_in_time_is_told_by_topic(nodes: tuple[Store, Store]) -> None:
    """A burst of more notices than are kept: the others look for themselves."""
    there = Heard(nodes[1], "control")
    for number in range(1001):
        nodes[0].database.tell_others("control", str(number))
    assert await there.next() is None


async def test_a_call_is_followed_live_from_another_process(nodes: tuple[Store, Store]) -> None:
    here, there = nodes
    call_id = (await claimed(here)).call.id
    seen: list[str] = []

    async def follow() -> None:
        async for message in stream(there, call_id, 0, heartbeat_s=30):
            seen.extend(line for line in message.splitlines() if line.startswith("event: "))

    following = asyncio.create_task(follow())
    await here.calls.record_ringing(call_id, time.time())
    await there.calls.record_answered(call_id, time.time())  # as if both had a part in it
    await here.calls.record_digit(call_id, time.time(), "1", 80)
    await here.calls.record_ended(call_id, Ended(time.time(), NORMAL, "agent_hangup"))
    await asyncio.wait_for(following, 20)
    told = [event.type for event in await here.calls.events(call_id)]
    assert [line.removeprefix("event: ") for line in seen] == told


async def test_a_sweep_finds_what_no_notice_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may die between its commit and its notice."""
    monkeypatch.setattr("api.store.line.SWEEP_S", 0.05)
    store = await Store.open(at(url))
    assert await Heard(store, "control").next() is None
    await store.close()


async def test_a_lease_is_held_by_one_process(nodes: tuple[Store, Store]) -> None:
    leases = [store.leases for store in nodes]
    taken = await asyncio.gather(*(one.take("job", str(n), 60) for n, one in enumerate(leases)))
    assert sorted(taken) == [False, True]
    winner, loser = (0, 1) if taken[0] else (1, 0)
    assert await leases[winner].take("job", str(winner), 60)
    assert not await leases[loser].take("job", str(loser), 60)
    await leases[winner].release("job", str(winner))
    assert await leases[loser].take("job", str(loser), 60)


async def test_who_says_the_same_name_waits(nodes: tuple[Store, Store]) -> None:
    order: list[str] = []
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def first(transaction: Transaction) -> None:
        await transaction.serialize("a")
        inside.set()
        await go_on.wait()
        order.append("first")

    async def second(name: str, transaction: Transaction) -> None:
        await transaction.serialize(name)
        order.append(name)

    holding = asyncio.create_task(nodes[0].database.write(first))
    await asyncio.wait_for(inside.wait(), 20)
    waiting = asyncio.create_task(nodes[1].database.write(partial(second, "a")))
    await nodes[1].database.write(partial(second, "b"))
    go_on.set()
    await asyncio.gather(holding, waiting)
    assert order == ["b", "first", "a"]


async def test_processes_that_start_together_migrate_once(postgres_server: PostgresServer) -> None:
    async with postgres_server.database(migrated=False) as url:
        opened = await asyncio.gather(*(Store.open(at(url)) for _ in range(3)))
        call = await new_call(opened[0])
        assert (await opened[2].calls.get(call.id)) == call
        for store in opened:
            await store.close()


# -- in each other's way ---------------------------------------------------------------------------


async def test_a_transaction_undone_by_a_deadlock_is_run_again(nodes: tuple[Store, Store]) -> None:
    """SQLSTATE 40P01: two that lock the same rows in turns both succeed, one of them twice."""
    one, two = [(await new_call(nodes[0])).id for _ in range(2)]
    runs: list[str] = []
    met = asyncio.Barrier(2)

    async def lock_both(first: str, second: str, transaction: Transaction) -> None:
        runs.append(first)
        mark = update(calls).values(outcome=first)
        await transaction.connection.execute(mark.where(calls.c.id == first))
        if len(runs) <= 2:
            await asyncio.wait_for(met.wait(), 20)
        await transaction.connection.execute(mark.where(calls.c.id == second))

    await asyncio.gather(
        nodes[0].database.write(partial(lock_both, one, two)),
        nodes[1].database.write(partial(lock_both, two, one)),
    )
    assert len(runs) == 3


async def test_a_lock_that_is_never_given_back_is_a_store_error(url: str) -> None:
    store = await Store.open(at(url, timeout_s=PATIENCE_S))
    other = await Store.open(at(url))
    call = await new_call(store)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def hold(transaction: Transaction) -> None:
        await transaction.connection.execute(update(calls).values(outcome="x"))
        inside.set()
        await go_on.wait()

    holding = asyncio.create_task(other.database.write(hold))
    await asyncio.wait_for(inside.wait(), 20)
    with pytest.raises(StoreError, match="does not answer"):
        await store.calls.request_cancel(call.id)
    go_on.set()
    await holding
    assert await store.calls.request_cancel(call.id) == "canceled"
    await store.close()
    await other.close()


# -- when it fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [False, True])
async def test_after_a_restart_of_the_server_everything_goes_on(
    postgres_server: PostgresServer, nodes: tuple[Store, Store], crash: bool
) -> None:
    """What was committed is there; what was under way is told as failed."""
    here, there = nodes
    call = await answered(here)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def interrupted(transaction: Transaction) -> None:
        await transaction.connection.execute(update(calls).values(outcome="lost"))
        inside.set()
        await go_on.wait()
        await transaction.connection.execute(select(1))

    under_way = asyncio.create_task(here.database.write(interrupted))
    await asyncio.wait_for(inside.wait(), 20)
    missed = Heard(there, "control")
    postgres_server.stop(crash=crash)
    postgres_server.start()
    go_on.set()
    with pytest.raises(StoreError, match="does not answer"):
        await under_way
    found = await eventually(partial(there.calls.get, call.id))
    assert (found.status, found.outcome) == ("in_progress", None)
    await eventually(partial(here.calls.request_hang_up, call.id))
    told = [await missed.next()]
    assert told == [None]  # something may have been told while nobody listened
    await notify(here, "control", "again")
    while told[-1] != "again":
        told.append(await missed.next())


async def test_a_transfer_that_another_process_was_asked_for_is_begun_by_the_runner(
    nodes: tuple[Store, Store],
) -> None:
    here, there = nodes
    await here.trunks.create(NewTrunk("carrier"))
    call = await new_call(here, trunk="carrier")
    office = Office(here)
    async with dialing(office):
        person = await office.switch.dialed()
        person.answer()
        await until(here, call.id, "answered")
        third = TransferWish("+15550100200")
        await there.transfers.begin(call.id, third, Route(OURS, "carrier"))
        other = await office.switch.dialed(2)
        assert other.dial.number == third.number
        other.answer()
        await until(here, call.id, "transferred")
        other.end()
        await until(here, call.id, "completed")
    assert (await there.calls.get(call.id)).end_reason == "transferred"


async def test_while_the_server_is_down_the_store_says_so(
    postgres_server: PostgresServer, nodes: tuple[Store, Store]
) -> None:
    store = nodes[0]
    call = await new_call(store)
    postgres_server.stop()
    try:
        for work in (partial(store.calls.get, call.id), partial(store.keys.create, "x")):
            with pytest.raises(StoreError):
                await work()
    finally:
        postgres_server.start()
    assert await eventually(partial(store.calls.get, call.id)) == call
    with pytest.raises(NotFound):
        await eventually(partial(store.calls.get, "nobody"))


class Wire:
    """Stands between a process and the server."""

    def __init__(self, server_socket: Path) -> None:
        self._server_socket = server_socket
        self.cuts_at: bytes | None = None
        """The answer to what holds these bytes is lost, and the connection with it."""
        self.open = asyncio.Event()
        """While it is not set, nothing gets through."""
        self.open.set()

    @contextlib.asynccontextmanager
    async def at(self, socket: Path) -> AsyncIterator["Wire"]:
        async with asyncio.TaskGroup() as tasks:
            connected = partial(self._connected, tasks)
            server = await asyncio.start_unix_server(connected, socket)
            yield self
            server.close()

    async def _connected(
        self,
        tasks: asyncio.TaskGroup,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._server_socket)
        tasks.create_task(self._carry(reader, far_writer, writer))
        tasks.create_task(self._carry(far_reader, writer, None))

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamWriter | None,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self.open.wait()
                if answers is not None and self.cuts_at is not None and self.cuts_at in data:
                    answers.transport.abort()
                    self.cuts_at = None
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
async def wire(url: str, tmp_path: Path) -> AsyncIterator[Wire]:
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    async with Wire(folder / ".s.PGSQL.5432").at(tmp_path / ".s.PGSQL.5432") as between:
        yield between


@pytest.fixture
async def far(
    url: str, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    """A process behind the wire."""
    monkeypatch.setattr("api.store.postgres._GRACE_S", 0.1)
    store = await Store.open(at(f"{url.partition('?')[0]}?host={tmp_path}", timeout_s=PATIENCE_S))
    yield store
    wire.open.set()
    await store.close()


async def test_a_commit_whose_answer_is_lost_is_told_again_and_counts_once(
    far: Store, wire: Wire
) -> None:
    call = await answered(far)
    turn = Turn("person", "hello", 1.0, 2.0)
    wire.cuts_at = b"COMMIT;"
    with pytest.raises(StoreError, match="does not answer"):
        await far.calls.add_turn(call.id, turn)
    async with asyncio.timeout(20):
        while not await eventually(partial(far.calls.turns, call.id)):
            await asyncio.sleep(0)
    told = await eventually(partial(far.calls.add_turn, call.id, turn))
    assert [told] == await far.calls.turns(call.id)
    assert [event.type for event in await far.calls.events(call.id)].count("call.turn") == 1


async def test_an_order_whose_answer_is_lost_is_there_once(far: Store, wire: Wire) -> None:
    """The client asks again under its Idempotency-Key, and gets the answer that was kept."""
    new, request = NewCall(NUMBER, OURS, "hi"), Idempotency("key-1", "abc", "fingerprint")
    wire.cuts_at = b"COMMIT;"
    with pytest.raises(StoreError):
        await far.calls.create(new, request)
    with pytest.raises(Conflict, match="under way"):
        await eventually(partial(far.calls.create, new, request))
    answer = await far.answers.find(request, time.time())
    (call,) = (await far.calls.page(limit=9)).items
    assert answer is not None
    assert (answer.status_code, json.loads(answer.body)["id"]) == (201, call.id)


async def test_a_claim_whose_answer_is_lost_is_given_with_the_next_one(
    far: Store, wire: Wire
) -> None:
    """Else the call would stay `initiated`: its process lives, so nobody takes it for dead."""
    call = await new_call(far)
    wire.cuts_at = b"COMMIT;"
    with pytest.raises(StoreError):
        await claim_up_to(far, 1)
    (claim,) = await eventually(partial(claim_up_to, far, 1))
    assert (claim.call.id, claim.call.status, claim.attempt.number) == (call.id, "initiated", 1)
    assert await far.calls.attempts(call.id) == [claim.attempt]
    assert await claim_up_to(far, 1) == []


async def test_a_server_that_falls_silent_is_not_waited_for_long(far: Store, wire: Wire) -> None:
    """A pulled cable closes no connection."""
    call = await new_call(far)
    wire.open.clear()
    with pytest.raises(StoreError, match="no answer in time"):
        await far.calls.get(call.id)
    wire.open.set()
    assert await eventually(partial(far.calls.get, call.id)) == call


async def test_no_secret_is_in_an_error(nodes: tuple[Store, Store]) -> None:
    _, key = await nodes[0].keys.create("ci")

    async def work(transaction: Transaction) -> None:
        await transaction.connection.execute(
            text("SELECT 1 FROM nowhere WHERE key = :key"), {"key": hash_key(key)}
        )

    with pytest.raises(StoreError) as caught:
        await nodes[0].database.write(work)
    assert hash_key(key) not in str(caught.value)


async def test_money_is_held_by_many_at_once_and_never_overdrawn(
    nodes: tuple[Store, Store],
) -> None:
    async def limit(transaction: Transaction) -> None:
        await transaction.connection.execute(update(budget).values(limit_milli_cents=700))

    await nodes[0].database.write(limit)
    rate = Rate("+", 100, 60, 0)
    tries = [new_call(nodes[turn % 2], rate=rate, max_duration_s=60) for turn in range(12)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, Unaffordable) for result in results) == 5
    held = await nodes[0].database.read(
        lambda connection: connection.scalar(select(budget.c.reserved_milli_cents))
    )
    assert held == 700


# -- what cannot be opened -------------------------------------------------------------------------


async def refusal(url: str, **settings: Any) -> str:
    with pytest.raises(StoreError) as caught:
        await Store.open(at(url, **settings))
    return str(caught.value)


async def test_what_is_wrong_with_the_url_is_told(
    postgres_server: PostgresServer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres_server
    with contextlib.suppress(Exception):
        await server.execute("CREATE ROLE guarded LOGIN PASSWORD 'sesame' SUPERUSER")
    told = await refusal(server.url("nothing_there"))
    assert "store.url" in told
    assert '"nothing_there" does not exist; make the database with createdb' in told
    told = await refusal(server.url("guarded", user="guarded", password="wrong-pass"))
    assert "refuses the login" in told
    assert "wrong-pass" not in told
    told = await refusal(f"postgresql://offhook@/x?host={tmp_path}")
    assert "cannot connect to PostgreSQL" in told
    told = await refusal("postgresql://offhook@127.0.0.1:notaport/x")
    assert "store.url" in told
    monkeypatch.setattr("api.store.postgres.OLDEST_VERSION", 99)
    assert "Offhook needs 99 or newer" in await refusal(url)


async def test_the_doctor_looks_at_the_database(postgres_server: PostgresServer, url: str) -> None:
    async def told(of: str) -> list[tuple[bool, str]]:
        findings = await examine(Settings(store=at(of)))
        return [(one.ok, one.message) for one in findings if one.check == "store"]

    ((ok, message),) = await told(url)
    assert ok
    assert message.startswith("PostgreSQL ")
    ((ok, message),) = await told(postgres_server.url("nothing_there"))
    assert not ok
    assert "make the database with createdb" in message


async def test_a_server_that_never_answers_is_told(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(silent, tmp_path / ".s.PGSQL.5432")
    told = await refusal(f"postgresql://offhook@/x?host={tmp_path}", timeout_s=0.1)
    assert "PostgreSQL does not answer within 0.1 s" in told
    server.close()
    await server.wait_closed()
