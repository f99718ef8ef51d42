"""`/metrics`: who may read it, and that what happens moves its numbers."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from api.http.scrape import Scrape
from api.http.vitals import Vitals
from api.resources.attempt import Ended
from api.resources.call import Concurrency
from api.resources.turn import Turn
from api.resources.webhook import Attempted
from api.store import Store
from api.telemetry.engines import counted
from api.telemetry.meter import Meter, bounded
from api.telemetry.standing import Standing
from pbx.pacer import Lateness
from pbx.switch import Cause
from tests.api.conftest import Bench, Clock, benching
from tests.api.story import BUSY, NORMAL, OURS, answered, claimed, new_call
from tests.api.telemetry.numbers import Numbers, numbers
from tests.voice_loop.scripted import Detector, Ears, Mind, Mouth
from voice_loop.ports import EngineError, Engines

ROOT = Path(__file__).parents[3]


def of(meter: Meter) -> Numbers:
    return numbers(meter.text().decode())


async def read(bench: Bench) -> Numbers:
    answer = await bench.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return numbers(answer.text)


async def test_a_key_reads_it_and_nobody_else(bench: Bench) -> None:
    assert (await read(bench))["offhook_calls_limit"] >= 1
    _, secret = await bench.store.keys.create("prometheus", "read")
    good = {"Authorization": f"Bearer {secret}"}
    assert (await bench.client.get("/metrics", headers=good)).status_code == 200
    for wrong in ("", "Bearer sk_wrong"):
        refused = await bench.client.get("/metrics", headers={"Authorization": wrong})
        assert refused.status_code == 401
        assert "offhook_" not in refused.text


async def test_loopback_needs_no_key_where_the_settings_say_so(
    store: Store, tmp_path: Path
) -> None:
    more = {
        "OFFHOOK_SERVER__METRICS": "loopback",
        "OFFHOOK_SERVER__TRUSTED_PROXIES": "127.0.0.0/8",
    }
    async with benching(store, tmp_path, more) as bench:
        nobody = {"Authorization": "none"}
        assert (await bench.client.get("/metrics", headers=nobody)).status_code == 200
        through = nobody | {"X-Forwarded-For": "203.0.113.7"}
        assert (await bench.client.get("/metrics", headers=through)).status_code == 401
        assert (await bench.client.get("/v1/calls", headers=nobody)).status_code == 401


async def test_it_can_be_off(store: Store, tmp_path: Path) -> None:
    async with benching(store, tmp_path, {"OFFHOOK_SERVER__METRICS": "off"}) as bench:
        assert (await bench.client.get("/metrics")).status_code == 404


@pytest.mark.both_stores
async def test_the_queue_tells_why_it_waits(ledger: Store, clock: Clock, tmp_path: Path) -> None:
    await new_call(ledger, scheduled_at=clock.now + 3600)
    await ledger.numbers.seed("trunk", [OURS])
    for _ in range(2):
        await new_call(ledger, concurrency=Concurrency("one", 1))
    await ledger.claims.take(1, "node")
    clock.now += 90
    queue = await ledger.calls.queue()
    assert queue.waiting == {"scheduled_at": 1, "concurrency_key": 1}
    assert queue.overdue_s == 90


async def test_without_a_link_what_is_due_waits_for_the_pbx(store: Store, tmp_path: Path) -> None:
    async with benching(store, tmp_path) as bench:
        await bench.create()
        settings = bench.services.settings

        async def told(up: bool) -> Numbers:
            standing = Standing(active=3, pbxs={"pbx": up}, lateness=Lateness(9, 1.0, 4.0, 2))
            vitals = Vitals(store, settings)
            scrape = Scrape(Meter(), settings, store, vitals, lambda: replace(standing, strays=7))
            return numbers((await scrape.text()).decode())

        down, up = await told(False), await told(True)
    assert down['offhook_queue_calls{waits_for="pbx"}'] == 1
    assert up['offhook_queue_calls{waits_for="free_slot"}'] == 1
    assert (down['offhook_pbx_connected{pbx="pbx"}'], up['offhook_pbx_connected{pbx="pbx"}']) == (
        0,
        1,
    )
    assert up["offhook_calls_active"] == 3
    assert up['offhook_media_tick_lateness_seconds{quantile="0.99"}'] == 0.004
    assert (up["offhook_media_ticks_skipped"], up["offhook_media_stray_packets"]) == (2, 7)
    assert up['offhook_disk_free_bytes{folder="recordings"}'] > 0
    assert up['offhook_part_ok{part="store"}'] == 1


async def test_budget_and_backlog(bench: Bench) -> None:
    before = await read(bench)
    await bench.create(webhook_url="http://127.0.0.1:9/hook")
    await bench.client.patch("/v1/budget", json={"limit_milli_cents": 5_000_000})
    after = await read(bench)
    assert (before["offhook_budget_limit"], after["offhook_budget_limit"]) == (float("inf"), 50)
    assert (after["offhook_budget_spent"], after["offhook_budget_reserved"]) == (0, 0)
    assert after["offhook_webhook_backlog"] - before["offhook_webhook_backlog"] == 1
    assert after["offhook_webhook_overdue_seconds"] > 0
    assert after["offhook_queue_overdue_seconds"] > 0


async def test_calls_and_turns_are_counted_as_they_are_committed(store: Store) -> None:
    meter = Meter()
    store.bus.watchers.append(meter.event)
    call = await answered(store)
    timings = {"endpoint_ms": 210.0, "transcript_ms": 240.0, "wire_ms": 480.0}
    said = Turn("agent", "hi", time.time(), time.time(), interrupted=True, timings=timings)
    await store.calls.add_turn(call.id, said)
    tool = {"name": "x", "arguments": {}, "output": "", "is_error": True}
    await store.calls.add_turn(call.id, Turn("tool", "", time.time(), time.time(), tool=tool))
    await store.calls.record_audio(call.id, time.time(), "call.audio_lost")
    await store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "agent_hangup"))
    told = of(meter)
    ended = 'direction="outbound",end_reason="agent_hangup",status="completed"'
    assert told[f"offhook_calls_total{{{ended}}}"] == 1
    assert told['offhook_turns_total{speaker="agent"}'] == 1
    assert told['offhook_interruptions_total{kind="real"}'] == 1
    assert told['offhook_tool_uses_total{outcome="error"}'] == 1
    assert told["offhook_media_audio_lost_total"] == 1
    assert told['offhook_turn_latency_seconds_sum{step="wire"}'] == 0.48
    assert 'offhook_turn_latency_seconds_sum{step="first_token"}' not in told


async def test_a_call_that_is_canceled_in_the_queue_is_counted(bench: Bench) -> None:
    bench.store.bus.watchers.append(bench.services.meter.event)
    placed = await bench.create()
    await bench.client.post(f"/v1/calls/{placed['id']}/cancel")
    told = [one for one in await read(bench) if one.startswith("offhook_calls_total{")]
    assert len(told) == 1
    assert 'status="canceled"' in told[0]


async def test_attempts_with_their_media(store: Store) -> None:
    meter = Meter()
    call = (await claimed(store)).call
    media = {"received": 95, "sent": 99, "lost": 5, "concealed_frames": 4, "jitter_ms": 12.0}
    meter.attempt_over("outbound", Ended(110.0, NORMAL, "x", media=media), 95.0, 100.0)
    meter.attempt_over(call.direction, Ended(110.0, BUSY, "busy"), 95.0, None)
    told = of(meter)
    busy = 'cause="user_busy",direction="outbound",status="busy"'
    assert told[f"offhook_attempts_total{{{busy}}}"] == 1
    assert told["offhook_attempt_ring_seconds_sum"] == 5
    assert told['offhook_attempt_talk_seconds_sum{direction="outbound"}'] == 10
    assert told['offhook_media_packets_total{direction="received"}'] == 95
    assert told["offhook_media_packets_lost_total"] == 5
    assert told["offhook_media_frames_concealed_total"] == 4
    assert told["offhook_media_jitter_seconds_sum"] == 0.012
    assert told["offhook_media_loss_ratio_sum"] == 0.05


def test_webhooks_by_outcome() -> None:
    meter = Meter()
    meter.webhook(Attempted(True, 0.0, 40))
    meter.webhook(Attempted(False, 0.0, 10, next_attempt_at=9.0))
    meter.webhook(Attempted(False, 0.0, 10))
    told = of(meter)
    for outcome in ("delivered", "retried", "exhausted"):
        assert told[f'offhook_webhook_attempts_total{{outcome="{outcome}"}}'] == 1
    assert told["offhook_webhook_attempt_seconds_sum"] == pytest.approx(0.06)


async def test_engines_tell_of_each_request() -> None:
    meter, mind = Meter(), Mind({})
    mind.fault.error = "gone"
    engines = counted(Engines(Ears(), mind, Mouth(), lambda _: Detector()), meter)
    stream = engines.tts.stream("hello")
    async for _ in stream:
        assert of(meter)['offhook_engine_requests_active{engine="tts"}'] == 1
    with pytest.raises(EngineError):
        await anext(engines.llm.stream((), max_tokens=1))
    told = of(meter)
    assert told['offhook_engine_requests_active{engine="tts"}'] == 0
    assert told['offhook_engine_requests_total{engine="tts",outcome="ok"}'] == 1
    assert told['offhook_engine_requests_total{engine="llm",outcome="error"}'] == 1
    assert told['offhook_engine_first_seconds_count{engine="tts"}'] == 1
    assert told['offhook_engine_request_seconds_count{engine="tts"}'] == 1


def test_no_label_takes_a_text_of_anybodys() -> None:
    for text in ("+15551234567", "a b", "x" * 60, None, "Ü", 'a"b\n'):
        assert bounded(text) == "other"
    meter = Meter()
    forged = Cause("failed", "call me +1555", "…")
    meter.attempt_over("outbound", Ended(0.0, forged, "x"), 0.0, None)
    assert "1555" not in meter.text().decode()


def test_the_page_lists_every_metric() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `offhook_")]
    told = []
    for family in Meter().registry.collect():
        if family.name.startswith("offhook_"):
            ending = "_total" if family.type == "counter" else ""
            told.append((family.name + ending, family.type, family.documentation))
    assert [tuple(cell.strip(" `") for cell in row.split("|")[1:3]) for row in rows] == [
        (name, kind) for name, kind, _ in told
    ]
    for row, (_, _, meaning) in zip(rows, told, strict=True):
        assert meaning in row


async def test_a_scrape_waits_for_no_store_that_is_stuck(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("api.http.scrape.STORE_S", 0.05)
    monkeypatch.setattr(bench.store.calls, "queue", stuck)
    assert (await read(bench))["offhook_calls_active"] == 0
