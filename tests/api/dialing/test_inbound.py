"""Inbound calls: whom they reach, what becomes of them, and when they are refused."""

import asyncio
import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import update

from api.calls.brought import with_room
from api.calls.conversing import conversation_config
from api.compat.callingbox.objects import CallingBoxCall
from api.compat.webhooks import webhook_body
from api.dialing.dialer import Dialer
from api.dialing.inbound import InboundCalls
from api.dialing.inbound_numbers import ANONYMOUS
from api.resources.call import Call, NewCall
from api.resources.trunk import NewTrunk
from api.settings import Settings
from api.settings.calling import Calls
from api.store import Store, StoreError
from api.store.database import Transaction
from api.store.tables import calls
from pbx.incoming import Brought, IncomingCall, Refusal, brought
from pbx.switch import LIMIT_MARGIN_S, Dial, SwitchError, SwitchUnavailable
from tests.api.agents.test_agents import change, make, numbers, send
from tests.api.conftest import Bench, benching
from tests.api.played_engines import ROOM
from tests.api.receiver import receiving
from tests.api.story import NORMAL, new_call
from tests.api.switchboard import (
    CANCELED,
    Office,
    PlayedAttempt,
    impatient,
    over,
    story,
    until,
)
from tests.api.webhooks.test_deliverer import delivering
from tests.voice_loop.scripted import settle
from voice_loop.prompts import system_prompt

OURS, OTHER = "+15559876543", "+15550100099"
CALLER = "+15550888000"


class Desk:
    """Where inbound calls arrive."""

    def __init__(self, bench: Bench, office: Office, dialer: Dialer) -> None:
        self.bench, self.office, self.dialer = bench, office, dialer
        self.reception = InboundCalls(bench.services, dialer)
        self.attempts: list[PlayedAttempt] = []

    async def ring(
        self,
        number: str = OURS,
        caller: str | None = CALLER,
        trunk: str | None = None,
        *,
        limit_fault: SwitchError | None = None,
        dialled: str | None = None,
        along: Brought | None = None,
        name: str | None = None,
    ) -> Refusal | None:
        attempt = PlayedAttempt(Dial(f"17000.{len(self.attempts)}", number))
        attempt.limit_fault = limit_fault
        self.attempts.append(attempt)
        call = IncomingCall(
            attempt, number, caller, name, trunk, dialled, along or Brought(), "3f7a@192.0.2.10"
        )
        return await self.reception.receive(call)

    async def calls(self, **filters: str) -> list[dict[str, Any]]:
        """What the API lists, newest first."""
        response = await self.bench.client.get("/v1/calls", params=filters)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["data"]
        return found

    async def the_call(self) -> dict[str, Any]:
        (call,) = await self.calls(direction="inbound")
        return call


@pytest.fixture
async def desk(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    impatient(monkeypatch)
    trusting = Calls(trusted_caller_id_trunks=("vouching",))
    office = Office(bench.store, tmp_path / "inbound", calls=trusting)
    async with running(office) as dialer:
        yield Desk(bench, office, dialer)


@contextlib.asynccontextmanager
async def running(office: Office, max_concurrent: int = 2) -> AsyncIterator[Dialer]:
    dialer = office.dialer(max_concurrent)
    task = asyncio.create_task(dialer.run())
    await asyncio.sleep(0)
    try:
        yield dialer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def answering(bench: Bench, **fields: Any) -> dict[str, Any]:
    """An inbound agent that answers OURS."""
    ours, _ = await numbers(bench)
    wanted = {"type": "inbound", "instructions": "Take the order.", "number_ids": [ours]}
    return await make(bench, **(wanted | fields))


@pytest.mark.rows("CB-54…55", "CB-113", "CB-134")
@pytest.mark.parametrize("maker", ["/compat/callingbox/v1/agents", "/v1/agents"])
async def test_a_call_is_told_in_the_words_of_whose_client_made_its_agent(
    desk: Desk, maker: str
) -> None:
    bench = desk.bench
    ours, _ = await numbers(bench)
    render = partial(webhook_body, bench.services)
    async with receiving() as receiver, delivering(bench.store, render=render):
        agent = {
            "name": "Desk",
            "type": "inbound",
            "instructions": "Take the order.",
            "number_ids": [ours],
            "webhook_url": receiver.url,
        }
        made = await bench.client.post(maker, json=agent)
        assert made.status_code == 201, made.text
        assert await desk.ring(name="Ann") is None
        (told,) = await receiver.wait(1)
        body = json.loads(told.body)
        theirs = [*CallingBoxCall.model_fields]
        assert (list(body) == theirs) == maker.startswith("/compat"), body.keys()
        if maker == "/v1/agents":
            assert body["sip_call_id"] == "3f7a@192.0.2.10"
            assert (body["sip"]["caller_name"], body["sip"]["headers"]) == ("Ann", {})
        assert (body["direction"], body["status"]) == ("inbound", "ringing")
        assert told.headers["callingbox-event-type"] == "call.ringing"


@pytest.mark.both_stores
@pytest.mark.rows("CB-37", "CB-54", "CB-55", "RV-281", "RV-286", "RV-303", "X-CB-31")
async def test_an_inbound_call_is_the_mirror_of_an_outbound_one(desk: Desk) -> None:
    bench = desk.bench
    agent = await answering(
        bench,
        returns={"ok": "boolean"},
        webhook_url="https://hook.example.org/x",
        retry={"max_attempts": 3},
    )
    assert await desk.ring(trunk="trunk") is None
    call = await desk.the_call()
    assert (call["status"], call["direction"]) == ("ringing", "inbound")
    assert (call["from_number"], call["to_number"]) == (CALLER, OURS)
    assert (call["agent_id"], call["agent_version"]) == (agent["id"], 1)
    assert (call["prompt"], call["returns"]) == ("Take the order.", {"ok": "boolean"})
    assert (call["retry"], call["webhook_status"]) == (None, "pending")
    (attempt,) = desk.attempts
    assert attempt.limit_s == call["max_duration_seconds"] + LIMIT_MARGIN_S
    attempt.answer()
    await until(bench.store, call["id"], "answered")
    await change(bench, agent["id"], instructions="Do nothing.")
    await desk.office.hears(attempt, "yes")
    attempt.end()
    await until(bench.store, call["id"], "completed")
    assert (await over(bench.store, call["id"])).result == {"ok": True}
    assert [one for one in await story(bench.store, call["id"]) if one != "turn"] == [
        "ringing",
        "answered",
        "recording.available",
        "quality",
        "ended",
        "transcript.final",
        "analyzed",
        "completed",
    ]
    call = await desk.the_call()
    assert (call["prompt"], call["summary"]) == ("Take the order.", "They spoke.")
    assert (call["billing_amount_milli_cents"], call["reservation_status"]) == (0, "settled")
    assert (call["attempt_count"], call["recording_available"]) == (1, True)
    (made,) = await bench.store.calls.attempts(call["id"])
    assert (made.channel_id, made.trunk, made.state) == ("17000.0", "trunk", "completed")


async def test_the_log_tells_each_step_of_an_inbound_call_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api")
    await answering(desk.bench)
    assert await desk.ring(trunk="trunk") is None
    call = await desk.the_call()
    (attempt,) = desk.attempts
    attempt.answer()
    await until(desk.bench.store, call["id"], "answered")
    attempt.end()
    async with asyncio.timeout(5):
        while " ended " not in caplog.text:  # once it is on disk
            await asyncio.sleep(0.01)
    told = [one.message for one in caplog.records if call["id"] in one.message]
    placed = "placed attempt=1 direction=inbound trunk=trunk channel=17000.0"
    assert told[:3] == [
        f"call {call['id']}: {placed}",
        f"call {call['id']}: ringing attempt=1 trunk=trunk sip_call_id=3f7a@192.0.2.10",
        f"call {call['id']}: answered attempt=1 trunk=trunk sip_call_id=3f7a@192.0.2.10",
    ]
    assert len(told) == 4
    assert " ended attempt=1 status=completed end_reason=person_hangup " in told[3]


@pytest.mark.rows("CB-68", "RV-280", "RV-281", "RV-286", "RV-303", "OI-31", "OI-36")
async def test_every_dialect_tells_of_an_inbound_call(desk: Desk) -> None:
    await answering(desk.bench)
    assert await desk.ring() is None
    desk.attempts[0].answer()
    call_id = (await desk.the_call())["id"]
    await until(desk.bench.store, call_id, "answered")
    theirs = {}
    for path in ("/compat/callingbox/v1/calls", "/compat/oneinbox/v1/calls", "/api/call"):
        response = await desk.bench.client.get(f"{path}/{call_id}")
        assert response.status_code == 200, response.text
        theirs[path] = response.json()
    callingbox, oneinbox, revox = theirs.values()
    assert (callingbox["direction"], callingbox["status"]) == ("inbound", "in_progress")
    assert (callingbox["from_number"], callingbox["to_number"]) == (CALLER, OURS)
    assert (oneinbox["type"], oneinbox["direction"]) == ("inbound", "inbound")
    assert (oneinbox["from_number"], oneinbox["to_number"]) == (CALLER, OURS)
    told = revox["call"]
    assert told["direction"] == "inbound"
    assert (told["from_phone_number"], told["to_phone_number"]) == (CALLER, OURS)


@pytest.mark.rows("RV-280", "CB-68")
async def test_calls_are_listed_by_direction(desk: Desk) -> None:
    await answering(desk.bench)
    assert await desk.ring() is None
    placed = await desk.bench.create()
    assert [one["id"] for one in await desk.calls(direction="outbound")] == [placed["id"]]
    assert len(await desk.calls(direction="inbound")) == 1
    assert len(await desk.calls()) == 2
    wrong = await desk.bench.client.get("/v1/calls?direction=up")
    assert wrong.status_code == 422


@pytest.mark.both_stores
@pytest.mark.rows("X-CB-32")
async def test_a_number_that_nobody_answers_is_refused(desk: Desk) -> None:
    bench = desk.bench
    agent = await answering(bench)
    assert await desk.ring("+15550000000") is Refusal.UNALLOCATED_NUMBER
    assert await desk.ring("") is Refusal.UNALLOCATED_NUMBER
    assert await desk.ring(OTHER) is Refusal.SUBSCRIBER_ABSENT
    ours, other = await numbers(bench)
    await make(bench, type="outbound", number_ids=[other])
    assert await desk.ring(OTHER) is Refusal.SUBSCRIBER_ABSENT
    await send(bench, "PATCH", f"/v1/numbers/{ours}", 200, status="inactive")
    assert await desk.ring() is Refusal.SUBSCRIBER_ABSENT
    await send(bench, "PATCH", f"/v1/numbers/{ours}", 200, status="active")
    await send(bench, "DELETE", f"/v1/agents/{agent['id']}", 204)
    assert await desk.ring() is Refusal.SUBSCRIBER_ABSENT
    assert await desk.calls() == []
    assert desk.dialer.active == 0


@pytest.mark.rows("CB-54")
async def test_what_the_trunk_tells_in_place_of_a_number_is_a_setting(
    desk: Desk, bench: Bench
) -> None:
    await answering(bench)
    settings = bench.services.settings
    calls = settings.calls.model_copy(update={"inbound_numbers": {"main desk": OURS}})
    told = dataclasses.replace(
        bench.services, settings=settings.model_copy(update={"calls": calls})
    )
    desk.reception = InboundCalls(told, desk.dialer)
    assert await desk.ring("main desk") is None
    assert (await desk.the_call())["to_number"] == OURS


async def test_a_trunk_may_have_rules_for_what_it_tells(desk: Desk, bench: Bench) -> None:
    await answering(bench)
    body = {
        "name": "My Trunk",
        "inbound_number_rules": [{"match": "43", "prepend": "+155598765"}],
        "inbound_caller_rules": [{"prefix": "0", "match": "ZX.", "prepend": "+49"}],
    }
    assert (await bench.client.post("/v1/trunks", json=body)).status_code == 201
    assert await desk.ring("43", "030123456") is Refusal.UNALLOCATED_NUMBER
    assert await desk.ring("43", "030123456", "My Trunk") is None
    call = await desk.the_call()
    assert (call["to_number"], call["from_number"]) == (OURS, "+4930123456")


async def test_where_no_trunk_is_told_it_is_the_numbers_own(desk: Desk, bench: Bench) -> None:
    """As FreeSWITCH brings calls: for the rules, and for whose channel it takes."""
    await answering(bench)
    rules = [{"prefix": "0", "match": "ZX.", "prepend": "+49"}]
    body = {"name": "west", "inbound_caller_rules": rules}
    assert (await bench.client.post("/v1/trunks", json=body)).status_code == 201
    (ours, *_) = (await bench.store.numbers.page(limit=9)).items
    await bench.store.numbers.change(ours.id, {"trunk": "west"})
    assert await desk.ring(OURS, "030123456") is None
    call = await desk.the_call()
    assert call["from_number"] == "+4930123456"
    assert (await bench.store.calls.get(call["id"])).trunk == "west"


async def test_where_neither_tells_it_is_that_of_the_settings(desk: Desk, bench: Bench) -> None:
    await answering(bench)
    rules = {"inbound_number_rules": [{"match": "43", "prepend": "+155598765"}]}
    assert (await bench.client.patch("/v1/trunks/trunk", json=rules)).status_code == 200
    assert await desk.ring("43") is None
    assert (await bench.store.calls.get((await desk.the_call())["id"])).trunk == "trunk"


async def test_a_number_may_be_told_as_a_uri(desk: Desk, bench: Bench) -> None:
    await answering(bench)
    assert await desk.ring(f"sip:{OURS}@10.0.0.1;user=phone") is None
    assert (await desk.the_call())["to_number"] == OURS


async def test_an_agent_that_cannot_be_held_to_any_more_refuses(desk: Desk) -> None:
    bench = desk.bench
    await bench.store.secrets.put("crm", bench.services.seal.seal("x"))
    tool = {
        "type": "http",
        "name": "look",
        "description": "Looks.",
        "url": "https://crm.example.org/x",
        "headers": [{"key": "X-Api-Key", "value": "{{secret.crm}}"}],
    }
    await answering(bench, tools=[tool])
    await bench.store.secrets.delete("crm")
    assert await desk.ring() is Refusal.NORMAL_CIRCUIT_CONGESTION
    assert await desk.calls() == []


async def test_nobody_is_answered_while_an_engine_is_known_not_to_work(desk: Desk) -> None:
    await answering(desk.bench)
    wrong: list[str] = ["the language model 'big' does not work: nobody answers"]
    told: list[NewCall] = []

    def problem(call: NewCall) -> str | None:
        told.append(call)
        return next(iter(wrong), None)

    desk.reception = InboundCalls(desk.bench.services, desk.dialer, problem)
    assert await desk.ring() is Refusal.NORMAL_CIRCUIT_CONGESTION
    assert await desk.calls() == []
    assert told[0].language == "en"
    wrong.clear()
    assert await desk.ring() is None


async def test_as_many_calls_are_taken_as_are_allowed(desk: Desk) -> None:
    bench = desk.bench
    await answering(bench)
    answers = await asyncio.gather(*(desk.ring() for _ in range(3)))
    assert sorted(answers, key=str) == [Refusal.USER_BUSY, None, None]
    waiting = await new_call(bench.store)
    assert await story(bench.store, waiting.id) == ["queued"]
    first = next(one for one, answer in zip(desk.attempts, answers, strict=True) if answer is None)
    first.end(CANCELED)
    outbound = await desk.office.switch.dialed()
    assert outbound.dial.number == waiting.to_number
    assert await desk.ring() is Refusal.USER_BUSY
    outbound.end()
    await until(bench.store, waiting.id, "failed")
    await asyncio.sleep(0)
    assert await desk.ring() is None


async def test_a_call_whose_line_is_free_turns_nobody_away(desk: Desk) -> None:
    bench = desk.bench
    await answering(bench, returns={"ok": "boolean"})
    desk.office.mind.result_gate = asyncio.Event()
    for number in range(2):
        assert await desk.ring() is None
        attempt = desk.attempts[number]
        attempt.answer()
        call = (await desk.calls())[0]
        await until(bench.store, call["id"], "answered")
        attempt.end()
        await until(bench.store, call["id"], "ended")
    async with asyncio.timeout(5):
        while desk.dialer.active:
            await asyncio.sleep(0.01)
    assert [await desk.ring(), await desk.ring()] == [None, None]
    desk.office.mind.result_gate.set()


@pytest.mark.both_stores
async def test_a_trunks_channels_count_inbound_calls(desk: Desk) -> None:
    store = desk.bench.store
    await answering(desk.bench)
    await store.trunks.create(NewTrunk("narrow", max_channels=1))
    assert await desk.ring(trunk="narrow") is None
    assert (await store.trunks.get("narrow")).channels_in_use == 1
    assert await desk.ring(trunk="narrow") is Refusal.USER_BUSY
    waiting = await new_call(store, trunk="narrow")
    assert (await store.calls.get(waiting.id)).waiting_for == "trunk_channels"
    desk.attempts[0].end(CANCELED)
    assert (await desk.office.switch.dialed()).dial.trunk == "narrow"


@pytest.mark.parametrize("answered", [False, True])
async def test_the_caller_gives_up(desk: Desk, *, answered: bool) -> None:
    store = desk.bench.store
    await answering(desk.bench)
    assert await desk.ring() is None
    if answered:
        desk.attempts[0].answer()
    desk.attempts[0].end(NORMAL if answered else CANCELED)
    call_id = (await desk.the_call())["id"]
    await until(store, call_id, "completed" if answered else "canceled")
    call = await over(store, call_id)
    assert call.end_reason == ("person_hangup" if answered else "canceled")
    assert len(await store.calls.attempts(call_id)) == 1


@pytest.mark.parametrize("answered", [False, True])
async def test_we_end_it(desk: Desk, *, answered: bool) -> None:
    bench = desk.bench
    await answering(bench)
    assert await desk.ring() is None
    call_id = (await desk.the_call())["id"]
    if answered:
        desk.attempts[0].answer()
        await until(bench.store, call_id, "answered")
        await bench.store.calls.request_hang_up(call_id)
    else:
        await bench.store.calls.request_cancel(call_id)
    status = "completed" if answered else "canceled"
    await until(bench.store, call_id, status)
    assert desk.attempts[0].hang_ups
    assert (await over(bench.store, call_id)).status == status


@pytest.mark.parametrize("committed", [False, True])
async def test_a_store_that_fails_refuses_and_leaves_no_call_open(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    committed: bool,
) -> None:
    """Also where the answer to its commit was lost."""
    caplog.set_level(logging.INFO, "api")
    store = desk.bench.store
    await answering(desk.bench)
    begin = store.inbound.begin

    async def fails(*arguments: Any) -> Any:
        if committed:
            await begin(*arguments)
        raise StoreError("the disk is full")

    monkeypatch.setattr(store.inbound, "begin", fails)
    assert await desk.ring() is Refusal.NORMAL_CIRCUIT_CONGESTION
    assert desk.dialer.active == 0
    if committed:
        call_id = (await desk.the_call())["id"]
        await until(store, call_id, "failed")
        assert (await over(store, call_id)).hangup_cause == "store_unavailable"
        async with asyncio.timeout(5):
            while f"call {call_id}: ended attempt=1 status=failed " not in caplog.text:
                await asyncio.sleep(0.01)
    else:
        assert await desk.calls() == []
    monkeypatch.setattr(store.inbound, "begin", begin)
    assert await desk.ring() is None


async def test_a_store_that_is_slow_refuses(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    store = desk.bench.store
    await answering(desk.bench)
    monkeypatch.setattr("api.dialing.dialer._BEGIN_S", 0.01)
    begin, gate = store.inbound.begin, asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        await gate.wait()
        return await begin(*arguments)

    monkeypatch.setattr(store.inbound, "begin", slow)
    assert await desk.ring() is Refusal.NORMAL_CIRCUIT_CONGESTION
    gate.set()
    async with asyncio.timeout(5):
        while not await desk.calls():
            await asyncio.sleep(0.01)
    call_id = (await desk.the_call())["id"]
    await until(store, call_id, "failed")
    await over(store, call_id)


async def test_nobody_waits_for_a_link_that_is_down(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialer keeps the free slots while it waits to dial."""
    monkeypatch.setattr("api.dialing.dialer._BEGIN_S", 0.01)
    await answering(desk.bench)
    desk.office.switch.connected = False
    await new_call(desk.bench.store)
    await settle()
    assert await desk.ring() is Refusal.NORMAL_CIRCUIT_CONGESTION
    assert desk.dialer.active == 0


async def test_nothing_is_taken_while_the_server_starts_or_stops(bench: Bench) -> None:
    office = Office(bench.store)
    await answering(bench)
    desk = Desk(bench, office, office.dialer())
    assert await desk.ring() is Refusal.NORMAL_CIRCUIT_CONGESTION
    async with running(office) as desk.dialer:
        desk.reception = InboundCalls(bench.services, desk.dialer)
        assert await desk.ring() is None
        desk.attempts[1].answer()
        call_id = (await desk.the_call())["id"]
        await until(bench.store, call_id, "answered")
    assert await desk.ring() is Refusal.NORMAL_CIRCUIT_CONGESTION
    assert (await over(bench.store, call_id)).end_reason == "server_shutdown"


@pytest.mark.both_stores
@pytest.mark.parametrize("handed_over", [False, True])
async def test_what_a_crash_left_behind_is_hung_up_and_ended_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, handed_over: bool
) -> None:
    impatient(monkeypatch)
    store, office = bench.store, Office(bench.store)
    await answering(bench)
    async with running(office) as dialer:
        desk = Desk(bench, office, dialer)
        assert await desk.ring() is None
        desk.attempts[0].answer()
        call_id = (await desk.the_call())["id"]
        await until(store, call_id, "answered")
        (attempt,) = await store.calls.attempts(call_id)
        if handed_over:
            completed = {
                "seq": 1,
                "number": "+15550100200",
                "mode": "cold",
                "method": "bridge",
                "falls_back": False,
                "trunk": "trunk",
                "caller_number": OURS,
                "summary_instructions": None,
                "status": "completed",
                "reason": None,
                "at": time.time(),
            }
            await _note_transfer(store, call_id, completed)
        await store.leases.release(f"node:{dialer.node_id}", dialer.node_id)
        other = Office(store)
        await other.dialer().reconcile()
        assert other.switch.hung_up == ([] if handed_over else [attempt.channel_id])
        call = await over(store, call_id)
        assert call.end_reason == ("transferred" if handed_over else "server_restart")
        await other.dialer().reconcile()
        assert len(other.switch.hung_up) == (0 if handed_over else 1)


async def _note_transfer(store: Store, call_id: str, transfer: dict[str, Any]) -> None:
    async def work(transaction: Transaction) -> None:
        statement = update(calls).where(calls.c.id == call_id).values(transfer=transfer)
        await transaction.connection.execute(statement)

    await store.database.write(work)


@pytest.mark.rows("RV-312")
@pytest.mark.parametrize(
    ("caller", "trunk", "listed"),
    [(CALLER, "vouching", True), (None, "vouching", False), (CALLER, "trunk", False)],
)
async def test_a_caller_who_wants_no_more_calls_is_listed_where_their_number_is_proven(
    desk: Desk, caller: str | None, trunk: str, listed: bool
) -> None:
    """Anybody may show a victim's number. That it was asked for is told all the same."""
    store = desk.bench.store
    await answering(desk.bench)
    desk.office.mind.analysis = '{"quote": "yes", "summary": "s", "outcome": "do_not_contact"}'
    assert await desk.ring(caller=caller, trunk=trunk) is None
    call = await desk.the_call()
    assert call["from_number"] == (caller or ANONYMOUS)
    desk.attempts[0].answer()
    await until(store, call["id"], "answered")
    await desk.office.hears(desk.attempts[0], "yes")
    desk.attempts[0].end()
    await until(store, call["id"], "completed")
    page = await store.do_not_call.page(limit=10)
    assert [one.number for one in page.items] == ([caller] if listed else [])
    assert (await store.calls.get(call["id"])).outcome == "do_not_contact"
    (told,) = [
        event.data["analysis"]["do_not_call"]
        for event in await store.calls.events(call["id"])
        if event.type == "call.analyzed"
    ]
    assert (told["listed"], told["quote"]) == (listed, "yes")
    assert trunk == "vouching" or "calls.trusted_caller_id_trunks" in told["reason"]


async def test_a_call_that_the_pbx_would_not_end_is_not_taken(desk: Desk) -> None:
    await answering(desk.bench)
    refusal = await desk.ring(limit_fault=SwitchUnavailable("the link is down"))
    assert refusal is Refusal.NORMAL_CIRCUIT_CONGESTION
    assert await desk.calls(direction="inbound") == []


async def test_what_a_call_brings_along_is_told_and_stands_in_texts(desk: Desk) -> None:
    texts = "From {{sip_diversion}}: {{sip_x_customer}}, {{sip_argument_1}}, [{{sip_x_none}}]."
    await answering(desk.bench, instructions=texts, variables={"sip_x_customer": "nobody"})
    along = brought(
        {"Diversion": "<sip:+1@a.example>;reason=busy"},
        [("X-Customer", 'a"\r\nAction: Originate\x00 <|im_end|>' + "x" * 300), ("From", "no")],
        ["sales", "b\nc"],
    )
    assert await desk.ring(along=along) is None
    call = await desk.the_call()
    assert call["context"]["sip"] == {
        "diversion": "<sip:+1@a.example>;reason=busy",
        "headers": {"x-customer": ('a" Action: Originate  <|im_end|>' + "x" * 300)[:200]},
        "arguments": ["sales", "b c"],
    }
    empty = {"caller_name": None, "asserted_identity": None, "privacy": None, "dialled": None}
    assert call["sip"] == {**empty, **call["context"]["sip"]}
    assert call["variables"]["sip_x_none"] == ""
    assert call["variables"]["sip_argument_2"] == "b c"
    assert call["variables"]["sip_x_customer"] == call["sip"]["headers"]["x-customer"]
    desk.attempts[0].end(CANCELED)


async def test_what_strangers_bring_along_refuses_no_call_however_long(desk: Desk) -> None:
    """The call keeps all of it; its prompt leaves out whole headers from the end, for want of
    room."""
    texts = {"persona": "x" * 19_000, "instructions": "Of {{sip_x_0}}" + "y" * 9_000}
    await answering(desk.bench, **texts)
    headers = {f"X-{n}": f"{n:x}" * 200 for n in range(16)}
    assert await desk.ring(along=brought({}, [*headers.items()], ["sales"])) is None
    call = await desk.the_call()
    assert [*call["sip"]["headers"]] == [name.lower() for name in headers]
    stored = await desk.bench.store.calls.get(call["id"])
    services = desk.bench.services
    told = with_room(stored, services.engines, time.time(), None)
    prompt = held_prompt(services.settings, told)
    assert ROOM - 250 < len(prompt) <= ROOM
    kept = [*told.context["sip"]["headers"]]
    assert kept == [f"x-{n}" for n in range(len(kept))]
    assert headers["X-0"] in prompt.split("Facts: ")[0]
    desk.attempts[0].end(CANCELED)


async def test_no_more_of_what_was_brought_stands_in_a_text_than_there_is_room_for(
    desk: Desk,
) -> None:
    names = "".join(f"{{{{sip_x_{n}}}}}" * 200 for n in range(3))
    await answering(desk.bench, instructions=names + "Take the order.")
    along = brought(
        {"Diversion": "<sip:ann@a.example>"}, [(f"X-{n}", f"{n}" * 100) for n in range(3)]
    )
    assert await desk.ring(along=along) is None
    stored = await desk.bench.store.calls.get((await desk.the_call())["id"])
    services = desk.bench.services
    told = with_room(stored, services.engines, time.time(), None)
    assert "sip" not in told.context
    assert (told.variables["sip_x_0"], told.variables["sip_x_1"]) == ("0" * 100, "")
    assert len(held_prompt(services.settings, told)) <= ROOM
    desk.attempts[0].end(CANCELED)


def held_prompt(settings: Settings, call: Call) -> str:
    config = conversation_config(settings, call)
    return system_prompt(config.task, config.context, persona=config.persona, now=config.now)


async def test_who_brings_nothing_along_has_nothing_told(desk: Desk) -> None:
    await answering(desk.bench, context={"sip": "of the operator"})
    assert await desk.ring() is None
    call = await desk.the_call()
    assert (call["sip"], call["context"]) == (None, {"sip": "of the operator"})
    desk.attempts[0].end(CANCELED)


#: What stands in quotes is a name, whatever it looks like.
ASSERTED: Final = '"<sip:+15550100666>" <sip:+15550100555@192.0.2.1;user=phone>, <tel:+15550100555>'


async def test_who_calls_is_told_with_name_and_what_was_dialled(desk: Desk) -> None:
    await answering(desk.bench, instructions="{{sip_caller_name}} of {{sip_dialled}}.")
    along = brought({"P-Asserted-Identity": ASSERTED})
    assert await desk.ring("s", dialled="00" + OURS[1:], name="Ann", along=along) is None
    call = await desk.the_call()
    assert (call["from_number"], call["sip_call_id"]) == (CALLER, "3f7a@192.0.2.10")
    assert (call["sip"]["caller_name"], call["sip"]["dialled"]) == ("Ann", "00" + OURS[1:])
    assert call["sip"]["asserted_identity"] == ASSERTED
    assert call["variables"]["sip_caller_name"] == "Ann"
    response = await desk.bench.client.get(f"/v1/calls/{call['id']}/attempts")
    assert [one["sip_call_id"] for one in response.json()["data"]] == ["3f7a@192.0.2.10"]
    desk.attempts[-1].end(CANCELED)


@pytest.mark.parametrize(
    ("trunk", "headers", "caller"),
    [
        ("vouching", {"P-Asserted-Identity": ASSERTED}, "+15550100555"),
        ("vouching", {"P-Asserted-Identity": "+15550100555"}, "+15550100555"),
        ("vouching", {"P-Asserted-Identity": "<sip:ann@192.0.2.1>"}, CALLER),
        ("vouching", {"Remote-Party-ID": "<sip:+15550100555@a>;privacy=off"}, "+15550100555"),
        ("vouching", {"Remote-Party-ID": "<sip:+15550100555@a>;privacy=full"}, "anonymous"),
        ("vouching", {"P-Asserted-Identity": ASSERTED, "Privacy": "id"}, "anonymous"),
        ("vouching", {"P-Asserted-Identity": ASSERTED, "Privacy": "none"}, "+15550100555"),
        ("strange", {"P-Asserted-Identity": ASSERTED}, CALLER),
        ("strange", {"Privacy": "user;critical"}, "anonymous"),
    ],
)
async def test_the_networks_word_counts_on_a_trunk_that_is_trusted(
    store: Store, tmp_path: Path, trunk: str, headers: dict[str, str], caller: str
) -> None:
    more = {"OFFHOOK_CALLS__TRUSTED_CALLER_ID_TRUNKS": "vouching"}
    office = Office(store, tmp_path / "inbound")
    async with benching(store, tmp_path, more) as bench, running(office) as dialer:
        await answering(bench)
        desk = Desk(bench, office, dialer)
        assert await desk.ring(trunk=trunk, along=brought(headers)) is None
        call = await desk.the_call()
        assert call["from_number"] == caller
        assert call["sip"]["asserted_identity"] is None or caller != ANONYMOUS
        desk.attempts[-1].end(CANCELED)


async def test_who_a_call_that_came_in_is_passed_to_is_told_whose_it_was(desk: Desk) -> None:
    headers = {"X-Case": "{{sip_x_case}}"}
    await answering(desk.bench, sip_headers=headers, caller_name="Reception")
    assert await desk.ring(along=brought({}, [("X-Case", "4711")])) is None
    desk.attempts[0].answer()
    call_id = (await desk.the_call())["id"]
    await until(desk.bench.store, call_id, "answered")
    path = f"/v1/calls/{call_id}/transfer"
    answer = await desk.bench.client.post(path, json={"number": "+15550100200"})
    assert answer.status_code == 202, answer.text
    third = (await desk.office.switch.dialed()).dial
    assert (third.caller_number, third.caller_name) == (OURS, "Reception")
    assert (third.forwarded_from, third.headers) == (OURS, {"X-Case": "4711"})
    desk.attempts[0].end()
    await until(desk.bench.store, call_id, "completed")


async def test_an_extension_of_the_dialplan_is_known_by_what_was_dialled(desk: Desk) -> None:
    await answering(desk.bench)
    assert await desk.ring("s", dialled="+15550100011") is Refusal.UNALLOCATED_NUMBER
    assert await desk.ring("s", dialled=OURS) is None
    assert (await desk.the_call())["to_number"] == OURS
    desk.attempts[-1].end(CANCELED)
