"""The carrier rings us: a whole conversation, and callers who are refused or give up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.cli.example import CALLER_NUMBER, EXAMPLE
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import Phone, phoning, settings_on
from tests.pbx.cable import Cable
from tests.pbx.kinds import OUR_NUMBER, AsteriskPbx

CALLER = "+15550888001"


@pytest.fixture(scope="module")
async def phone(bed: TestBed, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Phone]:
    """A server that takes one call at a time."""
    folder = tmp_path_factory.mktemp("inbound")
    base = settings_on(bed, folder)
    async with phoning(
        bed,
        folder,
        pbx=base.pbx.model_copy(update={"inbound": True}),
        calls=base.calls.model_copy(update={"max_concurrent": 1}),
    ) as one:
        (number,) = (await one.ask("GET", "/v1/numbers"))["data"]
        agent = {
            "name": "Reception",
            "type": "inbound",
            "number_ids": [number["id"]],
            "webhook_url": one.hook,
            "instructions": EXAMPLE["prompt"],
            "context": EXAMPLE["context"],
            "returns": EXAMPLE["returns"],
        }
        await one.ask("POST", "/v1/agents", agent)
        yield one


def ring(bed: TestBed, caller: str | None = None, number: str = CALLER_NUMBER) -> None:
    """The carrier calls one of our numbers; at the answer a persona speaks, or nobody."""
    bed.carrier.call_in(
        f"PJSIP/{number}@customer",
        caller_id=f'"Ann" <{CALLER}>',
        place=None if caller is None else ("personas", persona(caller).number),
    )


async def inbound(phone: Phone) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await phone.ask("GET", "/v1/calls?direction=inbound"))["data"]
    return found


async def newest(phone: Phone, known: int) -> str:
    """The id of the call that comes after so many others."""
    async with asyncio.timeout(30):
        while len(found := await inbound(phone)) == known:
            await asyncio.sleep(0.05)
    call_id: str = found[0]["id"]
    return call_id


async def no_channels(bed: TestBed) -> None:
    async with asyncio.timeout(30):
        while await bed.ours.channels() or await bed.carrier.channels():
            await asyncio.sleep(0.05)


@pytest.mark.rows("CB-37", "CB-54", "CB-55", "RV-281", "RV-286", "RV-303", "OI-36")
async def test_a_whole_conversation(phone: Phone) -> None:
    known = len(await inbound(phone))
    ring(phone.bed, "talker")
    call = await phone.wait(await newest(phone, known))
    assert (call["direction"], call["status"], call["end_reason"]) == (
        "inbound",
        "completed",
        "agent_hangup",
    )
    assert (call["from_number"], call["to_number"]) == (CALLER, CALLER_NUMBER)
    assert call["result"]["confirmed"] is True
    assert (call["billing_amount_milli_cents"], call["sip_code"]) == (0, 200)
    assert call["sip_call_id"]
    assert call["recording_available"]
    turns = await phone.turns(call["id"])
    assert {turn["speaker"] for turn in turns} == {"agent", "person"}
    types = phone.types(call["id"])
    assert types[:2] == ["call.ringing", "call.answered"]
    assert types[-1] == "call.completed"
    async with asyncio.timeout(30):
        while (call["id"], "call.completed") not in phone.receiver.verified:
            await asyncio.sleep(0.05)
    told = [kind for call_id, kind in phone.receiver.verified if call_id == call["id"]]
    assert sorted(told) == ["call.answered", "call.completed", "call.ringing"]
    (attempt,) = (await phone.ask("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
    assert attempt["trunk"] == phone.bed.trunk
    await no_channels(phone.bed)


async def test_two_at_once_where_one_is_allowed(phone: Phone) -> None:
    known = len(await inbound(phone))
    for _ in range(2):
        ring(phone.bed, "quitter")
    call = await phone.wait(await newest(phone, known))
    assert (call["status"], call["end_reason"]) == ("completed", "person_hangup")
    await no_channels(phone.bed)
    assert len(await inbound(phone)) == known + 1


async def test_a_caller_who_hangs_up_at_once(phone: Phone) -> None:
    known = len(await inbound(phone))
    ring(phone.bed, "hasty")
    call = await phone.wait(await newest(phone, known))
    assert call["status"] in {"completed", "canceled"}
    await no_channels(phone.bed)
    assert (await phone.ask("GET", "/healthz"))["checks"]["calls"]["message"] == "0 under way"


@pytest.mark.rows("X-CB-32")
async def test_a_number_that_nobody_answers(phone: Phone) -> None:
    known = len(await inbound(phone))
    pbx = AsteriskPbx(phone.bed, Cable(phone.bed.host, 0))
    pbx.invite("Ann")
    assert await pbx.final_answer() == 404
    pbx.close()
    await phone.ask("POST", "/v1/numbers", {"number": OUR_NUMBER})
    pbx.invite("Ann")
    assert await pbx.final_answer() == 480
    pbx.close()
    assert len(await inbound(phone)) == known
    await no_channels(phone.bed)


async def test_a_caller_is_put_through_to_somebody_else(phone: Phone) -> None:
    """The PBX chose the id of the caller's channel; that of the second leg is ours."""
    known = len(await inbound(phone))
    ring(phone.bed)
    call_id = await newest(phone, known)
    async with asyncio.timeout(30):
        while (await phone.read(call_id))["status"] != "in_progress":
            await asyncio.sleep(0.05)
        await phone.client.transfer_call(call_id, {"number": persona("echo").number})
        while (found := (await phone.read(call_id))["transfer"])["status"] == "dialing":
            await asyncio.sleep(0.05)
    assert (found["status"], found["reason"]) == ("completed", None)
    await phone.client.end_call(call_id)
    assert (await phone.wait(call_id))["end_reason"] == "transferred"
    await no_channels(phone.bed)
