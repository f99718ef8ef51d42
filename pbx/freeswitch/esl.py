"""The Event Socket protocol without a socket: bytes in, messages out; commands in, bytes out.

A message is a block of `Name: value` lines, an empty line, and as many bytes of body as its
`Content-Length` says. A `text/event-plain` body is such a block again, its values URL-encoded,
with a body of its own. The lines are split before anything is decoded: a caller's name may hold
`%0A`, and must not become a header by it. See mod_event_socket in FreeSWITCH's documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from pbx.switch import SwitchRefused
from pbx.values import refuse_control_characters

MAX_HEADER_BLOCK: Final = 64 * 1024
"""Bytes of a message's header lines."""
MAX_HEADERS: Final = 2000
"""Header lines of a message, and of an event (a bridged call's has about 300)."""
MAX_BODY: Final = 1024 * 1024
"""Bytes of a message's body."""

_NO_HEADERS: Final[Mapping[str, str]] = {}
_SHORT: Final = 200
_UNLOADING: Final = ("unload", "reload")


class EslProtocolError(Exception):
    """What came is no Event Socket protocol, or more of it than is allowed."""


@dataclass(frozen=True)
class Message:
    """One message of the server."""

    headers: Mapping[str, str]
    """As they came; of a header that comes twice the first counts."""
    body: bytes

    @property
    def content_type(self) -> str:
        """`command/reply`, `text/event-plain`, …; empty when the server gave none."""
        return self.headers.get("Content-Type", "")


class EslParser:
    """Cuts the server's bytes into messages, however the network split them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._headers: dict[str, str] | None = None
        self._body_length = 0

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; return the messages that they complete.

        Raises EslProtocolError; the parser is of no more use then, and neither is the connection.
        """
        self._buffer += data
        messages = []
        while self._headers is not None or self._read_headers():
            if len(self._buffer) < self._body_length:
                break
            assert self._headers is not None
            messages.append(Message(self._headers, bytes(self._buffer[: self._body_length])))
            del self._buffer[: self._body_length]
            self._headers = None
        return messages

    def _read_headers(self) -> bool:
        """Whether a whole header block was there to be read."""
        if self._buffer.startswith(b"\n"):
            self._buffer = self._buffer.lstrip(b"\n")
        end = self._buffer.find(b"\n\n", self._searched)
        if (len(self._buffer) if end < 0 else end) > MAX_HEADER_BLOCK:
            raise EslProtocolError(f"a header block of more than {MAX_HEADER_BLOCK} bytes")
        if end < 0:
            self._searched = max(0, len(self._buffer) - 1)
            return False
        self._headers = {}
        for line in _lines(self._buffer[:end]):
            name, colon, value = line.partition(":")
            if not colon:
                raise EslProtocolError("a header line without a colon")
            self._headers.setdefault(name, value.strip())
        self._body_length = _length(self._headers.get("Content-Length", "0"))
        del self._buffer[: end + 2]
        self._searched = 0
        return True


def read_event(body: bytes) -> dict[str, str]:
    """Headers of a `text/event-plain` body, decoded; the event's own body under `_body`.

    Of a header that comes twice the first counts. What FreeSWITCH holds for undefined is left
    out. Raises EslProtocolError.
    """
    block, _, rest = body.partition(b"\n\n")
    raw: dict[str, str] = {}
    for line in _lines(block):
        name, colon, value = line.partition(":")
        if colon:
            raw.setdefault(name, value.strip())
    event = {
        name: _decode(value) if "%" in value else value
        for name, value in raw.items()
        if value != "_undef_"
    }
    event.pop("_body", None)
    if "Content-Length" in raw:
        length = _length(raw["Content-Length"])
        if len(rest) < length:
            raise EslProtocolError("an event's body is shorter than it says")
        event["_body"] = rest[:length].decode("utf-8", "replace")
    return event


def write_command(command: str, headers: Mapping[str, str] = _NO_HEADERS) -> bytes:
    """One command with its headers, ready to be sent.

    Raises SwitchRefused for control characters, and for a text that FreeSWITCH would take for a
    wish to unload its event socket: it looks for those words anywhere in a command, a caller's
    name included.
    """
    refuse_control_characters("command", command)
    lines = [command]
    for name, value in headers.items():
        refuse_control_characters("header", name)
        refuse_control_characters(name, value)
        lines.append(f"{name}: {value}")
    text = "\n".join(lines)
    folded = text.lower()
    if "mod_event_socket" in folded and any(word in folded for word in _UNLOADING):
        raise SwitchRefused("a command must not unload or reload the event socket", "command")
    return f"{text}\n\n".encode()


def _decode(value: str) -> str:
    return _decode_short(value) if len(value) <= _SHORT else unquote(value)


@lru_cache(maxsize=2048)
def _decode_short(value: str) -> str:
    """Each event of a call repeats the call's values, and decoding is the dearest part of it."""
    return unquote(value)


def _lines(block: bytes | bytearray) -> list[str]:
    lines = block.decode("utf-8", "replace").split("\n")
    if len(lines) > MAX_HEADERS:
        raise EslProtocolError(f"more than {MAX_HEADERS} header lines")
    return lines


def _length(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= MAX_BODY):
        raise EslProtocolError(f"a body's length must be 0 to {MAX_BODY}")
    return int(value)
