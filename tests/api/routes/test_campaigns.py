"""Campaigns over the API: made, filled, started, followed, read back as a file (X-RV-3)."""

import csv
import io
import time
from typing import Any

import pytest

from api.resources.attempt import Ended
from api.resources.campaign import NewContact
from tests.api.campaigning import NUMBERS, eventually, pacing
from tests.api.conftest import Bench
from tests.api.doors import client_of
from tests.api.story import NORMAL, claim_up_to

TEMPLATE = {"prompt": "Remind of the appointment.", "returns": {"ok": "boolean", "note": "string"}}
CSV = {"Content-Type": "text/csv"}


async def make(bench: Bench, **body: Any) -> dict[str, Any]:
    """A campaign that must be accepted."""
    response = await bench.client.post(
        "/v1/campaigns", json={"name": "Recalls", "template": TEMPLATE} | body
    )
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/campaigns/{made['id']}"
    return made


def listed(*numbers: str) -> list[dict[str, Any]]:
    return [{"to": number} for number in numbers]


# -- making and changing ---------------------------------------------------------------------------


async def test_a_draft_is_made_changed_read_and_deleted(bench: Bench) -> None:
    made = await make(bench)
    path = f"/v1/campaigns/{made['id']}"
    assert (made["status"], made["started_at"], made["template"]) == ("draft", None, TEMPLATE)
    assert made["max_concurrent"] == bench.services.settings.calls.max_concurrent
    assert made["contacts"] == {"pending": 0, "ordered": 0, "refused": 0}
    assert (made["calls"], made["spent_milli_cents"]) == ({}, 0)
    changes = {"name": "June", "max_concurrent": 3, "template": {"prompt": "Other"}}
    changed = await bench.client.patch(path, json=changes)
    assert changed.status_code == 200
    assert changed.json() == made | changes | {"updated_at": changed.json()["updated_at"]}
    assert (await bench.client.get(path)).json() == changed.json()
    page = (await bench.client.get("/v1/campaigns")).json()
    assert [one["name"] for one in page["data"]] == ["June"]
    assert (await bench.client.delete(path)).status_code == 204
    assert (await bench.client.get(path)).status_code == 404


async def test_it_is_launched_paused_resumed_and_canceled(bench: Bench) -> None:
    made = await make(bench, contacts=listed(*NUMBERS[:2]), launch=True)
    path = f"/v1/campaigns/{made['id']}"
    assert (made["status"], made["contacts"]["pending"]) == ("running", 2)
    assert made["started_at"] is not None
    for action, status, reason in (
        ("pause", "paused", "requested"),
        ("resume", "running", None),
        ("cancel", "canceled", None),
    ):
        response = await bench.client.post(f"{path}/{action}")
        assert response.status_code == 200
        assert (response.json()["status"], response.json()["paused_reason"]) == (status, reason)
    refused = await bench.client.post(f"{path}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_status")
    assert refused.json()["detail"] == "the campaign is canceled; to resume it must be paused"
    kept = await bench.client.delete(path)
    assert (kept.status_code, kept.json()["code"]) == (409, "wrong_status")
    frozen = await bench.client.patch(path, json={"template": TEMPLATE})
    assert frozen.status_code == 409


async def test_one_without_contacts_does_not_start(bench: Bench) -> None:
    path = f"/v1/campaigns/{(await make(bench))['id']}"
    started = await bench.client.post(f"{path}/start")
    assert (started.status_code, started.json()["code"]) == (409, "no_contacts")
    body = {"name": "a", "template": {}, "launch": True}
    launched = await bench.client.post("/v1/campaigns", json=body)
    assert launched.json()["errors"][0]["pointer"] == "/contacts"
    assert len((await bench.client.get("/v1/campaigns")).json()["data"]) == 1


async def test_making_it_twice_with_one_key_makes_one(bench: Bench) -> None:
    body = {"name": "a", "template": {}, "contacts": listed(NUMBERS[0]), "launch": True}
    headers = {"Idempotency-Key": "once"}
    first = await bench.client.post("/v1/campaigns", json=body, headers=headers)
    again = await bench.client.post("/v1/campaigns", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len((await bench.client.get("/v1/campaigns")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"template": {"prompt": ""}}, "/template/prompt"),
        ({"template": {"promt": "x"}}, "/template/promt"),
        ({"template": {"to": "+15551234567"}}, "/template/to"),
        ({"template": {"to_number": "+15551234567"}}, "/template/to_number"),
        ({"template": {"returns": {"a": "colour"}}}, "/template/returns/a"),
        ({"template": {"language": "xx"}}, "/template/language"),
        ({"template": {"from_number": "+15550000000"}}, "/template/from_number"),
        ({"template": {"retry": {"max_attempts": 0}}}, "/template/retry/max_attempts"),
        ({"template": {"webhook_url": "ftp://x"}}, "/template/webhook_url"),
        ({"template": []}, "/template"),
        ({"max_concurrent": 0}, "/max_concurrent"),
        ({"contacts": listed("5551234567")}, "/contacts/0/to"),
        ({"contacts": [{"phone": "+15551234567"}]}, "/contacts/0/to"),
        ({"contacts": [{"to": "+15551234567", "context": "x"}]}, "/contacts/0/context"),
        ({"contacts": [{"to": "+15551234567", "context": {"a": "\0"}}]}, "/contacts/0/context/a"),
        ({"speed": 1}, "/speed"),
    ],
)
async def test_a_wrong_field_is_named(bench: Bench, body: dict[str, Any], pointer: str) -> None:
    response = await bench.client.post(
        "/v1/campaigns", json={"name": "a", "template": {}, "contacts": []} | body
    )
    assert response.status_code == 422, response.text
    assert pointer in [error["pointer"] for error in response.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"template": {"to": "+15551234567"}}, "/template/to"),
        ({"name": None}, "/name"),
        ({"contacts": []}, "/contacts"),
    ],
)
async def test_a_wrong_change_is_named(bench: Bench, body: dict[str, Any], pointer: str) -> None:
    path = f"/v1/campaigns/{(await make(bench))['id']}"
    response = await bench.client.patch(path, json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_a_template_for_callees_of_one_country_is_taken(bench: Bench) -> None:
    """Whether a trunk takes a number is for each contact to show."""
    (trunk,) = (await bench.client.get("/v1/trunks")).json()["data"]
    limited = {"allowed_prefixes": ["+1212556"]}
    answer = await bench.client.patch(f"/v1/trunks/{trunk['name']}", json=limited)
    assert answer.status_code == 200
    made = await make(bench, contacts=listed("+12125550123", "+12125560123"), launch=True)
    async with pacing(bench.services):
        await eventually(bench.store, made["id"], lambda report: not report.contacts["pending"])
    page = await bench.client.get(f"/v1/campaigns/{made['id']}/contacts")
    refused, ordered = page.json()["data"]
    assert (refused["status"], refused["error"].split(":")[0]) == ("refused", "no_trunk")
    assert ordered["status"] == "ordered"


@pytest.mark.both_stores
async def test_campaigns_come_in_pages_newest_first(bench: Bench) -> None:
    made = [(await make(bench, name=str(index)))["id"] for index in range(3)]
    first = (await bench.client.get("/v1/campaigns", params={"limit": 2})).json()
    cursor = first["next_cursor"]
    rest = (await bench.client.get("/v1/campaigns", params={"cursor": cursor})).json()
    assert [one["id"] for one in first["data"] + rest["data"]] == made[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    wrong = await bench.client.get("/v1/campaigns", params={"cursor": "x"})
    assert wrong.json()["errors"][0]["parameter"] == "cursor"


async def test_there_is_no_such_campaign(bench: Bench) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/start"),
        ("GET", "/contacts"),
        ("GET", "/results.csv"),
    ):
        response = await bench.client.request(method, f"/v1/campaigns/nobody{path}")
        assert response.status_code == 404, path


async def test_reading_needs_less_than_calling(bench: Bench) -> None:
    path = f"/v1/campaigns/{(await make(bench, contacts=listed(NUMBERS[0])))['id']}"
    _, reader = await bench.store.keys.create("r", "read")
    _, caller = await bench.store.keys.create("c", "call")
    async with client_of(bench, reader) as client:
        assert (await client.get(path)).status_code == 200
        assert (await client.post(f"{path}/start")).status_code == 403
    async with client_of(bench, caller) as client:
        assert (await client.post(f"{path}/start")).status_code == 200


# -- contacts --------------------------------------------------------------------------------------


async def test_contacts_are_added_once_each(bench: Bench) -> None:
    path = f"/v1/campaigns/{(await make(bench))['id']}/contacts"
    contact = {"to": NUMBERS[0], "context": {"name": "Ana"}, "metadata": {"id": 7}}
    added = await bench.client.post(path, json={"contacts": [contact, contact]})
    assert (added.status_code, added.json()) == (200, {"added": 1, "known": 1})
    again = await bench.client.post(path, json={"contacts": [contact, *listed(NUMBERS[1])]})
    assert again.json() == {"added": 1, "known": 1}
    first, second = (await bench.client.get(path)).json()["data"]
    rest: dict[str, Any] = {"variables": {}, "status": "pending", "call_id": None, "error": None}
    assert first == contact | rest
    assert (second["to"], second["context"]) == (NUMBERS[1], {})
    none = await bench.client.post(path, json={"contacts": []})
    assert none.json()["errors"][0]["pointer"] == "/contacts"


@pytest.mark.both_stores
async def test_contacts_come_in_pages_in_their_order(bench: Bench) -> None:
    made = await make(bench, contacts=listed(*NUMBERS[:5]))
    other = await make(bench, contacts=listed(*NUMBERS[:5]))
    path = f"/v1/campaigns/{made['id']}/contacts"
    await bench.store.pacing.refuse(made["id"], 2, "no_trunk: none")
    first = (await bench.client.get(path, params={"limit": 3})).json()
    cursor = first["next_cursor"]
    rest = (await bench.client.get(path, params={"cursor": cursor})).json()
    assert [one["to"] for one in first["data"] + rest["data"]] == NUMBERS[:5]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    (refused,) = (await bench.client.get(path, params={"status": "refused"})).json()["data"]
    assert (refused["to"], refused["error"]) == (NUMBERS[1], "no_trunk: none")
    for parameters, named in (
        ({"cursor": "x"}, "cursor"),
        ({"status": "gone"}, "status"),
        ({"page": "2"}, "page"),
    ):
        wrong = await bench.client.get(path, params=parameters)
        assert wrong.json()["errors"][0]["parameter"] == named
    foreign = f"/v1/campaigns/{other['id']}/contacts"
    wrong = await bench.client.get(foreign, params={"cursor": cursor})
    assert wrong.status_code == 422


async def test_a_file_of_contacts(bench: Bench) -> None:
    """With a byte order mark, as spreadsheets write it, and names of columns in their own case."""
    path = f"/v1/campaigns/{(await make(bench))['id']}/contacts"
    text = (
        "\ufeffPhone,Patient,context.day,metadata.id\r\n"
        f'{NUMBERS[0]},"Lopez, Maria",monday,42\r\n'
        "\r\n"
        f"{NUMBERS[1]},Ana,,\r\n"
        f"{NUMBERS[0]},again,,\r\n"
    )
    answer = await bench.client.post(f"{path}.csv", content=text.encode(), headers=CSV)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"added": 2, "known": 1, "refused": 0, "errors": []}
    first, second = (await bench.client.get(path)).json()["data"]
    assert first["context"] == {"Patient": "Lopez, Maria", "day": "monday"}
    assert first["metadata"] == {"id": "42"}
    assert (second["context"], second["metadata"]) == ({"Patient": "Ana"}, {})


async def test_wrong_lines_of_a_file_are_told_by_number(bench: Bench) -> None:
    """All or nothing, unless `partial=true`."""
    path = f"/v1/campaigns/{(await make(bench))['id']}/contacts"
    text = f"to,name\n{NUMBERS[0]},Ana\n5551234567,Bo\n,Cy\n{NUMBERS[1]},Di,x\n"
    refused = await bench.client.post(f"{path}.csv", content=text, headers=CSV)
    assert refused.status_code == 422
    details = [error["detail"] for error in refused.json()["errors"]]
    assert [detail.partition(":")[0] for detail in details] == ["line 3", "line 4", "line 5"]
    assert (await bench.client.get(path)).json()["data"] == []
    partial = await bench.client.post(
        f"{path}.csv", params={"partial": "true"}, content=text, headers=CSV
    )
    assert (partial.json()["added"], partial.json()["refused"]) == (1, 3)


@pytest.mark.parametrize(
    "text",
    ["", "to,to\n+15551234567,+15551234567\n", "to,\n+15551234567,x\n", "name\nAna\n", "\xff"],
)
async def test_what_is_no_file_of_contacts(bench: Bench, text: str) -> None:
    path = f"/v1/campaigns/{(await make(bench))['id']}/contacts.csv"
    answer = await bench.client.post(path, content=text.encode("latin-1"), headers=CSV)
    assert answer.status_code == 422, answer.text


async def test_no_contacts_for_what_is_over(bench: Bench) -> None:
    path = f"/v1/campaigns/{(await make(bench))['id']}"
    await bench.client.post(f"{path}/cancel")
    answer = await bench.client.post(f"{path}/contacts", json={"contacts": listed(NUMBERS[0])})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_status")


# -- results ---------------------------------------------------------------------------------------


async def test_results_are_a_line_for_each_contact(bench: Bench) -> None:
    """What comes from outside is no formula for whoever opens the file."""
    made = await make(bench, max_concurrent=9)
    contacts = [
        NewContact(NUMBERS[0], {"name": "=HYPERLINK(1)", "visits": 2}, {"id": "@x"}),
        NewContact(NUMBERS[1], {"name": "Ana", "tags": ["a", "b"]}),
        NewContact(NUMBERS[2]),
    ]
    await bench.store.campaigns.add_contacts(made["id"], contacts)
    await bench.store.do_not_call.add(NUMBERS[2], "")
    await bench.client.post(f"/v1/campaigns/{made['id']}/start")
    async with pacing(bench.services):
        await eventually(bench.store, made["id"], lambda report: not report.contacts["pending"])
        claim = (await claim_up_to(bench.store, 1))[0]
        await bench.store.calls.record_answered(claim.call.id, time.time())
        ended = Ended(time.time(), NORMAL, "agent_hangup", awaits_result=True)
        await bench.store.calls.record_ended(claim.call.id, ended)
        await bench.store.calls.record_result(claim.call.id, {"ok": True, "note": "-2+3"})
    answer = await bench.client.get(f"/v1/campaigns/{made['id']}/results.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"campaign-{made['id']}.csv" in answer.headers["content-disposition"]
    called, waiting, refused = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert called["to"] == NUMBERS[0]
    assert (called["context.name"], called["context.visits"]) == ("'=HYPERLINK(1)", "2")
    assert (called["metadata.id"], called["contact_status"]) == ("'@x", "ordered")
    assert (called["call_id"], called["status"]) == (claim.call.id, "completed")
    assert (called["end_reason"], called["attempts"]) == ("agent_hangup", "1")
    assert (called["result.ok"], called["result.note"]) == ("true", "'-2+3")
    assert (waiting["context.name"], waiting["context.tags"]) == ("Ana", '["a", "b"]')
    assert (waiting["status"], waiting["result.ok"], waiting["attempts"]) == ("queued", "", "0")
    assert (refused["contact_status"], refused["call_id"]) == ("refused", "")
    assert refused["error"].startswith("do_not_call")


async def test_results_of_many_contacts_are_all_there(bench: Bench) -> None:
    made = await make(bench)
    contacts = [NewContact(number, {f"k{index % 3}": "v"}) for index, number in enumerate(NUMBERS)]
    await bench.store.campaigns.add_contacts(made["id"], contacts)
    answer = await bench.client.get(f"/v1/campaigns/{made['id']}/results.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["to"] for row in rows] == NUMBERS
    assert [row["context.k2"] for row in rows[:3]] == ["", "", "v"]
