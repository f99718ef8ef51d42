"""The calls under way, made anew whenever one of them says something."""

from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from api.base.lifecycle import LIVE
from api.console.sse import message, until_news
from api.console.visit import Page, Visit
from api.resources.turn import TurnObject


async def show_live(visit: Visit) -> Response:
    """What is under way now."""
    return visit.page("live.html", title="Live", **await _told(visit))


async def follow_live(visit: Visit) -> Response:
    """The same as it changes, as Server-Sent Events."""
    answer = StreamingResponse(
        _followed(visit), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )
    return visit.stream(answer)


async def _followed(visit: Visit) -> AsyncIterator[str]:
    store, heartbeat_s = visit.services.store, visit.services.settings.server.sse_heartbeat_s
    while True:
        with store.bus.subscribe() as news:
            yield message("live", visit.fragment("live_body.html", **await _told(visit)))
            async for beat in until_news(news, heartbeat_s):
                yield beat


async def _told(visit: Visit) -> dict[str, Any]:
    calls = [
        call
        for status in LIVE
        for call in (await visit.ask("list_calls", query=[("status", status), ("limit", "200")]))[
            "data"
        ]
    ]
    calls.sort(key=lambda call: call["created_at"], reverse=True)
    turns = await visit.services.store.calls.turns_of([call["id"] for call in calls])
    return {
        "calls": [
            {**call, **_last([TurnObject.of(one).model_dump() for one in turns[call["id"]]])}
            for call in calls
        ],
        "most": visit.services.settings.calls.max_concurrent,
    }


def _last(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The last words, who said them, and how long the last answer took."""
    waited = [turn["timings"]["wire_ms"] for turn in turns if "wire_ms" in turn["timings"]]
    return {"last": turns[-1] if turns else None, "waited": waited[-1] if waited else None}


PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", "/live", show_live),
    ("GET", "/live/events", follow_live),
)
