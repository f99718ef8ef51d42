"""No call is placed while an engine that it needs does not work.

Store, dialer, runner and watch are the real ones; the PBX and the engines are played.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pytest

from api.calls import engine_watch
from api.calls.engine_watch import EngineWatch
from api.dialing.dialer import Dialer
from api.resources.call import Call, NewCall
from api.store import Store
from models.registry import Part
from tests.api.story import NODE, new_call
from tests.api.switchboard import Office, assert_nothing_is_left, impatient
from voice_loop.ports import EngineError


@dataclass
class Engine:
    """One that is down and up as a test wants."""

    name: str = "big"
    place: Literal["local", "endpoint", "agent"] = "endpoint"
    error: Exception | None = None
    trials: int = 0
    answers: int = 0
    """Those trials in which it was to do something."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def part(self) -> Part:
        called = f"language model {self.name!r}"
        return Part(called, self.place, self.name, self.try_out, self.answer)

    async def answer(self) -> None:
        self.answers += 1
        await self.try_out()

    async def try_out(self) -> None:
        self.trials += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error


DOWN = EngineError("nobody answers")


@pytest.fixture(autouse=True)
async def nothing_is_left(monkeypatch: pytest.MonkeyPatch, store: Store) -> AsyncIterator[None]:
    impatient(monkeypatch)
    monkeypatch.setattr(engine_watch, "_PAUSES_S", (0.01,) * 500)
    before = asyncio.all_tasks()
    yield
    await assert_nothing_is_left(before)


def watching(
    store: Store, *engines: Engine, of: Callable[[Call | NewCall], Sequence[Engine]] | None = None
) -> EngineWatch:
    return EngineWatch(
        lambda call: [one.part for one in (engines if of is None else of(call))],
        [one.part for one in engines if one.place == "endpoint"],
        store.claims.engines_back,
    )


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def held(store: Store, call: Call) -> Call:
    """The call, once it waits for an engine."""
    async with asyncio.timeout(10):
        while (told := await store.calls.get(call.id)).waiting_for != "engine_down":
            await asyncio.sleep(0.005)
    return told


@dataclass
class Running:
    office: Office
    dialer: Dialer
    watch: EngineWatch


@pytest.fixture
async def running(store: Store) -> AsyncIterator[Callable[..., Running]]:
    started: list[tuple[asyncio.Task[None], EngineWatch]] = []

    def run(watch: EngineWatch) -> Running:
        office = Office(store)
        dialer = Dialer(
            store, office.switch, office.engines, office.config, 2, hinders=watch.hinders
        )
        started.append((asyncio.create_task(dialer.run()), watch))
        return Running(office, dialer, watch)

    yield run
    for task, watch in started:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watch.close()


@pytest.mark.both_stores
async def test_the_queue_waits_for_an_engine_and_says_so(
    store: Store, running: Callable[..., Running]
) -> None:
    engine = Engine(error=DOWN)
    office = running(watch := watching(store, engine)).office
    calls = [await new_call(store) for _ in range(2)]
    await until(lambda: engine.trials >= 3)
    for call in calls:
        told = await held(store, call)
        assert (told.status, told.attempt_count) == ("queued", 0)
    assert office.switch.attempts == []
    assert watch.look() == ["the language model 'big' does not work: nobody answers"]
    engine.error = None
    await until(lambda: len(office.switch.attempts) == 2)
    assert watch.look() == []


async def test_an_engine_elsewhere_is_tried_before_the_first_call(
    store: Store, running: Callable[..., Running]
) -> None:
    engine = Engine()
    engine.gate.clear()
    office = running(watching(store, engine)).office
    call = await new_call(store)
    await until(lambda: engine.trials == 1)
    await held(store, call)
    assert office.switch.attempts == []
    engine.gate.set()
    await until(lambda: len(office.switch.attempts) == 1)
    await new_call(store)
    await until(lambda: len(office.switch.attempts) == 2)
    assert engine.trials == 1


async def test_calls_that_need_another_engine_go_on(
    store: Store, running: Callable[..., Running]
) -> None:
    broken, sound = Engine("broken", error=DOWN), Engine("sound")
    agents = {"broken": broken, "sound": sound}
    watch = watching(store, broken, sound, of=lambda call: [agents[call.prompt]])
    office = running(watch).office
    waiting = [await new_call(store, prompt="broken") for _ in range(30)]
    free = await new_call(store, prompt="sound")
    await until(lambda: bool(office.switch.attempts))
    assert (await store.calls.get(free.id)).attempt_count == 1
    assert {(await store.calls.get(one.id)).attempt_count for one in waiting} == {0}


async def test_an_engine_of_our_own_is_tried_once_it_has_failed(
    store: Store, running: Callable[..., Running]
) -> None:
    engine = Engine("local", "local", error=DOWN)
    office = running(watch := watching(store, engine)).office
    failed = await new_call(store)
    await until(lambda: len(office.switch.attempts) == 1)
    assert engine.trials == 0
    watch.doubt(failed)
    assert engine.answers == 0
    await held(store, await new_call(store))
    assert watch.look()
    assert engine.answers == engine.trials > 0
    engine.error = None
    await until(lambda: len(office.switch.attempts) == 2)


async def test_a_canceled_call_waits_for_no_engine(
    store: Store, running: Callable[..., Running]
) -> None:
    engine = Engine(error=DOWN)
    running(watching(store, engine))
    call = await new_call(store)
    await held(store, call)
    assert await store.calls.request_cancel(call.id) == "canceled"


async def test_trials_are_bounded_and_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_watch, "_PAUSES_S", (0.001,) * 4)
    engine = Engine(error=ValueError("a bug"))
    watch = watching(store, engine)
    watch.look()
    await until(lambda: engine.trials == 4)
    await asyncio.sleep(0.05)
    assert engine.trials == 4
    assert watch.look() == ["the language model 'big' does not work: ValueError"]
    await until(lambda: engine.trials == 8)
    await watch.close()


async def test_an_engine_that_hangs_does_not_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_watch, "_TRIAL_S", 0.01)
    engine = Engine()
    engine.gate.clear()
    watch = watching(store, engine)
    watch.look()
    await until(lambda: bool(watch.look()))
    assert watch.look() == ["the language model 'big' gave nothing for 0.01 s"]
    await watch.close()


async def test_what_an_agent_brought_along_is_told_to_nobody_else(store: Store) -> None:
    engine = Engine("theirs", "agent", error=DOWN)
    watch = watching(store, engine)
    call = await new_call(store, agent={"llm": {"api_url": "https://llm.example.org/v1"}})
    assert watch.hinders(call)
    await until(lambda: engine.trials >= 2)
    assert watch.look() == []
    await watch.close()


async def test_calls_that_wait_are_looked_at_again_by_themselves(store: Store) -> None:
    call = await new_call(store)
    taken = await store.claims.take(1, NODE, hinders=lambda _: True)
    assert taken.claims == ()
    told = await store.calls.get(call.id)
    assert taken.again_at == told.next_attempt_at
    assert taken.again_at is not None
    assert 50 < taken.again_at - told.created_at < 70
