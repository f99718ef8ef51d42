"""Orders that the dialects' clients place."""

from collections.abc import Callable
from dataclasses import replace

from api.base.fields import parse_fields
from api.base.json_object import JsonObject
from api.compat.translation import Translation
from api.http.endpoint import Exchange
from api.orders.place import read_order
from api.resources.call import Call, CreateCall
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
    with order.told(dialect):
        asked = parse_fields(CreateCall, order.body)
        new = await read_order(services, asked, exchange.key_id, at_dispatch=at_dispatch)
        new = replace(new, dialect=dialect)
        return await services.store.calls.create(new, exchange.idempotent, answer)
