"""What a client would rather have (RFC 9110, 12.5.1)."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def preferred(accept: str, offered: Mapping[T, Sequence[str]]) -> T | None:
    """What of `offered` an `Accept` header takes most readily, the first of several; None where
    it takes none of it.

    Args:
        accept: the header; empty where there is none.
        offered: media types by what is had, the usual name of each first.
    """
    qualities = dict(_range(part) for part in (accept or "*/*").split(","))
    best, most = None, 0.0
    for one, (usual, *aliases) in offered.items():
        wild = qualities.get(f"{usual.partition('/')[0]}/*", qualities.get("*/*", 0.0))
        named = [qualities[name] for name in (usual, *aliases) if name in qualities]
        if (quality := max(named, default=wild)) > most:
            best, most = one, quality
    return best


def _range(part: str) -> tuple[str, float]:
    """A media range, and how readily it is taken."""
    name, *parameters = (text.strip().lower() for text in part.split(";"))
    told = [text[2:] for text in parameters if text.startswith("q=")]
    try:
        return name, float(told[0]) if told else 1.0
    except ValueError:
        return name, 0.0
