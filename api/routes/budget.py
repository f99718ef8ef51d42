"""The budget: what calls may cost in all."""

import uuid

from api.base.refusals import Invalid
from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Page
from api.resources.budget import BudgetEntryObject, BudgetObject, ChangeBudget

PATH = "/v1/budget"
CALL_ID = Parameter(
    "call_id", "query", "Only those of this call.", {"type": "string", "format": "uuid"}
)

route = EndpointTable("money")


@route("GET", PATH, "Read the budget")
async def get_budget(exchange: Exchange) -> BudgetObject:
    """What is spent, what is held for calls that are not over, and what remains."""
    return BudgetObject.of(await exchange.store.budget.get())


@route("PATCH", PATH, "Limit what calls may cost")
async def change_budget(exchange: Exchange, asked: ChangeBudget) -> BudgetObject:
    """With a limit, a call reserves what it costs at its longest, and is refused (402) where that
    is not available; so is a number (422) that no rate fits. Below what is spent and reserved,
    calls that wait go on waiting.
    """
    return BudgetObject.of(await exchange.store.budget.set_limit(asked.limit_milli_cents))


@route(
    "GET",
    PATH + "/entries",
    "List changes of the budget, the latest first",
    query=(*page_parameters("Changes"), CALL_ID),
)
async def list_budget_entries(exchange: Exchange) -> Page[BudgetEntryObject]:
    """Every hold, settlement, release and change of the limit."""
    query = read_page_query(exchange, {"call_id": None})
    page = await exchange.store.budget.entries(
        limit=query.limit, cursor=query.cursor, call_id=_call_id(query.filters.get("call_id"))
    )
    return Page[BudgetEntryObject].of(page)


def _call_id(asked: str | None) -> str | None:
    if asked is None:
        return None
    try:
        return str(uuid.UUID(asked))
    except ValueError as error:
        raise Invalid("must be a call's id", parameter="call_id") from error


ENDPOINTS = route.endpoints
