"""A call's events as they happen: Server-Sent Events, resumed by `Last-Event-ID`.

What is committed is in the table, and the bus only wakes us: a subscriber that was dropped, or
finds a gap, reads on from the table, and nothing is told twice or left out.
"""

import asyncio
import json
from collections.abc import AsyncGenerator

from starlette.responses import Response, StreamingResponse

from api.base.refusals import Invalid
from api.http.endpoint import Answer, EndpointTable, Exchange, Parameter
from api.resources.event import CallEvent, EventObject
from api.routes.calls import CALL_ID, find_call
from api.store import Store
from api.store.event_bus import Lagged

_LAST = Parameter("Last-Event-ID", "header", "Go on after this event.", {"type": "integer"})

route = EndpointTable("calls", CALL_ID)


@route(
    "GET",
    "/v1/calls/{call_id}/events",
    "Follow a call live",
    {
        200: Answer(
            "Every event so far, then each as it happens; ends after the call's last one.",
            EventObject,
            media_type="text/event-stream",
        ),
        204: "There is nothing after `Last-Event-ID`, and never will be.",
        422: "`Last-Event-ID` is wrong.",
    },
    query=(_LAST,),
)
async def stream_events(exchange: Exchange) -> Response:
    """Server-Sent Events: what has happened so far, then each event as it happens. The stream ends
    after the call's last event, or once the API key is revoked; `Last-Event-ID` resumes it.
    """
    request, services = exchange.request, exchange.services
    last = request.headers.get("last-event-id", "0")
    if not (last.isascii() and last.isdigit() and len(last) < 10):
        raise Invalid("must be the id of an event", parameter="Last-Event-ID")
    call = await find_call(exchange)
    past = await services.store.calls.events(call.id)
    if past and past[-1].terminal and past[-1].seq <= int(last):
        return Response(status_code=204)  # tells an EventSource not to come back
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    return StreamingResponse(
        stream(services.store, call.id, int(last), services.settings.server.sse_heartbeat_s),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def stream(
    store: Store, call_id: str, last: int, heartbeat_s: float
) -> AsyncGenerator[str, None]:
    yield ": connected\n\n"
    while True:
        with store.bus.subscribe(call_id) as live:
            for event in await store.calls.events(call_id, after=last):
                yield frame(event)
                last = event.seq
                if event.terminal:
                    return
            try:
                while True:
                    event = await asyncio.wait_for(live.next(), heartbeat_s)
                    if event.seq <= last:
                        continue
                    if event.seq > last + 1:
                        break  # another process told the one before
                    yield frame(event)
                    last = event.seq
                    if event.terminal:
                        return
            except TimeoutError:
                yield ": heartbeat\n\n"
            except Lagged:
                pass  # the table has what was missed


def frame(event: CallEvent) -> str:
    """One SSE message (WHATWG HTML 9.2.5); JSON on one line, so nothing can break out of it."""
    data = json.dumps(EventObject.of(event).model_dump())
    return f"id: {event.seq}\nevent: {event.type}\ndata: {data}\n\n"


ENDPOINTS = route.endpoints
