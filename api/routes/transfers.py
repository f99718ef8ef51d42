"""Handing the person on the line over to somebody else."""

from typing import Final

from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.problems import FieldError, Problem, invalid, pointer
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange
from api.orders.transfers import order_transfer
from api.resources.call import CallObject, call_object
from api.resources.transfer import TransferCall, TransferRefusedError, TransferWish
from api.routes.calls import CALL_ID, find_call

#: The fields that refusals are about; the others are about the call as it stands.
_FIELDS: Final = {
    "destination_not_allowed": "number",
    "no_trunk": "number",
    "no_rate": "number",
    "do_not_call": "number",
    "refer_not_allowed": "method",
}


async def transfer_call(exchange: Exchange) -> Response:
    """Works while the call is in progress, once at a time. `transfer` of the call and its events
    tell what becomes of it: if nobody can be had, the agent is told so and goes on.
    """
    asked = parse_fields(TransferCall, parse_json(exchange.body))
    if asked.mode == "warm" and asked.method == "refer":
        detail = "a warm transfer is made by bridging: leave method out"
        raise invalid([FieldError(detail, pointer("method"))])
    wish = TransferWish(
        asked.number,
        asked.mode,
        None if asked.method == "auto" else asked.method,
        asked.summary_instructions or None,
    )
    call = await find_call(exchange)
    services = exchange.services
    try:
        await order_transfer(services.store, services.settings.calls, call, wish)
    except TransferRefusedError as error:
        if (field := _FIELDS.get(error.code)) is not None:
            raise invalid([FieldError(str(error), pointer(field))], error.code) from error
        status = 402 if error.code == "budget_exceeded" else 409
        raise Problem(status, error.code, str(error)) from error
    return JSONResponse(call_object(await services.store.calls.get(call.id)), 202)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/calls/{call_id}/transfer",
        transfer_call,
        "Hand the person over to somebody else",
        "calls",
        {
            202: Answer("They are being called; events tell how it goes.", CallObject),
            400: Answer("The body is not JSON."),
            402: Answer("The budget does not bear the longest that they may talk."),
            404: Answer("No such call."),
            409: Answer("It is not in progress, or being transferred; or the trunk is full."),
            422: Answer("A field is wrong, or nobody may be called there."),
        },
        body=TransferCall,
        parameters=(CALL_ID,),
        scope="call",
    ),
)
