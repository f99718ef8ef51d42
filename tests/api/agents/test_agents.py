"""Agents over a real server: kept whole, checked whole, with versions and numbers."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.agents.checks import check_config
from api.agents.context import AgentContext
from api.base.refusals import Conflict
from api.base.text import MASK
from api.resources.agent import AgentObject, NewStoredAgent
from api.resources.agent_fields import AgentFields
from api.resources.masking import unsealed
from api.store.tables import agent_versions, agents
from models.openai.endpoint import Endpoint, new_client
from models.openai.speech import OpenAiSpeech
from models.registry import EngineRegistry, Named
from tests.api.conftest import Bench
from tests.voice_loop.scripted import Detector, Ears, Mind

PATH = "/v1/agents"
NONE = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"
CRM = {
    "type": "http",
    "name": "stock",
    "description": "How many are in stock.",
    "url": "https://crm.example.org/stock",
    "headers": [
        {"key": "X-Api-Key", "value": "key-of-the-crm"},
        {"key": "Accept", "value": "text/plain"},
    ],
}


async def send(bench: Bench, method: str, path: str, wanted: int, **body: Any) -> dict[str, Any]:
    """What a request is answered, which must have the status that is wanted."""
    response = await bench.client.request(method, path, json=body or None)
    assert response.status_code == wanted, response.text
    answer: dict[str, Any] = response.json() if response.content else {}
    return answer


async def make(bench: Bench, wanted: int = 201, **fields: Any) -> dict[str, Any]:
    return await send(bench, "POST", PATH, wanted, **{"name": "Ada"} | fields)


async def change(bench: Bench, agent_id: str, wanted: int = 200, **fields: Any) -> dict[str, Any]:
    return await send(bench, "PATCH", f"{PATH}/{agent_id}", wanted, **fields)


async def numbers(bench: Bench) -> list[str]:
    """Ids of the two numbers of the deployment."""
    page = await bench.store.numbers.page(limit=10)
    return [number.id for number in page.items]


def places(problem: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in problem["errors"]]


@pytest.mark.both_stores
@pytest.mark.rows("X-CB-21")
async def test_an_agent_is_made_read_changed_listed_and_archived(bench: Bench) -> None:
    made = await make(bench, persona="You are Ada.", voice={"speed": 1.2}, language="es")
    AgentObject.model_validate(made)
    assert set(AgentFields.model_fields) < set(made)
    assert (made["type"], made["status"], made["version"]) == ("outbound", "active", 1)
    assert (made["persona"], made["voice"]["speed"], made["llm"]) == ("You are Ada.", 1.2, None)
    path = f"{PATH}/{made['id']}"
    assert await send(bench, "GET", path, 200) == made
    changed = await change(bench, made["id"], persona=None, voice={"id": "es"}, name="Bea")
    assert (changed["persona"], changed["name"], changed["language"]) == (None, "Bea", "es")
    assert (changed["voice"]["id"], changed["voice"]["speed"]) == ("es", None)
    other = await make(bench, name="Carl")
    listed = await send(bench, "GET", f"{PATH}?limit=1", 200)
    assert listed["data"] == [other]
    rest = await send(bench, "GET", f"{PATH}?cursor={listed['next_cursor']}", 200)
    assert (rest["data"], rest["has_more"]) == ([changed], False)
    await send(bench, "DELETE", path, 204)
    await send(bench, "DELETE", path, 204)
    assert (await send(bench, "GET", path, 200))["status"] == "archived"
    assert [one["id"] for one in (await send(bench, "GET", PATH, 200))["data"]] == [other["id"]]
    archived = await send(bench, "GET", f"{PATH}?status=archived", 200)
    assert [one["id"] for one in archived["data"]] == [made["id"]]
    assert (await change(bench, made["id"], 409, name="X"))["code"] == "agent_archived"


@pytest.mark.both_stores
async def test_each_change_of_name_or_configuration_is_a_version(bench: Bench) -> None:
    agent = await make(bench, persona="One.", llm={"model": "local"}, tools=[CRM])
    path = f"{PATH}/{agent['id']}/versions"
    assert (await change(bench, agent["id"], persona="One."))["version"] == 1
    assert (await change(bench, agent["id"], number_ids=await numbers(bench)))["version"] == 1
    assert (await change(bench, agent["id"], persona="Two."))["version"] == 2
    assert (await change(bench, agent["id"], name="Bea"))["version"] == 3
    first = await send(bench, "GET", f"{path}?limit=2", 200)
    second = await send(bench, "GET", f"{path}?cursor={first['next_cursor']}", 200)
    told = [(one["version"], one["name"], one["persona"]) for one in first["data"]]
    assert told == [(3, "Bea", "Two."), (2, "Ada", "Two.")]
    assert [one["version"] for one in second["data"]] == [1]
    assert await send(bench, "GET", f"{path}/1", 200) == second["data"][0]
    for none in ("4", "0", "x", "9" * 40):
        await send(bench, "GET", f"{path}/{none}", 404)
    await send(bench, "GET", f"{PATH}/{NONE}/versions", 404)
    await send(bench, "GET", f"{path}?cursor=x", 422)


@pytest.mark.both_stores
async def test_of_two_changes_at_one_time_one_is_told_of_the_other(bench: Bench) -> None:
    store = bench.store.agents
    before = await store.get((await make(bench))["id"])
    assert (await store.change(before, NewStoredAgent("Bea", {}))).version == 2
    with pytest.raises(Conflict, match="changed meanwhile"):
        await store.change(before, NewStoredAgent("Carl", {}))
    assert (await store.get(before.id)).name == "Bea"


async def test_a_change_may_say_what_it_changes(bench: Bench) -> None:
    agent = await make(bench)
    path = f"{PATH}/{agent['id']}"
    tag = (await bench.client.get(path)).headers["etag"]
    for wanted in (200, 412):
        answer = await bench.client.patch(path, json={"persona": "x"}, headers={"If-Match": tag})
        assert answer.status_code == wanted


async def test_what_is_not_there_is_not_found(bench: Bench) -> None:
    path = f"{PATH}/{NONE}"
    await send(bench, "GET", path, 404)
    await send(bench, "DELETE", path, 404)
    await send(bench, "PATCH", path, 404, name="x")
    await send(bench, "POST", f"{path}/numbers", 404, number_id=NONE)
    await send(bench, "DELETE", f"{path}/numbers/{NONE}", 404)
    await send(bench, "PUT", f"{path}/primary-number", 404, number_id=NONE)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"type": "both"}, "/type"),
        ({"persnoa": "x"}, "/persnoa"),
        ({"persona": 5}, "/persona"),
        ({"persona": "a\x07"}, "/persona"),
        ({"instructions": " "}, "/instructions"),
        ({"language": "fr"}, "/language"),
        ({"voice": {"id": "nobody"}}, "/voice/id"),
        ({"voice": {"speed": 1.6}}, "/voice/speed"),
        ({"llm": {"model": "gpt-9"}}, "/llm/model"),
        ({"llm": {"api_key": "x"}}, "/llm/api_key"),
        ({"transcriber": {"model": "x"}}, "/transcriber/model"),
        ({"first_sentence_mode": "sung"}, "/first_sentence_mode"),
        ({"max_duration_seconds": 601}, "/max_duration_seconds"),
        ({"returns": {"a": "color"}}, "/returns/a"),
        ({"retry": {"max_attempts": 0}}, "/retry/max_attempts"),
        ({"from_number": "+15550199999"}, "/from_number"),
        ({"webhook_url": "ftp://x"}, "/webhook_url"),
        ({"number_ids": ["x"]}, "/number_ids/0"),
        ({"primary_number_id": NONE}, "/primary_number_id"),
        ({"after_call_sms_prompt": "Thank them."}, "/after_call_sms_prompt"),
        ({"email_notification_address": "a@b.example"}, "/email_notification_address"),
        ({"persona": "{{#a b}}"}, "/persona"),
        ({"persona": "{{secret.crm}}"}, "/persona"),
        ({"tools": [CRM, CRM]}, "/tools/1/name"),
        ({"tools": [CRM | {"body_template": "{{secret.no}}"}]}, "/tools/0/body_template"),
        (
            {"faq_items": [{"question": "q", "answer": "a", "id": "1"}] * 2},
            "/faq_items/0/id",
        ),
    ],
)
async def test_what_cannot_be_is_refused_at_save_with_its_place(
    bench: Bench, fields: dict[str, Any], place: str
) -> None:
    problem = await make(bench, 422, **fields)
    assert any(one == place or one.startswith(place + "/") for one in places(problem))
    assert (await send(bench, "GET", PATH, 200))["data"] == []
    if "type" not in fields:
        kept = await make(bench)
        again = await change(bench, kept["id"], 422, **fields)
        assert set(places(problem)) == set(places(again))


async def test_every_wrong_field_is_told_at_once(bench: Bench) -> None:
    problem = await make(
        bench, 422, language="fr", voice={"id": "x"}, number_ids=[NONE], webhook_url="ftp://x"
    )
    assert {"/language", "/voice/id", "/number_ids/0"} < set(places(problem))


async def test_a_variable_may_be_left_to_the_calls_but_not_by_who_answers_them(
    bench: Bench,
) -> None:
    await make(bench, instructions="Call {{patient}} of {{clinic}}.", variables={"clinic": "North"})
    problem = await make(bench, 422, type="inbound", instructions="Ask for {{patient}}.")
    assert problem["errors"][0]["code"] == "unknown_variable"
    assert places(problem) == ["/instructions"]
    facts = "It is {{today}}, they call from {{user_phone_number}}."
    await make(bench, type="inbound", instructions=facts)


async def test_questions_and_answers_get_ids_that_stay(bench: Bench) -> None:
    item = {"question": "When?", "answer": "At nine."}
    agent = await make(bench, faq_items=[item, item | {"id": "mine"}])
    first, second = agent["faq_items"]
    assert second["id"] == "mine"
    assert first["id"]
    again = await change(bench, agent["id"], faq_items=[first, item])
    assert again["faq_items"][0] == first
    assert again["faq_items"][1]["id"] not in {None, first["id"]}


# -- what another release stored -----------------------------------------------------------------


async def of_another_release(bench: Bench) -> str:
    """Id of an agent whose stored retry policy is none here: this zone is not known."""
    new = NewStoredAgent("Old", {"retry": {"timezone": "Mars/Base"}})
    return (await bench.store.agents.create(new)).id


async def test_what_is_no_retry_policy_any_more_is_told_as_it_is_stored(bench: Bench) -> None:
    agent_id = await of_another_release(bench)
    one = await send(bench, "GET", f"{PATH}/{agent_id}", 200)
    (listed,) = (await send(bench, "GET", PATH, 200))["data"]
    version = await send(bench, "GET", f"{PATH}/{agent_id}/versions/1", 200)
    assert one["retry"] == listed["retry"] == version["retry"] == {"timezone": "Mars/Base"}
    revox = await send(bench, "GET", f"/api/assistants/{agent_id}", 200)
    assert revox["assistant"]["call_retry_config"] == {"timezone": "Mars/Base"}


async def test_what_is_no_retry_policy_any_more_is_refused_with_its_place(bench: Bench) -> None:
    agent_id = await of_another_release(bench)
    assert places(await change(bench, agent_id, 422, persona="x")) == ["/retry/timezone"]
    order = {"to": "+12125550100", "agent_id": agent_id}
    problem = await send(bench, "POST", "/v1/calls", 422, **order)
    assert places(problem) == ["/agent_id"]
    assert "its agent's retry/timezone: not an IANA time zone" in problem["detail"]
    template = {"agent_id": agent_id}
    problem = await send(bench, "POST", "/v1/campaigns", 422, name="Recalls", template=template)
    assert places(problem) == ["/template/agent_id"]
    await send(bench, "POST", "/v1/calls", 201, **order, overrides={"retry": None})
    assert (await change(bench, agent_id, retry=None))["retry"] is None


@pytest.mark.parametrize("retry", [{"max_attempts": 2}, {"calling_windows": [{"end": "8pm"}]}])
async def test_a_retry_policy_that_is_sent_back_as_told_is_no_version(
    bench: Bench, retry: dict[str, Any]
) -> None:
    agent = await make(bench, retry=retry)
    assert agent["retry"] == retry
    assert (await change(bench, agent["id"], retry=agent["retry"]))["version"] == 1


# -- secrets -------------------------------------------------------------------------------------


async def test_keys_are_sealed_in_the_store_and_masked_when_read(bench: Bench) -> None:
    llm = {"api_url": "http://127.0.0.1:1/v1", "model": "m", "api_key": "key-of-the-llm"}
    problem = await make(bench, 422, llm=llm)
    assert places(problem) == ["/llm/api_url"], "its network is not allowed here"
    agent = await make(bench, tools=[CRM])
    headers = agent["tools"][0]["headers"]
    assert [pair["value"] for pair in headers] == [MASK, "text/plain"]

    async def work(connection: AsyncConnection) -> str:
        rows = [
            (await connection.execute(select(table))).all() for table in (agents, agent_versions)
        ]
        return repr(rows)

    assert "key-of-the-crm" not in await bench.store.database.read(work)
    versions = await send(bench, "GET", f"{PATH}/{agent['id']}/versions", 200)
    assert "key-of-the-crm" not in repr(versions)


async def test_a_mask_that_is_sent_back_keeps_what_was_there(bench: Bench) -> None:
    agent = await make(bench, tools=[CRM])
    sent = {"type": "skip_turn"}, agent["tools"][0] | {"description": "How many there are."}
    changed = await change(bench, agent["id"], tools=list(sent))
    assert changed["tools"][1]["description"] == "How many there are."
    kept = unsealed((await bench.store.agents.get(agent["id"])).config, bench.services.seal)
    assert kept["tools"][1]["headers"][0]["value"] == "key-of-the-crm"
    renamed = agent["tools"][0] | {"name": "other"}
    problem = await change(bench, agent["id"], 422, tools=[renamed])
    assert places(problem) == ["/tools/0/headers/0/value"]


async def test_tools_may_name_secrets_that_there_are(bench: Bench) -> None:
    header = {"key": "Authorization", "value": "Bearer {{secret.crm}}"}
    tool = CRM | {"headers": [header]}
    problem = await make(bench, 422, tools=[tool])
    assert places(problem) == ["/tools/0/headers/0/value"]
    await send(bench, "PUT", "/v1/secrets/crm", 201, value="x")
    await make(bench, tools=[tool])


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.both_stores
@pytest.mark.rows("X-CB-22")
async def test_numbers_are_attached_chosen_and_detached(bench: Bench) -> None:
    first, second = await numbers(bench)
    agent = await make(bench, number_ids=[second])
    path = f"{PATH}/{agent['id']}"
    assert (agent["number_ids"], agent["primary_number_id"]) == ([second], None)
    problem = await send(bench, "PUT", f"{path}/primary-number", 422, number_id=first)
    assert places(problem) == ["/number_id"]
    for _ in range(2):
        agent = await send(bench, "POST", f"{path}/numbers", 200, number_id=first)
        assert agent["number_ids"] == [second, first]
    agent = await send(bench, "PUT", f"{path}/primary-number", 200, number_id=first)
    assert agent["primary_number_id"] == first
    in_use = await send(bench, "DELETE", f"/v1/numbers/{first}", 409)
    assert "agents" in in_use["detail"]
    await send(bench, "DELETE", f"{path}/numbers/{first}", 204)
    await send(bench, "DELETE", f"{path}/numbers/{first}", 404)
    agent = await send(bench, "GET", path, 200)
    assert (agent["number_ids"], agent["primary_number_id"]) == ([second], None)
    await send(bench, "DELETE", f"/v1/numbers/{first}", 204)
    problem = await send(bench, "POST", f"{path}/numbers", 422, number_id=first)
    assert places(problem) == ["/number_id"]


async def test_a_new_list_of_numbers_replaces_the_old_one(bench: Bench) -> None:
    first, second = await numbers(bench)
    agent = await make(bench, number_ids=[first, second], primary_number_id=first)
    agent = await change(bench, agent["id"], number_ids=[second])
    assert (agent["number_ids"], agent["primary_number_id"]) == ([second], None)
    assert (await change(bench, agent["id"], number_ids=None))["number_ids"] == []


@pytest.mark.both_stores
@pytest.mark.rows("X-CB-22")
async def test_one_inbound_agent_answers_a_number_and_many_call_from_it(bench: Bench) -> None:
    number, _ = await numbers(bench)
    answering = await make(bench, type="inbound", number_ids=[number])
    assert (await bench.store.agents.answering(number)) is not None
    for _ in range(2):
        await make(bench, number_ids=[number])
    taken = await make(bench, 409, type="inbound", number_ids=[number])
    assert taken["code"] == "number_answered"
    idle = await make(bench, type="inbound")
    await send(bench, "POST", f"{PATH}/{idle['id']}/numbers", 409, number_id=number)
    await change(bench, idle["id"], 409, number_ids=[number])
    await send(bench, "DELETE", f"{PATH}/{answering['id']}", 204)
    await send(bench, "POST", f"{PATH}/{idle['id']}/numbers", 200, number_id=number)
    found = await bench.store.agents.answering(number)
    assert found is not None
    assert found.id == idle["id"]


async def test_agents_are_read_by_readers_and_made_by_administrators(bench: Bench) -> None:
    _, key = await bench.store.keys.create("reader", "read")
    headers = {"Authorization": f"Bearer {key}"}
    assert (await bench.client.get(PATH, headers=headers)).status_code == 200
    answer = await bench.client.post(PATH, json={"name": "x"}, headers=headers)
    assert answer.status_code == 403


async def test_a_voice_on_another_machine_varies_as_it_pleases(bench: Bench) -> None:
    async with new_client() as client:
        there = Endpoint("models.voices.far", "http://127.0.0.1:9/v1", "tts", None, 1.0)
        engines = EngineRegistry(
            [Named("local", Mind({}))],
            [Named("far", OpenAiSpeech(there, client, "nova", 24_000, "pcm"), "endpoint", ("en",))],
            [Named("local", Ears(), languages=("en",))],
            new_detector=lambda _rate: Detector(),
            custom=lambda _wanted: Mind({}),
        )
        context = AgentContext(bench.services.settings, engines, frozenset(), {}, frozenset())
        agent = AgentFields.model_validate({"voice": {"id": "far", "stability": 0.3}})
        (error,) = check_config(agent, context)
    assert error.pointer == "/voice/stability"
