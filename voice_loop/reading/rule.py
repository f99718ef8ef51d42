"""What a rule of reading is: a pattern, and how what it finds is said."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """What stands around a find; the clause before counts as what is before it."""

    head: str
    tail: str


Say = Callable[[re.Match[str], Context], str | None]


@dataclass(frozen=True)
class Rule:
    """How one form of writing is read."""

    pattern: re.Pattern[str]
    say: Say
    """The words for a find; None where it is something else after all."""
