"""A few real calls, and every number that they are to move."""

import asyncio
from pathlib import Path

from api.settings.server import Traces
from pbx.testbed import TestBed, persona
from tests.api.telemetry.collector import collecting
from tests.api.telemetry.numbers import Numbers, numbers
from tests.e2e.conftest import Phone, phoning


async def read(phone: Phone) -> Numbers:
    return numbers((await phone.client.request("GET", "/metrics")).content.decode())


async def test_real_calls_move_the_numbers(phone: Phone) -> None:
    before = await read(phone)
    await asyncio.gather(*(phone.call(called) for called in ("interrupter", "busy")))
    async with asyncio.timeout(10):
        while True:  # webhooks go out after the last event
            after = await read(phone)
            moved = {name for name, value in after.items() if value > before.get(name, 0)}
            if 'offhook_webhook_attempts_total{outcome="delivered"}' in moved:
                break
            await asyncio.sleep(0.1)
    talked, busy = 'end_reason="agent_hangup",status="completed"', 'status="busy"'
    wanted = {
        f'offhook_calls_total{{direction="outbound",{talked}}}',
        f'offhook_calls_total{{direction="outbound",end_reason="busy",{busy}}}',
        f'offhook_attempts_total{{cause="user_busy",direction="outbound",{busy}}}',
        "offhook_attempt_ring_seconds_count",
        'offhook_attempt_talk_seconds_count{direction="outbound"}',
        'offhook_turns_total{speaker="agent"}',
        'offhook_turns_total{speaker="person"}',
        *(
            f'offhook_turn_latency_seconds_count{{step="{step}"}}'
            for step in ("endpoint", "transcript", "first_token", "first_audio", "wire")
        ),
        'offhook_interruptions_total{kind="real"}',
        *(
            f'offhook_engine_requests_total{{engine="{engine}",outcome="ok"}}'
            for engine in ("stt", "llm", "tts")
        ),
        'offhook_engine_first_seconds_count{engine="llm"}',
        'offhook_engine_first_seconds_count{engine="tts"}',
        'offhook_engine_request_seconds_count{engine="stt"}',
        'offhook_media_packets_total{direction="received"}',
        'offhook_media_packets_total{direction="sent"}',
        "offhook_media_jitter_seconds_count",
        "offhook_media_loss_ratio_count",
        "offhook_webhook_attempt_seconds_count",
    }
    assert wanted - moved == set()
    assert after['offhook_pbx_connected{pbx="pbx"}'] == 1
    assert after['offhook_part_ok{part="models"}'] == 1
    assert after["offhook_calls_active"] == 0
    assert after['offhook_engine_requests_active{engine="llm"}'] == 0
    assert after['offhook_media_tick_lateness_seconds{quantile="0.99"}'] > 0


async def test_the_trace_of_a_real_call(bed: TestBed, tmp_path: Path) -> None:
    """From the wish to the webhook, at a collector of ours."""
    async with (
        collecting() as collector,
        phoning(bed, tmp_path, traces=Traces(url=collector.url)) as phone,
    ):
        call = await phone.call("talker")
        async with asyncio.timeout(20):
            while not {"call", "POST webhook"} <= {one.name for one in collector.spans}:
                await asyncio.sleep(0.1)
    names = {one.name for one in collector.spans}
    assert {"call", "wait", "attempt", "ring", "talk", "turn", "extract", "POST webhook"} <= names
    assert {"endpointing", "transcribe", "chat", "speak", "wire"} <= names
    trace = call["id"].replace("-", "")
    assert {one.trace_id.hex() for one in collector.spans} == {trace}
    assert persona("talker").number.encode()[1:] not in b"".join(collector.bodies)
