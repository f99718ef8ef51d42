"""What a black box is made of: entries, in the order in which things happened to the conversation.

An entry is one line of JSON with `at` (seconds since the box began) and `is`; audio that belongs to
it (`pcm`: samples, 16 bits) lies beside the lines, in their order.
"""

import dataclasses
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import count
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from voice_loop.audio import Samples
from voice_loop.playout import Speech
from voice_loop.stopwatch import Stopwatch

#: Of the layout; a reader refuses others.
VERSION: Final = 1


class Entry(NamedTuple):
    """What happened at one moment."""

    at: float
    """Seconds since the box began."""
    kind: str
    fields: Mapping[str, Any]
    pcm: Samples | None = None


def encoded(entry: Entry) -> bytes:
    """Its line, without audio."""
    line = {"at": round(entry.at, 6), "is": entry.kind, **entry.fields}
    if entry.pcm is not None:
        line["pcm"] = int(entry.pcm.size)
    try:
        text = json.dumps(line, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(line), ensure_ascii=False, default=_plain)
    return text.encode() + b"\n"


def little_endian(samples: Samples) -> bytes:
    """As audio is kept."""
    return samples.astype("<i2", copy=False).tobytes()


def of_audio(samples: Samples) -> Mapping[str, int]:
    """By what audio that an engine was given is known again."""
    return {"samples": int(samples.size), "crc32": zlib.crc32(little_endian(samples))}


def _finite(value: Any) -> Any:
    """The same with null for numbers that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return of_audio(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


class Teller:
    """Tells of one conversation's events and commands in plain values; speeches by number, in the
    order in which they are first told of."""

    def __init__(self) -> None:
        self._speeches: WeakKeyDictionary[Speech, int] = WeakKeyDictionary()
        self._numbers = count(1)

    def signal(self, what: Any) -> Any:
        """What was decided on, without its time: that of the decision is told."""
        told = self.plain(what)
        if isinstance(told, dict):
            told.pop("at", None)
        return told

    def plain(self, value: Any) -> Any:
        """The same without objects of ours."""
        if isinstance(value, Speech):
            if value not in self._speeches:
                self._speeches[value] = next(self._numbers)
            return self._speeches[value]
        if isinstance(value, Enum):
            return value.name.lower()
        if isinstance(value, Exception):
            return f"{type(value).__name__}: {value}"
        if dataclasses.is_dataclass(value):
            fields = {
                field.name: self.plain(getattr(value, field.name))
                for field in dataclasses.fields(value)
                if not isinstance(getattr(value, field.name), Stopwatch)
            }
            # The engine's request has the dialogue.
            if isinstance(messages := fields.get("messages"), list):
                fields["messages"] = len(messages)
            return {"is": type(value).__name__, **fields}
        if isinstance(value, Mapping):
            return {str(key): self.plain(one) for key, one in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return [self.plain(one) for one in value]
        return value
