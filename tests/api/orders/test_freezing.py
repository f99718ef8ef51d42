"""Calls whose agent holds as it is when they are first dialled (OI-14)."""

from dataclasses import replace
from typing import Any

import pytest

from api.base.text import MASK
from api.calls.runner import CallRunner
from api.egress.sealing import Seal, new_key
from api.orders.freezing import AgentUnusableError, Freezer
from api.resources.agent import NewStoredAgent
from api.resources.call import Call
from api.resources.masking import frozen_config
from api.resources.tool_fields import HttpTool
from tests.api.compat.test_oneinbox import agent, native, placed
from tests.api.conftest import Bench
from tests.api.story import claim_up_to
from tests.api.switchboard import Office, over


def freezer(bench: Bench) -> Freezer:
    """As the server has it."""
    return Freezer(bench.services)


async def changed(bench: Bench, agent_id: str, **fields: Any) -> None:
    answer = await bench.client.patch(f"/v1/agents/{agent_id}", json=fields)
    assert answer.status_code == 200, answer.text


async def dialled(bench: Bench, call_id: str) -> Call:
    """The call once it is dialled, its configuration frozen."""
    (claim,) = await claim_up_to(bench.store, 9)
    assert claim.call.id == call_id
    return await freezer(bench)(claim.call)


def crm(key: str) -> dict[str, Any]:
    return {
        "type": "http",
        "name": "look_up",
        "description": "Look it up.",
        "method": "GET",
        "url": "https://crm.example.org/",
        "headers": [{"key": "X-Api-Key", "value": key}],
    }


@pytest.mark.both_stores
@pytest.mark.rows("OI-13", "OI-14")
async def test_overrides_are_merged_upon_the_agent_as_it_is_when_the_call_is_dialled(
    bench: Bench,
) -> None:
    agent_id = await agent(
        bench,
        persona="P",
        instructions="Ask.",
        end_of_call_sentence="Bye.",
        max_duration_seconds=60,
        tools=[crm("key-1")],
    )
    call = await placed(
        bench,
        agent_id=agent_id,
        variables={"name": "Maria"},
        overrides={"first_message": "Hello {{name}}.", "tts": {"speed": 1.2}},
    )
    before = await native(bench, call["id"])
    assert (before["prompt"], before["agent_version"]) == ("Ask.", 1)
    assert before["agent"]["tools"][0]["headers"][0]["value"] == MASK
    await changed(
        bench,
        agent_id,
        persona=None,
        instructions="Ask {{name}} again.",
        language="es",
        voice={"volume": 0.8, "speed": 0.7},
        first_sentence="Not this.",
        returns={"ok": "boolean"},
        context={"a": 1},
        webhook_url="https://hook.example.org/x",
        max_duration_seconds=90,
        retry={"max_attempts": 5},
        tools=[crm("key-2")],
    )
    assert await native(bench, call["id"]) == before, "not before it is dialled"
    frozen = await dialled(bench, call["id"])
    after = await native(bench, call["id"])
    assert after["agent"] == {
        "instructions": "Ask {{name}} again.",
        "end_of_call_sentence": "Bye.",
        "language": "es",
        "voice": {"volume": 0.8, "speed": 1.2},
        "first_sentence": "Hello {{name}}.",
        "first_sentence_mode": "static",
        "returns": {"ok": "boolean"},
        "context": {"a": 1},
        "webhook_url": "https://hook.example.org/x",
        "max_duration_seconds": 90,
        "variables": {"name": "Maria"},
        "from_number": call["from_number"],
        "tools": after["agent"]["tools"],
    }
    held = ("prompt", "language", "returns", "context", "webhook_url", "max_duration_seconds")
    told = {name: after[name] for name in held}
    assert told == {name: after["agent"].get(name) for name in held} | {
        "prompt": "Ask {{name}} again."
    }
    assert (after["agent_version"], after["retry"], after["attempt_count"]) == (2, None, 1)
    assert frozen.agent == (await bench.store.calls.get(call["id"])).agent
    assert "key-2" not in repr(frozen)
    tools = frozen_config(frozen.agent, bench.services.seal).tools
    assert tools is not None
    (tool,) = tools
    assert isinstance(tool, HttpTool)
    assert tool.headers[0].value == "key-2"
    await changed(bench, agent_id, instructions="Too late.")
    assert await freezer(bench)(frozen) == frozen, "once is enough"


@pytest.mark.rows("OI-14")
async def test_a_duration_that_money_is_held_for_does_not_grow(bench: Bench) -> None:
    agent_id = await agent(bench, max_duration_seconds=60)
    await bench.client.put("/v1/rates/+1", json={"milli_cents_per_minute": 5000})
    first = await placed(bench, agent_id=agent_id)
    await changed(bench, agent_id, max_duration_seconds=90)
    assert (await dialled(bench, first["id"])).max_duration_s == 60
    second = await placed(bench, agent_id=agent_id)
    await changed(bench, agent_id, max_duration_seconds=30)
    assert (await dialled(bench, second["id"])).max_duration_s == 30


@pytest.mark.rows("OI-14")
async def test_what_is_wrong_by_then_is_told(bench: Bench) -> None:
    agent_id = await agent(bench)
    for change, told in (
        ({"instructions": "Call {{nobody}}."}, "/agent_id: its agent's instructions: {{nobody}} "),
        (None, "/agent_id: is archived"),
    ):
        call = await placed(bench, agent_id=agent_id)
        if change is None:
            await bench.client.delete(f"/v1/agents/{agent_id}")
        else:
            await changed(bench, agent_id, **change)
        with pytest.raises(AgentUnusableError) as error:
            await dialled(bench, call["id"])
        assert str(error.value).startswith(told)
        if change is not None:
            await changed(bench, agent_id, instructions="Call them.")


async def test_what_another_release_let_agents_say_is_told(bench: Bench) -> None:
    agent_id = await agent(bench)
    call = await placed(bench, agent_id=agent_id)
    before = await bench.store.agents.get(agent_id)
    config = {**before.config, "voice": {"speed": 9}}
    await bench.store.agents.change(before, NewStoredAgent("Old", config))
    with pytest.raises(AgentUnusableError, match="its agent's voice/speed: "):
        await dialled(bench, call["id"])


async def test_keys_that_cannot_be_opened_are_told_before_anybody_is_called(bench: Bench) -> None:
    agent_id = await agent(bench, tools=[crm("key-1")])
    foreign = Freezer(replace(bench.services, seal=Seal(new_key())))
    for call in (
        await placed(bench, agent_id=agent_id),
        await bench.create(agent_id=agent_id),  # its configuration is frozen already
    ):
        with pytest.raises(AgentUnusableError, match=r"cannot be opened.*another key"):
            await foreign(await bench.store.calls.get(call["id"]))


@pytest.mark.rows("OI-14")
async def test_a_call_whose_agent_is_unusable_fails_undialled(bench: Bench) -> None:
    office = Office(bench.store)
    agent_id = await agent(bench, instructions="Ask.")
    doomed = await placed(bench, agent_id=agent_id)
    (claim,) = await claim_up_to(bench.store, 9)
    await bench.client.delete(f"/v1/agents/{agent_id}")
    config = replace(office.config, freeze=freezer(bench))
    await CallRunner(claim, bench.store, office.switch, office.engines, config).run()
    call = await over(bench.store, doomed["id"])
    assert (call.status, call.end_reason, call.hangup_cause) == (
        *("failed", "agent_unusable", "agent_unusable"),
    )
    assert call.error_message == "/agent_id: is archived"
    assert office.switch.attempts == []
    told = (await bench.client.get(f"/compat/oneinbox/v1/calls/{call.id}")).json()
    assert (told["status"], told["end_reason"]) == ("failed", "agent_unusable")
