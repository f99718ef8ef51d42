"""Agents at the console: a form with the API's own errors, versions, and prompts filled in."""

import re

from tests.api.conftest import Bench
from tests.api.console.people import Person


async def made(bench: Bench, **body: object) -> str:
    answer = await bench.client.post("/v1/agents", json={"name": "Ada", **body})
    assert answer.status_code == 201, answer.text
    agent_id: str = answer.json()["id"]
    return agent_id


async def test_one_is_made_and_changed_by_its_form(bench: Bench, operator: Person) -> None:
    answer = await operator.send(
        "/new/agents",
        "/new/agents",
        fields={
            "name": "Ada <b>",
            "persona": "Warm.\r\nBrief.",
            "voice.id": "en",
            "voice.speed": "1.1",
            "interruptible": "false",
            "max_duration_seconds": "60",
            "returns": '{"ok": "boolean"}',
        },
    )
    page = answer.headers["location"].removeprefix("/console")
    path = "/v1" + page
    agent = (await bench.client.get(path)).json()
    assert (agent["name"], agent["persona"]) == ("Ada <b>", "Warm.\nBrief.")
    assert (agent["voice"]["id"], agent["voice"]["speed"]) == ("en", 1.1)
    assert (agent["interruptible"], agent["max_duration_seconds"]) == (False, 60)
    assert agent["returns"] == {"ok": "boolean"}
    await operator.send(page, page, fields={"voice.speed": "", "persona": "", "language": "en-GB"})
    changed = (await bench.client.get(path)).json()
    assert (changed["voice"]["id"], changed["voice"]["speed"]) == ("en", None)
    assert (changed["persona"], changed["language"], changed["version"]) == (None, "en-GB", 2)
    html = await operator.open(page)
    assert "From version 1 to 2" in html
    assert re.search(r'class="removed">-  &#34;persona', html)


async def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    bench: Bench, operator: Person
) -> None:
    wrong = {"name": "", "voice.speed": "9", "language": "xx", "returns": "{", "persona": "Stays"}
    answer = await operator.send("/new/agents", "/new/agents", 422, wrong)
    assert "Stays" in answer.text
    assert re.search(r'id="e-returns">[^<]*not valid JSON', answer.text)
    wrong |= {"returns": "", "name": "Ada"}
    answer = await operator.send("/new/agents", "/new/agents", 422, wrong)
    assert re.search(r'id="e-voice--speed">[^<]+less than or equal to 1.5', answer.text)
    assert (await bench.client.get("/v1/agents")).json()["data"] == []


async def test_it_is_checked_as_one_types_and_nothing_is_kept(
    bench: Bench, operator: Person
) -> None:
    agent_id = await made(bench)
    for path in ("/check/agents", f"/check/agents/{agent_id}"):
        sent = {"name": "Bea", "voice.id": "nobody"}
        answer = await operator.send(path, "/new/agents", 200, sent)
        assert re.search(r'id="e-voice--id" hx-swap-oob="true">[^<]+', answer.text), path
        assert 'id="e-name" hx-swap-oob="true"></p>' in answer.text
    listed = (await bench.client.get("/v1/agents")).json()["data"]
    assert [(one["name"], one["version"]) for one in listed] == [("Ada", 1)]


async def test_a_reader_checks_and_changes_nothing(bench: Bench, reader: Person) -> None:
    agent_id = await made(bench)
    for path in ("/check/agents", f"/check/agents/{agent_id}", f"/agents/{agent_id}"):
        await reader.send(path, "/agents", 403, {"name": "Bea"})
    await reader.send(f"/agents/{agent_id}/archive", "/agents", 403)


async def test_its_prompt_is_shown_with_variables_filled_in(bench: Bench, operator: Person) -> None:
    agent_id = await made(
        bench, persona="For {{clinic.name}}, {{who}}.", variables={"clinic": {"name": "North"}}
    )
    assert "For North, {{who}}." in await operator.open(f"/agents/{agent_id}")
    filled = await operator.open(f"/agents/{agent_id}?variable.who=%3Ci%3EMaria")
    assert "For North, &lt;i&gt;Maria." in filled


async def test_what_opens_doors_is_masked_and_stays(
    bench: Bench, operator: Person, reader: Person
) -> None:
    header = {"key": "Authorization", "value": "Bearer hidden-key"}
    tool = {"type": "http", "name": "look", "description": "Looks.", "url": "https://example.org"}
    page = f"/agents/{await made(bench, tools=[tool | {'headers': [header]}])}"
    for person in (operator, reader):
        assert "hidden-key" not in await person.open(page)
    await operator.send(page, page, fields={"name": "Bea"})
    changed = (await bench.client.get("/v1" + page)).json()
    assert changed["tools"][0]["headers"][0]["value"] == "********"


async def test_one_is_archived(bench: Bench, operator: Person) -> None:
    agent_id = await made(bench)
    await operator.send(f"/agents/{agent_id}/archive", f"/agents/{agent_id}")
    assert (await bench.client.get(f"/v1/agents/{agent_id}")).json()["status"] == "archived"
    html = await operator.open(f"/agents/{agent_id}")
    assert "Save" not in html
