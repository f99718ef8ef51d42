"""Text messages and mails that calls sent, or are about to."""

from typing import get_args

from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Page
from api.resources.message import MessageObject, MessageStatus
from api.routes.calls import CALL_ID, find_call

PATH = "/v1/messages"
STATUSES: tuple[str, ...] = get_args(MessageStatus)
MESSAGE_ID = Parameter("message_id", "path", "Message id.", {"type": "string", "format": "uuid"})
_PAGE = page_parameters("Messages", STATUSES)

route = EndpointTable("messages", CALL_ID, MESSAGE_ID)


@route("GET", PATH, "List text messages and mails, newest first", query=_PAGE)
async def list_messages(exchange: Exchange) -> Page[MessageObject]:
    """Of every call."""
    return await _page(exchange)


@route(
    "GET",
    "/v1/calls/{call_id}/messages",
    "List the text messages and mails of a call",
    query=_PAGE,
)
async def list_call_messages(exchange: Exchange) -> Page[MessageObject]:
    """What the agent sent during the call, and what was sent after it."""
    return await _page(exchange, (await find_call(exchange)).id)


@route("GET", PATH + "/{message_id}", "Read a text message or a mail")
async def get_message(exchange: Exchange) -> MessageObject:
    """Whether it was sent, and why not."""
    return MessageObject.of(await exchange.store.messages.get(exchange.named("message_id")))


async def _page(exchange: Exchange, call_id: str | None = None) -> Page[MessageObject]:
    query = read_page_query(exchange, {"status": STATUSES})
    page = await exchange.store.messages.page(
        limit=query.limit,
        cursor=query.cursor,
        status=query.filters.get("status"),
        call_id=call_id,
    )
    return Page[MessageObject].of(page)


ENDPOINTS = route.endpoints
