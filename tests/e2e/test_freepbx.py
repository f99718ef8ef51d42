"""docs/freepbx.md, followed: calls out and in, and transfers to an extension, a group, a queue."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.cli.doctor import examine
from api.client import ApiError
from api.settings import Settings
from pbx.testbed import TestBed, persona
from pbx.testbed.loopback import SHIPPED
from tests.e2e.conftest import Phone, phoning, settings_on
from tests.e2e.freepbx import (
    DID,
    blocks,
    dial_string,
    headers_dial_string,
    looped,
    rebuilt,
    trunk_request,
)
from tests.e2e.test_inbound import newest

CALLER = "+15550888001"
TRUNK = "trunk"


@pytest.fixture(scope="module")
def settings(bed: TestBed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The page's, but for where things are."""
    base = settings_on(bed, tmp_path_factory.mktemp("freepbx"))
    pbx = base.pbx.model_copy(
        update={"trunk": TRUNK, "dial_string": dial_string(), "inbound": True}
    )
    calls = base.calls.model_copy(
        update={"numbers": (f"+{DID}",), "default_country": "US", "ring_timeout_s": 4}
    )
    return base.model_copy(update={"pbx": pbx, "calls": calls})


@pytest.fixture(scope="module")
async def office(bed: TestBed, settings: Settings) -> AsyncIterator[Phone]:
    """A server beside that FreePBX, and the page's request."""
    folder, pbx, calls = settings.store.path.parent, settings.pbx, settings.calls
    async with rebuilt(bed), phoning(bed, folder, pbx=pbx, calls=calls) as one:
        await one.ask("PATCH", f"/v1/trunks/{TRUNK}", trunk_request())
        (number,) = (await one.ask("GET", "/v1/numbers"))["data"]
        agent = {
            "name": "Reception",
            "type": "inbound",
            "number_ids": [number["id"]],
            "instructions": "Say hello.",
        }
        await one.ask("POST", "/v1/agents", agent)
        yield one


def last_dialled(phone: Phone) -> tuple[str, str, str]:
    """(number, Call-ID, caller number) of the last call that reached the carrier."""
    found = re.findall(r"NOTICE.*: dialled (\S+) (\S+) from (\S*) named", phone.bed.carrier.log())
    number, call_id, caller = found[-1]
    return number, call_id, caller


async def no_channels(phone: Phone) -> None:
    async with asyncio.timeout(30):
        while await phone.bed.ours.channels() or await phone.bed.carrier.channels():
            await asyncio.sleep(0.05)


def test_the_manager_user_has_the_rights_of_the_shipped_one() -> None:
    (user,) = [one for one in blocks() if one.startswith("[offhook]")]
    shipped = (SHIPPED / "asterisk/etc/manager.conf").read_text()
    for right in ("read", "write"):
        (line,) = re.findall(rf"^{right} = .*$", user, re.MULTILINE)
        assert line in shipped


async def test_doctor_looks_for_the_context_that_the_trunk_dials_into(
    office: Phone, settings: Settings
) -> None:
    async def told() -> list[tuple[bool, str]]:
        found = await examine(settings)
        return [(one.ok, one.message) for one in found if one.check == "trunk"]

    assert await told() == [(True, "'trunk' dials Local/NUMBER@from-internal/n")]
    wrong = {"dial_string": "Local/{number}@from-nowhere/n"}
    await office.client.change_trunk(TRUNK, wrong)
    ((ok, message),) = await told()
    await office.client.change_trunk(TRUNK, {"dial_string": None})
    assert (ok, "no context 'from-nowhere'" in message) == (False, True)


@pytest.mark.parametrize(
    ("name", "ended"),
    [
        ("hasty", ("completed", 200)),
        ("busy", ("busy", 486)),
        ("announcement", ("failed", 404)),
        ("no answer", ("no_answer", 487)),
    ],
)
async def test_a_call_out(office: Phone, name: str, ended: tuple[str, int]) -> None:
    number = persona(name).number
    call = await office.call(name)
    assert call["to_number"] == number
    assert (call["status"], call["sip_code"]) == ended
    asked, call_id, shown = last_dialled(office)
    assert (asked, call["sip_call_id"]) == (number, call_id)
    assert shown == DID[1:]
    await no_channels(office)


async def test_a_calls_headers_are_on_the_trunks_invite(office: Phone) -> None:
    """As the page has them handed on; by its usual dial string they are not."""
    carried = re.compile(r"NOTICE.*: carried .*X-Case=\[(.*?)\]")
    headers = {
        "sip_headers": {"X-Other": "1", "X-Case": "{{case}}"},
        "variables": {"case": "a, 4-7"},
    }
    for template, seen in ((headers_dial_string(), "a, 4-7"), (None, "")):
        await office.client.change_trunk(TRUNK, {"dial_string": template})
        call = await office.call("busy", **headers)
        assert (call["status"], call["sip_code"]) == ("busy", 486)
        assert carried.findall(office.bed.carrier.log())[-1] == seen
    await no_channels(office)


async def test_a_conversation(office: Phone) -> None:
    call = await office.call("talker")
    assert (call["status"], call["end_reason"]) == ("completed", "agent_hangup")
    assert call["result"]["confirmed"] is True
    assert call["recording_available"]
    await no_channels(office)


async def test_an_extension_is_called_and_another_one_not(office: Phone) -> None:
    call = await office.call("busy", to="201")
    assert (call["to_number"], call["status"], call["sip_code"]) == ("201", "busy", 486)
    unknown = await office.call("busy", to="209")
    assert (unknown["status"], unknown["end_reason"]) == ("failed", "failed")
    assert (await office.client.get_trunk(TRUNK)).resting_until is None
    for refused in ("300", "911", "*72"):
        with pytest.raises(ApiError, match="extensions") as refusal:
            await office.place("busy", to=refused)
        assert refusal.value.status == 422
    await no_channels(office)


async def in_progress(phone: Phone, called: str) -> str:
    call_id: str = (await phone.place(called, max_duration_seconds=60))["id"]
    async with asyncio.timeout(30):
        while (await phone.read(call_id))["status"] != "in_progress":
            await asyncio.sleep(0.05)
    return call_id


async def transferred(phone: Phone, call_id: str, to: str) -> dict[str, Any]:
    await phone.client.transfer_call(call_id, {"number": to})
    async with asyncio.timeout(30):
        while (found := (await phone.read(call_id))["transfer"])["status"] == "dialing":
            await asyncio.sleep(0.05)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("to", ["200", "600", "601"], ids=["extension", "queue", "group"])
async def test_a_transfer(office: Phone, to: str) -> None:
    """The person listens, and hears the tone of the telephone 200."""
    before = office.bed.carrier.log().count("listener NOISE")
    call_id = await in_progress(office, "listener")
    found = await transferred(office, call_id, to)
    assert (found["status"], found["number"], found["method"]) == ("completed", to, "bridge")
    async with asyncio.timeout(30):
        while office.bed.carrier.log().count("listener NOISE") == before:
            await asyncio.sleep(0.05)
    await office.client.end_call(call_id)
    assert (await office.wait(call_id))["end_reason"] == "transferred"
    await no_channels(office)


async def test_a_busy_extension_leaves_the_person_with_us(office: Phone) -> None:
    call_id = await in_progress(office, "silent")
    found = await transferred(office, call_id, "201")
    assert (found["status"], found["reason"]) == ("failed", "the line was busy")
    await office.client.end_call(call_id)
    assert (await office.wait(call_id))["status"] == "completed"
    await no_channels(office)


async def test_a_call_in_and_its_transfer(office: Phone) -> None:
    known = len((await office.ask("GET", "/v1/calls?direction=inbound"))["data"])
    office.bed.carrier.call_in(
        f"PJSIP/+{DID}@customer", caller_id=f'"Ann" <{CALLER}>', application="Echo"
    )
    call_id = await newest(office, known)
    async with asyncio.timeout(30):
        while (call := await office.read(call_id))["status"] != "in_progress":
            await asyncio.sleep(0.05)
    assert (call["to_number"], call["from_number"]) == (f"+{DID}", CALLER)
    assert (await transferred(office, call_id, "600"))["status"] == "completed"
    await office.client.end_call(call_id)
    ended = await office.wait(call_id)
    assert (ended["end_reason"], bool(ended["sip_call_id"])) == ("transferred", True)
    await no_channels(office)


async def test_a_context_of_ones_own_as_a_trunk(office: Phone) -> None:
    """It goes first, and by SIP to the PBX itself."""
    body = {"name": "offhook-loop", "dial_string": "PJSIP/{number}@{trunk}", "priority": 1}
    async with looped(office.bed):
        await office.ask("POST", "/v1/trunks", body)
        number = persona("busy").number
        call = await office.call("busy")
        assert (call["status"], call["sip_code"]) == ("busy", 486)
        assert last_dialled(office)[0] == number
        (attempt,) = (await office.ask("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
        assert attempt["trunk"] == "offhook-loop"
        await office.client.change_trunk("offhook-loop", {"status": "inactive"})
        await no_channels(office)
