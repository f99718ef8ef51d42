"""What an endpoint makes of its handler's annotations, and of what the handler gives or raises."""

import json
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from starlette.responses import Response

from api.base.fields import Body, Change
from api.base.problems import Problem
from api.base.refusals import Capped, Conflict, Invalid, NotFound, Refused, Unaffordable
from api.base.times import Timestamp
from api.http.endpoint import Endpoint, EndpointTable, Exchange, Parameter
from api.resources.answer import Accepted, Created, Page, Resource
from api.resources.page import PageOf

AT = 1803888000.5
NAME = Parameter("name", "path", "Its name.")


class CreateHorse(Body):
    """A horse to keep."""

    free_text = frozenset({"story"})
    aliases: ClassVar = {"called": "name"}

    name: str
    story: str = ""


class ChangeHorse(Change):
    """What to change."""

    story: str = ""
    weight: int | None = None


class HorseObject(Resource):
    """A horse."""

    name: str
    born_at: Timestamp
    died_at: Timestamp | None = None


async def give_horse(exchange: Exchange) -> HorseObject:
    return HorseObject.of(SimpleNamespace(name="Ada", born_at=AT, died_at=None))


async def put_horse(exchange: Exchange, asked: CreateHorse) -> HorseObject | Created[HorseObject]:
    horse = HorseObject.of(SimpleNamespace(name=asked.name, born_at=AT, died_at=AT))
    return Created(horse, "/horses/x") if asked.story else horse


async def train_horse(exchange: Exchange) -> Accepted[HorseObject]:
    return Accepted(await give_horse(exchange))


async def list_horses(exchange: Exchange) -> Page[HorseObject]:
    horses = (SimpleNamespace(name="Ada", born_at=AT),)
    return Page[HorseObject].of(PageOf(horses, "next"))


async def delete_horse(exchange: Exchange) -> None:
    pass


async def stable(exchange: Exchange) -> Response:
    return Response("straw")


async def answer(endpoint: Endpoint, body: str = "") -> tuple[int, Any]:
    given = await endpoint.respond(cast("Exchange", SimpleNamespace(body=body.encode())))
    return given.status_code, json.loads(bytes(given.body)) if given.body else None


@pytest.mark.parametrize(
    ("handler", "answers"),
    [
        (give_horse, {200: HorseObject}),
        (put_horse, {200: HorseObject, 201: HorseObject}),
        (list_horses, {200: Page[HorseObject]}),
        (train_horse, {202: HorseObject}),
        (delete_horse, {204: None}),
        (stable, {}),
    ],
)
def test_annotations_tell_the_answers(handler: Any, answers: dict[int, Any]) -> None:
    endpoint = Endpoint("GET", "/horses", handler, "Horses", "horses")
    assert {status: one.model for status, one in endpoint.answers.items()} == answers
    assert endpoint.body is (CreateHorse if handler is put_horse else None)


async def test_what_is_given_is_answered() -> None:
    route = EndpointTable("horses", NAME)
    for handler in (give_horse, put_horse, train_horse, list_horses, delete_horse):
        route("POST", "/horses/{name}", "Do", {409: "It bites."})(handler)
    give, put, train, listed, delete = route.endpoints
    assert (give.tag, give.parameters, give.answers[409].description) == (
        "horses",
        (NAME,),
        "It bites.",
    )
    horse = {"name": "Ada", "born_at": "2027-03-01T08:00:00.500Z", "died_at": None}
    assert await answer(give) == (200, horse)
    assert await answer(listed) == (
        200,
        {"data": [horse], "has_more": True, "next_cursor": "next"},
    )
    assert await answer(train) == (202, horse)
    assert await answer(delete) == (204, None)
    buried = horse | {"died_at": horse["born_at"]}
    assert await answer(put, '{"called": "Ada"}') == (200, buried)
    assert await answer(put, '{"name": "Ada", "story": "a\\nb"}') == (201, buried)


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("{", 400), ("[]", 422), ('{"name": "a\\nb"}', 422), ('{"name": 1}', 422)],
)
async def test_a_wrong_body_never_comes_to_the_handler(body: str, status: int) -> None:
    with pytest.raises(Problem) as caught:
        await answer(Endpoint("PUT", "/horses", put_horse, "Keep", "horses"), body)
    assert caught.value.status == status


async def test_a_body_may_be_left_out() -> None:
    async def change(exchange: Exchange, asked: ChangeHorse) -> Response:
        return Response(json.dumps(asked.changes()))

    endpoint = Endpoint("POST", "/horses", change, "Change", "horses", body_required=False)
    assert await answer(endpoint) == (200, {})
    assert await answer(endpoint, '{"weight": null}') == (200, {"weight": None})
    assert "default" not in json.dumps(ChangeHorse.model_json_schema())


@pytest.mark.parametrize(
    ("refused", "status", "code", "error"),
    [
        (NotFound("horse"), 404, "not_found", None),
        (Conflict("horse_taken", "another has it"), 409, "horse_taken", None),
        (Unaffordable("no_money", "hay is dear"), 402, "no_money", None),
        (Capped("too_many_horses", "one a day", AT), 429, "too_many_horses", None),
        (Capped("too_large", "no such stable", None), 403, "too_large", None),
        (Invalid("too long", field="name"), 422, "validation_failed", ("/name", None)),
        (Invalid("no", parameter="cursor", code="x"), 422, "x", (None, "cursor")),
    ],
)
async def test_a_refusal_becomes_a_problem(
    refused: Refused, status: int, code: str, error: tuple[str | None, str | None] | None
) -> None:
    async def refuse(exchange: Exchange) -> None:
        raise refused

    with pytest.raises(Problem) as caught:
        await answer(Endpoint("GET", "/horses", refuse, "Read", "horses"))
    problem = caught.value
    assert (problem.status, problem.code) == (status, code)
    assert [(one.pointer, one.parameter) for one in problem.errors] == ([error] if error else [])


async def test_when_to_try_again_is_told() -> None:
    async def refuse(exchange: Exchange) -> None:
        raise Conflict("busy", "being shod", retry_after_s=7)

    with pytest.raises(Problem) as caught:
        await answer(Endpoint("GET", "/horses", refuse, "Read", "horses"))
    assert caught.value.headers == {"Retry-After": "7"}


@pytest.mark.parametrize("given", ["name", "called"])
@pytest.mark.parametrize("early", [True, False])
async def test_a_refusal_calls_a_field_as_the_body_does(given: str, early: bool) -> None:
    async def refuse(exchange: Exchange, asked: CreateHorse) -> None:
        raise Invalid("there is one", field="name")

    endpoint = Endpoint("POST", "/horses", refuse, "Add", "horses")
    with pytest.raises(Problem) as caught:
        await answer(endpoint, json.dumps({given: 7 if early else "Ada"}))
    assert [one.pointer for one in caught.value.errors] == [f"/{given}"]
