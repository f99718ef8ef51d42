"""A media server and a switch on the test bed, new for each test, over any kind of PBX."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from pbx.media import MediaServer
from pbx.switch import Switch
from pbx.testbed import TestBed
from pbx.testbed.freeswitch import FreeSwitch, Witness, installed
from tests.pbx.cable import Cable
from tests.pbx.kinds import AsteriskPbx, FreeSwitchPbx, Pbx

#: `host:port:password` of a FreeSWITCH that answers; see `python -m pbx.testbed freeswitch`.
RUNNING = "OFFHOOK_TEST_FREESWITCH"
_RUNNING_SIP = 5060


@dataclass(frozen=True)
class LiveFreeSwitch:
    """The FreeSWITCH of this run."""

    server: Witness
    sip: int


@pytest_asyncio.fixture(loop_scope="session")
async def media() -> AsyncIterator[MediaServer]:
    server = MediaServer("127.0.0.1", 40000, 40999)
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def freeswitch(bed: TestBed) -> AsyncIterator[LiveFreeSwitch | None]:
    """One that answers already, or one that is installed; None where there is neither."""
    if address := os.environ.get(RUNNING):
        host, port, password = address.split(":", 2)
        yield LiveFreeSwitch(Witness(host, int(port), password), _RUNNING_SIP)
    elif installed() is not None:
        async with FreeSwitch(bed.ports.carrier_sip) as one:
            yield LiveFreeSwitch(one, one.sip)
    else:
        yield None


@pytest_asyncio.fixture(loop_scope="session")
async def pbx(
    request: pytest.FixtureRequest, bed: TestBed, freeswitch: LiveFreeSwitch | None
) -> AsyncIterator[Pbx]:
    """Our Asterisk, or what `tests.pbx.calls.every_kind` asks for."""
    one: AsteriskPbx | FreeSwitchPbx
    if getattr(request, "param", "asterisk") == "asterisk":
        cable = Cable(bed.host, bed.ports.ami)
        one = AsteriskPbx(bed, cable)
    else:
        if freeswitch is None:
            pytest.skip("no FreeSWITCH here")
        cable = Cable(freeswitch.server.host, freeswitch.server.port)
        one = FreeSwitchPbx(bed, freeswitch.server, freeswitch.sip, cable)
    await cable.plug_in()
    yield one
    one.close()
    await cable.cut()


@pytest_asyncio.fixture(loop_scope="session")
async def switch(pbx: Pbx, media: MediaServer) -> AsyncIterator[Switch]:
    one = pbx.make(media)
    await one.start()
    yield one
    await one.close()
