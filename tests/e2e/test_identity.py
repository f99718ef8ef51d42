"""Who calls, and what an INVITE carries along, from the API to the wire and back."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.cli.example import CALLER_NUMBER, EXAMPLE
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import Phone, phoning, settings_on
from tests.e2e.test_inbound import inbound, newest
from tests.e2e.test_transfers import hung_up, in_progress, until
from tests.pbx.sipp import SippLab
from tests.pbx.test_identity import headers

CALLEE = "+15550110016"
CASE = '4711; a,b "c" ${SHELL(id)}'


@pytest.fixture(scope="module")
async def phone(bed: TestBed, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Phone]:
    """A server that takes calls, and some of their headers."""
    folder = tmp_path_factory.mktemp("identity")
    base = settings_on(bed, folder)
    told = {"inbound": True, "headers_in": ("X-Case", "X-CRM-*")}
    async with phoning(bed, folder, pbx=base.pbx.model_copy(update=told)) as one:
        (number,) = (await one.ask("GET", "/v1/numbers"))["data"]
        agent = {
            "name": "Reception",
            "type": "inbound",
            "number_ids": [number["id"]],
            "webhook_url": one.hook,
            "instructions": "{{sip_caller_name}} calls about {{sip_x_case}}.",
        }
        await one.ask("POST", "/v1/agents", agent)
        yield one


async def attempts(phone: Phone, call: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await phone.ask("GET", f"/v1/calls/{call['id']}/attempts"))[
        "data"
    ]
    return found


async def test_what_a_call_says_is_on_the_wire(phone: Phone, sipp: SippLab) -> None:
    async with sipp.answering("16_603") as far:
        await phone.ask("POST", "/v1/trunks", {"name": far.trunk, "allowed_prefixes": [CALLEE]})
        order = {
            **EXAMPLE,
            "to": CALLEE,
            "webhook_url": phone.hook,
            "caller_name": "Lopez {{branch}}",
            "hide_caller_number": True,
            "sip_headers": {"X-Case": "{{case}}"},
            "account_code": "clinic-42",
            "variables": {"branch": "Zoë", "case": CASE + "\r\nX-Evil: 1"},
        }
        call = await phone.wait((await phone.ask("POST", "/v1/calls", order))["id"])
        seen = headers(far.messages())
    assert (call["status"], call["sip_code"]) == ("failed", 603)
    assert seen["x-case"] == [CASE + " X-Evil: 1"]
    assert "x-evil" not in seen
    assert seen["privacy"] == ["id"]
    assert CALLER_NUMBER not in seen["from"][0]
    assert CALLER_NUMBER in seen["p-asserted-identity"][0]
    assert "Lopez Zoë" in seen["p-asserted-identity"][0]
    (attempt,) = await attempts(phone, call)
    assert seen["call-id"] == [call["sip_call_id"]] == [attempt["sip_call_id"]]


async def test_a_call_that_came_in_and_is_passed_on_tells_whose_it_was(phone: Phone) -> None:
    """The header Diversion (RFC 5806) of the second leg names the number that was called; that of
    a call out has none."""
    carried = re.compile(r"NOTICE.*: carried .*Diversion=\[(.*?)\]")
    known = len(await inbound(phone))
    phone.bed.carrier.call_in(
        f"PJSIP/{CALLER_NUMBER}@customer", caller_id='"Ann" <+15550888001>', application="Echo"
    )
    call_id = await newest(phone, known)
    async with asyncio.timeout(30):
        while (await phone.read(call_id))["status"] != "in_progress":
            await asyncio.sleep(0.05)
    await phone.client.transfer_call(call_id, {"number": persona("listener").number})
    assert (await until(phone, call_id, "completed"))["method"] == "bridge"
    diversion = carried.findall(phone.bed.carrier.log())[-1]
    assert re.match(rf"<sip:\{CALLER_NUMBER}@[^>]+>;reason=deflection", diversion), diversion
    assert (await hung_up(phone, call_id))["end_reason"] == "transferred"

    call_id = await in_progress(phone, "silent")
    await phone.client.transfer_call(call_id, {"number": persona("listener").number})
    await until(phone, call_id, "completed")
    assert carried.findall(phone.bed.carrier.log())[-1] == ""
    await hung_up(phone, call_id)


async def test_what_a_caller_brings_is_told(phone: Phone, sipp: SippLab) -> None:
    known = len(await inbound(phone))
    async with sipp.calling("u_16_identity", number=CALLER_NUMBER) as caller:
        call = await phone.wait(await newest(phone, known))
        assert await caller.ended(20) == 0
        sent = headers(caller.messages())
    assert call["from_number"] == "+15550001234"  # nothing vouches for what that trunk asserts
    assert call["sip"] == {
        "caller_name": 'Zoë "Z" Maier',
        "asserted_identity": '"Zoë" <sip:+15550100555@carrier.invalid>',
        "privacy": None,
        "dialled": None,
        "diversion": "<sip:+15550100444@carrier.invalid>;reason=no-answer",
        "headers": {"x-case": CASE, "x-crm-id": "7"},
        "arguments": [],
    }
    assert call["variables"]["sip_x_case"] == CASE
    (attempt,) = await attempts(phone, call)
    assert sent["call-id"] == [call["sip_call_id"]] == [attempt["sip_call_id"]]
