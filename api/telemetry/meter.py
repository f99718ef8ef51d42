"""The numbers of one server, in a registry of its own: Prometheus reads them at `/metrics`.

No label holds a number, an id or a text of somebody's: its values are names of our own.
"""

import re
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from api.resources.attempt import Ended
from api.resources.call import Direction
from api.resources.event import CallEvent
from api.resources.webhook import Attempted

_NAME: Final = re.compile(r"[a-z0-9_]{1,48}")
#: Of answers, seconds: the goal of half a second, and what people take for a fault.
_LATENCY: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_WORK: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0)
_TALK: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_RING: Final = (0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 15.0, 30.0, 60.0)
_JITTER: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
_SHARE: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
#: The steps of an answer (`voice_loop.events.Timings`).
STEPS: Final = ("endpoint", "transcript", "first_token", "first_audio", "wire")


class Meter:
    """Counts. Everything may be called from the event loop alone, and takes microseconds."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.calls = Counter(
            "offhook_calls",
            "Calls that are over, with their result, if one was to be looked for.",
            ("direction", "status", "end_reason"),
            registry=registry,
        )
        self.attempts = Counter(
            "offhook_attempts",
            "Attempts that are over.",
            ("direction", "status", "cause"),
            registry=registry,
        )
        self.ring = Histogram(
            "offhook_attempt_ring_seconds",
            "From the wish to the PBX until an outbound attempt was answered.",
            registry=registry,
            buckets=_RING,
        )
        self.talk = Histogram(
            "offhook_attempt_talk_seconds",
            "From the answer to the end.",
            ("direction",),
            registry=registry,
            buckets=_TALK,
        )
        self.turns = Counter(
            "offhook_turns", "Finished turns, by who took them.", ("speaker",), registry=registry
        )
        self.latency = Histogram(
            "offhook_turn_latency_seconds",
            "From the person's last voiced packet to a step of the agent's answer; `wire` is "
            "what they waited.",
            ("step",),
            registry=registry,
            buckets=_LATENCY,
        )
        self.interruptions = Counter(
            "offhook_interruptions",
            "The agent was stopped by the person: `real`, it yielded; `false`, it went on.",
            ("kind",),
            registry=registry,
        )
        self.tools = Counter(
            "offhook_tool_uses", "Tools that agents used.", ("outcome",), registry=registry
        )
        self.engine_requests = Counter(
            "offhook_engine_requests",
            "Requests to engines that are over; `cancelled`: the answer was not wanted any more.",
            ("engine", "outcome"),
            registry=registry,
        )
        self.engine_seconds = Histogram(
            "offhook_engine_request_seconds",
            "How long a request to an engine took, its wait in the queue included.",
            ("engine",),
            registry=registry,
            buckets=_WORK,
        )
        self.engine_first = Histogram(
            "offhook_engine_first_seconds",
            "Until the language model's first token, or the voice's first audio.",
            ("engine",),
            registry=registry,
            buckets=_WORK,
        )
        self.engine_active = Gauge(
            "offhook_engine_requests_active",
            "Requests to engines under way, those that wait included.",
            ("engine",),
            registry=registry,
        )
        self.packets = Counter(
            "offhook_media_packets",
            "RTP packets of calls that are over.",
            ("direction",),
            registry=registry,
        )
        self.lost = Counter(
            "offhook_media_packets_lost",
            "RTP packets that never came, of calls that are over.",
            registry=registry,
        )
        self.concealed = Counter(
            "offhook_media_frames_concealed",
            "Frames of 20 ms that were made up, of calls that are over.",
            registry=registry,
        )
        self.jitter = Histogram(
            "offhook_media_jitter_seconds",
            "Interarrival jitter (RFC 3550) of answered attempts.",
            registry=registry,
            buckets=_JITTER,
        )
        self.loss = Histogram(
            "offhook_media_loss_ratio",
            "Share of packets lost of answered attempts.",
            registry=registry,
            buckets=_SHARE,
        )
        self.audio_lost = Counter(
            "offhook_media_audio_lost",
            "Times that no audio came from the far end of an answered call any more.",
            registry=registry,
        )
        self.webhooks = Counter(
            "offhook_webhook_attempts",
            "Attempts to deliver a webhook; `exhausted`: the last one of its delivery failed.",
            ("outcome",),
            registry=registry,
        )
        self.webhook_seconds = Histogram(
            "offhook_webhook_attempt_seconds",
            "How long an attempt to deliver took.",
            registry=registry,
            buckets=_WORK,
        )
        self.spans = Counter(
            "offhook_trace_spans",
            "Spans of traces: `sent`, or `dropped` as the collector did not take them.",
            ("outcome",),
            registry=registry,
        )
        self.calls_active = Gauge(
            "offhook_calls_active", "Calls under way: lines in use.", registry=registry
        )
        self.calls_limit = Gauge(
            "offhook_calls_limit",
            "Most calls at one time (`calls.max_concurrent`).",
            registry=registry,
        )
        self.queue = Gauge(
            "offhook_queue_calls",
            "Calls in the queue, by what they wait for.",
            ("waits_for",),
            registry=registry,
        )
        self.queue_overdue = Gauge(
            "offhook_queue_overdue_seconds",
            "For how long the call has been due that has waited longest; 0 when none is.",
            registry=registry,
        )
        self.webhook_backlog = Gauge(
            "offhook_webhook_backlog", "Deliveries that are not at an end.", registry=registry
        )
        self.webhook_overdue = Gauge(
            "offhook_webhook_overdue_seconds",
            "For how long the delivery has been due that has waited longest; 0 when none is.",
            registry=registry,
        )
        self.spent = Gauge(
            "offhook_budget_spent",
            "What calls have cost, in units of the currency.",
            registry=registry,
        )
        self.reserved = Gauge(
            "offhook_budget_reserved",
            "What is held for calls that are not over.",
            registry=registry,
        )
        self.limit = Gauge(
            "offhook_budget_limit",
            "The budget's limit; `+Inf` where there is none.",
            registry=registry,
        )
        self.pbx = Gauge(
            "offhook_pbx_connected",
            "Whether the link to a PBX is up (1) or not (0).",
            ("pbx",),
            registry=registry,
        )
        self.lateness = Gauge(
            "offhook_media_tick_lateness_seconds",
            "How late the last minute's media ticks were, by quantile.",
            ("quantile",),
            registry=registry,
        )
        self.skipped = Gauge(
            "offhook_media_ticks_skipped",
            "Media ticks given up since the start.",
            registry=registry,
        )
        self.strays = Gauge(
            "offhook_media_stray_packets",
            "Datagrams of no call, dropped since the start.",
            registry=registry,
        )
        self.ok = Gauge(
            "offhook_part_ok",
            "Whether a part of the server works (1) or not (0), as `/healthz` tells.",
            ("part",),
            registry=registry,
        )
        self.disk = Gauge(
            "offhook_disk_free_bytes",
            "Space left in a folder that the settings name.",
            ("folder",),
            registry=registry,
        )
        self.build = Gauge(
            "offhook_build_info", "Always 1.", ("version", "python"), registry=registry
        )
        ProcessCollector(registry=registry)
        self.build.labels(_version(), python_version()).set(1)

    def event(self, event: CallEvent) -> None:
        """Count what a committed event tells."""
        match event.type:
            case "call.turn":
                self._turn(event.data["turn"])
            case "call.audio_lost":
                self.audio_lost.inc()
        if event.terminal:
            call = event.data["call"]
            self.calls.labels(call["direction"], call["status"], bounded(call["end_reason"])).inc()

    def attempt_over(
        self, direction: Direction, ended: Ended, placed_at: float, answered_at: float | None
    ) -> None:
        """Count an attempt; times are Unix seconds."""
        self.attempts.labels(direction, ended.cause.state, bounded(ended.cause.name)).inc()
        media = ended.media or {}
        received, lost = media.get("received", 0), media.get("lost", 0)
        self.packets.labels("received").inc(received)
        self.packets.labels("sent").inc(media.get("sent", 0))
        self.lost.inc(lost)
        self.concealed.inc(media.get("concealed_frames", 0))
        if answered_at is None:
            return
        self.talk.labels(direction).observe(max(0.0, ended.at - answered_at))
        if direction == "outbound":
            self.ring.observe(max(0.0, answered_at - placed_at))
        if received:
            self.jitter.observe(media.get("jitter_ms", 0.0) / 1000)
            self.loss.observe(lost / (received + lost))

    def false_interruption(self) -> None:
        """The agent had stopped for what was no interruption."""
        self.interruptions.labels("false").inc()

    def webhook(self, attempted: Attempted) -> None:
        """Count an attempt to deliver."""
        outcome = "retried" if attempted.next_attempt_at is not None else "exhausted"
        self.webhooks.labels("delivered" if attempted.delivered else outcome).inc()
        self.webhook_seconds.observe(attempted.duration_ms / 1000)

    def text(self) -> bytes:
        """All of it in Prometheus' text format; takes milliseconds, in any thread."""
        return generate_latest(self.registry)

    def _turn(self, turn: dict[str, object]) -> None:
        self.turns.labels(turn["speaker"]).inc()
        if turn["speaker"] == "agent" and turn["interrupted"]:
            self.interruptions.labels("real").inc()
        tool, timings = turn["tool"], turn["timings"]
        if isinstance(tool, dict):
            self.tools.labels("error" if tool.get("is_error") else "ok").inc()
        if isinstance(timings, dict):
            for step in STEPS:
                if (ms := timings.get(f"{step}_ms")) is not None:
                    self.latency.labels(step).observe(ms / 1000)


def bounded(name: str | None) -> str:
    """A name of our own as a label; anything else is `other`."""
    return name if name is not None and _NAME.fullmatch(name) else "other"


def _version() -> str:
    try:
        return version("offhook")
    except PackageNotFoundError:
        return "unknown"
