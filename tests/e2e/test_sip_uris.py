"""SIP URIs as destinations through the public API, seen at their own host: out, and transfers."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from api.client import ApiError
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import Phone
from tests.e2e.test_transfers import hung_up, in_progress, listener_hears, noises, until
from tests.pbx.operator_dialplan import extended

_HOST = f"""
[from-customer]
exten => bob.desk,1,Log(NOTICE,asked ${{CHANNEL(pjsip,request_uri)}} ${{CHANNEL(pjsip,call-id)}})
 same => n,Goto(personas,{persona("hasty").number},1)
exten => ann,1,Log(NOTICE,asked ${{CHANNEL(pjsip,request_uri)}} ${{CHANNEL(pjsip,call-id)}})
 same => n,Goto(personas,{persona("listener").number},1)
"""


@pytest.fixture(scope="module", autouse=True)
async def host(bed: TestBed) -> AsyncIterator[None]:
    """Somebody at the carrier's address who is no number."""
    async with extended(bed.carrier, _HOST):
        yield


@pytest.fixture
async def office(either_phone: Phone) -> AsyncIterator[Phone]:
    """Its trunk takes URIs of that host."""
    trunk, bed = either_phone.bed.trunk, either_phone.bed
    rules = [f"{bed.host}:{bed.ports.carrier_sip}", "nobody.invalid"]
    await either_phone.client.change_trunk(trunk, {"sip_uris": rules})
    yield either_phone
    await either_phone.client.change_trunk(trunk, {"sip_uris": []})


def uri(phone: Phone, user: str) -> str:
    return f"sip:{user}@{phone.bed.host}:{phone.bed.ports.carrier_sip}"


def asked(phone: Phone) -> list[tuple[str, str]]:
    """(request URI, Call-ID) of every call to somebody there."""
    return re.findall(r"NOTICE.*: asked (\S+) (\S+)", phone.bed.carrier.log())


async def test_a_call(office: Phone) -> None:
    before = len(asked(office))
    call = await office.call("hasty", to=uri(office, "bob.desk"))
    assert (call["status"], call["sip_code"]) == ("completed", 200)
    assert call["to_number"] == uri(office, "bob.desk")
    ((seen, call_id),) = asked(office)[before:]
    assert (seen.partition(";")[0], call_id) == (uri(office, "bob.desk"), call["sip_call_id"])
    with pytest.raises(ApiError, match="sip_uris"):
        await office.place("hasty", to="sip:bob.desk@elsewhere.example")


async def test_a_host_that_is_not_there_is_no_fault_of_the_trunk(office: Phone) -> None:
    call = await office.call("hasty", to="sip:bob@nobody.invalid")
    assert call["status"] in {"failed", "no_answer"}
    assert call["end_reason"] not in {"trunk_unreachable", "trunk_failed"}
    assert (await office.client.get_trunk(office.bed.trunk)).failures == 0


async def test_a_transfer(office: Phone) -> None:
    before, heard = len(asked(office)), noises(office)
    call_id = await in_progress(office, "noise")
    await office.client.transfer_call(call_id, {"number": uri(office, "ann")})
    found = await until(office, call_id, "completed")
    assert (found["number"], found["method"]) == (uri(office, "ann"), "bridge")
    await listener_hears(office, heard)
    assert [one.partition(";")[0] for one, _ in asked(office)[before:]] == [uri(office, "ann")]
    assert (await hung_up(office, call_id))["end_reason"] == "transferred"
    async with asyncio.timeout(20):
        while (await office.client.get_trunk(office.bed.trunk)).channels_in_use:
            await asyncio.sleep(0.05)
