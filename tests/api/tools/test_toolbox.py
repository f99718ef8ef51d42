"""The tools of a call are those that its frozen configuration names."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from api.messaging.ways import WaysOut
from api.policy.retry import RetryPolicy
from api.resources.call import Call, NewCall
from api.resources.masking import sealed
from api.settings import Settings
from api.store import Store
from api.tools.toolbox import Toolbox
from tests.api.conftest import SEAL
from tests.api.receiver import receiving, status
from tests.api.story import OURS
from tests.voice_loop.scripted import HandSet
from voice_loop.tools import Tool

SETTINGS = Settings.model_validate(
    {"tools": {"allow_http": True, "allowed_networks": ["127.0.0.0/8"]}}
)
#: In New York it is still Saturday.
NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC).timestamp()
NEW_YORK = "+12125550100"
BERLIN = "+4930123456"
NAMES = ["call_id", "call_direction", "user_phone_number", "agent_phone_number"]
NAMES += ["today", "now", "age"]


def looks_up(url: str, **fields: Any) -> dict[str, Any]:
    described = {"type": "http", "name": "look_up", "description": "Looks up."}
    return {**described, "url": url, **fields}


async def called(
    store: Store, *tools: Mapping[str, Any], to: str = NEW_YORK, by: str = OURS, **order: Any
) -> Call:
    """A call whose agent has these tools, as the API stores it."""
    agent = sealed({"tools": [dict(tool) for tool in tools]}, SEAL)
    return await store.calls.create(NewCall(to, by, "hi", agent=agent, **order))


def of(toolbox: Toolbox, call: Call) -> dict[str, Tool]:
    return {tool.spec.name: tool for tool in toolbox.tools_for(call, HandSet())}


def toolbox(store: Store) -> Toolbox:
    return Toolbox(SETTINGS, store, SEAL, WaysOut(), clock=lambda: NOW)


@pytest.mark.rows("CB-36")
async def test_only_what_is_configured_is_there(store: Store) -> None:
    async with toolbox(store) as box:
        assert of(box, await called(store)) == {}
        keys = await called(store, {"type": "send_digits"}, {"type": "skip_turn"})
        assert list(of(box, keys)) == ["send_digits", "skip_turn"]
        asked = await called(store, looks_up("https://crm.example.org/"))
        assert list(of(box, asked)) == ["look_up"]


@pytest.mark.rows("RV-138", "RV-144", "RV-147")
async def test_variables_facts_and_secrets_stand_in_a_request(store: Store) -> None:
    await store.secrets.put("crm", SEAL.seal("k3y"))
    async with receiving(status(200)) as receiver, toolbox(store) as box:
        tool = looks_up(
            f"http://127.0.0.1:{receiver.port}/of/{{{{patient}}}}",
            method="POST",
            headers=[
                {"key": "Authorization", "value": "Bearer {{secret.crm}}"},
                {"key": "X-Api-Key", "value": "of {{patient}}"},
            ],
            body_template=json.dumps([f"{{{{{name}}}}}" for name in NAMES]),
            say="One moment, {{patient}}.",
        )
        call = await called(store, tool, variables={"patient": "Ana", "age": 41, "today": "x"})
        (made,) = of(box, call).values()
        assert made.say == "One moment, Ana."
        result = await made({})
        assert not result.is_error, result.output
        (got,) = receiver.got
    assert (got.path, got.headers["authorization"]) == ("/of/Ana", "Bearer k3y")
    assert got.headers["x-api-key"] == "of Ana"
    assert json.loads(got.body) == [
        *(call.id, "outbound", NEW_YORK, OURS),
        *("2026-11-21", "2026-11-21T22:30:00-05:00", 41),
    ]
    assert "k3y" not in json.dumps(dict(call.agent))


@pytest.mark.rows("RV-157", "RV-158")
async def test_dates_are_reckoned_where_the_person_is(store: Store) -> None:
    async with receiving(status(200)) as receiver, toolbox(store) as box:
        tool = looks_up(
            f"http://127.0.0.1:{receiver.port}/",
            method="POST",
            input_schema=[{"name": "at", "type": "datetime"}],
            body_template='"{{at}}"',
        )
        orders: list[tuple[dict[str, Any], str]] = [
            ({"to": NEW_YORK}, "-05:00"),
            ({"to": OURS, "by": BERLIN, "direction": "inbound"}, "+01:00"),
            ({"retry": RetryPolicy(timezone="Asia/Tokyo")}, "+09:00"),
        ]
        for order, offset in orders:
            call = await called(store, tool, **order)
            (made,) = of(box, call).values()
            description = made.spec.parameters["properties"]["at"]["description"]
            assert f"day, at {offset}." in description
            await made({"at": "2026-11-23T09:00:00"})
            assert json.loads(receiver.got[-1].body) == f"2026-11-23T09:00:00{offset}"
