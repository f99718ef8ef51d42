"""A part of a list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class PageOf(Generic[T]):
    """A part of a list."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    """Where the next page starts; None on the last page."""

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None

    def map(self, item: Callable[[T], S]) -> "PageOf[S]":
        """The page with what `item` makes of each of its items."""
        return PageOf(tuple(map(item, self.items)), self.next_cursor)
