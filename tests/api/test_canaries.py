"""Nothing that was given as a secret comes out again: a canary in each secret place, looked for in
every answer, event, log line and file after a story."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from api.cli.store_backup import backup_store
from api.resources.attempt import Ended
from api.resources.turn import Turn
from api.store import Store
from tests.api.campaigning import NUMBERS, eventually, pacing
from tests.api.conftest import Bench, benching
from tests.api.receiver import receiving
from tests.api.story import NODE, NORMAL
from tests.api.webhooks.test_deliverer import delivering

CANARY: Final = "canary-7391"
HERE: Final = {"OFFHOOK_SERVER__RATE_LIMIT_PER_MINUTE": "100000"}
#: Answers that stream for as long as their call lasts end with it; nothing lasts longer.
_ANSWER_S: Final = 20.0


def canary(place: str) -> str:
    return f"{CANARY}-of-{place}"


def tool(place: str) -> dict[str, Any]:
    return {
        "type": "http",
        "name": "stock",
        "description": "How many are in stock.",
        "url": "https://crm.example.org/stock",
        "headers": [
            {"key": "Authorization", "value": f"Bearer {canary(f'{place}-header')}"},
            {"key": "X-Tenant", "value": "{{secret.crm}}"},
        ],
        "query_params": [{"key": "api_key", "value": canary(f"{place}-query")}],
    }


def llm(place: str) -> dict[str, Any]:
    key = canary(f"{place}-llm")
    return {"api_url": "https://llm.example.org/v1", "model": "m", "api_key": key}


def assistant(place: str) -> dict[str, Any]:
    """As Revox's clients give it."""
    shared = {name: value for name, value in tool(place).items() if name != "type"}
    rest = {"method": "GET", "body_template": "{}", "input_schema": []}
    model = {"model_name": "m", "type": "custom"}
    own = {"api_url": "https://llm.example.org/v1", "api_key": canary(f"{place}-llm")}
    return {"prompt": "Ask.", "custom_tools": [shared | rest], "llm_model": model | own}


class Witness:
    """Asks, and remembers every answer."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.told: list[tuple[str, str]] = []

    async def __call__(self, method: str, path: str, **more: Any) -> Any:
        async with asyncio.timeout(_ANSWER_S):
            answer = await self._client.request(method, path, **more)
        self.told.append((f"{method} {path}", f"{answer.headers} {answer.text}"))
        return answer.json() if "json" in answer.headers.get("content-type", "") else {}

    def leaks(self) -> list[str]:
        return [what for what, text in self.told if CANARY in text]


async def secrets_given(ask: Witness, hook: str) -> dict[str, str]:
    """Give every secret that there is to give; ids by the names of path parameters."""
    await ask("PUT", "/v1/secrets/crm", json={"value": canary("secret")})
    agent = await ask(
        *("POST", "/v1/agents"),
        json={"name": "Ada", "instructions": "Ask.", "llm": llm("agent"), "tools": [tool("agent")]},
    )
    path = f"/v1/agents/{agent['id']}"
    changed = await ask("PATCH", path, json={"tools": agent["tools"], "persona": "Ada."})
    assert changed["version"] == 2
    calendar = await ask(
        *("POST", "/v1/calendar_connections"),
        json={
            "name": "Desk",
            "kind": "caldav",
            "url": "https://dav.example.org/desk/",
            "username": "desk",
            "password": canary("calendar"),
            "event_types": [
                {"id": "a", "name": "A", "duration_minutes": 30, "timezone": "Europe/Berlin"}
            ],
        },
    )
    order = {
        "to": NUMBERS[0],
        "agent_id": agent["id"],
        "agent": {"tools": [tool("inline")]},
        "overrides": {"llm": llm("overrides")},
        "webhook_url": hook,
    }
    for _ in range(2):  # the second time, the answer is the one that was kept
        call = await ask("POST", "/v1/calls", json=order, headers={"Idempotency-Key": "once"})
    template = {"agent_id": agent["id"], "tools": [tool("template")], "llm": llm("template")}
    campaign = await ask(
        *("POST", "/v1/campaigns"),
        json={
            "name": "Recalls",
            "template": template,
            "contacts": [{"to": NUMBERS[1]}],
            "launch": True,
        },
    )
    order = {
        "phone_number": NUMBERS[3],
        "assistant": assistant("revox-call"),
        "force_now": True,
    }
    for _ in range(2):
        ordered = await ask("POST", "/api/call", json=order, headers={"Idempotency-Key": "revox"})
        assert "call" in ordered, ordered
    made = await ask("POST", "/api/assistants", json={"name": "A"} | assistant("revox"))
    assert "assistant" in made, made
    for wrong in ({"api_url": "ftp://x"}, {"api_key": [canary("listed")]}, {"type": "x"}):
        model = assistant("refused")["llm_model"] | wrong
        refused = {"phone_number": NUMBERS[3], "assistant": {"prompt": "x", "llm_model": model}}
        assert "error" in await ask("POST", "/api/call", json=refused)
    return {
        "agent_id": agent["id"],
        "version": "1",
        "call_id": call["id"],
        "campaign_id": campaign["id"],
        "connection_id": calendar["id"],
    }


async def refusals(ask: Witness, ids: dict[str, str]) -> None:
    """Secrets in requests that are refused: no error quotes them."""
    wrong_header = {"key": "Authorization", "value": f"{canary('refused')}\r\nX: y"}
    for fields in (
        {"llm": llm("refused") | {"api_url": "ftp://x"}},
        {"llm": llm("refused") | {"api_key": canary("long") * 100}},
        {"llm": llm("refused") | {"api_key": [canary("listed")]}},
        {"tools": [tool("refused") | {"headers": [wrong_header]}]},
        {"tools": [tool("refused") | {"headers": [{"key": "Cookie", "value": 5}], "url": "x"}]},
        {"tools": [tool("refused") | {"type": "htpt"}]},
    ):
        for method, path, body in (
            ("POST", "/v1/agents", {"name": "x"} | fields),
            ("PATCH", f"/v1/agents/{ids['agent_id']}", fields),
            ("POST", "/v1/calls", {"to": NUMBERS[2]} | fields),
            ("POST", "/v1/calls", {"to": NUMBERS[2], "overrides": fields}),
            ("POST", "/v1/campaigns", {"name": "x", "template": fields}),
        ):
            problem = await ask(method, path, json=body)
            assert problem["status"] == 422, problem
    for value in (canary("secret") * 2000, f"{canary('secret')}\x00", [canary("secret")]):
        await ask("PUT", "/v1/secrets/other", json={"value": value})
    connection = f"/v1/calendar_connections/{ids['connection_id']}"
    for password in (canary("calendar") * 200, [canary("calendar")]):
        await ask("PATCH", connection, json={"password": password})
    await ask("PATCH", connection, json={"url": f"https://u:{canary('url')}@dav.example.org/"})


async def conversed(store: Store) -> None:
    """Every due call is held, and ends."""
    for claim in (await store.claims.take(9, NODE)).claims:
        call_id, now = claim.call.id, time.time()
        await store.calls.record_ringing(call_id, now)
        await store.calls.record_answered(call_id, now)
        await store.calls.add_turn(call_id, Turn("agent", "hello.", now, now))
        await store.calls.record_ended(call_id, Ended(now, NORMAL, "agent_hangup"))


def reads(document: dict[str, Any], ids: dict[str, str]) -> Iterator[str]:
    """Every GET whose path is known."""
    for path, operations in document["paths"].items():
        if "get" in operations:
            names = {
                one["name"]
                for one in operations["get"].get("parameters", ())
                if one.get("in") == "path"
            }
            if names <= ids.keys():
                yield path.format(**{name: ids[name] for name in names})


@pytest.mark.rows("RV-144")
async def test_no_secret_comes_out_again(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiving() as receiver, benching(store, tmp_path, HERE) as bench:
        ask = Witness(bench.client)
        ids = await secrets_given(ask, receiver.url)
        await refusals(ask, ids)
        async with delivering(store), pacing(bench.services):
            await eventually(store, ids["campaign_id"], lambda one: not one.contacts["pending"])
            await conversed(store)
            paths = list(reads(await ask("GET", "/openapi.json"), ids))
            for path in paths:
                await ask("GET", path)
            await receiver.wait(4)
        assert len(paths) > 40
        assert ask.leaks() == []
        assert [one.body for one in receiver.got if CANARY.encode() in one.body] == []
        key = bench.key
    assert CANARY not in caplog.text
    await store.close()  # with its journal written back
    copy = tmp_path / "backup.db"
    backup_store(tmp_path / "data" / "offhook.db", copy)
    for file in (copy, *(tmp_path / "data").iterdir()):
        content = file.read_bytes()
        assert CANARY.encode() not in content, file.name
        assert key.encode() not in content, file.name


async def test_the_canaries_would_be_found(bench: Bench) -> None:
    """The witness sees what is told: a text that is no secret."""
    ask = Witness(bench.client)
    made = await ask("POST", "/v1/agents", json={"name": "x", "persona": canary("persona")})
    await ask("GET", f"/v1/agents/{made['id']}")
    assert len(ask.leaks()) == 2
