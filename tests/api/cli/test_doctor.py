"""What `offhook doctor` sees of the store: it looks, and makes none."""

import time
from pathlib import Path

from api.cli.dialect_doctor import _installation
from api.cli.doctor import examine, trunks_astray, ways_of
from api.resources.attempt import Ended
from api.resources.trunk import NewTrunk
from api.resources.webhook import NewEndpoint
from api.settings import FIRST_PBX, load_settings
from api.store import Store
from pbx.dial_string import Way
from pbx.switch import Cause
from tests.api.played_engines import played_engines
from tests.api.story import OURS, claimed

FAULT = Cause("failed", "recovery_on_timer_expire", "The trunk gave no answer.", 102)


async def told(path: Path) -> list[str]:
    """What the doctor finds of trunks, where no PBX is to be reached."""
    settings = load_settings(
        None, {"OFFHOOK_STORE__PATH": str(path), "OFFHOOK_PBX__AMI__PORT": "9"}
    )
    return [one.message for one in await examine(settings) if one.check == "trunk"]


async def test_a_trunk_that_rests_is_told(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "data/offhook.db"
    await store.numbers.seed("carrier-a", [OURS])
    assert await told(path) == []
    claim = await claimed(store, trunk="carrier-a")
    await store.calls.record_ended(claim.call.id, Ended(time.time(), FAULT, "trunk_unreachable"))
    (rests,) = await told(path)
    assert rests.startswith("'carrier-a' rests until 20")
    assert rests.endswith("failed 1 times: The trunk gave no answer.")
    nowhere = tmp_path / "nowhere.db"
    assert await told(nowhere) == []
    assert not nowhere.exists()


async def test_the_active_trunks_of_each_pbx_are_looked_at(store: Store, tmp_path: Path) -> None:
    berlin = {"OFFHOOK_PBXS__BERLIN__KIND": "freeswitch", "OFFHOOK_PBXS__BERLIN__TRUNK": "west"}
    settings = load_settings(None, berlin)
    assert [one.trunk for one in ways_of(settings, [], FIRST_PBX)] == ["trunk"]
    local = "Local/{number}@from-internal/n"
    for new in (
        NewTrunk("trunk", dial_string=local),
        NewTrunk("west", pbx="berlin"),
        NewTrunk("old", status="inactive"),
        NewTrunk("lost", pbx="rome"),
    ):
        await store.trunks.create(new)
    trunks = await store.trunks.list()
    assert ways_of(settings, trunks, FIRST_PBX) == [Way("trunk", local)]
    assert ways_of(settings, trunks, "berlin") == [Way("west", "sofia/gateway/{trunk}/{number}")]
    (astray,) = trunks_astray(settings, trunks)
    assert not astray.ok
    assert "'lost' is on the PBX 'rome'" in astray.message


async def test_a_dialects_doctor_makes_no_store(tmp_path: Path) -> None:
    path = tmp_path / "data/offhook.db"
    settings = load_settings(
        None, {"OFFHOOK_STORE__PATH": str(path), "OFFHOOK_CALLS__NUMBERS": OURS}
    )
    here = await _installation(settings, played_engines("en"))
    assert (here.numbers, here.keys, here.calendars) == ((OURS,), frozenset(), 0)
    assert not path.parent.exists()


async def test_a_dialects_doctor_asks_some_receivers_and_names_the_others(
    store: Store, tmp_path: Path
) -> None:
    for number in range(18):
        await store.endpoints.create(NewEndpoint(f"http://127.0.0.1:9/{number}"))
    path = tmp_path / "data/offhook.db"
    settings = load_settings(None, {"OFFHOOK_STORE__PATH": str(path)})
    here = await _installation(settings, played_engines("en"))
    assert (len(here.receivers), len(here.unasked)) == (16, 2)
