"""A store with something on every page; each text of somebody outside is what `name` says."""

import math
import time
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.resources.attempt import Ended, RecordingFile
from api.resources.turn import Turn
from pbx.switch import Cause
from tests.api.conftest import Bench
from tests.api.story import BUSY, NORMAL, NUMBER, claim_up_to, new_call

#: What a page must show as text. The carriage return would end a line of an event stream.
HOSTILE: Final = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 9*'z' }}"
    "</title></textarea><a href='javascript:alert(3)'>x</a>"
)
RATE: Final = 8000


@dataclass(frozen=True)
class Told:
    """Where things are."""

    over: str
    live: str
    busy: str
    agent: str
    campaign: str


async def tell(bench: Bench, text: str = HOSTILE) -> Told:
    """Fill the store.

    Args:
        bench: whose.
        text: what callers, models, tools, PBXs and files say.
    """
    over = await _over(bench, text)
    busy = await _busy(bench, text)
    live = await answered(bench, text)

    async def made(path: str, body: dict[str, Any]) -> Any:
        answer = await bench.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    agent = await made(
        "/v1/agents",
        {
            "name": text,
            "persona": f"You are Ada. {text}".replace("{{ 9*'z' }}", ""),
            "language": "en",
        },
    )
    changed = await bench.client.patch(f"/v1/agents/{agent['id']}", json={"first_sentence": "Hi."})
    assert changed.status_code == 200, changed.text
    campaign = await made(
        "/v1/campaigns",
        {
            "name": text,
            "template": {"prompt": "Remind."},
            "contacts": [{"to": NUMBER, "context": {"patient": text}, "metadata": {"note": text}}],
        },
    )
    await made("/v1/do_not_call", {"number": "+15550109999", "reason": text[:100]})
    await made("/v1/trunks", {"name": "carrier-b", "description": text})
    await made("/v1/numbers", {"number": "+15550100042", "caller_name": "North <b>"})
    await made("/v1/api_keys", {"name": text[:100], "scope": "read"})
    await made("/v1/webhook_endpoints", {"url": "http://127.0.0.1:9/hook?<b>", "description": text})
    return Told(over, live, busy, agent["id"], campaign["id"])


async def _claimed(bench: Bench, **values: Any) -> str:
    call = await new_call(bench.store, **values)
    claims = await claim_up_to(bench.store, 1)
    assert [one.call.id for one in claims] == [call.id]
    return call.id


async def _answered(bench: Bench, text: str, file: str | None = None) -> tuple[str, float]:
    calls, at = bench.store.calls, time.time() + 5  # a call is not answered before it is placed
    call_id = await _claimed(
        bench,
        prompt=f"Confirm. {text}",
        context={"patient": text},
        metadata={"note": text},
        variables={"who": text},
        returns={"confirmed": "boolean", "note": "string"},
        webhook_url="http://127.0.0.1:9/hook",
    )
    await calls.record_ringing(call_id, at - 4, text)
    recording = None if file is None else RecordingFile(bench.services.node, file)
    await calls.record_answered(call_id, at, recording, text)
    spoken = (
        Turn("person", f"hello {text}", at + 1, at + 2, confidence=0.93),
        Turn("agent", f"good morning {text}", at + 2.4, at + 5, timings=_timings(420)),
        Turn("person", "wait", at + 4.6, at + 5.2, confidence=0.71),
        Turn("agent", "of course", at + 5.8, at + 7, True, timings=_timings(560)),
        Turn(
            "tool",
            text,
            at + 7,
            at + 7.2,
            tool={"name": text, "arguments": {"day": text}, "output": text, "is_error": True},
        ),
        Turn("keypad", "4", at + 7.5, at + 7.6),
        Turn("agent", f"see you on monday {text}", at + 8, at + 9, timings=_timings(480)),
    )
    for turn in spoken:
        await calls.add_turn(call_id, turn)
    return call_id, at


def _timings(wire: float) -> dict[str, float]:
    return {
        "endpoint_ms": wire * 0.3,
        "transcript_ms": wire * 0.5,
        "first_token_ms": wire * 0.7,
        "first_audio_ms": wire * 0.95,
        "wire_ms": wire,
    }


async def _over(bench: Bench, text: str) -> str:
    name = f"{time.time_ns()}.wav"
    call_id, at = await _answered(bench, text, name)
    record(bench.recordings / name, 10)
    ended = Ended(
        at + 10,
        NORMAL,
        "agent_hangup",
        awaits_result=True,
        answered_by="human",
        answerer={"who": "human", "evidence": [text], "decided_ms": 800},
        media={"packets_received": 500, "packets_sent": 498, "lost": 3, "jitter_ms": 1.2},
        recording_path=name,
        recording_seconds=10.0,
        recording_bytes=(bench.recordings / name).stat().st_size,
    )
    await bench.store.calls.record_ended(call_id, ended)
    await bench.store.calls.record_result(call_id, {"confirmed": True, "note": text})
    return call_id


async def _busy(bench: Bench, text: str) -> str:
    call_id = await _claimed(bench)
    cause = Cause("failed", "network_out_of_order", f"No way out. {text}", 38, 503, text)
    await bench.store.calls.record_ended(call_id, Ended(time.time(), cause, "failed"))
    await bench.store.calls.record_ended(
        await _claimed(bench), Ended(time.time(), BUSY, "user_busy")
    )
    return call_id


async def answered(bench: Bench, text: str, file: str | None = None) -> str:
    """A call that goes on, and is recorded in `file`: its id."""
    return (await _answered(bench, text, file))[0]


def record(path: Path, seconds: int) -> None:
    """A WAV with two channels: a low tone left, a high one right, in turns."""
    samples = array("h")
    for index in range(RATE * seconds):
        at = index / RATE
        left = 0.4 * math.sin(2 * math.pi * 220 * at) if at % 4 < 1.5 else 0.0
        right = 0.4 * math.sin(2 * math.pi * 440 * at) if 2 < at % 4 < 3.5 else 0.0
        samples.extend((round(left * 32_000), round(right * 32_000)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
