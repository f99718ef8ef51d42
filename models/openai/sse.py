"""Server-sent events (WHATWG HTML, 9.2.6), as far as chat completions use them."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

#: A line longer than this is no piece of a reply, bytes.
_LONGEST: Final = 1 << 20


async def events(body: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """The data of each event, until `[DONE]` or the body's end. ValueError for an endless line."""
    buffer = b""
    async for chunk in body:
        # Only at line feeds: a line separator of Unicode may stand in JSON as itself.
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            field, _, value = line.rstrip(b"\r").partition(b":")
            if field != b"data":
                continue
            data = value.strip().decode(errors="replace")
            if data == "[DONE]":
                return
            yield data
        if len(buffer) > _LONGEST:
            raise ValueError("a line does not end")
