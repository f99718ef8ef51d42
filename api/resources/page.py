"""A part of a list."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class PageOf(Generic[T]):
    """A part of a list."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    """Where the next page starts; None on the last page."""

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None
