"""A media server and a switch on the test bed, new for each test, over any kind of PBX."""

import asyncio
import os
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from pbx.media import MediaServer
from pbx.switch import Switch
from pbx.testbed import TestBed
from pbx.testbed.freeswitch import FreeSwitch, Witness, installed
from tests.pbx.cable import Cable
from tests.pbx.calls import begin_ids, no_channels
from tests.pbx.esl_peer import EslPeer
from tests.pbx.kinds import AsteriskPbx, FreeSwitchPbx, Pbx, Reception, ReplayedFreeSwitch
from tests.pbx.tape import FOLDER as TAPES
from tests.pbx.tape import TapeWriter, read_tape, tape_name

#: `host:port:password` of a FreeSWITCH that answers; see `python -m pbx.testbed freeswitch`.
RUNNING: Final = "OFFHOOK_TEST_FREESWITCH"
_RUNNING_SIP: Final = 5060
_TRUNK_S: Final = 40.0
#: Folder for tapes of what passes between Offhook and a real FreeSWITCH; see `tape`.
RECORD: Final = "OFFHOOK_RECORD_ESL"
_PASSED: Final = pytest.StashKey[bool]()


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
        witness = Witness(host, int(port), password)
        async with asyncio.timeout(_TRUNK_S):
            # It asks the carrier, which has only just come up, every 15 seconds.
            while "<status>UP" not in await witness.api("sofia xmlstatus gateway trunk"):
                await asyncio.sleep(0.5)
        yield LiveFreeSwitch(witness, _RUNNING_SIP)
    elif installed() is not None:
        async with FreeSwitch(bed.ports.carrier_sip) as one:
            yield LiveFreeSwitch(one, one.sip)
    else:
        yield None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest_asyncio.fixture(loop_scope="session")
async def pbx(
    request: pytest.FixtureRequest, bed: TestBed, freeswitch: LiveFreeSwitch | None
) -> AsyncIterator[Pbx]:
    """Our Asterisk, or what `tests.pbx.calls.every_kind` asks for."""
    begin_ids(request.node.name)
    async with AsyncExitStack() as stack:
        if getattr(request, "param", "asterisk") == "asterisk":
            one: Pbx = await stack.enter_async_context(_asterisk(bed))
        elif freeswitch is not None:
            one = await stack.enter_async_context(_live(request.node, bed, freeswitch))
        elif request.node.get_closest_marker("live_freeswitch"):
            pytest.skip("a tape cannot tell when its second login comes: a real FreeSWITCH only")
        else:
            one = await stack.enter_async_context(_replayed(request.node))
        yield one


@asynccontextmanager
async def _asterisk(bed: TestBed) -> AsyncIterator[Pbx]:
    async with plugged(Cable(bed.host, bed.ports.ami)) as cable:
        one = AsteriskPbx(bed, cable)
        yield one
        one.close()


@asynccontextmanager
async def _live(node: pytest.Item, bed: TestBed, live: LiveFreeSwitch) -> AsyncIterator[Pbx]:
    """A real FreeSWITCH; its tape is kept if the test passes and one is wanted."""
    folder = os.environ.get(RECORD)
    tape = TapeWriter(live.server.password) if folder else None
    async with plugged(Cable(live.server.host, live.server.port, tape)) as cable:
        one = FreeSwitchPbx(bed, live.server, live.sip, cable, tape)
        yield one
        one.close()
    if folder and one.tape is not None and node.stash.get(_PASSED, False):
        one.tape.save(Path(folder) / tape_name(node.name))


@asynccontextmanager
async def _replayed(node: pytest.Item) -> AsyncIterator[Pbx]:
    """No FreeSWITCH here: the tape that one left of this test. (Those that kill it have none.)"""
    path = TAPES / tape_name(node.name)
    async with (
        EslPeer(read_tape(path) if path.exists() else []) as peer,
        plugged(Cable("127.0.0.1", peer.port)) as cable,
    ):
        yield ReplayedFreeSwitch(peer, cable)


@asynccontextmanager
async def plugged(cable: Cable) -> AsyncIterator[Cable]:
    await cable.plug_in()
    try:
        yield cable
    finally:
        await cable.cut()


@pytest_asyncio.fixture(loop_scope="session")
async def switch(pbx: Pbx, media: MediaServer) -> AsyncIterator[Switch]:
    one = pbx.make(media)
    await one.start()
    yield one
    await one.close()


@pytest_asyncio.fixture(loop_scope="session")
async def reception(pbx: AsteriskPbx, media: MediaServer) -> AsyncIterator[Reception]:
    """Takes calls of an Asterisk, and leaves nothing on it."""
    one = Reception(pbx, media)
    await one.switch.start()
    yield one
    await one.switch.close()
    assert media.open_legs == 0
    await no_channels(pbx.bed)
