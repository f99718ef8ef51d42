"""Shared by all tests: the pair of real Asterisks and the PostgreSQL server, started once a run by
each worker that needs them; and the marks `pure` and `bed`, which say what a test needs."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Final

import hypothesis
import pytest
import pytest_asyncio

import models  # noqa: F401 - before a test imports an engine's library itself
from pbx.testbed import TestBed
from tests import postgres

if TYPE_CHECKING:
    from tests.pbx.sipp import SippLab

#: Where a FreeSWITCH that answers already expects its carrier; see `python -m pbx.testbed`.
_CARRIER_SIP: Final = 5070
#: Fixtures that make a test one of the bed: a PBX, audio in real time, engines.
_OF_THE_BED: Final = frozenset({"bed", "media", "model_dir", "loaded"})

# Servers are started by the dozen: each would compile Offhook's modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine may take its time.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs nothing of the bed as `pure`, all else as `bed`."""
    if item.get_closest_marker("bed") is None:
        needs = _OF_THE_BED.intersection(getattr(item, "fixturenames", ()))
        item.add_marker("bed" if needs else "pure")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bed() -> AsyncIterator[TestBed]:
    """Our Asterisk and the carrier, on loopback."""

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    given = os.environ.get("OFFHOOK_TEST_FREESWITCH")
    async with TestBed(say, carrier_sip=_CARRIER_SIP if given else None) as both:
        yield both


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A real PostgreSQL. Without one, its tests are left out."""
    programs = postgres.programs()
    if programs is None:
        pytest.skip("no PostgreSQL is installed: apt-get install postgresql")
    with postgres.running(programs) as server:
        yield server


@pytest.fixture(scope="session")
def sipp(bed: TestBed, tmp_path_factory: pytest.TempPathFactory) -> "SippLab":
    """Far ends and callers that SIPp plays."""
    from tests.pbx.sipp import SippLab, why_not

    if (reason := why_not()) is not None:
        pytest.skip(reason)
    return SippLab(bed, tmp_path_factory.mktemp("sipp"))
