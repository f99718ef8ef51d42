"""A media server and a switch on the test bed, new for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from pbx.asterisk import AsteriskSwitch
from pbx.media import MediaServer
from pbx.testbed import TestBed
from tests.pbx.calls import config


@pytest_asyncio.fixture(loop_scope="session")
async def media() -> AsyncIterator[MediaServer]:
    server = MediaServer("127.0.0.1", 40000, 40999)
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="session")
async def switch(bed: TestBed, media: MediaServer) -> AsyncIterator[AsteriskSwitch]:
    one = AsteriskSwitch(config(bed), media)
    await one.start()
    yield one
    await one.close()
