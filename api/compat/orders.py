"""Orders that the dialects' clients place."""

from collections.abc import Callable
from dataclasses import replace

from api.base.json_object import JsonObject
from api.compat.translation import Translation
from api.http.endpoint import Exchange
from api.orders.place import place, read_order
from api.resources.call import Call
from api.resources.dialect import Dialect


async def place_order(
    exchange: Exchange,
    order: Translation,
    dialect: Dialect,
    answer: Callable[[Call], JsonObject],
    *,
    at_dispatch: bool = False,
) -> Call:
    """Put a request's order on disk.

    Args:
        exchange: the request.
        order: what it asks for, as a body of our own API.
        dialect: of the request.
        answer: makes the 201 answer's body, which an Idempotency-Key keeps.
        at_dispatch: as of `read_order`.

    Raises Problem, which points into the request.
    """
    services = exchange.services
    api_key_id = None if exchange.key is None else exchange.key.id
    with order.told():
        new = await read_order(services, order.body, api_key_id, at_dispatch=at_dispatch)
        return await place(services, replace(new, dialect=dialect), exchange.idempotent, answer)
