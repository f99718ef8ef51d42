"""A call's black box over a real PBX: fetched, held once more to the same decisions, and erased."""

import json
from pathlib import Path

from api.settings.server import BlackBoxSection
from pbx.testbed import TestBed
from tests.e2e.conftest import command, phoning


def boxes(folder: Path) -> list[Path]:
    return list(folder.rglob("*.blackbox"))


async def test_a_call_is_held_once_more_to_the_same_decisions(bed: TestBed, tmp_path: Path) -> None:
    async with phoning(bed, tmp_path, black_box=BlackBoxSection(enabled=True)) as phone:
        call = await phone.call("interrupter", max_duration_seconds=40)
        file = tmp_path / "box.zip"
        server = {"OFFHOOK_URL": phone.server.url, "OFFHOOK_API_KEY": phone.key}
        code, _, errors = await command("blackbox", call["id"], "-o", str(file), **server)
        assert code == 0, errors
        code, told, errors = await command("replay", str(file), "--json")
        replayed = json.loads(told)
        assert (code, replayed["identical"]) == (0, True), errors + told
        assert replayed["recorded"]["turn_ends"] >= 1
        assert replayed["recorded"]["words"] == replayed["replayed"]["words"]
        assert replayed["unrecorded_requests"] == {}
        assert replayed["detector"]["different"] == 0
        code, told, _ = await command(
            "replay", str(file), "--json", "--set", "voice.end_of_turn_ms=1500"
        )
        assert (code, json.loads(told)["changed"]) == (1, ["floor"])
        kept = boxes(tmp_path)
        assert len(kept) == 1
        await phone.client.delete_call(call["id"])
        assert boxes(tmp_path) == []
