"""Server-sent events (WHATWG HTML, 9.2.6), as servers of chat completions send them."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Final

from voice_loop.untrusted import read_json

#: A line longer than this is no piece of a reply, bytes.
_LONGEST: Final = 1 << 20
_DONE: Final = frozenset({"[done]", '"[done]"', "done"})
#: Sent to keep a connection open.
_SIGNS_OF_LIFE: Final = frozenset({"", "ping", "keep-alive", "keepalive", "heartbeat"})
_WHOLE: Final = _DONE | _SIGNS_OF_LIFE


class EventReader:
    """Bytes in, the data of events out; nothing after `[DONE]`."""

    def __init__(self) -> None:
        self.done = False
        """The server has said that it is done."""
        self._buffer = b""
        self._event = ""
        self._data: list[str] = []

    def push(self, data: bytes) -> Iterator[str]:
        """Take the next bytes. Raises ValueError for an endless line."""
        # Only at line feeds: a line separator of Unicode may stand in JSON as itself.
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > _LONGEST:
            raise ValueError("a line does not end")
        for line in lines:
            yield from self._line(line)

    def close(self) -> Iterator[str]:
        """The body is over: some servers end it without a last line feed."""
        line, self._buffer = self._buffer, b""
        yield from self._line(line)
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[str]:
        # Old servers end lines with carriage returns alone.
        for part in line.rstrip(b"\r").split(b"\r"):
            yield from self._field(part.decode(errors="replace").lstrip("\ufeff"))

    def _field(self, line: str) -> Iterator[str]:
        name, _, value = line.partition(":")
        if self.done:
            return
        if not line.strip():
            event, self._event = self._event, ""
            whole, self._data = "\n".join(self._data), []
            yield from self._given(whole, event)
        elif line.startswith("{"):
            yield line
        elif name == "event":
            self._event = value.strip()
        elif name == "error":
            yield _as_error(value.strip())
        elif name == "data":
            data = value.strip()
            # Some servers send no empty line after an event.
            if not self._data and (data[:1] + data[-1:] == "{}" or data.lower() in _WHOLE):
                yield from self._given(data, self._event)
            else:
                self._data.append(data)

    def _given(self, data: str, event: str) -> Iterator[str]:
        if data.lower() in _DONE:
            self.done = True
        elif data.lower() not in _WHOLE:
            yield _as_error(data) if event == "error" else data


def _as_error(data: str) -> str:
    """An event that tells of an error as an object that does."""
    try:
        told = read_json(data)
    except ValueError:
        told = data
    whole = isinstance(told, dict) and "error" in told
    return data if whole else json.dumps({"error": told})


async def events(
    body: AsyncIterator[bytes], reader: EventReader | None = None
) -> AsyncGenerator[str, None]:
    """The data of each event, until `[DONE]` or the body's end. ValueError for an endless line.

    Args:
        body: as it comes.
        reader: reads it; tells afterwards whether the server was done.
    """
    reader = reader or EventReader()
    async for chunk in body:
        for data in reader.push(chunk):
            yield data
        if reader.done:
            return
    for data in reader.close():
        yield data
