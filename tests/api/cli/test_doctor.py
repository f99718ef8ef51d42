"""`offhook doctor` tells of trunks that rest."""

import time
from pathlib import Path

from api.cli.doctor import examine
from api.resources.attempt import Ended
from api.settings import load_settings
from api.store import Store
from pbx.switch import Cause
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
