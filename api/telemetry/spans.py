"""A call as one trace: the spans of what the ledger knows of it (W3C Trace Context, level 1).

The ids are made of the call's own, so whoever has a part of the call, in any process and after
any restart, knows where it belongs. No span holds a number or a word of anybody's.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from api.resources.attempt import Attempt
from api.resources.call import Call
from api.resources.turn import Turn
from api.resources.webhook import Attempted
from api.telemetry.meter import STEPS

Value = str | int | float | bool
Kind = Literal["internal", "server", "client"]

#: What an answer does until each of its marks (`voice_loop.events.Timings`).
_WORK: Final[Mapping[str, tuple[str, Mapping[str, Value]]]] = dict(
    zip(
        STEPS,
        (
            ("endpointing", {}),
            ("transcribe", {}),
            ("chat", {"gen_ai.operation.name": "chat"}),
            (
                "speak",
                {"gen_ai.operation.name": "generate_content", "gen_ai.output.type": "speech"},
            ),
            ("wire", {}),
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class Span:
    """One span; times are Unix seconds."""

    name: str
    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    parent_id: str | None
    begun: float
    ended: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    kind: Kind = "internal"
    failed: bool = False


def trace_id(call_id: str) -> str:
    """Of a call's trace: the call's id without hyphens."""
    return call_id.replace("-", "")


def attempt_span(call_id: str, event_id: str, at: float, tried: Attempted) -> Span:
    """The span of an attempt to deliver an event of the call."""
    facts: dict[str, Value] = {"http.request.method": "POST", "offhook.webhook.id": event_id}
    if tried.response_status is not None:
        facts["http.response.status_code"] = tried.response_status
    return Span(
        "POST webhook",
        trace_id(call_id),
        span_id(call_id, f"{event_id} {at}"),
        span_id(call_id),
        at,
        at + tried.duration_ms / 1000,
        facts,
        "client",
        not tried.delivered,
    )


def span_id(call_id: str, name: str = "call") -> str:
    """Of a span of the call, by a name that it has alone."""
    return hashlib.sha256(f"{call_id}/{name}".encode()).hexdigest()[:16]


def traceparent(call_id: str, name: str = "call") -> str:
    """The header for what is done for that span elsewhere."""
    return f"00-{trace_id(call_id)}-{span_id(call_id, name)}-01"


def call_spans(
    call: Call, attempts: Sequence[Attempt], turns: Sequence[Turn], told_at: float
) -> Iterator[Span]:
    """The spans of a call that is over, the call's own first.

    Args:
        call: as it ended.
        attempts: all of them, in order.
        turns: likewise.
        told_at: when its last event was told, after its result was found.
    """
    ended = call.ended_at or told_at
    tree = _Tree(call.id)
    facts: dict[str, Value | None] = {
        "offhook.call.id": call.id,
        "offhook.call.direction": call.direction,
        "offhook.call.status": call.status,
        "offhook.call.end_reason": call.end_reason,
        "offhook.call.outcome": call.outcome,
        "gen_ai.conversation.id": call.id,
    }
    until = max(told_at, ended)
    yield tree.span(
        *("call", "call", None, (call.created_at, until)),
        attributes=facts,
        kind="server",
        failed=_failed(call.status),
    )
    waits_from = call.created_at
    for attempt in attempts:
        own = f"attempt {attempt.number}"
        over = attempt.ended_at or ended
        if call.direction == "outbound":
            waited = waits_from, attempt.created_at
            yield tree.span("wait", f"wait {attempt.number}", "call", waited)
        facts = {
            "offhook.attempt.number": attempt.number,
            "offhook.attempt.state": attempt.state,
            "offhook.hangup_cause": attempt.hangup_cause,
            "offhook.q850_cause": attempt.q850_cause,
            "offhook.sip_code": attempt.sip_code,
        }
        yield tree.span(
            *("attempt", own, "call", (attempt.created_at, over)),
            attributes=facts,
            kind="client",
            failed=_failed(attempt.state),
        )
        if (rang := attempt.ringing_at or attempt.early_media_at) is not None:
            picked_up = attempt.answered_at or over
            yield tree.span("ring", f"ring {attempt.number}", own, (rang, picked_up))
        if attempt.answered_at is not None:
            talk = f"talk {attempt.number}"
            yield tree.span("talk", talk, own, (attempt.answered_at, over))
            for turn in turns:
                if turn.attempt == attempt.number:
                    yield from _turn(turn, talk, tree)
        waits_from = over
    if any(one is not None for one in (call.result, call.result_error, call.summary)):
        failed = call.result_error is not None
        yield tree.span("extract", "extract", "call", (ended, told_at), failed=failed)


@dataclass(frozen=True)
class _Tree:
    """Makes the spans of one call, each by a name that it has alone and its parent's."""

    call_id: str

    def span(
        self,
        name: str,
        own: str,
        parent: str | None,
        times: tuple[float, float],
        *,
        attributes: Mapping[str, Value | None] | None = None,
        kind: Kind = "internal",
        failed: bool = False,
    ) -> Span:
        return Span(
            name,
            trace_id(self.call_id),
            span_id(self.call_id, own),
            None if parent is None else span_id(self.call_id, parent),
            times[0],
            max(times),
            {key: value for key, value in (attributes or {}).items() if value is not None},
            kind,
            failed,
        )


def _failed(state: str) -> bool:
    return state == "failed"


def _turn(turn: Turn, talk: str, tree: _Tree) -> Iterator[Span]:
    own = f"turn {turn.seq}"
    facts: dict[str, Value | None]
    if turn.speaker == "tool":
        name = str((turn.tool or {}).get("name", ""))
        facts = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
        failed = bool((turn.tool or {}).get("is_error"))
        times = turn.started_at, turn.ended_at
        yield tree.span(f"execute_tool {name}", own, talk, times, attributes=facts, failed=failed)
        return
    marks = sorted(
        (turn.timings[key], step) for step in STEPS if (key := f"{step}_ms") in turn.timings
    )
    begun = turn.started_at
    if "wire_ms" in turn.timings:
        # From the person's last voiced packet on, from which the marks count.
        begun -= turn.timings["wire_ms"] / 1000
    facts = {"offhook.turn.speaker": turn.speaker, "offhook.turn.interrupted": turn.interrupted}
    yield tree.span("turn", own, talk, (begun, turn.ended_at), attributes=facts)
    since = begun
    for ms, step in marks:
        name, attributes = _WORK[step]
        at = begun + ms / 1000
        yield tree.span(name, f"{own} {step}", own, (since, at), attributes=attributes)
        since = at
