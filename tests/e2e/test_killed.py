"""The server is killed (SIGKILL) at every step of an order and started again.

Nothing is lost, nothing is dialled twice (the carrier's log is the witness), and every event is
delivered at least once, always under the same id.
"""

import asyncio
import contextlib
import json
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.base.lifecycle import TERMINAL, WEBHOOK_EVENTS
from api.http.server import http_server, listen
from api.settings import ANY_NAME, Settings, StoreSection, env_name, iter_fields
from api.store import Store
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import settings_on
from tests.e2e.mortal import POINTS, Mortal
from tests.postgres import PostgresServer, at

#: Servers that run at one time: more would only wait for the cores.
AT_ONCE = 4
#: Whom a call that is killed there goes to; who is busy is the quickest.
_TALKS = {
    "answer to be written",
    "answer written",
    "turn written",
    "result written",
    "end to be written",
    "end written",
}
#: At these points no INVITE has left.
_NOT_DIALLED = {"claimed, the PBX not told", "PBX to be told"}
#: What was claimed and cannot be told from what rang is over.
_ABANDONED = _NOT_DIALLED | {
    "PBX told",
    "ringing written",
    "answer to be written",
    "answer written",
    "turn written",
    "end to be written",
}
_AGAIN = {
    "max_attempts": 2,
    "call_twice_in_a_row": True,
    "allowed_days": [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ],
    "calling_windows": [{"start": "00:00", "end": "24:00"}],
    "timezone": "UTC",
}  # fmt: skip


@dataclass
class Hook:
    """A webhook receiver that keeps everything."""

    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Webhook id and body."""

    async def receive(self, request: Request) -> Response:
        self.got.append((request.headers["webhook-id"], await request.json()))
        return Response(status_code=204)

    def of(self, call_id: str) -> list[tuple[str, dict[str, Any]]]:
        return [(name, body) for name, body in self.got if body["id"] == call_id]


@pytest.fixture(scope="module")
async def hook() -> AsyncIterator[tuple[Hook, str]]:
    one = Hook()
    app = Starlette(routes=[Route("/hook", one.receive, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        async with http_server(app, listener):
            yield one, f"http://127.0.0.1:{listener.getsockname()[1]}/hook"


def environment(settings: Settings) -> dict[str, str]:
    """`settings` as environment variables."""
    found = {}
    for key, _ in iter_fields():
        if ANY_NAME in key:
            continue
        value: Any = settings
        for part in key.split("."):
            value = getattr(value, part)
        if value is None:
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, tuple):
            value = json.dumps([str(item) for item in value])
        found[env_name(key)] = str(value)
    return found


@dataclass
class Scenario:
    """One order, one kill."""

    bed: TestBed
    settings: Settings
    hook: Hook
    hook_url: str
    point: str
    key: str
    caller: str

    async def run(
        self, who: str | None = None, retry: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Place the order, be killed, start again; gives the call at its end."""
        env = environment(self.settings)
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": "the-order"}
        who = who or ("quitter" if self.point in _TALKS else "busy")
        body = {
            "to": persona(who).number,
            "prompt": "Confirm the appointment.",
            "returns": {"confirmed": "boolean"},
            "webhook_url": self.hook_url,
            "retry": retry,
        }
        async with Mortal.started(self.point, env) as one:
            async with httpx.AsyncClient(base_url=one.url, headers=headers, timeout=30) as client:
                with contextlib.suppress(httpx.TransportError):
                    await client.post("/v1/calls", json=body)
            assert await one.ended() == -signal.SIGKILL
        async with (
            Mortal.started("nowhere", env) as again,
            httpx.AsyncClient(base_url=again.url, headers=headers, timeout=30) as client,
        ):
            answer = await client.post("/v1/calls", json=body)
            assert answer.status_code == 201, answer.text
            path = f"/v1/calls/{answer.json()['id']}"
            async with asyncio.timeout(60):
                while True:
                    call: dict[str, Any] = (await client.get(path)).json()
                    if call["status"] in TERMINAL and call["webhook_status"] == "delivered":
                        return call
                    await asyncio.sleep(0.1)

    async def dialled(self, expected: int) -> int:
        """How many calls of ours reached the carrier, whose log comes a little late."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                while self._logged() < expected:
                    await asyncio.sleep(0.1)
        return self._logged()

    def _logged(self) -> int:
        line = rf"NOTICE.*: dialled \S+ \S+ from {re.escape(self.caller)} "
        return len(re.findall(line, self.bed.carrier.log()))

    async def check_story(self, call: Mapping[str, Any]) -> None:
        """Every event once in the ledger and at least once at the receiver, with one id."""
        store = await Store.open(self.settings.store)
        try:
            (found,) = (await store.calls.page(limit=9)).items
            events = await store.calls.events(found.id)
        finally:
            await store.close()
        assert found.id == call["id"]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.terminal for event in events] == [False] * (len(events) - 1) + [True]
        told = {event.id: event.type for event in events if event.type in WEBHOOK_EVENTS}
        got = self.hook.of(found.id)
        assert {name: body["type"] for name, body in got} == told
        assert max(Counter(name for name, _ in got).values()) <= 2


@pytest.fixture
def slots() -> asyncio.Semaphore:
    return asyncio.Semaphore(AT_ONCE)


@pytest.fixture(params=["sqlite", "postgresql"])
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[StoreSection]]]:
    """Makes an empty store of one kind."""
    async with contextlib.AsyncExitStack() as stack:
        made = 0

        async def make_store() -> StoreSection:
            nonlocal made
            made += 1
            path = tmp_path / str(made) / "offhook.db"
            if request.param == "sqlite":
                return StoreSection(path=path)
            server: PostgresServer = request.getfixturevalue("postgres_server")
            return at(await stack.enter_async_context(server.database()), path=path)

        yield make_store


async def make(
    bed: TestBed, store: StoreSection, hook: tuple[Hook, str], point: str, index: int
) -> Scenario:
    folder = store.path.parent
    base = settings_on(bed, folder)
    caller = f"+155502{index + (0 if store.url is None else 500):05d}"
    # Each server has ports of its own; all of them share the PBX.
    first = 13000 + 20 * index
    settings = base.model_copy(
        update={
            "store": store,
            "calls": base.calls.model_copy(update={"numbers": (caller,), "ring_timeout_s": 4}),
            "recordings": base.recordings.model_copy(update={"enabled": False}),
            "rtp": base.rtp.model_copy(update={"port_min": first, "port_max": first + 19}),
        }
    )
    opened = await Store.open(store)
    _, key = await opened.keys.create("tests")
    await opened.close()
    return Scenario(bed, settings, *hook, point, key, caller)


@pytest.mark.timeout(400)
async def test_killed_at_every_step(
    bed: TestBed,
    stores: Callable[[], Awaitable[StoreSection]],
    hook: tuple[Hook, str],
    slots: asyncio.Semaphore,
) -> None:
    async def one(scenario: Scenario) -> None:
        point = scenario.point
        async with slots:
            call = await scenario.run()
            async with reading:  # one store is opened at a time
                await scenario.check_story(call)
            expected = 0 if point in _NOT_DIALLED else 1
            dialled = await scenario.dialled(expected)
            came = (point, call["status"], call["end_reason"])
            assert dialled == expected or (point == "PBX told" and dialled == 0), came
            if point in _ABANDONED:
                assert (call["status"], call["end_reason"]) == ("failed", "server_restart"), point
            elif point in _TALKS:
                assert (call["status"], call["result_status"]) == ("completed", "completed"), point
            else:
                assert call["status"] == "busy", point

    reading = asyncio.Lock()
    scenarios = [
        await make(bed, await stores(), hook, point, index) for index, point in enumerate(POINTS)
    ]
    async with asyncio.TaskGroup() as group:
        for scenario in scenarios:
            group.create_task(one(scenario))
    assert "0 active channels" in await bed.ours.cli("core show channels count")


@pytest.mark.timeout(200)
async def test_killed_between_two_attempts(
    bed: TestBed, stores: Callable[[], Awaitable[StoreSection]], hook: tuple[Hook, str]
) -> None:
    """The first attempt's end is on disk: the second one is made after the restart."""
    scenario = await make(bed, await stores(), hook, "end written", 90)
    call = await scenario.run("busy", _AGAIN)
    await scenario.check_story(call)
    assert (call["status"], call["attempt_count"]) == ("busy", 2)
    assert await scenario.dialled(2) == 2
