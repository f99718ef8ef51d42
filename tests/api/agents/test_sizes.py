"""Configurations that are too large: refused before anybody is called."""

import time
from typing import Any

import pytest

from api.agents.sizes import MAX_CONFIG, MAX_RENDERED
from tests.api.agents.test_agents import change, make, places
from tests.api.conftest import Bench
from tests.api.orders.test_agent_calls import place
from tests.api.played_engines import ROOM

LONG = "x" * 19_000
TOOL = {
    "type": "http",
    "description": "It does it.",
    "method": "POST",
    "url": "https://crm.example.org/",
    "body_template": f'"{LONG}"',
}


async def test_variables_do_not_make_a_text_without_end(bench: Bench) -> None:
    """A few kilobytes of placeholders and one long value would be gigabytes."""
    many = "{{a}}" * 3_000
    for fields, at in (
        ({"instructions": many}, "/instructions"),
        ({"instructions": "Hi.", "first_sentence": "{{a}}" * 150}, "/first_sentence"),
    ):
        problem = await place(bench, 422, variables={"a": "x" * 20_000}, **fields)
        assert places(problem) == [at]
        assert str(MAX_RENDERED) in problem["detail"]
    await place(bench, instructions=many, variables={"a": "short"})


async def test_lists_within_lists_do_not_hold_up_the_api(bench: Bench) -> None:
    """Every item of them has 32 names."""
    lists: Any = [1, 2, 3, 4, 5, 6, 7]
    for _ in range(4):
        lists = [lists] * 7
    start = time.perf_counter()
    await place(bench, instructions="{{a[6].0[1].2[3]}}", variables={"a": lists})
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("more", "at"),
    [
        ({"instructions": LONG[:-1]}, "/persona"),
        ({"context": {"a": "x" * 25_000}}, "/context"),
        ({"instructions": "{{a}}" * 2, "variables": {"a": LONG}}, "/instructions"),
    ],
)
async def test_instructions_leave_room_for_a_conversation(
    bench: Bench, more: dict[str, Any], at: str
) -> None:
    """When an agent is saved, and when a call is placed."""
    problem = await make(bench, 422, persona=LONG, **more)
    assert (problem["code"], places(problem)) == ("prompt_too_long", [at])
    assert str(ROOM) in problem["detail"]
    agent = await make(bench, persona=LONG)
    problem = await place(bench, 422, agent_id=agent["id"], **more)
    assert places(problem) == ["/agent_id" if at == "/persona" else at]


async def test_an_agent_does_not_grow_with_every_change(bench: Bench) -> None:
    """Each call and event has a copy of it."""
    agent = await make(bench, tools=[TOOL | {"name": f"t{n}"} for n in range(3)])
    await change(bench, agent["id"], prompt_flow={"a": "x" * 64_000})
    await change(bench, agent["id"], source={"a": "x" * 60_000})
    await change(bench, agent["id"], variables={"a": "x" * 60_000})
    problem = await change(
        bench, agent["id"], 422, faq_items=[{"question": "?", "answer": "x" * 1_000}] * 50
    )
    assert (problem["code"], places(problem)) == ("agent_too_large", ["/prompt_flow"])
    assert str(MAX_CONFIG) in problem["detail"]


async def test_of_another_servers_model_the_room_is_not_known(bench: Bench) -> None:
    llm = {"api_url": "https://llm.example.org/v1", "model": "m"}
    await make(bench, persona=LONG, instructions=LONG, llm=llm)


async def test_many_questions_are_looked_up_and_need_no_room(bench: Bench) -> None:
    items = [{"question": f"Question {n}?", "answer": "x" * 1_000} for n in range(40)]
    await make(bench, persona=LONG, faq_items=items)
