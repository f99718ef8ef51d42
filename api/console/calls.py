"""The list of calls: searched, page by page, and as a file."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from starlette.responses import Response

from api.base.csv_files import csv_lines
from api.console.listing import filters_of, page_query
from api.console.visit import Page, Visit
from api.http.csv_transfer import export_csv

#: What of a call stands in the file.
COLUMNS: Final = (
    *("id", "created_at", "direction", "from_number", "to_number", "status", "answered_by"),
    *("end_reason", "hangup_cause", "sip_code", "q850_cause", "sip_call_id", "duration_seconds"),
    *("billed_duration_seconds", "billing_amount_milli_cents", "attempt_count", "agent_id"),
    *("campaign_id", "outcome", "summary", "result_status"),
)
#: Searched first; the rest is behind "more".
_FIRST: Final = ("status", "direction", "to_number", "from_number")
_BATCH: Final = "200"


async def list_calls(visit: Visit) -> Response:
    """The newest calls that were asked for."""
    query = page_query(visit)
    page = await visit.ask("list_calls", query=query)
    filters = filters_of("list_calls", visit.request.query_params)
    return visit.page(
        "calls.html",
        title="Calls",
        calls=page["data"],
        next_cursor=page["next_cursor"],
        query=[pair for pair in query if pair[0] != "cursor"],
        first=[one for one in filters if one.name in _FIRST],
        more=[one for one in filters if one.name not in _FIRST],
    )


async def export_calls(visit: Visit) -> Response:
    """All the calls that were asked for, as CSV."""
    query = [pair for pair in page_query(visit) if pair[0] not in {"cursor", "limit"}]
    first = await visit.ask("list_calls", query=[*query, ("limit", _BATCH)])

    async def parts() -> AsyncIterator[str]:
        page = first
        while True:
            yield csv_lines(_rows(page["data"]))
            if page["next_cursor"] is None:
                return
            more = [("limit", _BATCH), ("cursor", page["next_cursor"])]
            page = await visit.ask("list_calls", query=[*query, *more])

    return visit.stream(export_csv("calls.csv", COLUMNS, parts()))


def _rows(calls: list[dict[str, Any]]) -> Iterator[list[Any]]:
    return ([call[column] for column in COLUMNS] for call in calls)


PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", "/calls", list_calls),
    ("GET", "/calls.csv", export_calls),
)
