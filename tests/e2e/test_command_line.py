"""The command line as a newcomer uses it: `offhook demo`, and `offhook call` on a live server."""

import asyncio
import json
import wave

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
