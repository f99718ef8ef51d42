"""Server-Sent Events (WHATWG HTML 9.2.6): bytes in, the data of each message out."""

from collections.abc import Iterator
from typing import Final

from api.client.errors import AnswerError

#: Of one message; a transcript of hours is far below.
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024


class EventStreamReader:
    """Feed it what arrives. `id` and `event` are not needed: our data has both."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The messages that are complete now. Raises AnswerError for an endless one."""
        *lines, rest = received.split(b"\n")
        for line in lines:
            whole, self._rest = bytes(self._rest) + line, bytearray()
            yield from self._line(whole.removesuffix(b"\r"))
        self._rest += rest
        if self._size + len(self._rest) > self._max_bytes:
            raise AnswerError(f"an event of more than {self._max_bytes} bytes")

    def _line(self, line: bytes) -> Iterator[bytes]:
        if not line:
            if self._data:
                yield b"\n".join(self._data)
            self._data, self._size = [], 0
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            self._size += len(line)
