"""Answers whose pieces take work: made one at a time, off the event loop, as they are read."""

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

#: All of them share one core, in turn.
_WORKER: Final = ThreadPoolExecutor(1, "answers")


class WorkedResponse(StreamingResponse):
    """Sends what a generator gives, and closes it, however that ends. HEAD makes nothing."""

    def __init__(
        self, pieces: Generator[bytes], headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(self._made(), headers=headers, media_type=media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                start = {"type": "http.response.start", "status": self.status_code}
                await send(start | {"headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b""})
            else:
                await super().__call__(scope, receive, send)
        finally:
            _WORKER.submit(self._pieces.close)  # after the piece that is being made

    async def _made(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(_WORKER, next, self._pieces, None)) is not None:
            yield piece
