"""Campaigns that call with agents, and with variables of each contact."""

import csv
import io
from typing import Any

import pytest

from api.base.text import MASK
from api.egress.sealing import Seal, new_key
from api.resources.campaign import NewCampaign, NewContact
from api.resources.masking import sealed, unsealed
from tests.api.agents.test_agents import CRM, make, places, send
from tests.api.campaigning import NUMBERS, contacts, eventually, pacing
from tests.api.conftest import Bench

PATH = "/v1/campaigns"


async def campaign(bench: Bench, wanted: int = 201, **body: Any) -> dict[str, Any]:
    return await send(bench, "POST", PATH, wanted, **{"name": "Recalls"} | body)


async def ordered(bench: Bench, made: dict[str, Any]) -> list[dict[str, Any]]:
    """The campaign's contacts once none is pending."""
    async with pacing(bench.services):
        await eventually(bench.store, made["id"], lambda one: not one.contacts["pending"])
    page = await send(bench, "GET", f"{PATH}/{made['id']}/contacts", 200)
    found: list[dict[str, Any]] = page["data"]
    return found


@pytest.mark.both_stores
async def test_each_contact_is_called_with_its_variables(bench: Bench) -> None:
    agent = await make(
        bench,
        instructions="Call {{patient}} of {{clinic}}.",
        returns={"ok": "boolean"},
        variables={"clinic": "North"},
    )
    made = await campaign(
        bench,
        template={"agent_id": agent["id"], "variables": {"clinic": "South"}},
        contacts=[
            {"to": NUMBERS[0], "variables": {"patient": "Maria"}},
            {"to": NUMBERS[1]},
            {"to": NUMBERS[2], "variables": {"patient": "Wei", "clinic": "East"}},
        ],
        launch=True,
    )
    first, second, third = await ordered(bench, made)
    assert first["variables"] == {"patient": "Maria"}
    calls = [await send(bench, "GET", f"/v1/calls/{one['call_id']}", 200) for one in (first, third)]
    assert [call["variables"] for call in calls] == [
        {"patient": "Maria", "clinic": "South"},
        {"patient": "Wei", "clinic": "East"},
    ]
    assert [call["agent_id"] for call in calls] == [agent["id"]] * 2
    assert second["status"] == "refused"
    assert second["error"].startswith("unknown_variable")
    report = await send(bench, "GET", f"{PATH}/{made['id']}", 200)
    assert report["paused_reason"] is None, "it is the contact's fault"
    results = await bench.client.get(f"{PATH}/{made['id']}/results.csv")
    row = next(csv.DictReader(io.StringIO(results.text)))
    assert (row["variables.patient"], "result.ok" in row) == ("Maria", True)


async def test_a_file_has_columns_of_variables(bench: Bench) -> None:
    made = await campaign(bench, template={"prompt": "Call {{patient}}."})
    answer = await bench.client.post(
        f"{PATH}/{made['id']}/contacts.csv",
        content=f"to,variables.patient,city\n{NUMBERS[0]},Maria,Rome\n",
        headers={"Content-Type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    (one,) = await contacts(bench.store, made["id"])
    assert (one.variables, one.context) == ({"patient": "Maria"}, {"city": "Rome"})


async def test_a_variable_is_a_plain_value(bench: Bench) -> None:
    wrong = [{"to": NUMBERS[0], "variables": {"patient": []}}]
    problem = await campaign(bench, 422, template={}, contacts=wrong)
    assert all(one.startswith("/contacts/0/variables/patient") for one in places(problem))


async def test_keys_in_a_template_are_sealed_and_masked(bench: Bench) -> None:
    template = {"prompt": "Hello.", "agent": {"tools": [CRM]}}
    made = await campaign(bench, template=template, contacts=[{"to": NUMBERS[0]}])
    path = f"{PATH}/{made['id']}"
    assert "key-of-the-crm" not in repr(made)
    stored = (await bench.store.campaigns.get(made["id"])).template
    assert "key-of-the-crm" not in repr(stored)
    again = made["template"] | {"prompt": "Good day."}
    changed = await send(bench, "PATCH", path, 200, template=again)
    assert changed["template"]["agent"]["tools"][0]["headers"][0]["value"] == MASK
    stored = (await bench.store.campaigns.get(made["id"])).template
    assert "key-of-the-crm" not in repr(stored)
    await send(bench, "POST", f"{path}/start", 200)
    (contact,) = await ordered(bench, made)
    call = await bench.store.calls.get(contact["call_id"])
    snapshot = unsealed(call.agent, bench.services.seal)
    assert snapshot["instructions"] == "Good day."
    assert snapshot["tools"][0]["headers"][0]["value"] == "key-of-the-crm"


async def test_a_campaign_whose_keys_cannot_be_opened_holds_up_no_other(bench: Bench) -> None:
    foreign = sealed({"prompt": "Hello.", "tools": [CRM]}, Seal(new_key()))
    new = NewCampaign("Sealed", foreign, 2, launch=True)
    report = await bench.store.campaigns.create(new, [NewContact(NUMBERS[0])])
    made = await campaign(bench, template={}, contacts=[{"to": NUMBERS[1]}], launch=True)
    assert (await ordered(bench, made))[0]["status"] == "ordered"
    bad = await send(bench, "GET", f"{PATH}/{report.id}", 200)
    assert (bad["status"], bad["paused_reason"]) == ("paused", "template")


async def test_an_agent_that_is_archived_meanwhile_pauses_its_campaign(bench: Bench) -> None:
    agent = await make(bench)
    template = {"agent_id": agent["id"]}
    made = await campaign(bench, template=template, contacts=[{"to": NUMBERS[0]}])
    other = await campaign(bench, template={}, contacts=[{"to": NUMBERS[1]}], launch=True)
    await send(bench, "DELETE", f"/v1/agents/{agent['id']}", 204)
    await send(bench, "POST", f"{PATH}/{made['id']}/start", 200)
    assert (await ordered(bench, other))[0]["status"] == "ordered"
    paused = await send(bench, "GET", f"{PATH}/{made['id']}", 200)
    assert (paused["status"], paused["paused_reason"]) == ("paused", "template")
    assert paused["contacts"]["pending"] == 1


async def test_a_template_names_an_agent_that_there_is(bench: Bench) -> None:
    agent_id = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"
    problem = await campaign(bench, 422, template={"agent_id": agent_id})
    assert places(problem) == ["/template/agent_id"]
