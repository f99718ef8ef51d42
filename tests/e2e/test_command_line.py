"""The command line as a newcomer uses it: `offhook demo`, and `offhook call` on a live server."""

import asyncio
import json
import wave
from pathlib import Path

from api.cli.example import EXAMPLE
from pbx.testbed import persona
from tests.e2e.conftest import Phone, command


async def test_demo() -> None:
    """Everything in one command, and only the call object on stdout with `--json`."""
    code, out, err = await command("demo", "--json")
    assert code == 0, err
    call = json.loads(out)
    assert call["status"] == "completed"
    assert call["result"] == {"confirmed": True, "day": "monday", "time": "eight thirty a m"}
    assert call["webhook_status"] == "delivered"
    assert call["latency"]["wire_ms"]["p50"] > 0


async def test_demo_tells_what_happens() -> None:
    code, out, err = await command("demo", "--persona", "decliner")
    assert code == 0, err
    for said in ("hello", "yes speaking", "no i can not make it", "maria lopez", "answered in"):
        assert said in out
    assert "call.completed" in out
    assert "offhook.toml" in out
    path = out.split("right: agent): ")[1].splitlines()[0]
    with await asyncio.to_thread(wave.open, path) as recording:
        assert recording.getnchannels() == 2
        assert recording.getnframes() > 5 * recording.getframerate()


async def test_call(phone: Phone) -> None:
    """`offhook call` shows the conversation and ends with the call object."""
    code, out, err = await command(
        "call", persona("talker").number,
        "--prompt", EXAMPLE["prompt"],
        "--context", json.dumps(EXAMPLE["context"]),
        "--returns", json.dumps(EXAMPLE["returns"]),
        OFFHOOK_URL=phone.server.url, OFFHOOK_API_KEY=phone.key,
    )  # fmt: skip
    assert code == 0, err
    assert "yes speaking" in out
    assert '"status": "completed"' in out
    code, out, err = await command(
        "call", persona("busy").number, "--prompt", "x", "--json",
        OFFHOOK_URL=phone.server.url, OFFHOOK_API_KEY=phone.key,
    )  # fmt: skip
    assert code == 1
    assert json.loads(out)["status"] == "busy"
    assert "busy" in err
    code, _, err = await command(
        "call", "12", "--prompt", "x",
        OFFHOOK_URL=phone.server.url, OFFHOOK_API_KEY=phone.key,
    )  # fmt: skip
    assert code == 1
    assert "/to" in err


async def test_doctor_says_what_a_client_of_a_service_lacks(tmp_path: Path) -> None:
    """Its lines go into the settings as they are; then nothing is missing any more."""
    config = tmp_path / "offhook.toml"
    config.write_text(f'[store]\npath = "{tmp_path / "data/offhook.db"}"\n')
    named = ("--config", str(config))
    code, out, err = await command("doctor", "--dialect", "oneinbox", *named)
    assert (code, err) == (1, "")
    told, _, lines = out.partition("Add to offhook.toml:\n")
    assert "missing  model gpt-4.1-mini" in told
    assert "offhook keys create crm --dialect oneinbox" in told.replace("\n", " ")
    config.write_text(config.read_text() + lines)
    created, _, err = await command("keys", "create", "crm", "--dialect", "oneinbox", *named)
    assert created == 0, err
    code, out, err = await command("doctor", "--dialect", "oneinbox", "--json", *named)
    needs = json.loads(out)
    assert [need for need in needs if not need["ok"]] == []
    assert (code, set(needs[0])) == (0, {"check", "ok", "message", "lines", "command"})
    code, _, err = await command("doctor", "--dialect", "vapi", *named)
    assert (code, "callingbox" in err) == (2, True)
