"""The budget: what calls may cost in all."""

import uuid

from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.endpoint import Answer, Endpoint, Exchange, Parameter
from api.fields import parse_fields
from api.money_objects import (
    BudgetEntryList,
    BudgetObject,
    ChangeBudget,
    budget_entry_object,
    budget_object,
)
from api.paging import bad_cursor, page_parameters, read_page_query
from api.problems import FieldError, invalid
from api.store.cursors import CursorError

PATH = "/v1/budget"


async def get_budget(exchange: Exchange) -> Response:
    """What is spent, what is held for calls that are not over, and what remains."""
    return JSONResponse(budget_object(await exchange.services.store.budget.get()))


async def change_budget(exchange: Exchange) -> Response:
    """With a limit, a call reserves what it costs at its longest, and is refused (402) where that
    is not available; so is a number (422) that no rate fits. Below what is spent and reserved,
    calls that wait go on waiting.
    """
    asked = parse_fields(ChangeBudget, parse_json(exchange.body))
    budget = await exchange.services.store.budget.set_limit(asked.limit_milli_cents)
    return JSONResponse(budget_object(budget))


async def list_budget_entries(exchange: Exchange) -> Response:
    """Every hold, settlement, release and change of the limit."""
    query = read_page_query(exchange, {"call_id": None})
    try:
        page = await exchange.services.store.budget.entries(
            limit=query.limit, cursor=query.cursor, call_id=_call_id(query.filters.get("call_id"))
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [budget_entry_object(entry) for entry in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


def _call_id(asked: str | None) -> str | None:
    if asked is None:
        return None
    try:
        return str(uuid.UUID(asked))
    except ValueError as error:
        raise invalid([FieldError("must be a call's id", parameter="call_id")]) from error


ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        get_budget,
        "Read the budget",
        "money",
        {200: Answer("How it stands.", BudgetObject)},
    ),
    Endpoint(
        "PATCH",
        PATH,
        change_budget,
        "Limit what calls may cost",
        "money",
        {
            200: Answer("How it stands now.", BudgetObject),
            400: Answer("The body is not JSON."),
            422: Answer("A field is wrong."),
        },
        body=ChangeBudget,
    ),
    Endpoint(
        "GET",
        PATH + "/entries",
        list_budget_entries,
        "List changes of the budget, the latest first",
        "money",
        {200: Answer("A page of changes.", BudgetEntryList), 422: Answer("A parameter is wrong.")},
        parameters=(
            *page_parameters("Changes"),
            Parameter(
                "call_id",
                "query",
                "Only those of this call.",
                {"type": "string", "format": "uuid"},
            ),
        ),
    ),
)
