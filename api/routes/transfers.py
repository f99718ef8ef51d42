"""Handing the person on the line over to somebody else."""

from api.base.refusals import Invalid
from api.http.endpoint import Answer, EndpointTable, Exchange
from api.orders.transfers import order_transfer
from api.resources.answer import Accepted
from api.resources.call import CallObject
from api.resources.transfer import TransferCall, TransferWish
from api.routes.calls import CALL_ID

route = EndpointTable("calls", CALL_ID)


@route(
    "POST",
    "/v1/calls/{call_id}/transfer",
    "Hand the person over to somebody else",
    {
        202: Answer("They are being called; events tell how it goes.", CallObject),
        402: "The budget does not bear the longest that they may talk.",
        409: "It is not in progress, or being transferred; or the trunk is full.",
        422: "A field is wrong, or nobody may be called there.",
    },
    scope="call",
)
async def transfer_call(exchange: Exchange, asked: TransferCall) -> Accepted[CallObject]:
    """Works while the call is in progress, once at a time. `transfer` of the call and its events
    tell what becomes of it: if nobody can be had, the agent is told so and goes on.
    """
    if asked.mode == "warm" and asked.method == "refer":
        raise Invalid("a warm transfer is made by bridging: leave method out", field="method")
    wish = TransferWish(
        asked.number,
        asked.mode,
        None if asked.method == "auto" else asked.method,
        asked.summary_instructions or None,
    )
    services, calls = exchange.services, exchange.store.calls
    call = await calls.get(exchange.named("call_id"))
    await order_transfer(services.store, services.settings.calls, call, wish)
    return Accepted((await calls.get(call.id)).shown)


ENDPOINTS = route.endpoints
