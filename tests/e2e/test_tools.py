"""A whole call in which the agent uses all that it has: it looks the person up over HTTP, books a
slot in a CalDAV server, mails the office over SMTP, and puts the person through to somebody else.

Everything is real but the language model: see `receptionist`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.http.server import http_server, listen
from api.settings import LlmEndpoint, Models, Tools
from pbx.testbed import TestBed, persona
from tests.api.calendars.radicale import PASSWORD, USER, radicale
from tests.api.mailing import MailTown
from tests.e2e.conftest import phoning
from tests.e2e.receptionist import Move, Told, first_start, receptionist
from tests.e2e.test_transfers import hung_up, until

TOKEN = "the-token-of-the-practice"
PATIENT = "Maria Lopez"
OFFICE = "front@example.org"


@asynccontextmanager
async def practice() -> AsyncIterator[tuple[str, list[Request]]]:
    """The practice's own HTTP service, and what it was asked."""
    asked: list[Request] = []

    async def patient(request: Request) -> JSONResponse:
        asked.append(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"error": "who are you?"}, 401)
        return JSONResponse({"name": PATIENT, "number": request.query_params["number"]})

    app = Starlette(routes=[Route("/patients", patient)])
    with listen("127.0.0.1", 0) as listener:
        async with http_server(app, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked


def rules(told: Told) -> Move:
    """At "yes, speaking": look them up. At "that works for me": book, mail, put through."""
    if "works" not in told.said:
        return (
            ("find_patient", {})
            if not told.results
            else "i have found you. shall i book a check up?"
        )
    match len(told.results):
        case 0:
            return "find_free_slots", {}
        case 1:
            return "book_slot", {"start": first_start(told.results[0]), "name": PATIENT}
        case 2:
            body = f"{PATIENT}: {told.results[1]}"
            return "send_email", {"to": OFFICE, "subject": "Booked", "body": body}
        case _:
            return "transfer_call", {}


def agent(crm: str, calendar: str) -> dict[str, Any]:
    """What the call's agent has."""
    return {
        "persona": "You are Ada of the Lopez dental practice.",
        "instructions": "Book a check-up for {{patient}}.",
        "variables": {"patient": PATIENT},
        "first_sentence": "hello, this is the dental clinic.",
        "first_sentence_mode": "static",
        "llm": {"model": "office"},
        "tools": [
            {
                "type": "http",
                "name": "find_patient",
                "description": "Look up who is on the line.",
                "url": f"{crm}/patients",
                "headers": [{"key": "Authorization", "value": "Bearer {{secret.practice}}"}],
                "query_params": [{"key": "number", "value": "{{user_phone_number}}"}],
            },
            {"type": "calendar", "connection_id": calendar, "event_type_id": "checkup"},
            {"type": "send_email", "to": [OFFICE, "billing@example.org"]},
            {
                "type": "transfer",
                "number": persona("listener").number,
                "say": "i will put you through to the front desk.",
            },
        ],
    }


@pytest.mark.rows("CB-36", "RV-24", "RV-89…90", "RV-137", "RV-504", "RV-514", "RV-519…525")
@pytest.mark.rows("X-OI-7")
async def test_an_agent_looks_up_books_mails_and_puts_through(bed: TestBed, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("desk", "mail", "server")}
    for folder in folders.values():
        folder.mkdir()
    town = MailTown(folders["mail"])
    async with (
        receptionist(rules) as mind,
        practice() as (crm, asked),
        radicale(folders["desk"]) as desk,
        town.server() as mailbox,
        phoning(
            bed,
            folders["server"],
            models=Models(llms={"office": LlmEndpoint(url=mind.url, model="rules")}),
            tools=Tools.model_validate(
                {"allow_http": True, "allowed_networks": ["127.0.0.0/8", "::1"]}
            ),
            smtp=town.settings(mailbox),
        ) as phone,
    ):
        await desk.make()
        await phone.ask("PUT", "/v1/secrets/practice", {"value": TOKEN})
        connection = await phone.ask(
            "POST",
            "/v1/calendar_connections",
            {
                "name": "Desk",
                "kind": "caldav",
                "url": desk.url,
                "username": USER,
                "password": PASSWORD,
                "event_types": [
                    {
                        "id": "checkup",
                        "name": "Check-up",
                        "duration_minutes": 30,
                        "timezone": "Europe/Berlin",
                    }
                ],
            },
        )
        placed = await phone.place(
            "talker", prompt=None, returns={}, **agent(crm, connection["id"])
        )
        async with asyncio.timeout(60):
            while (call := await phone.read(placed["id"]))["transfer"] is None:
                assert call["ended_at"] is None, await phone.turns(placed["id"])
                await asyncio.sleep(0.1)
        found = await until(phone, placed["id"], "completed")
        channels = await bed.carrier.channels()
        call = await hung_up(phone, placed["id"])
        turns = await phone.turns(placed["id"])

        # Both parties are there, at the carrier, with nobody of ours on the line.
        up = {channel.extension for channel in channels if channel.state == "Up"}
        assert up == {persona("talker").number, persona("listener").number}
        assert (found["number"], found["mode"]) == (persona("listener").number, "cold")
        assert (call["status"], call["end_reason"]) == ("completed", "transferred")
        (request,) = asked
        assert request.query_params["number"] == call["to_number"]
        (event,) = await desk.events()
        assert PATIENT in f"{event['SUMMARY']}{event.get('DESCRIPTION', '')}"
        (mail,) = mailbox.mails
        assert (mail["To"], mail["Subject"]) == (OFFICE, "Booked")
        used = [turn["tool"] for turn in turns if turn["speaker"] == "tool"]
        assert [tool["name"] for tool in used] == [
            *("find_patient", "find_free_slots", "book_slot", "send_email", "transfer_call"),
        ]
        assert not any(tool["is_error"] for tool in used)
        assert PATIENT in used[0]["output"]
        said = [turn["text"] for turn in turns if turn["speaker"] == "agent"]
        assert said[0] == "hello, this is the dental clinic."
        assert "i will put you through to the front desk." in said
        # Neither the model nor anybody who reads of the call sees what the tool knows.
        assert TOKEN not in str(mind.asked) + str(turns) + str(phone.events) + str(call)
        start = event["DTSTART"].dt.astimezone().isoformat()
        assert used[2]["arguments"]["start"][:10] == start[:10]
