"""Patterns of what is dialled, as Asterisk and FreePBX write them.

`X` is a digit, `Z` one of 1 to 9, `N` one of 2 to 9, `[13-5]` one of those; at the end, `.` is one
or more keys of any kind and `!` any number of them. Everything else is itself.
"""

import re
from functools import lru_cache
from typing import Final

#: One key of a pattern.
_KEY: Final = re.compile(r"[0-9*#+XZN]|\[(?:[0-9](?:-[0-9])?)+\]")
_RANGE: Final = re.compile(r"([0-9])(?:-([0-9]))?")
_CLASSES: Final = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}
_TAILS: Final = {".": "[0-9*#+]+", "!": "[0-9*#+]*"}
_REMEMBERED: Final = 1024


@lru_cache(_REMEMBERED)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """What a pattern means. Raises ValueError with what is wrong, as a predicate to it."""
    tail = _TAILS.get(pattern[-1:], "")
    found = _keys(pattern)
    if not pattern or "".join(found) != pattern.removesuffix(pattern[-1:] if tail else ""):
        raise ValueError(
            "must be made of digits, * # and +, X (0-9), Z (1-9), N (2-9), [13-5], and at the end "
            "`.` (one or more) or `!` (any number)"
        )
    return re.compile("".join(map(_meaning, found)) + tail)


def fits(text: str, pattern: str) -> bool:
    """Whether all of `text` is what a pattern means."""
    return compile_pattern(pattern).fullmatch(text) is not None


def length_of(pattern: str) -> int | None:
    """How many keys fit a pattern; None where that depends."""
    return None if pattern[-1:] in _TAILS else len(_keys(pattern))


def _keys(pattern: str) -> list[str]:
    return _KEY.findall(pattern)


def _meaning(key: str) -> str:
    if not key.startswith("["):
        return _CLASSES.get(key) or re.escape(key)
    ranges = [sorted((first, last or first)) for first, last in _RANGE.findall(key)]
    return f"[{''.join(f'{low}-{high}' for low, high in ranges)}]"
