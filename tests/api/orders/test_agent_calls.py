"""Calls that are placed with agents: where their configuration comes from, and that it stays."""

from typing import Any

import pytest
from pydantic import BaseModel

from api.base.text import MASK
from api.resources.agent_fields import AgentFields
from api.resources.call import CreateCall
from api.resources.masking import frozen_config
from api.resources.tool_fields import HttpTool
from tests.api.agents.test_agents import CRM, NONE, change, make, numbers, places, send
from tests.api.conftest import Bench

CALLS = "/v1/calls"
OURS, SPARE = "+15559876543", "+15550100099"


async def place(bench: Bench, wanted: int = 201, **body: Any) -> dict[str, Any]:
    return await send(bench, "POST", CALLS, wanted, **{"to": "+15551234567"} | body)


@pytest.mark.both_stores
@pytest.mark.rows("CB-25", "X-CB-31")
async def test_a_call_keeps_the_configuration_that_it_was_placed_with(bench: Bench) -> None:
    agent = await make(
        bench, instructions="Confirm it.", returns={"ok": "boolean"}, language="es", tools=[CRM]
    )
    call = await place(bench, agent_id=agent["id"])
    assert (call["agent_id"], call["agent_version"]) == (agent["id"], 1)
    assert (call["prompt"], call["language"]) == ("Confirm it.", "es")
    await change(bench, agent["id"], instructions="Cancel it.", language="en", returns=None)
    await send(bench, "DELETE", f"/v1/agents/{agent['id']}", 204)
    kept = await send(bench, "GET", f"{CALLS}/{call['id']}", 200)
    assert kept == call
    assert kept["returns"] == {"ok": "boolean"}
    assert kept["agent"]["tools"][0]["headers"][0]["value"] == MASK
    stored = (await bench.store.calls.get(call["id"])).agent
    assert "key-of-the-crm" not in repr(stored)
    tools = frozen_config(stored, bench.services.seal).tools
    assert tools is not None
    tool = tools[0]
    assert isinstance(tool, HttpTool)
    assert tool.headers[0].value == "key-of-the-crm"


@pytest.mark.rows("CB-26", "CB-27", "CB-29")
async def test_what_is_nearer_to_the_call_holds(bench: Bench) -> None:
    """Agent < inline < overrides < the call's own fields."""
    agent = await make(
        bench,
        persona="P agent",
        instructions="I agent",
        first_sentence="F agent",
        end_of_call_sentence="E agent",
        context={"a": "agent", "b": "agent"},
        voice={"speed": 0.8, "volume": 0.8},
        max_duration_seconds=60,
    )
    call = await place(
        bench,
        agent_id=agent["id"],
        agent={
            "instructions": "I inline",
            "first_sentence": "F inline",
            "voice": {"speed": 0.9, "volume": 0.9},
        },
        overrides={
            "instructions": "I overrides",
            "end_of_call_sentence": None,
            "voice": {"volume": 1.1},
            "context": {"b": "overrides", "c": "overrides"},
        },
        prompt="I call",
        max_duration_seconds=90,
        webhook_url="https://hook.example.org/x",
    )
    assert call["agent"] == {
        "persona": "P agent",
        "instructions": "I call",
        "first_sentence": "F inline",
        "context": {"a": "agent", "b": "overrides", "c": "overrides"},
        "voice": {"speed": 0.9, "volume": 1.1},
        "max_duration_seconds": 90,
        "webhook_url": "https://hook.example.org/x",
    }
    assert call["prompt"] == "I call"
    plain = await place(bench, agent_id=agent["id"])
    assert (plain["prompt"], plain["max_duration_seconds"]) == ("I agent", 60)


async def test_an_agent_may_come_with_the_call_alone(bench: Bench) -> None:
    call = await place(bench, agent={"instructions": "Say hello.", "language": "es"})
    assert (call["agent_id"], call["prompt"], call["language"]) == (None, "Say hello.", "es")
    call = await place(bench, agent={"instructions": "Say hello.", "language": "es-MX"})
    assert call["language"] == "es-MX"


@pytest.mark.rows("CB-25")
async def test_only_an_active_outbound_agent_makes_calls(bench: Bench) -> None:
    inbound = await make(bench, type="inbound")
    archived = await make(bench)
    await send(bench, "DELETE", f"/v1/agents/{archived['id']}", 204)
    for agent_id, code in (
        (NONE, "unknown_agent"),
        ("", "unknown_agent"),
        (inbound["id"], "inbound_agent"),
        (archived["id"], "unknown_agent"),
    ):
        problem = await place(bench, 422, agent_id=agent_id)
        assert (problem["code"], places(problem)) == (code, ["/agent_id"])


async def test_what_is_wrong_is_pointed_at_in_the_request(bench: Bench) -> None:
    agent = await make(bench, instructions="Call {{patient}}.", voice={"id": "en"})
    problem = await place(bench, 422, agent_id=agent["id"])
    assert (problem["code"], places(problem)) == ("unknown_variable", ["/agent_id"])
    wrong = {"voice": {"id": "nobody"}}
    known = {"patient": "Maria"}
    for within in ("agent", "overrides"):
        problem = await place(bench, 422, agent_id=agent["id"], variables=known, **{within: wrong})
        assert places(problem) == [f"/{within}/voice/id"]
    call = await place(bench, agent_id=agent["id"], variables=known)
    assert call["variables"] == known
    assert call["prompt"] == "Call {{patient}}."


async def test_a_mask_is_no_value(bench: Bench) -> None:
    shown = (await make(bench, tools=[CRM]))["tools"]
    problem = await place(bench, 422, agent={"tools": shown})
    assert places(problem) == ["/agent/tools/0/headers/0/value"]


async def test_keys_of_a_call_are_sealed_and_masked(bench: Bench) -> None:
    answer = await bench.client.post(
        CALLS,
        json={"to": "+15551234567", "tools": [CRM]},
        headers={"Idempotency-Key": "k-1"},
    )
    assert "key-of-the-crm" not in answer.text
    call = await bench.store.calls.get(answer.json()["id"])
    assert "key-of-the-crm" not in repr(call)


@pytest.mark.parametrize("within", ["agent", "overrides", None])
async def test_a_key_goes_to_no_other_server(bench: Bench, within: str | None) -> None:
    """A call may have another server's model; it does not get the agent's key."""
    owned = {"api_url": "https://llm.example.org/v1", "model": "m", "api_key": "key-of-the-llm"}
    agent = await make(bench, llm=owned)
    for url, has in (("https://other.example.org/v1", False), (owned["api_url"], True)):
        asked = {"llm": {"api_url": url, "temperature": 0.5}}
        body = asked if within is None else {within: asked}
        call = await place(bench, agent_id=agent["id"], **body)
        llm = frozen_config(
            (await bench.store.calls.get(call["id"])).agent, bench.services.seal
        ).llm
        assert llm is not None
        assert (llm.api_url, llm.model, llm.api_key) == (
            url,
            "m",
            owned["api_key"] if has else None,
        )


async def test_a_mask_goes_to_no_other_server(bench: Bench) -> None:
    agent = await make(bench, tools=[CRM])
    (tool,) = agent["tools"]
    problem = await change(bench, agent["id"], 422, tools=[tool | {"url": "https://evil.example"}])
    assert places(problem) == ["/tools/0/headers/0/value"]
    await change(bench, agent["id"], tools=[tool | {"url": "https://crm.example.org/orders"}])


@pytest.mark.both_stores
@pytest.mark.rows("CB-28")
async def test_an_agent_calls_from_its_own_numbers(bench: Bench) -> None:
    first, second = await numbers(bench)
    agent = await make(bench)
    path = f"/v1/agents/{agent['id']}"
    assert (await place(bench, agent_id=agent["id"]))["from_number"] == OURS
    await send(bench, "POST", f"{path}/numbers", 200, number_id=second)
    assert (await place(bench, agent_id=agent["id"]))["from_number"] == SPARE
    problem = await place(bench, 422, agent_id=agent["id"], from_number=OURS)
    assert (problem["code"], places(problem)) == ("from_number_not_allowed", ["/from_number"])
    await send(bench, "POST", f"{path}/numbers", 200, number_id=first)
    assert (await place(bench, agent_id=agent["id"]))["from_number"] == SPARE, "the oldest"
    await send(bench, "PUT", f"{path}/primary-number", 200, number_id=first)
    assert (await place(bench, agent_id=agent["id"]))["from_number"] == OURS, "the primary one"
    await change(bench, agent["id"], from_number=SPARE)
    assert (await place(bench, agent_id=agent["id"]))["from_number"] == SPARE, "its own word"
    call = await place(bench, agent_id=agent["id"], from_number=OURS)
    assert call["from_number"] == OURS
    await send(bench, "PATCH", f"/v1/numbers/{second}", 200, status="inactive")
    problem = await place(bench, 422, agent_id=agent["id"])
    assert (problem["code"], places(problem)) == ("from_number_not_allowed", ["/agent_id"])
    await change(bench, agent["id"], from_number=None, number_ids=[second])
    problem = await place(bench, 422, agent_id=agent["id"])
    assert (problem["code"], places(problem)) == ("no_active_number", ["/agent_id"])


async def test_a_secret_that_is_gone_is_missed_when_a_call_is_placed(bench: Bench) -> None:
    await send(bench, "PUT", "/v1/secrets/crm", 201, value="x")
    header = {"key": "Authorization", "value": "Bearer {{secret.crm}}"}
    agent = await make(bench, tools=[CRM | {"headers": [header]}])
    await place(bench, agent_id=agent["id"])
    await send(bench, "DELETE", "/v1/secrets/crm", 204)
    problem = await place(bench, 422, agent_id=agent["id"])
    assert places(problem) == ["/agent_id"]
    assert "secret.crm" in problem["detail"]


async def test_who_may_only_place_calls_names_no_secret(bench: Bench) -> None:
    """They could have it sent to a server of theirs; agents are for administrators to make."""
    await send(bench, "PUT", "/v1/secrets/crm", 201, value="x")
    tool = CRM | {"headers": [{"key": "Authorization", "value": "Bearer {{secret.crm}}"}]}
    agent = await make(bench, tools=[tool])
    _, key = await bench.store.keys.create("caller", "call")
    order = {"to": "+15551234567"}
    at = "tools/0/headers/0/value"
    for path, body, place_of in (
        (CALLS, order | {"tools": [tool]}, f"/{at}"),
        (CALLS, order | {"agent_id": agent["id"], "agent": {"tools": [tool]}}, f"/agent/{at}"),
        (CALLS, order | {"overrides": {"tools": [tool]}}, f"/overrides/{at}"),
        ("/v1/campaigns", {"name": "x", "template": {"tools": [tool]}}, f"/template/{at}"),
    ):
        headers = {"Authorization": f"Bearer {key}"}
        answer = await bench.client.post(path, json=body, headers=headers)
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] == "insufficient_scope"
        assert places(answer.json()) == [place_of]
        assert (await bench.client.post(path, json=body)).status_code == 201
    by_agent = order | {"agent_id": agent["id"]}
    answer = await bench.client.post(CALLS, json=by_agent, headers=headers)
    assert answer.status_code == 201, answer.text


async def test_calls_are_listed_by_their_agent(bench: Bench) -> None:
    agent = await make(bench)
    call = await place(bench, agent_id=agent["id"])
    await place(bench)
    found = await send(bench, "GET", f"{CALLS}?agent_id={agent['id']}", 200)
    assert [one["id"] for one in found["data"]] == [call["id"]]


async def test_a_configuration_is_validated_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await make(bench, tools=[CRM])
    validated: list[type[BaseModel]] = []

    def counting(model: type[BaseModel], config: Any) -> Any:
        validated.append(model)
        return model.__pydantic_validator__.validate_python(config)

    monkeypatch.setattr(AgentFields, "model_validate", classmethod(counting))
    await place(bench, agent_id=agent["id"], overrides={"persona": "P"}, agent={"language": "es"})
    assert validated == [CreateCall, AgentFields]
