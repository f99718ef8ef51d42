"""`offhook replay` on a box that a server keeps."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from api.cli import main
from tests.api.conftest import Bench
from tests.api.routes.test_black_box import held, office_of


async def offhook(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, list(arguments))


async def fetched(bench: Bench, folder: Path) -> Path:
    call = await held(office_of(bench))
    file = folder / "box.zip"
    answer = await bench.client.get(f"/v1/calls/{call.id}/black_box")
    file.write_bytes(answer.content)
    return file


async def test_a_box_is_held_once_more(bench: Bench, tmp_path: Path) -> None:
    file = await fetched(bench, tmp_path)
    done = await offhook("replay", str(file), "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["identical"], told["changed"]) == (0, True, [])
    assert told["recorded"] == told["replayed"]
    assert told["recorded"]["decisions"] > 5
    assert "The decisions are identical." in (await offhook("replay", str(file))).output


async def test_another_setting_is_tried(bench: Bench, tmp_path: Path) -> None:
    file = await fetched(bench, tmp_path)
    setting = "voice.opening_delay_ms=2000"
    done = await offhook("replay", str(file), "--json", "--set", setting)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["changed"]) == (1, ["opening_delay_ms"])
    assert told["first_difference"]["at_ms"] <= 2000
    shown = await offhook("replay", str(file), "--set", setting)
    assert "held otherwise: opening_delay_ms" in shown.output


async def test_what_cannot_be_tried_is_refused(bench: Bench, tmp_path: Path) -> None:
    file = await fetched(bench, tmp_path)
    for setting, why in (
        ("calls.ring_timeout_s=3", "others have no effect"),
        ("voice.nothing=3", "voice.nothing"),
        ("voice.end_of_turn_ms=soon", "voice.end_of_turn_ms"),
        ("voice", "voice.end_of_turn_ms=600"),
    ):
        done = await offhook("replay", str(file), "--set", setting)
        told = " ".join(done.output.split())
        assert (done.exit_code, why in told) == (2, True), told


async def test_a_file_that_is_no_box_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "box.zip"
    file.write_bytes(b"PK not really")
    done = await offhook("replay", str(file))
    assert done.exit_code == 1
    assert "is no black box" in done.output
