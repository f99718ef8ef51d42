"""The budget: what is spent, held and left, its limit, and every change of it."""

from typing import Final

from starlette.responses import Response

from api.base.problems import Problem
from api.console.inputs import body_of, errors_at, inputs_of
from api.console.listing import page_query
from api.console.lists import model_of
from api.console.visit import Page, Visit, go


async def show_budget(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def _page(visit: Visit, problem: Problem | None = None) -> Response:
    budget = await visit.ask("get_budget")
    entries = await visit.ask("list_budget_entries", query=page_query(visit))
    inputs = inputs_of(model_of("change_budget"))
    at, others = ({}, []) if problem is None else errors_at(inputs, problem)
    sent = {} if problem is None else visit.form.fields
    return visit.page(
        "budget.html",
        200 if problem is None else problem.status,
        title="Budget",
        budget=budget,
        entries=entries["data"],
        next_cursor=entries["next_cursor"],
        form={
            "first": inputs,
            "folded": [],
            "values": {one.name: sent.get(one.name, one.shown(budget)) for one in inputs},
            "errors": at,
            "others": others,
        },
    )


async def change_budget(visit: Visit) -> Response:
    """Set the limit."""
    try:
        budget = await visit.ask("get_budget")
        body = body_of(inputs_of(model_of("change_budget")), visit.form.fields, budget)
        if body:
            await visit.ask("change_budget", body)
    except Problem as problem:
        return await _page(visit, problem)
    return go("/budget")


PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", "/budget", show_budget),
    ("POST", "/budget", change_budget),
)
