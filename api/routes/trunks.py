"""Trunks: over which ways calls go out, and how many at a time."""

import contextlib
import re
from collections.abc import Iterator

from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.fields import parse_fields
from api.problems import Problem
from api.resources import NewTrunk
from api.store.trunks import (
    MAX_TRUNKS,
    TooManyTrunksError,
    TrunkInUseError,
    TrunkTakenError,
    UnknownTrunkError,
)
from api.trunk_objects import (
    TRUNK_NAME,
    ChangeTrunk,
    CreateTrunk,
    TrunkList,
    TrunkObject,
    trunk_object,
)

PATH = "/v1/trunks"
NAME = Parameter(
    "name", "path", "Name of the trunk.", {"type": "string", "pattern": TRUNK_NAME}, "carrier-a"
)


async def create_trunk(exchange: Exchange) -> Response:
    """The PBX must know it by this name; Offhook does not configure the PBX.

    `pbx.trunk` of the settings is added by itself at the start.
    """
    asked = parse_fields(CreateTrunk, parse_json(exchange.body))
    values = asked.model_dump() | {"allowed_prefixes": tuple(asked.allowed_prefixes)}
    try:
        trunk = await exchange.services.store.trunks.create(NewTrunk(**values))
    except TrunkTakenError as error:
        raise Problem(409, "trunk_taken", "there is a trunk with this name already") from error
    except TooManyTrunksError as error:
        detail = f"there are {MAX_TRUNKS} trunks already; delete one"
        raise Problem(409, "too_many_trunks", detail) from error
    return JSONResponse(trunk_object(trunk), 201, {"Location": f"{PATH}/{trunk.name}"})


async def list_trunks(exchange: Exchange) -> Response:
    """All of them, with the channels that are in use now."""
    data = [trunk_object(trunk) for trunk in await exchange.services.store.trunks.list()]
    return JSONResponse({"data": data, "has_more": False, "next_cursor": None})


async def get_trunk(exchange: Exchange) -> Response:
    """With the channels that are in use now."""
    with _named(exchange) as name:
        return JSONResponse(trunk_object(await exchange.services.store.trunks.get(name)))


async def change_trunk(exchange: Exchange) -> Response:
    """A limit holds for what is dialled from now on; calls under way go on."""
    asked = parse_fields(ChangeTrunk, parse_json(exchange.body))
    changes = asked.model_dump(include=asked.model_fields_set)
    with _named(exchange) as name:
        trunk = await exchange.services.store.trunks.change(name, changes)
    return JSONResponse(trunk_object(trunk))


async def delete_trunk(exchange: Exchange) -> Response:
    """`pbx.trunk` of the settings is there again after the next start."""
    try:
        with _named(exchange) as name:
            await exchange.services.store.trunks.delete(name)
    except TrunkInUseError as error:
        detail = f"the trunk is in use ({error}); make it inactive, or try again later"
        raise Problem(409, "trunk_in_use", detail) from error
    return Response(status_code=204)


@contextlib.contextmanager
def _named(exchange: Exchange) -> Iterator[str]:
    """The trunk's name in the path; 404 if there is none of that name."""
    name = exchange.request.path_params["name"]
    if not re.fullmatch(TRUNK_NAME, name):
        raise not_found("trunk")
    try:
        yield name
    except UnknownTrunkError as error:
        raise not_found("trunk") from error


_NONE = Answer("No such trunk.")
_WRONG = Answer("A field is wrong.")
_MALFORMED = Answer("The body is not JSON.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        create_trunk,
        "Add a trunk",
        "trunks",
        {
            201: Answer("It is added.", TrunkObject, headers={"Location": "Its path."}),
            400: _MALFORMED,
            409: Answer("There is one with this name, or there are too many."),
            422: _WRONG,
        },
        body=CreateTrunk,
    ),
    Endpoint(
        "GET", PATH, list_trunks, "List trunks", "trunks", {200: Answer("All of them.", TrunkList)}
    ),
    Endpoint(
        "GET",
        PATH + "/{name}",
        get_trunk,
        "Read a trunk",
        "trunks",
        {200: Answer("The trunk.", TrunkObject), 404: _NONE},
        parameters=(NAME,),
    ),
    Endpoint(
        "PATCH",
        PATH + "/{name}",
        change_trunk,
        "Change, stop or start a trunk",
        "trunks",
        {
            200: Answer("The trunk as it is now.", TrunkObject),
            400: _MALFORMED,
            404: _NONE,
            422: _WRONG,
        },
        body=ChangeTrunk,
        parameters=(NAME,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{name}",
        delete_trunk,
        "Delete a trunk",
        "trunks",
        {
            204: Answer("It is gone."),
            404: _NONE,
            409: Answer("Numbers or open calls need it."),
        },
        parameters=(NAME,),
    ),
)
