"""Revox's assistants, campaigns and voices over a real server."""

import copy
import io
import time
from typing import Any

import av
import pytest

from api.compat.mapping import REVOX_CAMPAIGN_STATUS, REVOX_ROW_STATUS
from api.compat.revox.objects import RevoxAssistant
from api.orders.campaigns import CampaignFeeder
from api.resources.attempt import Ended
from tests.api.compat.test_revox import TO, placed, read, same_keys
from tests.api.conftest import Bench
from tests.api.revox_examples import ASSISTANT, CALL_KEYS, RETRY_KEYS
from tests.api.story import NORMAL, claim_up_to

PATH = "/api/assistants"


async def made(bench: Bench, **members: Any) -> dict[str, Any]:
    """An assistant that must be accepted."""
    answer = await bench.client.post(PATH, json={"name": "Recalls", "prompt": "x"} | members)
    assert answer.status_code == 201, answer.text
    assistant: dict[str, Any] = answer.json()["assistant"]
    assert answer.headers["location"] == f"{PATH}/{assistant['id']}"
    return assistant


async def change(bench: Bench, agent_id: str, **members: Any) -> dict[str, Any]:
    answer = await bench.client.patch(f"{PATH}/{agent_id}", json=members)
    assert answer.status_code == 200, answer.text
    assistant: dict[str, Any] = answer.json()["assistant"]
    return assistant


@pytest.mark.rows("X-RV-2", "RV-316…386", "RV-406…471")
async def test_an_assistant_is_kept_and_read(equipped: Bench) -> None:
    assistant = await made(equipped, **ASSISTANT)
    same_keys(assistant, CALL_KEYS["assistant"], "call.assistant")
    RevoxAssistant.model_validate(assistant)
    for member in ASSISTANT.keys() - {"faq_items"}:
        assert assistant[member] == ASSISTANT[member], member
    client = equipped.client
    found = (await client.get(f"{PATH}/{assistant['id']}")).json()
    assert found == {"assistant": assistant}
    assert (await client.get(PATH)).json() == {"assistants": [assistant]}
    native = (await client.get(f"/v1/agents/{assistant['id']}")).json()
    assert (native["name"], native["language"]) == ("Recalls", "es")


@pytest.mark.rows("RV-5", "RV-10", "RV-52", "RV-253", "RV-264", "RV-265", "RV-274")
async def test_a_stored_assistant_makes_a_call(equipped: Bench) -> None:
    """It wins over an inline one; what it was then stays with the call."""
    assistant = await made(equipped, **ASSISTANT)
    variables = {"patient": "Maria Lopez"}
    call = await placed(
        equipped,
        assistant_id=assistant["id"],
        assistant={"prompt": "never looked at"},
        prompt_variables=variables,
        force_now=True,
    )
    assert call["assistant"] == assistant
    assert call["call_retry_config"] == ASSISTANT["call_retry_config"]
    assert call["from_phone_number"] == ASSISTANT["from_phone_number"]
    await change(equipped, assistant["id"], name="Other", prompt="Something else, {{patient}}.")
    assert (await read(equipped, call["id"]))["assistant"] == assistant
    body = {"phone_number": TO, "assistant_id": assistant["id"], "force_now": True}
    wrong = await equipped.client.post("/api/call", json=body)
    (error, *_) = wrong.json()["error"]["errors"]
    assert (error["pointer"], error["code"]) == ("/assistant_id", "unknown_variable")


@pytest.mark.rows("RV-39", "X-RV-2")
async def test_an_assistant_is_changed_member_by_member(equipped: Bench) -> None:
    before = await made(equipped, **ASSISTANT)
    path = before["id"]

    async def changes(**members: Any) -> dict[str, Any]:
        """What a change changed."""
        nonlocal before
        after = await change(equipped, path, **members)
        found = {name: after[name] for name in after if after[name] != before[name]}
        before = after
        found.pop("updated_at")
        return found

    assert await changes(name="Recalls, May") == {"name": "Recalls, May"}
    assert await changes(sms_enabled=False) == {"sms_enabled": False}
    assert before["sms_template"] == ASSISTANT["sms_template"]
    assert await changes(human_transfer_mode=None) == {"human_transfer_mode": None}
    assert await changes(human_transfer_mode="cold") == {"human_transfer_mode": "cold"}
    assert await changes(custom_tools=[]) == {"custom_tools": []}
    assert await changes(ivr_navigation_enabled=False) == {"ivr_navigation_enabled": False}
    assert await changes(sms_enabled=True) == {"sms_enabled": True}
    own = {"id": "en", "provider": "cartesia", "speed": 1.0, "volume": 1.0}
    assert await changes(voice=None) == {"voice": own}
    faq = await changes(faq_items=[{"question": "Where?", "answer": "Here."}])
    assert [item["question"] for item in faq["faq_items"]] == ["Where?"]
    model = {"name": "ministral-3-8b-instruct", "type": "dedicated-instance"}
    assert await changes(llm_model=model) == {"llm_model": model}
    assert await changes(llm_model=None, prompt_flow=None) == {
        "llm_model": ASSISTANT["llm_model"],
        "prompt_flow": None,
    }
    native = (await equipped.client.get(f"/v1/agents/{path}")).json()
    assert native["language"] is None, "the voice's"


@pytest.mark.rows("RV-463…466", "RV-468…469", "RV-471", "RV-38…41")
@pytest.mark.partial("RV-467", "RV-470")
async def test_faq_items_are_kept_with_what_is_said_of_them(bench: Bench) -> None:
    """Clients say who wrote an item and what needs an answer; agents queue and draft none."""
    asked: list[dict[str, Any]] = [
        {"question": "Where?", "answer": "Here.", "id": "1"},
        {"question": "How much?", "answer": "", "needs_human_answer": True, "source": "ai"},
    ]
    assistant = await made(bench, faq_items=asked)
    here, price = assistant["faq_items"]
    assert here == asked[0] | {"needs_human_answer": False, "source": "human"}
    assert price == asked[1] | {"id": price["id"]}
    assert price["id"]
    assert assistant["pending_faq_count"] == 1
    back = await change(bench, assistant["id"], faq_items=assistant["faq_items"])
    assert back["faq_items"] == assistant["faq_items"]
    assert (await change(bench, assistant["id"], prompt="y"))["pending_faq_count"] == 1


@pytest.mark.rows("RV-144", "RV-186")
async def test_secrets_are_masked_and_survive_a_change(equipped: Bench) -> None:
    tools = copy.deepcopy(ASSISTANT["custom_tools"][1:])
    tools[0]["headers"] = [{"key": "Authorization", "value": "Bearer abc"}]
    model = {
        "api_key": "very secret",
        "api_url": "https://llm.example.org/v1",
        "model_name": "llama",
        "type": "custom",
    }
    assistant = await made(equipped, custom_tools=tools, llm_model=model)
    assert assistant["llm_model"] == model | {"api_key": "********"}
    assert assistant["custom_tools"][0]["headers"][0]["value"] == "********"
    back = {name: assistant[name] for name in ("custom_tools", "llm_model")}
    assert await change(equipped, assistant["id"], **back) | {"updated_at": ""} == assistant | {
        "updated_at": ""
    }
    stored = (await equipped.store.agents.get(assistant["id"])).config
    assert equipped.services.seal.open(stored["llm"]["api_key"]) == "very secret"
    header = stored["tools"][0]["headers"][0]["value"]
    assert equipped.services.seal.open(header) == "Bearer abc"


async def test_wrong_assistants_are_refused_with_their_pointer(bench: Bench) -> None:
    assistant = await made(bench)
    for body, pointer in (
        ({"voice": {"id": "x", "provider": "cartesia"}}, "/voice/id"),
        ({"prompt": "{{secret.x}}"}, "/prompt"),
        ({"human_transfer_mode": "cold"}, "/human_transfer_mode"),
        ({"name": ""}, "/name"),
        ({"organization_id": "x"}, "/organization_id"),
    ):
        for answer in (
            await bench.client.post(PATH, json={"name": "a", "prompt": "x"} | body),
            await bench.client.patch(f"{PATH}/{assistant['id']}", json=body),
        ):
            assert answer.status_code == 422, answer.text
            assert [one["pointer"] for one in answer.json()["error"]["errors"]] == [pointer]
    for answer in (
        await bench.client.get(f"{PATH}/x"),
        await bench.client.patch(f"{PATH}/x", json={}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.rows("X-RV-3", "RV-276…278")
async def test_a_campaign(bench: Bench) -> None:
    """A draft, then one that is launched: its call orders are Revox's."""
    client = bench.client
    assistant = await made(bench, prompt="Call {{patient}}.")
    body: dict[str, Any] = {
        "assistant_id": assistant["id"],
        "contacts": [
            {"to_phone_number": TO, "prompt_variables": {"patient": "Maria"}},
            {"to_phone_number": "+12125550143", "prompt_variables": {"patient": "Wei"}},
        ],
        "name": "Recalls, May",
    }
    draft = (await client.post("/api/campaigns", json=body)).json()["campaign"]
    assert (draft["status"], draft["is_cancelled"]) == ("draft", False)
    config = {"allowed_days": ["monday"], "max_retry_attempts": 2}
    whole = body | {
        "launch": True,
        "call_retry_config": config,
        "from_phone_number": "+15550100099",
        "max_concurrent_calls": 1,
        "scheduled_at": "2020-01-01T00:00:00Z",
    }
    headers = {"Idempotency-Key": "one"}
    answer = await client.post("/api/campaigns", json=whole, headers=headers)
    assert answer.status_code == 201, answer.text
    campaign = answer.json()["campaign"]
    again = await client.post("/api/campaigns", json=whole, headers=headers)
    assert again.json() == answer.json()
    same_keys(campaign["call_retry_config"], RETRY_KEYS)
    assert campaign["call_retry_config"]["allowed_days"] == ["monday"]
    wanted = {
        "status": "running",
        "max_concurrent_calls": 1,
        "from_phone_number": "+15550100099",
        "assistant_id": assistant["id"],
        "scheduled_at": "2020-01-01T00:00:00.000Z",
    }
    assert campaign | wanted == campaign
    path = f"/api/campaigns/{campaign['id']}"
    assert (await client.get(path)).json() == {"campaign": campaign}
    listed = (await client.get("/api/campaigns")).json()["campaigns"]
    assert listed == [campaign, draft]

    pacer = CampaignFeeder(bench.services)
    while await pacer._turn(campaign["id"]):
        pass
    rows = (await client.get(f"{path}/rows", params={"page_size": 1})).json()
    assert rows["total"] == 2
    (row,) = rows["rows"]
    assert (row["to_phone_number"], row["prompt_variables"], row["status"]) == (
        TO,
        {"patient": "Maria"},
        "called",
    )
    (other,) = (await client.get(f"{path}/rows", params={"page_size": 1, "page": 2})).json()["rows"]
    assert other["to_phone_number"] == "+12125550143"
    call = await read(bench, row["call_id"])
    assert call["campaign"] == {"id": campaign["id"], "name": "Recalls, May"}
    assert call["call_retry_config"] == campaign["call_retry_config"]
    assert call["prompt_variables"] == {"patient": "Maria"}
    assert (await bench.store.calls.get(row["call_id"])).dialect == "revox"


async def test_wrong_campaigns_are_refused_with_their_pointer(bench: Bench) -> None:
    assistant = await made(bench)
    body: dict[str, Any] = {
        "assistant_id": assistant["id"],
        "contacts": [{"to_phone_number": TO}],
        "name": "a",
    }
    nobody = "3d1f6c0a-7a52-4f0e-9c86-2b7f10a4c9de"
    for change_, pointer in (
        ({"assistant_id": nobody}, "/assistant_id"),
        ({"contacts": [{"to_phone_number": "5"}]}, "/contacts/0/to_phone_number"),
        ({"contacts": [], "launch": True}, "/contacts"),
        ({"name": ""}, "/name"),
        ({"max_concurrent_calls": 0}, "/max_concurrent_calls"),
        ({"from_phone_number": "+15550000000"}, "/from_phone_number"),
        ({"scheduled_at": "soon"}, "/scheduled_at"),
        ({"call_retry_config": {"timezone": "x"}}, "/call_retry_config/timezone"),
    ):
        answer = await bench.client.post("/api/campaigns", json=body | change_)
        assert answer.status_code == 422, answer.text
        assert [one["pointer"] for one in answer.json()["error"]["errors"]] == [pointer]
    for path in ("/api/campaigns/x", "/api/campaigns/x/rows"):
        assert (await bench.client.get(path)).status_code == 404


@pytest.mark.rows("X-RV-3")
def test_every_status_of_a_campaign_has_its_name() -> None:
    assert REVOX_CAMPAIGN_STATUS == {
        "draft": "draft",
        "running": "running",
        "paused": "paused",
        "completed": "completed",
        "canceled": "completed",
    }
    assert REVOX_ROW_STATUS == {"pending": "pending", "ordered": "called", "refused": "error"}


@pytest.mark.rows("X-RV-4", "RV-236")
async def test_voices_are_listed_and_heard(equipped: Bench) -> None:
    client = equipped.client
    voices = (await client.get("/api/voices")).json()["voices"]
    assert [(one["id"], one["languages"]) for one in voices] == [("en", ["en"]), ("es", ["es"])]
    for one in voices:
        voice = {"id": one["id"], "provider": one["provider"]}
        await placed(equipped, assistant={"prompt": "x", "voice": voice})
    asked = {"provider": "elevenlabs", "voiceId": "rachel", "text": "Hello there.", "speed": 0.8}
    answer = await client.post("/api/voices/preview", json=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg")
    with av.open(io.BytesIO(answer.content), "r") as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.name == "mp3float"
        assert sum(frame.samples for frame in container.decode(stream)) > 0
    for wrong, pointer in (
        ({"voiceId": "nobody"}, "/voiceId"),
        ({"speed": 1.4}, "/speed"),
        ({"text": "x" * 2001}, "/text"),
        ({"text": ""}, "/text"),
        ({"volume": 2.1}, "/volume"),
        ({"provider": "polly"}, "/provider"),
    ):
        answer = await client.post("/api/voices/preview", json=asked | wrong)
        assert answer.status_code == 422, answer.text
        assert [one["pointer"] for one in answer.json()["error"]["errors"]] == [pointer]


async def test_a_call_of_ours_is_read_as_revox_tells_it(bench: Bench) -> None:
    """Whatever made it."""
    body = {
        "to": TO,
        "agent": {"persona": "You are Ada.", "instructions": "Say hello."},
        "voice": {"id": "en"},
        "llm": {"model": "local"},
        "tools": [{"type": "transfer", "number": "+15550100200"}],
        "returns": {"kind": ["a", "b"], "many": "integer", "list": {"type": "array"}},
    }
    call = await bench.create(**body)
    shown = await read(bench, call["id"])
    same_keys(shown, CALL_KEYS)
    assistant = shown["assistant"]
    assert assistant["prompt"] == "You are Ada.\n\nSay hello."
    assert assistant["voice"] == {"id": "en", "provider": "cartesia", "speed": 1.0, "volume": 1.0}
    assert assistant["human_transfer_mode"] == "cold"
    assert assistant["structured_output_config"] == [
        {"name": "kind", "required": False, "type": "enum", "enum_options": ["a", "b"]},
        {"name": "many", "required": False, "type": "number"},
        {"name": "list", "required": False, "type": "string"},
    ]
    tries = [one["call_retry_config"]["max_retry_attempts"] for one in (shown, assistant)]
    assert tries == [1, 3], "of this call, and of those that Revox's clients place with the agent"
    await claim_up_to(bench.store, 1)
    await bench.store.calls.record_answered(call["id"], time.time())
    await bench.store.calls.record_ended(call["id"], Ended(time.time(), NORMAL, "person_hangup"))
    assert (await read(bench, call["id"]))["last_call_attempt"]["ended_by"] == "user"
