"""Two PBXs of one server: calls over each, calls from each, and one that dies alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from api.cli.doctor import examine
from api.cli.example import CALLER_NUMBER, EXAMPLE
from api.settings.pbx import Ami, Esl, FastAgi, Pbx
from pbx.testbed import TestBed, persona
from pbx.testbed.freeswitch import FreeSwitch, installed
from pbx.testbed.instance import Asterisk
from tests.e2e.conftest import Phone, phoning, settings_on

#: The second one's trunk, by another name than the first one's.
FAR = "far"
_ENDPOINT = f"""
[{FAR}]
type = endpoint
transport = transport-udp
context = from-trunk
allow = ulaw
aors = {FAR}-aor
[{FAR}-aor]
type = aor
contact = sip:127.0.0.1:{{port}}
"""


@pytest.fixture(params=["asterisk", "freeswitch"])
async def second(
    request: pytest.FixtureRequest, bed: TestBed
) -> AsyncIterator[tuple[Pbx, Asterisk | FreeSwitch, TestBed]]:
    """Its settings, itself, and the bed with its carrier."""
    async with AsyncExitStack() as stack:
        if request.param == "freeswitch":
            if installed() is None:
                pytest.skip("no FreeSWITCH is installed here")
            server = await stack.enter_async_context(FreeSwitch(bed.ports.carrier_sip))
            gateways = server.home / "etc/sofia.conf.xml"
            gateways.write_text(
                gateways.read_text().replace('<gateway name="trunk">', f'<gateway name="{FAR}">')
            )
            await server.restart()
            esl = Esl.model_validate({"port": server.port, "password": server.password})
            yield Pbx(kind="freeswitch", trunk=FAR, esl=esl), server, bed
            return
        other = await stack.enter_async_context(TestBed())
        endpoint = _ENDPOINT.format(port=other.ports.carrier_sip)
        (other.ours.etc / "pjsip_registration.conf").write_text(endpoint)
        await other.ours.cli("module reload res_pjsip.so")
        ami = Ami.model_validate({"port": other.ports.ami, "secret": other.secret})
        agi = FastAgi.model_validate({"port": other.ports.agi, "secret": other.agi_secret})
        yield Pbx(trunk=FAR, ami=ami, fastagi=agi), other.ours, other


async def phone_on(stack: AsyncExitStack, bed: TestBed, folder: Path, second: Pbx) -> Phone:
    base = settings_on(bed, folder)
    settings = base.model_copy(
        update={
            "pbx": base.pbx.model_copy(update={"inbound": True}),
            "pbxs": {"second": second},
        }
    )
    one = await stack.enter_async_context(
        phoning(bed, folder, pbx=settings.pbx, pbxs=settings.pbxs)  # type: ignore[arg-type]
    )
    (number,) = (await one.ask("GET", "/v1/numbers"))["data"]
    agent = {
        "name": "Reception",
        "type": "inbound",
        "number_ids": [number["id"]],
        "instructions": EXAMPLE["prompt"],
        "context": EXAMPLE["context"],
    }
    await one.ask("POST", "/v1/agents", agent)
    return one


async def route(phone: Phone, trunk: str, *personas: str) -> None:
    numbers = [persona(name).number for name in personas]
    await phone.ask("PATCH", f"/v1/trunks/{trunk}", {"allowed_prefixes": numbers})


async def rung(phone: Phone, known: int) -> dict[str, Any]:
    """The inbound call that comes after so many others, once it is answered."""
    async with asyncio.timeout(30):
        while True:
            calls = (await phone.ask("GET", "/v1/calls?direction=inbound"))["data"]
            if len(calls) > known and calls[0]["status"] == "in_progress":
                newest: dict[str, Any] = calls[0]
                return newest
            await asyncio.sleep(0.05)


async def test_two_pbxs_and_one_that_dies(
    bed: TestBed, second: tuple[Pbx, Asterisk | FreeSwitch, TestBed], tmp_path: Path
) -> None:
    settings, server, other = second
    async with AsyncExitStack() as stack:
        phone = await phone_on(stack, bed, tmp_path, settings)
        assert (await phone.ask("GET", f"/v1/trunks/{FAR}"))["pbx"] == "second"
        assert (await phone.ask("GET", "/v1/trunks/trunk"))["pbx"] is None
        await route(phone, "trunk", "busy", "talker")
        await route(phone, FAR, "rejecter", "hasty")

        near, far = await asyncio.gather(phone.call("busy"), phone.call("rejecter"))
        assert (near["status"], near["sip_code"]) == ("busy", 486)
        assert far["sip_code"] == 403
        for call, trunk in ((near, "trunk"), (far, FAR)):
            (attempt,) = (await phone.ask("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
            assert attempt["trunk"] == trunk
        if other is not bed:
            assert [number for number, _ in other.dialled()] == [persona("rejecter").number]

        # Each brings calls, too.
        second_sip = server.sip if isinstance(server, FreeSwitch) else other.ports.sip
        places = ((bed.carrier, bed.ports.sip), (other.carrier, second_sip))
        for known, (carrier, sip) in enumerate(places):
            carrier.call_in(
                f"PJSIP/customer/sip:{CALLER_NUMBER}@127.0.0.1:{sip}", caller_id="<+15550888001>"
            )
            call = await rung(phone, known)
            await phone.ask("POST", f"/v1/calls/{call['id']}/hangup")
            await phone.wait(call["id"])

        # One dies in the midst of the other's call.
        lasting = await phone.place("talker")
        async with asyncio.timeout(30):
            while (await phone.read(lasting["id"]))["status"] != "in_progress":
                await asyncio.sleep(0.05)
        await server.kill()
        refused = await phone.call("hasty")
        assert (refused["status"], refused["end_reason"]) == ("failed", "trunk_unreachable")
        assert "no connection to the PBX 'second'" in refused["error_message"]
        ended = await phone.wait(lasting["id"])
        assert (ended["status"], ended["end_reason"]) == ("completed", "agent_hangup")
        health = (await phone.client.get_health()).checks["pbx"]
        assert health.ok
        assert "pbx: connected, 0 calls, second: no link" in health.message
        assert (await phone.call("busy"))["status"] == "busy"

        found = {one.check: one for one in await examine(phone.server.settings)}
        link = "esl" if settings.kind == "freeswitch" else "ami"
        assert found["ami"].ok
        assert found["audio"].ok
        assert not found[f"second {link}"].ok
