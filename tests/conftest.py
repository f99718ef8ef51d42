"""Shared by all tests: the pair of real Asterisks, started once a run."""

import sys
from collections.abc import AsyncIterator

import pytest_asyncio

from pbx.testbed import TestBed


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bed() -> AsyncIterator[TestBed]:
    """Our Asterisk and the carrier, on loopback."""

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    async with TestBed(say) as both:
        yield both
