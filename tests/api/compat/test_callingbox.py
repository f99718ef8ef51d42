"""CallingBox's API, golden: requests as its documents have them, and exactly the answer's keys."""

import json
import time
from functools import partial
from typing import Any

import pytest

from api.base.lifecycle import STATUSES as NATIVE
from api.base.lifecycle import CallStatus
from api.calls.conversing import conversation_config
from api.compat.callingbox.objects import callingbox_call_of
from api.compat.mapping import CALL_STATUS, CALLINGBOX_ANSWERED_BY, STATES
from api.compat.webhooks import webhook_body
from api.resources.attempt import Ended
from api.resources.turn import Turn
from api.resources.webhook import WebhookEvent
from pbx.switch import Cause
from tests.api.conftest import Bench
from tests.api.receiver import receiving
from tests.api.story import BUSY, NORMAL, answered, claim_up_to, new_call
from tests.api.webhooks.test_deliverer import delivering

BASE = "/compat/callingbox/v1"
TO = "+15551234567"

#: The example of "Create call" (S0), value by value.
ORDER: dict[str, Any] = {
    "to": TO,
    "prompt": "Confirm dental appointment tomorrow at 2pm",
    "context": {"patient": "Maria Lopez", "doctor": "Dr. Chen"},
    "returns": {"confirmed": "boolean", "reschedule_to": "string"},
    "language": "en",
    "from_number": "+15559876543",
    "webhook_url": "https://your-server.com/callingbox-webhook",
}
#: The keys of its answer, in their order.
KEYS = [
    *("id", "to_number", "from_number", "status", "direction", "prompt", "context", "returns"),
    *("result", "result_status", "result_error", "language"),
    *("webhook_url", "webhook_status", "webhook_error"),
    *("created_at", "started_at", "answered_at", "ended_at"),
    *("duration_seconds", "billed_duration_seconds", "billing_amount_milli_cents"),
    *("reservation_status", "error_code", "error_message", "hangup_cause"),
    *("metadata", "updated_at"),
]


async def placed(bench: Bench, **fields: Any) -> dict[str, Any]:
    answer = await bench.client.post(f"{BASE}/calls", json={"to": TO} | fields)
    assert answer.status_code == 201, answer.text
    call: dict[str, Any] = answer.json()
    return call


async def refused(bench: Bench, body: Any, path: str = "/calls") -> tuple[int, str]:
    """Status and sentence of an error, which has nothing else."""
    answer = await bench.client.post(f"{BASE}{path}", json=body)
    told = answer.json()
    assert set(told) == {"error"}, told
    return answer.status_code, told["error"]


# -- placing a call --------------------------------------------------------------------------------


@pytest.mark.rows("CB-1", "CB-9…17", "CB-21…24", "CB-64…79", "CB-90…92", "CB-101…102", "CB-109")
@pytest.mark.rows("CB-6", "CB-112", "CB-122", "CB-129", "X-CB-29")
async def test_the_documents_example_is_accepted_and_answered_with_its_keys(bench: Bench) -> None:
    metadata = {"customer": "42"}
    call = await placed(bench, **ORDER, metadata=metadata, voicemail_action="leave_message")
    assert list(call) == [*KEYS, "answered_by"]
    told = {name: call["to_number" if name == "to" else name] for name in ORDER}
    assert told == ORDER
    assert call["metadata"] == metadata
    assert (call["status"], call["direction"], call["result_status"]) == (
        *("queued", "outbound", "pending"),
    )
    assert (call["reservation_status"], call["webhook_status"]) == ("reserved", "pending")
    unset = ("result", "result_error", "started_at", "ended_at", "error_code", "answered_by")
    assert {call[name] for name in unset} == {None}
    read = await bench.client.get(f"{BASE}/calls/{call['id']}")
    assert read.json() == call
    assert call["context"] not in ({}, None)
    stored = await bench.store.calls.get(call["id"])
    assert (stored.dialect, stored.retry) == ("callingbox", None)
    assert stored.agent["voicemail_action"] == "leave_message"


@pytest.mark.rows("X-CB-27", "CB-19", "CB-6", "CB-105", "CB-129")
async def test_only_the_number_is_needed(bench: Bench) -> None:
    call = await placed(bench)
    said = {name: call[name] for name in ("prompt", "context", "returns", "language", "metadata")}
    assert said == {
        "prompt": "Hello from CallingBox.",
        "context": {},
        "returns": {},
        "language": "en",
        "metadata": {},
    }
    assert call["from_number"] == "+15559876543"
    assert (call["webhook_url"], call["webhook_status"]) == (None, "none")


@pytest.mark.rows("CB-10", "CB-14…16", "CB-18", "X-CB-26")
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"to": "5551234567"}, "/to: must be in E.164 form"),
        (
            {"language": "tlh"},
            "/language: the loaded models do not speak 'tlh'; they speak: en, es",
        ),
        ({"from_number": "+15550000000"}, "/from_number: is not"),
        ({"returns": {"a": "money"}}, "/returns/a: unknown type"),
        ({"webhook_url": "ftp://x"}, "/webhook_url: must start with https://"),
        ({"agent_id": "none"}, "/agent_id: there is no such agent"),
        ({"prompt": "a", "instructions": "b"}, "/instructions: give either prompt or instructions"),
        ({"voicemail_action": "sing"}, "/voicemail_action: Input should be 'hangup' or"),
        ({"promt": "a"}, "/promt: unknown key; did you mean prompt?"),
    ],
)
async def test_a_wrong_field_is_one_sentence_of_400(
    bench: Bench, fields: dict[str, Any], told: str
) -> None:
    status, error = await refused(bench, {"to": TO} | fields)
    assert (status, error.startswith(told)) == (400, True), error


@pytest.mark.rows("CB-5", "X-CB-26")
async def test_other_errors(bench: Bench) -> None:
    assert (await bench.client.get(f"{BASE}/calls/none")).json() == {
        "error": "there is no such call"
    }
    answer = await bench.client.get(f"{BASE}/calls", headers={"Authorization": "Bearer sk_none"})
    assert (answer.status_code, set(answer.json())) == (401, {"error"})
    answer = await bench.client.post(
        f"{BASE}/calls", content="{", headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


@pytest.mark.rows("CB-20")
async def test_without_a_number_there_is_no_call(bench: Bench) -> None:
    for number in (await bench.store.numbers.page(limit=10)).items:
        await bench.store.numbers.change(number.id, {"status": "inactive"})
    status, error = await refused(bench, {"to": TO})
    assert (status, "no active caller number" in error) == (400, True)


@pytest.mark.partial("X-CB-30")
async def test_a_call_that_the_budget_does_not_allow_is_refused(bench: Bench) -> None:
    """Inbound calls cost nothing here, and are taken."""
    await bench.client.put("/v1/rates/+1", json={"milli_cents_per_minute": 5000})
    await bench.client.patch("/v1/budget", json={"limit_milli_cents": 1})
    assert (await refused(bench, {"to": TO}))[0] == 402


@pytest.mark.rows("CB-11", "CB-69", "CB-26", "CB-31…32", "CB-113")
@pytest.mark.parametrize(
    "words",
    [
        "for {{name}}",
        "at {{ today }} or {{call_id}}",
        "{{{name}}} and \\{{name}}",
        "a {{ that never closes }",
        "{{secret.key}} {{#if x}}yes{{/if}}",
    ],
)
async def test_what_looks_like_a_variable_is_words(bench: Bench, words: str) -> None:
    """The service has no variables: its clients' texts are said to the model as they are."""
    call = await placed(bench, prompt=words, context={"name": "Maria"})
    agent = {"name": "A", "persona": words, "instructions": words}
    made = await bench.client.post(f"{BASE}/agents", json=agent)
    assert (made.status_code, agent.items() <= made.json().items()) == (201, True), made.text
    by_agent = await placed(bench, agent_id=made.json()["id"])
    over_agent = await placed(bench, agent_id=made.json()["id"], instructions=words)
    for one in (call, by_agent, over_agent):
        assert one["prompt"] == words
        stored = await bench.store.calls.get(one["id"])
        config = conversation_config(bench.services.settings, stored)
        assert config.task == words
        told = {"call": stored.shown.model_dump()}
        event = WebhookEvent("e", "call.queued", 1.0, stored.id, told)
        body = json.loads(await webhook_body(bench.services, event, "callingbox_call"))
        assert body["prompt"] == words
    assert config.persona == words
    changed = await bench.client.patch(
        f"{BASE}/agents/{made.json()['id']}", json={"instructions": f"now {words}"}
    )
    assert changed.json()["instructions"] == f"now {words}"


async def test_what_looks_like_variables_takes_no_more_room(bench: Bench) -> None:
    words = "{{x}} " * 3000
    assert (await placed(bench, prompt=words))["prompt"] == words
    made = await bench.client.post(f"{BASE}/agents", json={"name": "A", "persona": words})
    assert (made.status_code, made.json().get("persona")) == (201, words)
    for path, body in ((f"{BASE}/agents", {"name": "A", "persona": "{{" * 10_001}),):
        told = await bench.client.post(path, json=body)
        assert (told.status_code, "20000 characters" in told.text) == (400, True), told.text


async def test_text_that_is_sent_back_as_it_was_told_stays_as_it_is(bench: Bench) -> None:
    """Variables of an agent of our own are its variables still."""
    text = "call {{patient}}, not \\{{x}}"
    agent = {"name": "A", "instructions": text, "persona": "{{today}}"}
    made = (await bench.client.post("/v1/agents", json=agent)).json()
    told = (await bench.client.get(f"{BASE}/agents/{made['id']}")).json()
    back = {name: told[name] for name in ("name", "instructions", "persona")}
    answer = await bench.client.patch(f"{BASE}/agents/{made['id']}", json=back | {"language": "en"})
    assert (answer.status_code, back.items() <= answer.json().items()) == (200, True)
    ours = (await bench.client.get(f"/v1/agents/{made['id']}")).json()
    assert agent.items() <= ours.items()
    await bench.client.patch(f"{BASE}/agents/{made['id']}", json={"instructions": "ask {{x}}"})
    ours = (await bench.client.get(f"/v1/agents/{made['id']}")).json()
    assert (ours["instructions"], ours["persona"]) == ("ask \\{{x}}", "{{today}}")


async def test_an_agent_of_our_own_keeps_its_variables(bench: Bench) -> None:
    """A client that knows none cannot give their values, and is told so by its own field."""
    agent = {"name": "A", "instructions": "call {{patient}} on {{today}}"}
    made = (await bench.client.post("/v1/agents", json=agent)).json()
    told = await refused(bench, {"to": TO, "agent_id": made["id"]})
    assert told[1].startswith("/agent_id: its agent's instructions: {{patient}} has no value")
    given = {"variables": {"patient": "Maria"}}
    await bench.client.patch(f"/v1/agents/{made['id']}", json=given)
    call = await placed(bench, agent_id=made["id"])
    stored = await bench.store.calls.get(call["id"])
    task = conversation_config(bench.services.settings, stored).task
    assert task.startswith("call Maria on 20")


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.rows("CB-2", "X-CB-25")
async def test_the_list_is_an_array_newest_first_of_all_calls(bench: Bench) -> None:
    """A call that was placed in our own words, or another dialect's, is in it."""
    ours = await bench.create()
    theirs = (await bench.client.post("/api/call", json={"phone_number": "+12125550142"})).json()
    mine = await placed(bench)
    listed = (await bench.client.get(f"{BASE}/calls")).json()
    assert [call["id"] for call in listed] == [mine["id"], theirs["call"]["id"], ours["id"]]
    assert all(list(call) == [*KEYS, "answered_by"] for call in listed)
    assert len((await bench.client.get(f"{BASE}/calls?limit=1")).json()) == 1
    assert (await bench.client.get(f"{BASE}/calls?status=busy")).json() == []
    for wrong in ("limit=0", "limit=1001", "offset=-1", "status=gone", "page=2"):
        assert (await bench.client.get(f"{BASE}/calls?{wrong}")).status_code == 400


@pytest.mark.rows("CB-2", "X-CB-25")
async def test_the_list_has_all_calls_and_says_where_it_goes_on(bench: Bench) -> None:
    """The service's list has no pages: its client asks once, and expects every call."""
    for _ in range(205):
        await new_call(bench.store)
    whole = await bench.client.get(f"{BASE}/calls")
    assert (len(whole.json()), "link" in whole.headers) == (205, False)
    parts: list[dict[str, Any]] = []
    path = f"{BASE}/calls?limit=80&status=queued"
    for _ in range(3):
        part = await bench.client.get(path)
        parts += part.json()
        path = part.links.get("next", {}).get("url", "")
    assert (path, parts) == ("", whole.json())


@pytest.mark.rows("CB-3", "CB-52", "CB-68…76", "CB-80…91", "CB-96", "CB-103", "CB-123…128")
@pytest.mark.rows("CB-110")
async def test_a_completed_call_as_in_the_example(bench: Bench) -> None:
    """CB-123…125: rings after 1 s, answered after 5, over after 39: 38 s in all, 34 billed."""
    order = {key: value for key, value in ORDER.items() if key != "webhook_url"}
    call = await placed(bench, **order)
    (claim,) = await claim_up_to(bench.store, 9)
    at = claim.call.created_at
    store = bench.store.calls
    await store.record_ringing(call["id"], at + 1)
    await store.record_answered(call["id"], at + 5)
    ended = Ended(at + 39, NORMAL, "agent_hangup", awaits_result=True, answered_by="human")
    await store.record_ended(call["id"], ended)
    found = (await bench.client.get(f"{BASE}/calls/{call['id']}")).json()
    assert (found["status"], found["result_status"]) == ("completed", "pending")
    result = {"confirmed": True, "reschedule_to": None}
    await store.record_result(call["id"], result)
    found = (await bench.client.get(f"{BASE}/calls/{call['id']}")).json()
    assert list(found) == [*KEYS, "answered_by"]
    assert (found["result"], found["result_status"]) == (result, "completed")
    assert (found["duration_seconds"], found["billed_duration_seconds"]) == (38, 34)
    assert (found["answered_by"], found["reservation_status"]) == ("human", "settled")
    assert [found[name] for name in ("error_code", "error_message", "hangup_cause")] == [None] * 3
    times = ("created_at", "started_at", "answered_at", "ended_at")
    assert sorted(found[name] for name in times) == [found[name] for name in times]


@pytest.mark.rows("CB-44", "CB-57", "CB-62…63", "CB-87…89", "CB-98", "CB-111", "X-CB-28")
async def test_a_busy_line(bench: Bench) -> None:
    call = await placed(bench)
    await claim_up_to(bench.store, 9)
    await bench.store.calls.record_ended(call["id"], Ended(time.time(), BUSY, "busy"))
    found = (await bench.client.get(f"{BASE}/calls/{call['id']}")).json()
    assert (found["status"], found["error_code"], found["hangup_cause"]) == (
        *("busy", "486", "user_busy"),
    )
    assert found["error_message"]
    assert (found["result"], found["result_status"]) == (None, "pending")
    assert (found["billed_duration_seconds"], found["billing_amount_milli_cents"]) == (0, 0)
    assert found["reservation_status"] == "released"


@pytest.mark.rows("CB-58", "CB-60", "CB-62…63", "CB-97")
async def test_a_voicemail_is_told_in_two_fields(bench: Bench) -> None:
    call = await answered(bench.store)
    cause = Cause("no_answer", "normal_clearing", "A voicemail answered.", 16, 200)
    ended = Ended(time.time(), cause, "voicemail", answered_by="machine")
    await bench.store.calls.record_ended(call.id, ended)
    found = (await bench.client.get(f"{BASE}/calls/{call.id}")).json()
    assert (found["status"], found["answered_by"]) == ("no_answer", "machine")
    assert (found["billed_duration_seconds"], found["reservation_status"]) == (0, "released")
    assert found["result"] is None


@pytest.mark.rows("CB-67", "CB-92…100")
@pytest.mark.parametrize("status", NATIVE)
def test_every_status_is_told_as_it_is(status: CallStatus) -> None:
    assert CALL_STATUS["callingbox"][status] == status
    assert set(CALL_STATUS["callingbox"]) == set(STATES)


@pytest.mark.rows("CB-59…60")
async def test_who_answered_is_one_of_three(bench: Bench) -> None:
    call = await new_call(bench.store)
    told = {
        by: callingbox_call_of(call.shown.model_dump() | {"answered_by": by})["answered_by"]
        for by in CALLINGBOX_ANSWERED_BY
    }
    assert told == {
        "human": "human",
        "machine": "machine",
        "ivr": "unknown",
        "screening": "unknown",
        "unknown": "unknown",
    }


@pytest.mark.rows("X-CB-24")
async def test_a_transcript(bench: Bench) -> None:
    call = await answered(bench.store)
    for speaker, text in (("agent", "Hello"), ("person", "hi"), ("keypad", "1"), ("tool", "ok")):
        await bench.store.calls.add_turn(call.id, Turn(speaker, text, 1.0, 2.0))  # type: ignore[arg-type]
    found = (await bench.client.get(f"{BASE}/calls/{call.id}/transcript")).json()
    assert [(one["role"], one["content"]) for one in found["transcript"]] == [
        *(("agent", "Hello"), ("user", "hi"), ("user", "1"), ("tool", "ok")),
    ]


# -- agents and numbers ----------------------------------------------------------------------------

AGENT: dict[str, Any] = {
    "name": "Dental reminders",
    "type": "outbound",
    "persona": "You are Ada.",
    "instructions": "Confirm the appointment.",
    "voice": "en",
    "language": "en",
    "returns": {"confirmed": "boolean"},
    "tools": [{"type": "skip_turn"}],
    "webhook_url": "https://your-server.com/hook",
    "voicemail_action": "leave_message",
}


@pytest.mark.rows("CB-30…39", "CB-41", "CB-130", "X-CB-21")
async def test_an_agent_owns_seven_parts(bench: Bench) -> None:
    made = await bench.client.post(f"{BASE}/agents", json=AGENT)
    assert made.status_code == 201, made.text
    agent = made.json()
    assert {name: agent[name] for name in AGENT} == AGENT
    path = f"{BASE}/agents/{agent['id']}"
    assert made.headers["Location"] == path
    change = {"voice": None, "voicemail_action": "hangup", "name": "Recalls"}
    changed = (await bench.client.patch(path, json=change)).json()
    assert (changed["voice"], changed["voicemail_action"], changed["name"]) == (
        *(None, "hangup", "Recalls"),
    )
    assert changed["persona"] == AGENT["persona"]
    assert (await bench.client.get(path)).json() == changed
    assert (await bench.client.get(f"{BASE}/agents")).json() == {"data": [changed]}
    assert (await bench.client.delete(path)).status_code == 204
    assert (await bench.client.get(f"{BASE}/agents")).json() == {"data": []}
    assert (await bench.client.get(path)).json()["status"] == "archived"


@pytest.mark.rows("CB-30", "CB-33")
async def test_a_wrong_part_is_named(bench: Bench) -> None:
    status, error = await refused(bench, AGENT | {"voice": "marin"}, "/agents")
    assert (status, error.startswith("/voice: ")) == (400, True), error


@pytest.mark.rows("CB-25…27", "CB-29", "CB-32", "CB-35", "CB-38", "CB-42", "X-CB-31")
async def test_a_call_with_an_agent(bench: Bench) -> None:
    """What the call says holds before what the agent says, and what it was stays with the call."""
    agent = (await bench.client.post(f"{BASE}/agents", json=AGENT)).json()
    call = await placed(bench, agent_id=agent["id"], context={"patient": "Maria"})
    assert (call["prompt"], call["context"]) == (AGENT["instructions"], {"patient": "Maria"})
    assert (call["returns"], call["webhook_url"]) == (AGENT["returns"], AGENT["webhook_url"])
    own = {"instructions": "Ask for a later date.", "webhook_url": "https://your-server.com/other"}
    other = await placed(bench, agent_id=agent["id"], **own)
    assert (other["prompt"], other["webhook_url"]) == tuple(own.values())
    await bench.client.patch(f"{BASE}/agents/{agent['id']}", json={"instructions": "Else."})
    again = (await bench.client.get(f"{BASE}/calls/{call['id']}")).json()
    assert again["prompt"] == AGENT["instructions"]


@pytest.mark.rows("CB-28", "CB-37", "X-CB-22…23")
async def test_numbers_are_attached(bench: Bench) -> None:
    agent = (await bench.client.post(f"{BASE}/agents", json=AGENT)).json()
    numbers = (await bench.client.get(f"{BASE}/numbers")).json()["data"]
    assert [number["e164"] for number in numbers] == ["+15559876543", "+15550100099"]
    first, second = numbers
    path = f"{BASE}/agents/{agent['id']}"
    given = await bench.client.post(f"{path}/numbers", json={"number_id": second["id"]})
    assert given.json()["number_ids"] == [second["id"]]
    primary = await bench.client.put(f"{path}/primary-number", json={"number_id": second["id"]})
    assert primary.json()["primary_number_id"] == second["id"]
    assert (await placed(bench, agent_id=agent["id"]))["from_number"] == second["e164"]
    status, error = await refused(
        bench, {"to": TO, "agent_id": agent["id"], "from_number": first["e164"]}
    )
    assert (status, "is not one of the agent's active numbers" in error) == (400, True)
    told = (await bench.client.get(f"{BASE}/numbers")).json()["data"][1]
    assert (told["inbound_agent_id"], told["outbound_agent_ids"]) == (None, [agent["id"]])
    gone = await bench.client.delete(f"{path}/numbers/{second['id']}")
    assert gone.status_code == 204


@pytest.mark.rows("X-CB-23")
async def test_a_number_of_no_country_is_listed_too(bench: Bench) -> None:
    """A private plan's; the shape is E.164's, the country code nobody's."""
    made = await bench.client.post("/v1/numbers", json={"number": "+2101234567"})
    assert made.status_code == 201
    listed = (await bench.client.get(f"{BASE}/numbers")).json()["data"]
    kinds = {one["e164"]: (one["country_code"], one["number_type"]) for one in listed}
    assert kinds["+2101234567"] == (None, "other")


@pytest.mark.refused("X-CB-23")
async def test_numbers_are_not_sold(bench: Bench) -> None:
    bought = await bench.client.post(f"{BASE}/numbers/purchase", json={"e164": TO})
    found = await bench.client.get(f"{BASE}/numbers/available")
    for answer in (bought, found):
        assert (answer.status_code, set(answer.json())) == (501, {"error"})
        assert "your own SIP trunk" in answer.json()["error"]


# -- webhooks --------------------------------------------------------------------------------------


@pytest.mark.rows("CB-22…23", "CB-53", "CB-106…107", "CB-113…118", "X-CB-1…4")
async def test_a_calls_own_webhook_is_told_of_it_all_with_the_call_object(bench: Bench) -> None:
    render = partial(webhook_body, bench.services)
    async with receiving() as receiver, delivering(bench.store, render=render):
        call = await placed(bench, webhook_url=receiver.url)
        await claim_up_to(bench.store, 9)
        await bench.store.calls.record_ringing(call["id"], time.time())
        await bench.store.calls.record_answered(call["id"], time.time())
        ended = Ended(time.time(), NORMAL, "agent_hangup", answered_by="human")
        await bench.store.calls.record_ended(call["id"], ended)
        received = await receiver.wait(4)
        types = [one.headers["callingbox-event-type"] for one in received]
        assert sorted(types) == [
            *("call.answered", "call.completed", "call.queued", "call.ringing"),
        ]
        for one in received:
            assert list(json.loads(one.body)) == [*KEYS, "answered_by"]
            assert one.headers["x-callingbox-call-id"] == call["id"]
        last = json.loads(received[types.index("call.completed")].body)
        assert (last["id"], last["status"]) == (call["id"], "completed")


@pytest.mark.rows("CB-4", "CB-120", "X-CB-10", "X-CB-17…20")
async def test_endpoints_and_deliveries(bench: Bench) -> None:
    render = partial(webhook_body, bench.services)
    async with receiving() as receiver, delivering(bench.store, render=render):
        path = f"{BASE}/webhook_endpoints"
        made = await bench.client.post(path, json={"url": receiver.url})
        assert made.status_code == 201, made.text
        endpoint = made.json()
        assert set(endpoint) == {
            *("id", "org_id", "url", "description", "enabled_events", "status", "disabled_reason"),
            *("disabled_at", "consecutive_failures", "created_at", "updated_at", "signing_secret"),
        }
        await placed(bench)
        (event,) = await receiver.wait(1)
        assert set(json.loads(event.body)) == {"id", "type", "created", "api_version", "data"}
        assert json.loads(event.body)["api_version"] == "2026-04"
        assert list(json.loads(event.body)["data"]["call"]) == [*KEYS, "answered_by"]
        one = f"{path}/{endpoint['id']}"
        rotated = (await bench.client.post(f"{one}/rotate_secret")).json()
        assert rotated["signing_secret"] != endpoint["signing_secret"]
        read = (await bench.client.get(one)).json()
        assert read == {key: rotated[key] for key in rotated if key != "signing_secret"}
        changed = await bench.client.patch(one, json={"description": "CRM"})
        assert changed.json()["description"] == "CRM"
        assert (await bench.client.get(path)).json()["data"] == [changed.json()]
        (delivery,) = (await bench.client.get(f"{BASE}/webhook_deliveries")).json()["data"]
        assert set(delivery) == {
            *("id", "org_id", "endpoint_id", "call_id", "event_type", "url", "status"),
            *("attempt_count", "manual_retry_count", "next_attempt_at", "last_error"),
            *("last_response_status", "delivered_at", "created_at", "updated_at"),
        }
        again = await bench.client.post(f"{BASE}/webhook_deliveries/{delivery['id']}/redeliver")
        assert (again.status_code, again.json()["manual_retry_count"]) == (202, 1)
        await receiver.wait(2)
        assert (await bench.client.delete(one)).status_code == 204
        gone = await bench.client.get(one)
        assert (gone.status_code, set(gone.json())) == (404, {"error"})
