"""Ten callers a second, each with habits of its own. `tests.e2e.storm` does it for longer."""

from pathlib import Path

import pytest

from pbx.testbed import TestBed
from pbx.testbed.freeswitch import PROGRAM_VARIABLE, FreeSwitch, installed
from tests.e2e.storm import Storm, office, storm
from tests.pbx.sipp import SippLab

_SECONDS = 4
_ROOM = 8
#: Final responses to INVITEs: taken, canceled, no sense, no codec, busy, congestion; FreeSWITCH
#: has 480 for what it cannot make sense of.
_ANSWERS = {"200", "487", "400", "488", "486", "503", "480"}


def over_and_done(seen: Storm) -> None:
    assert seen.made >= 10 * _SECONDS
    assert (seen.open, seen.legs, seen.tasks) == (0, 0, {})
    assert not seen.faults
    assert not seen.unlike
    assert {status for status, _ in seen.ends} <= {"completed", "canceled", "failed"}
    failed = {reason for status, reason in seen.ends if status == "failed"}
    # FreeSWITCH tells of those without a codec, and a busy machine may not note one in time (503).
    assert failed <= {"no_media", "failed", "internal_error"}
    assert set(seen.answers) <= _ANSWERS


async def test_every_call_ends_right_and_leaves_nothing(
    bed: TestBed, sipp: SippLab, tmp_path: Path
) -> None:
    async with office(bed, tmp_path / "server", _ROOM) as phone:
        seen = await storm(phone, sipp, rate=10, seconds=_SECONDS)
    over_and_done(seen)
    assert seen.answers["200"] > _ROOM
    assert seen.answers["486"]


async def test_over_freeswitch_as_well(bed: TestBed, sipp: SippLab, tmp_path: Path) -> None:
    if installed() is None:
        pytest.skip(f"no FreeSWITCH is installed, and {PROGRAM_VARIABLE} names none")
    async with (
        FreeSwitch(bed.ports.carrier_sip) as pbx,
        office(bed, tmp_path / "server", _ROOM, pbx) as phone,
    ):
        seen = await storm(phone, sipp, rate=10, seconds=_SECONDS)
    over_and_done(seen)
