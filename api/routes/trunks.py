"""Trunks: over which ways calls go out, and how many at a time."""

from dataclasses import replace
from typing import Final

from api.base.problems import FieldError, invalid, pointer
from api.dialing.dialplan import try_dialplan
from api.http.endpoint import Answer, EndpointTable, Exchange, Parameter
from api.resources.answer import Created, Page
from api.resources.dialplan import DialplanObject, DialplanTest
from api.resources.page import PageOf
from api.resources.trunk import TRUNK_NAME, ChangeTrunk, CreateTrunk, NewTrunk, TrunkObject
from api.settings import FIRST_PBX
from pbx.dial_string import check_dial_string, way_over

PATH = "/v1/trunks"
ONE = PATH + "/{name}"
NAME = Parameter(
    "name", "path", "Name of the trunk.", {"type": "string", "pattern": TRUNK_NAME}, "carrier-a"
)

_SOME_URI: Final = "sip:bob@pbx.example"

route = EndpointTable("trunks", NAME)


@route("POST", PATH, "Add a trunk", {409: "There is one with this name, or there are too many."})
async def create_trunk(exchange: Exchange, asked: CreateTrunk) -> Created[TrunkObject]:
    """The PBX must know it by this name; Offhook does not configure the PBX.

    `pbx.trunk` of the settings, and that of each of `pbxs`, is added by itself at the start.
    """
    new = NewTrunk(**asked.model_dump())
    _check(exchange, new)
    trunk = await exchange.store.trunks.create(new)
    return Created(TrunkObject.of(trunk), f"{PATH}/{trunk.name}")


@route("GET", PATH, "List trunks")
async def list_trunks(exchange: Exchange) -> Page[TrunkObject]:
    """All of them, with the channels that are in use now."""
    return Page[TrunkObject].of(PageOf(tuple(await exchange.store.trunks.list())))


@route("GET", ONE, "Read a trunk")
async def get_trunk(exchange: Exchange) -> TrunkObject:
    """With the channels that are in use now."""
    return TrunkObject.of(await exchange.store.trunks.get(exchange.named("name")))


@route("PATCH", ONE, "Change, stop or start a trunk")
async def change_trunk(exchange: Exchange, asked: ChangeTrunk) -> TrunkObject:
    """A limit holds for what is dialled from now on; calls under way go on. A rest ends."""
    await _check_change(exchange, asked)
    trunks = exchange.store.trunks
    return TrunkObject.of(await trunks.change(exchange.named("name"), asked.changes()))


@route("DELETE", ONE, "Delete a trunk", {409: "Numbers or open calls need it."})
async def delete_trunk(exchange: Exchange) -> None:
    """`pbx.trunk` of the settings is there again after the next start."""
    await exchange.store.trunks.delete(exchange.named("name"))


@route(
    "POST",
    ONE + "/dialplan_test",
    "See how a number is dialled on a trunk",
    {200: Answer("What becomes of the numbers, rule by rule.", DialplanObject)},
    scope="read",
)
async def test_dialplan(exchange: Exchange, asked: DialplanTest) -> DialplanObject:
    """Nothing is dialled, and no limit counts it."""
    trunk = await exchange.store.trunks.get(exchange.named("name"))
    return await try_dialplan(exchange.store, exchange.services.settings, trunk, asked)


async def _check_change(exchange: Exchange, asked: ChangeTrunk) -> None:
    given = asked.changes()
    if not given.keys().isdisjoint({"pbx", "dial_string", "sip_uris"}):
        _check(exchange, replace(await exchange.store.trunks.get(exchange.named("name")), **given))


def _check(exchange: Exchange, trunk: NewTrunk) -> None:
    """Raise Problem for a PBX that the settings do not name, a dial string of another kind, and
    SIP URIs where it takes none."""
    settings = exchange.services.settings
    pbx, dial_string = trunk.pbx, trunk.dial_string
    if pbx is not None and pbx not in settings.pbxs:
        known = ", ".join(settings.pbxs) or "none"
        raise invalid([FieldError(f"is none of `pbxs` ({known})", pointer("pbx"))])
    its = settings.all_pbxs[pbx or FIRST_PBX]
    if dial_string is not None:
        try:
            wrong = "" if check_dial_string(dial_string) == its.kind else f"is none of {its.kind}"
        except ValueError as error:
            wrong = str(error)
        if wrong:
            raise invalid([FieldError(wrong, pointer("dial_string"))])
    if trunk.sip_uris:
        way = way_over(trunk.name, dial_string, its.dial_string, its.kind)
        try:
            way.fill(_SOME_URI)
        except ValueError as error:
            detail = f"cannot be called, as the dial string {way.dial_string!r} {error}"
            raise invalid([FieldError(detail, pointer("sip_uris"))]) from error


ENDPOINTS = route.endpoints
