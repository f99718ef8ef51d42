"""Transfers over the real test bed: by bridging and by REFER, cold and warm; and in vain."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.client import ApiError
from pbx.testbed import persona
from tests.e2e.conftest import Phone

#: Long enough for the transfer, so that nothing else ends the call.
LASTING: dict[str, Any] = {"max_duration_seconds": 60}


async def in_progress(phone: Phone, called: str) -> str:
    """An answered call to a persona."""
    call_id: str = (await phone.place(called, **LASTING))["id"]
    async with asyncio.timeout(30):
        while (await phone.read(call_id))["status"] != "in_progress":
            await asyncio.sleep(0.05)
    return call_id


async def transfer(phone: Phone, call_id: str, to: str, **fields: Any) -> None:
    body = {"number": persona(to).number, **fields}
    told = (await phone.client.transfer_call(call_id, body)).transfer
    assert told is not None
    assert (told.status, told.number) == ("dialing", body["number"])


async def until(phone: Phone, call_id: str, status: str) -> dict[str, Any]:
    """The transfer, once it has that status."""
    async with asyncio.timeout(30):
        while (found := (await phone.read(call_id))["transfer"])["status"] != status:
            assert found["status"] == "dialing", found
            await asyncio.sleep(0.05)
    assert isinstance(found, dict)
    return found


def noises(phone: Phone) -> int:
    """How often a listener has heard something."""
    return len(re.findall("NOTICE.*listener NOISE", phone.bed.carrier.log()))


async def listener_hears(phone: Phone, before: int) -> None:
    async with asyncio.timeout(30):
        while noises(phone) == before:
            await asyncio.sleep(0.05)


async def hung_up(phone: Phone, call_id: str) -> dict[str, Any]:
    """The call, after we have ended it."""
    await phone.client.end_call(call_id)
    return await phone.wait(call_id)


@pytest.fixture
async def referring(phone: Phone) -> AsyncIterator[Phone]:
    """Its trunk takes REFER."""
    await phone.client.change_trunk(phone.bed.trunk, {"allow_refer": True})
    yield phone
    await phone.client.change_trunk(phone.bed.trunk, {"allow_refer": False})
    await phone.bed.carrier.cli("channel request hangup all")  # whom we have left to themselves


@pytest.mark.rows("RV-57", "RV-504")
async def test_a_cold_one_by_bridging(either_phone: Phone) -> None:
    phone = either_phone
    before = noises(phone)
    call_id = await in_progress(phone, "noise")
    await transfer(phone, call_id, "listener")
    with pytest.raises(ApiError) as refusal:
        await phone.client.transfer_call(call_id, {"number": persona("silent").number})
    assert (refusal.value.status, refusal.value.code) == (409, "transfer_under_way")
    found = await until(phone, call_id, "completed")
    assert (found["mode"], found["method"]) == ("cold", "bridge")
    await listener_hears(phone, before)
    assert (await phone.read(call_id))["status"] == "in_progress"
    trunk = await phone.client.get_trunk(phone.bed.trunk)
    assert trunk.channels_in_use >= 2
    call = await hung_up(phone, call_id)
    assert (call["status"], call["end_reason"]) == ("completed", "transferred")
    assert call["hangup_cause"] is None
    assert call["recording_available"]
    types = phone.types(call_id)
    assert [one for one in types if "transfer" in one] == [
        "call.transfer_started",
        "call.transferred",
    ]
    assert types[-1] == "call.completed"


@pytest.mark.rows("RV-57", "RV-58", "RV-504")
async def test_a_cold_one_by_refer(referring: Phone) -> None:
    phone = referring
    call_id = await in_progress(phone, "referable")
    await transfer(phone, call_id, "silent")
    call = await phone.wait(call_id)
    assert (call["status"], call["end_reason"]) == ("completed", "transferred")
    assert (call["transfer"]["status"], call["transfer"]["method"]) == ("completed", "refer")
    referred = re.findall(r"NOTICE.*: referred (\S+)", phone.bed.carrier.log())
    assert referred[-1] == persona("silent").number


@pytest.mark.rows("RV-57")
async def test_a_refused_refer_is_followed_by_bridging(referring: Phone) -> None:
    phone = referring
    call_id = await in_progress(phone, "silent")
    await transfer(phone, call_id, "listener")
    assert (await until(phone, call_id, "completed"))["method"] == "bridge"
    assert (await hung_up(phone, call_id))["end_reason"] == "transferred"


@pytest.mark.rows("RV-57")
async def test_a_refused_refer_that_was_asked_for_fails(referring: Phone) -> None:
    phone = referring
    call_id = await in_progress(phone, "silent")
    await transfer(phone, call_id, "listener", method="refer")
    assert re.search(r"4\d\d", (await until(phone, call_id, "failed"))["reason"])
    assert (await hung_up(phone, call_id))["end_reason"] == "operator_hangup"


async def test_the_conversation_goes_on_where_they_are_busy(either_phone: Phone) -> None:
    phone = either_phone
    call_id = await in_progress(phone, "silent")
    await transfer(phone, call_id, "busy")
    assert (await until(phone, call_id, "failed"))["reason"] == "the line was busy"
    async with asyncio.timeout(30):
        while not [turn for turn in await phone.turns(call_id) if turn["speaker"] == "agent"]:
            await asyncio.sleep(0.05)
    call = await hung_up(phone, call_id)
    assert (call["status"], call["transfer"]["status"]) == ("completed", "failed")
    assert "call.transfer_failed" in phone.types(call_id)


async def test_the_person_hangs_up_while_it_rings(either_phone: Phone) -> None:
    phone = either_phone
    call_id = await in_progress(phone, "stutterer")
    await transfer(phone, call_id, "no answer")
    call = await phone.wait(call_id)
    assert (call["status"], call["end_reason"]) == ("completed", "person_hangup")
    assert call["transfer"]["status"] == "failed"
    async with asyncio.timeout(30):
        while (await phone.client.get_trunk(phone.bed.trunk)).channels_in_use:
            await asyncio.sleep(0.05)


@pytest.mark.rows("RV-56", "RV-95", "RV-96")
async def test_a_warm_one_is_briefed_before_it_is_joined(either_phone: Phone) -> None:
    """Nobody but the briefing makes a sound: the person is silent."""
    phone = either_phone
    before = noises(phone)
    call_id = await in_progress(phone, "silent")
    await transfer(phone, call_id, "listener", mode="warm")
    await listener_hears(phone, before)
    found = await until(phone, call_id, "completed")
    assert (found["mode"], found["method"]) == ("warm", "bridge")
    assert (await hung_up(phone, call_id))["end_reason"] == "transferred"
