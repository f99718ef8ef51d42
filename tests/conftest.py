"""Shared by all tests: the pair of real Asterisks, started once a run."""

import os
import sys
from collections.abc import AsyncIterator

import pytest_asyncio

from pbx.testbed import TestBed

#: Where a FreeSWITCH that answers already expects its carrier; see `python -m pbx.testbed`.
_CARRIER_SIP = 5070


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bed() -> AsyncIterator[TestBed]:
    """Our Asterisk and the carrier, on loopback."""

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    given = os.environ.get("OFFHOOK_TEST_FREESWITCH")
    async with TestBed(say, carrier_sip=_CARRIER_SIP if given else None) as both:
        yield both
