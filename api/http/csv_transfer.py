"""Importing and exporting lists as CSV over the API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from starlette.responses import Response, StreamingResponse

from api.base.csv_files import MAX_LISTED, MEDIA_TYPE, Read, csv_lines, refuse
from api.base.problems import FieldError, invalid
from api.http.endpoint import Exchange, Parameter
from api.resources.csv_import import ImportObject, WrongLine

T = TypeVar("T")

#: A file is one transaction, and live calls are told to the store meanwhile.
MAX_FILE_BYTES: Final = 1024 * 1024

PARTIAL: Final = Parameter(
    "partial",
    "query",
    "`true`: take the good lines of a file that has wrong ones; otherwise nothing is taken.",
    {"type": "string", "enum": ["true", "false"], "default": "false"},
)


async def import_csv(
    exchange: Exchange,
    read: Callable[[bytes], Read[T]],
    add: Callable[[Sequence[T]], Awaitable[int]],
) -> ImportObject:
    """Take the file in the request's body.

    Args:
        exchange: with `PARTIAL` among its parameters.
        read: checks the file.
        add: takes the good lines, returns how many were new.

    Raises Problem 422.
    """
    partial = _wants_partial(exchange)
    found = await asyncio.to_thread(read, exchange.body)
    if found.errors and not partial:
        raise refuse(found.errors)
    added = await add(found.items)
    return ImportObject(
        added=added,
        known=len(found.items) - added,
        refused=len(found.errors),
        errors=[WrongLine(**vars(error)) for error in found.errors[:MAX_LISTED]],
    )


def export_csv(name: str, columns: Sequence[str], parts: AsyncIterator[str]) -> Response:
    """A file as a download, sent as it is read from the store.

    Args:
        name: of the file.
        columns: its first line.
        parts: lines of it.
    """

    async def text() -> AsyncIterator[str]:
        yield csv_lines([columns])
        async for part in parts:
            yield part

    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(text(), headers=headers, media_type=MEDIA_TYPE)


def _wants_partial(exchange: Exchange) -> bool:
    query = exchange.request.query_params
    if unknown := set(query) - {PARTIAL.name}:
        raise invalid([FieldError("unknown parameter", parameter=min(unknown))])
    partial = query.get(PARTIAL.name, "false")
    if partial not in {"true", "false"}:
        raise invalid([FieldError("must be true or false", parameter=PARTIAL.name)])
    return partial == "true"
