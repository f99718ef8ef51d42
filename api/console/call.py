"""One call: its facts, what was said and heard, where the time went, what came of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from api.base.times import parse_rfc3339
from api.calls.recording_folder import box_name
from api.console.sse import message, until_news
from api.console.visit import HOME, Page, Visit, go

#: The marks of an answer in order, and the part that each ends.
_MARKS: Final = (
    ("endpoint_ms", "endpoint", "end of turn"),
    ("transcript_ms", "stt", "recognition"),
    ("first_token_ms", "llm", "first token"),
    ("first_audio_ms", "tts", "first audio"),
    ("wire_ms", "wire", "to the wire"),
)
PARTS: Final = tuple((part, words) for _, part, words in _MARKS)


async def show_call(visit: Visit) -> Response:
    """Everything that is known of it; followed live until it is over, with its recording then."""
    told = await _told(visit)
    return visit.page("call.html", styled=told["marks"] is not None, **told)


async def follow_call(visit: Visit) -> Response:
    """Its page again whenever something has happened, as Server-Sent Events."""
    call_id = _id(visit)
    await visit.ask("get_call", call_id=call_id)  # that it is there
    answer = StreamingResponse(
        _followed(visit, call_id),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )
    return visit.stream(answer)


async def _followed(visit: Visit, call_id: str) -> AsyncIterator[str]:
    store, heartbeat_s = visit.services.store, visit.services.settings.server.sse_heartbeat_s
    while True:
        with store.bus.subscribe(call_id) as news:
            told = await _told(visit)
            yield message("call", visit.fragment("call_body.html", **told | {"marks": None}))
            if told["over"]:
                yield message("over", "")
                return
            async for beat in until_news(news, heartbeat_s):
                yield beat


async def _told(visit: Visit) -> dict[str, Any]:
    call_id = _id(visit)
    call = await visit.ask("get_call", call_id=call_id)
    attempts = (await visit.ask("list_attempts", call_id=call_id))["data"]
    turns = (await visit.ask("get_transcript", call_id=call_id))["turns"]
    deliveries = (await visit.ask("list_call_deliveries", call_id=call_id))["data"]
    events = await visit.services.store.calls.events(call_id)
    over = bool(events) and events[-1].terminal
    longest = max((turn["timings"].get("wire_ms") or 0 for turn in turns), default=0)
    return {
        "title": f"Call to {call['to_number']}" if call["to_number"] else "Call from a browser",
        "call": call,
        "attempts": attempts,
        "turns": [{**turn, "parts": list(_parts(turn["timings"]))} for turn in turns],
        "longest": longest or 1,
        "parts": PARTS,
        "deliveries": deliveries,
        "events": events,
        "marks": _marks(call, attempts, turns) if over else None,
        "over": over,
        "boxed": over and await asyncio.to_thread(_boxed, visit, attempts),
    }


def _boxed(visit: Visit, attempts: list[dict[str, Any]]) -> bool:
    """Whether a black box of the call lies here."""
    names = [box_name(_id(visit), one["number"]) for one in attempts]
    return any(visit.services.recordings.file(name) is not None for name in names)


def _parts(timings: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """Where an answer's time went: marks count from the person's last sound, so each part is what
    its mark adds to the one before."""
    before = 0.0
    for mark, part, words in _MARKS:
        at = timings.get(mark)
        if at is not None and at > before:
            yield {"part": part, "words": words, "begin": before, "ms": round(at - before, 1)}
            before = at


def _marks(
    call: Mapping[str, Any], attempts: list[dict[str, Any]], turns: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """What stands on the recording's waveform, in seconds; None where there is no recording."""
    recorded = [one for one in attempts if one["recording_available"]]
    origin = parse_rfc3339(recorded[-1]["answered_at"] or "") if recorded else None
    if origin is None:
        return None

    def second(time: str) -> float:
        return round(max(0.0, (parse_rfc3339(time) or origin) - origin), 3)

    return {
        "audio": f"{HOME}/calls/{call['id']}/recording",
        "turns": [
            {
                "seq": turn["seq"],
                "speaker": turn["speaker"],
                "interrupted": turn["interrupted"],
                "start": second(turn["started_at"]),
                "end": second(turn["ended_at"]),
            }
            for turn in turns
            if turn["attempt"] == recorded[-1]["number"]
        ],
    }


async def play_recording(visit: Visit) -> Response:
    """The recording's file, ranges included."""
    answer = await visit.answer("get_recording", call_id=_id(visit))
    answer.headers["Content-Disposition"] = "inline"
    return visit.stream(answer)


async def fetch_black_box(visit: Visit) -> Response:
    """The black box, as a file."""
    return visit.stream(await visit.answer("get_black_box", call_id=_id(visit)))


async def hang_up(visit: Visit) -> Response:
    """End an answered call."""
    await visit.ask("hang_up_call", call_id=_id(visit))
    return go(f"/calls/{_id(visit)}")


async def cancel(visit: Visit) -> Response:
    """End a call that is not answered."""
    await visit.ask("cancel_call", call_id=_id(visit))
    return go(f"/calls/{_id(visit)}")


def _id(visit: Visit) -> str:
    call_id: str = visit.request.path_params["call_id"]
    return call_id


PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", "/calls/{call_id}", show_call),
    ("GET", "/calls/{call_id}/live", follow_call),
    ("GET", "/calls/{call_id}/recording", play_recording),
    ("GET", "/calls/{call_id}/black-box", fetch_black_box),
    ("POST", "/calls/{call_id}/hang-up", hang_up),
    ("POST", "/calls/{call_id}/cancel", cancel),
)
