"""Parts of lists: one page, or all of them in turn."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from api.resources.page import PageOf
from api.store.cursors import encode_cursor

T = TypeVar("T")


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
