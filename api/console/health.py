"""How the server is: each part with how to mend it, what waits and why, and what failed last."""

import asyncio
import json
from collections import Counter
from typing import Any, Final

from starlette.responses import Response

from api.base.lifecycle import LIVE, CallStatus
from api.console.visit import Page, Visit
from api.http.disk import MEGABYTE, folders, free_bytes
from api.store.queries import CallFilter

_SHOWN: Final = "20"


async def show_health(visit: Visit) -> Response:
    """The page."""
    health = json.loads(bytes((await visit.answer("get_health")).body))
    queued = await visit.ask("list_calls", query=[("status", "queued"), ("limit", "200")])
    failed = await visit.ask("list_calls", query=[("status", "failed"), ("limit", _SHOWN)])
    undelivered = await visit.ask(
        "list_webhook_deliveries", query=[("status", "exhausted"), ("limit", _SHOWN)]
    )
    return visit.page(
        "health.html",
        title="Health",
        health=health,
        live=sum([await _count(visit, status) for status in LIVE]),
        queued=await _count(visit, "queued"),
        waits=Counter(call["waiting_for"] or "free_slot" for call in queued["data"]).most_common(),
        trunks=(await visit.ask("list_trunks"))["data"],
        engines=await _engines(visit),
        disk=await asyncio.to_thread(_disk, visit),
        settings=visit.services.settings,
        failed=failed["data"],
        undelivered=undelivered["data"],
    )


async def _count(visit: Visit, status: CallStatus) -> int:
    _, count = await visit.services.store.calls.listed(
        limit=0, offset=0, wanted=CallFilter(status=status)
    )
    return count


async def _engines(visit: Visit) -> list[tuple[str, dict[str, Any]]]:
    """Each engine with what it is for."""
    kinds = {
        "language model": "list_models",
        "recogniser": "list_transcribers",
        "voice": "list_voices",
    }
    return [
        (kind, engine)
        for kind, operation in kinds.items()
        for engine in (await visit.ask(operation))["data"]
    ]


def _disk(visit: Visit) -> list[tuple[str, str, int | None]]:
    """Each folder with its setting, and the megabytes that are free in it."""

    def free(folder: Any) -> int | None:
        try:
            return free_bytes(folder) // MEGABYTE
        except OSError:
            return None

    found = folders(visit.services.settings).values()
    return [(setting, str(folder), free(folder)) for folder, setting in found]


PAGES: Final[tuple[tuple[str, str, Page], ...]] = (("GET", "/health", show_health),)
