"""Text messages and mails that calls sent, or are about to."""

from typing import Any, cast, get_args

from starlette.responses import JSONResponse, Response

from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.http.paging import bad_cursor, page_parameters, read_page_query
from api.resources.message import MessageList, MessageObject, MessageStatus, message_object
from api.routes.calls import CALL_ID, find_call
from api.store.cursors import CursorError
from api.store.messages import UnknownMessageError

PATH = "/v1/messages"
STATUSES: tuple[str, ...] = get_args(MessageStatus)


async def list_messages(exchange: Exchange) -> Response:
    """Of every call."""
    return await _page(exchange)


async def list_call_messages(exchange: Exchange) -> Response:
    """What the agent sent during the call, and what was sent after it."""
    return await _page(exchange, (await find_call(exchange)).id)


async def get_message(exchange: Exchange) -> Response:
    """Whether it was sent, and why not."""
    message_id = exchange.request.path_params["message_id"]
    try:
        message = await exchange.services.store.messages.get(message_id)
    except UnknownMessageError as error:
        raise not_found("message") from error
    return JSONResponse(message_object(message))


async def _page(exchange: Exchange, call_id: str | None = None) -> Response:
    query = read_page_query(exchange, {"status": STATUSES})
    try:
        page = await exchange.services.store.messages.page(
            limit=query.limit,
            cursor=query.cursor,
            status=cast("MessageStatus | None", query.filters.get("status")),
            call_id=call_id,
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    content: dict[str, Any] = {
        "data": [message_object(message) for message in page.messages],
        "has_more": page.next_cursor is not None,
        "next_cursor": page.next_cursor,
    }
    return JSONResponse(content)


_PARAMETERS = (
    *page_parameters("Messages"),
    Parameter(
        "status", "query", "Only these messages.", {"type": "string", "enum": list(STATUSES)}
    ),
)
_PAGE = Answer("A page of messages.", MessageList)
_WRONG = Answer("A parameter is wrong.")

ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        list_messages,
        "List text messages and mails, newest first",
        "messages",
        {200: _PAGE, 422: _WRONG},
        parameters=_PARAMETERS,
    ),
    Endpoint(
        "GET",
        "/v1/calls/{call_id}/messages",
        list_call_messages,
        "List the text messages and mails of a call",
        "messages",
        {200: _PAGE, 404: Answer("No such call."), 422: _WRONG},
        parameters=(CALL_ID, *_PARAMETERS),
    ),
    Endpoint(
        "GET",
        PATH + "/{message_id}",
        get_message,
        "Read a text message or a mail",
        "messages",
        {200: Answer("The message.", MessageObject), 404: Answer("No such message.")},
        parameters=(
            Parameter("message_id", "path", "Message id.", {"type": "string", "format": "uuid"}),
        ),
    ),
)
