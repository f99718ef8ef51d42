"""Calendar connections over a real server (RV-25, RV-26)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.text import MASK
from api.store.tables import calendar_connections
from tests.api.calendars.radicale import PASSWORD, USER, Radicale
from tests.api.calendars.test_busy import text
from tests.api.conftest import Bench
from tests.api.doors import client_of
from tests.api.receiver import receiving
from tests.api.tools.test_http_tool import answers

PATH = "/v1/calendar_connections"
DOCUMENTATION = Path(__file__).parents[3] / "docs/tools.md"
CALENDLY = "https://api.calendly.com/event_types/b2330295-2a91-4a1d-bb73-99e7707663d5"
CHECKUP = {
    "id": "checkup",
    "name": "Check-up",
    "duration_minutes": 30,
    "timezone": "Europe/Berlin",
}
DESK = {
    "name": "Desk",
    "kind": "caldav",
    "url": "https://dav.example.org/desk/",
    "username": USER,
    "password": PASSWORD,
    "event_types": [CHECKUP],
}
FEED = {
    "name": "Feed",
    "kind": "ics",
    "url": "https://dav.example.org/desk.ics?key=1",
    "event_types": [CHECKUP],
}
#: What tools may reach in these tests.
HERE = {"OFFHOOK_TOOLS__ALLOW_HTTP": "true", "OFFHOOK_TOOLS__ALLOWED_NETWORKS": "127.0.0.0/8,::1"}


async def made(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json=DESK | fields)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def errors(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, str]:
    answer = await client.post(PATH, json=body)
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


@pytest.mark.both_stores
@pytest.mark.rows("RV-25")
async def test_a_connection_is_kept_told_changed_and_deleted(bench: Bench) -> None:
    client = bench.client
    told = await made(client)
    assert (told["password"], told["bookable"]) == (MASK, True)
    assert told["event_types"][0]["days"] == [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
    ]
    path = f"{PATH}/{told['id']}"
    assert (await client.get(path)).json() == told
    other = await made(client, name="Other")
    listed = (await client.get(PATH, params={"limit": "1"})).json()
    assert listed["data"] == [told]
    rest = await client.get(PATH, params={"cursor": listed["next_cursor"]})
    assert rest.json()["data"] == [other]
    types = [CHECKUP | {"buffer_minutes": 10}]
    change = {"name": "Front desk", "password": MASK, "event_types": types}
    changed = (await client.patch(path, json=change)).json()
    assert (changed["name"], changed["event_types"][0]["buffer_minutes"]) == ("Front desk", 10)
    assert changed["username"] == USER
    stored = await bench.store.calendars.get(told["id"])
    assert bench.services.seal.open(stored.sealed_password or "") == PASSWORD
    assert (await client.delete(path)).status_code == 204
    for gone in (client.delete(path), client.get(path), client.patch(path, json={"name": "x"})):
        assert (await gone).status_code == 404
    assert (await client.post(f"{path}/check")).status_code == 404


async def test_nobody_reads_the_password(bench: Bench) -> None:
    told = await made(bench.client)

    async def work(connection: AsyncConnection) -> str:
        return repr((await connection.execute(select(calendar_connections))).all())

    assert PASSWORD not in await bench.store.database.read(work) + str(told)
    _, key = await bench.store.keys.create("reader", "read")
    answer = await bench.client.get(PATH, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403  # the URL of a feed may be a secret


async def test_a_password_does_not_go_to_another_server(bench: Bench) -> None:
    path = f"{PATH}/{(await made(bench.client))['id']}"
    elsewhere = {"url": "https://evil.example.net/desk/"}
    for fields in ({}, {"password": MASK}):
        answer = await bench.client.patch(path, json=elsewhere | fields)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/password"
    same = {"url": "https://dav.example.org/other/"}
    assert (await bench.client.patch(path, json=same)).status_code == 200
    again = elsewhere | {"password": "new"}
    assert (await bench.client.patch(path, json=again)).status_code == 200


@pytest.mark.rows("RV-26")
async def test_an_event_type_may_have_the_id_that_it_has_elsewhere(bench: Bench) -> None:
    told = await made(bench.client, event_types=[CHECKUP | {"id": CALENDLY}])
    assert told["event_types"][0]["id"] == CALENDLY


@pytest.mark.parametrize(
    ("fields", "pointer", "detail"),
    [
        ({"url": "http://dav.example.org/"}, "/url", "https"),
        ({"url": "https://127.0.0.1/"}, "/url", "refused"),
        ({"url": "https://a:b@dav.example.org/"}, "/url", "password"),
        ({"url": "https://dav.example.org/?x=1"}, "/url", "no query"),
        ({"password": None}, "/password", "needed"),
        ({"username": None}, "/username", "needed"),
        ({"username": "a:b"}, "/username", "match"),
        ({"password": MASK}, "/password", "mask"),
        ({"kind": "calendly"}, "/kind", "caldav"),
        ({"event_types": []}, "/event_types", "at least 1"),
        ({"event_types": [CHECKUP, CHECKUP]}, "/event_types/1/id", "another"),
        ({"event_types": [CHECKUP | {"end": "09:00"}]}, "/event_types/0/end", "later"),
        ({"event_types": [CHECKUP | {"end": "25:00"}]}, "/event_types/0/end", "match"),
        ({"event_types": [CHECKUP | {"end": "09:20"}]}, "/event_types/0/duration_minutes", "fit"),
        (
            {"event_types": [CHECKUP | {"timezone": "Europe/Berlim"}]},
            "/event_types/0/timezone",
            "did you mean Europe/Berlin?",
        ),
        (
            {"event_types": [CHECKUP | {"title": "{{patient}}"}]},
            "/event_types/0/title",
            "no {{patient}}",
        ),
        ({"event_types": [CHECKUP | {"days": ["someday"]}]}, "/event_types/0/days/0", "monday"),
    ],
)
async def test_what_is_wrong_is_told_at_its_place(
    bench: Bench, fields: dict[str, Any], pointer: str, detail: str
) -> None:
    found = await errors(bench.client, DESK | fields)
    assert list(found) == [pointer]
    assert detail in found[pointer]


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    """Of a server whose tools may reach this machine."""
    async with client_of(bench, bench.key, HERE) as client:
        yield client


async def checked(client: httpx.AsyncClient, **fields: Any) -> tuple[bool, str]:
    path = f"{PATH}/{(await made(client, **fields))['id']}/check"
    answer = await client.post(path)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told["ok"], told["detail"]


@pytest.mark.rows("RV-25")
async def test_a_check_asks_the_calendar(client: httpx.AsyncClient, desk: Radicale) -> None:
    await desk.put("DTSTART:20200101T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    good, detail = await checked(client, url=desk.url)
    assert good, detail
    assert detail.startswith("31 busy times from ")
    assert await checked(client, url=desk.url, password="wrong") == (
        False,
        "the user name or the password is wrong",
    )


async def test_a_check_reads_a_feed(client: httpx.AsyncClient) -> None:
    daily = text("DTSTART:20200101T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    async with receiving(answers(200, daily, kind="text/calendar")) as receiver:
        url = {"kind": "ics", "url": receiver.url, "username": None, "password": None}
        good, detail = await checked(client, **url)
        assert good, detail
        assert receiver.got[0].path == "/hook?x=1"
        assert "authorization" not in receiver.got[0].headers
        receiver.answer = answers(401)
        assert await checked(client, **url) == (
            False,
            "the server asks for a user name and a password",
        )


async def agent_errors(client: httpx.AsyncClient, **tool: Any) -> dict[str, str]:
    body = {"name": "Ada", "tools": [{"type": "calendar", **tool}]}
    answer = await client.post("/v1/agents", json=body)
    if answer.status_code == 201:
        return {}
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


@pytest.mark.rows("RV-24", "RV-25", "RV-26")
async def test_an_agent_may_name_what_is_connected_and_nothing_else(bench: Bench) -> None:
    client = bench.client
    desk = (await made(client))["id"]
    feed = (await made(client, **FEED, username=None, password=None))["id"]
    assert await agent_errors(client, connection_id=desk, event_type_id="checkup") == {}
    assert await agent_errors(client, connection_id="none", event_type_id="checkup") == {
        "/tools/0/connection_id": "there is no such connection (/v1/calendar_connections)"
    }
    assert await agent_errors(client, connection_id=desk, event_type_id="surgery") == {
        "/tools/0/event_type_id": "the connection has no such event type; it has: checkup"
    }
    assert await agent_errors(client, connection_id=feed, event_type_id="checkup") == {
        "/tools/0/book": "the connection is a feed, which can only be read; give false"
    }
    only_read = {"connection_id": feed, "event_type_id": "checkup", "book": False}
    assert await agent_errors(client, **only_read) == {}
    await client.delete(f"{PATH}/{desk}")
    gone = await agent_errors(client, connection_id=desk, event_type_id="checkup")
    assert list(gone) == ["/tools/0/connection_id"]


@pytest.mark.rows("RV-323", "RV-324", "RV-325")
async def test_a_revox_call_shows_its_calendar(bench: Bench) -> None:
    connection = (await made(bench.client, event_types=[CHECKUP | {"id": CALENDLY}]))["id"]
    calendly = {"connection_id": connection, "event_type_id": CALENDLY}
    body = {"phone_number": "+12125550100", "assistant": {"prompt": "Book.", "calendly": calendly}}
    answer = await bench.client.post("/api/call", json=body)
    assert answer.status_code in {200, 201}, answer.text
    placed = answer.json()
    call_id = (placed.get("call") or placed)["id"]
    shown = (await bench.client.get(f"/api/call/{call_id}")).json()
    assert (shown.get("call") or shown)["assistant"]["calendly"] == calendly


async def test_the_documented_example_is_taken(bench: Bench) -> None:
    section = DOCUMENTATION.read_text("utf-8").partition("## Calendars\n")[2]
    example = json.loads(section.partition("```json")[2].partition("```")[0])
    answer = await bench.client.post(PATH, json=example)
    assert answer.status_code == 201, answer.text
