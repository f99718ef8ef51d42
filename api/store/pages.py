"""Parts of lists: one page, or all of them in turn."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Row, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from api.resources.page import PageOf
from api.store.cursors import decode_cursor, encode_cursor

T = TypeVar("T")


async def load_page(
    connection: AsyncConnection,
    query: Select[Any],
    by: tuple[ColumnElement[Any], ColumnElement[Any]],
    limit: int,
    cursor: str | None,
    *,
    latest_first: bool = False,
) -> PageOf[Row[Any]]:
    """A page of the rows that `query` finds. Raises CursorError.

    Args:
        connection: of the transaction.
        query: without an order.
        by: the columns that give one: a number and a text, no two rows with the same.
        limit: rows on the page.
        cursor: of the page before.
        latest_first: turn the order round.
    """
    if cursor is not None:
        place = tuple_(*decode_cursor(cursor))
        query = query.where(tuple_(*by) < place if latest_first else tuple_(*by) > place)
    order = (column.desc() if latest_first else column for column in by)
    rows = (await connection.execute(query.order_by(*order).limit(limit + 1))).all()
    if len(rows) <= limit:
        return PageOf(tuple(rows), None)
    last = rows[limit - 1]._mapping
    return PageOf(tuple(rows[:limit]), encode_cursor(*(last[column] for column in by)))


def given(wanted: Mapping[Column[Any], Any]) -> list[ColumnElement[bool]]:
    """That each column is what is wanted of it; None is nothing wanted."""
    return [column == value for column, value in wanted.items() if value is not None]


def page_of(
    rows: Sequence[Any],
    limit: int,
    item: Callable[[Any], T],
    place: Callable[[T], tuple[float, str]],
) -> PageOf[T]:
    """A page out of up to `limit` + 1 rows.

    Args:
        rows: one more than the page holds says that there is another page.
        limit: items on a page.
        item: makes a row's item.
        place: an item's time and id in the order of the list.
    """
    items = tuple(item(row) for row in rows[:limit])
    return PageOf(items, encode_cursor(*place(items[-1])) if len(rows) > limit else None)


async def each_page(
    page: Callable[[str | None], Awaitable[PageOf[T]]],
) -> AsyncIterator[tuple[T, ...]]:
    """The items of one page after the other."""
    cursor: str | None = None
    while True:
        found = await page(cursor)
        yield found.items
        cursor = found.next_cursor
        if cursor is None:
            return
