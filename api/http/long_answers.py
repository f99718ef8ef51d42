"""Answers that take long: event streams and downloads.

They are counted, and end once their key is worth nothing any more: revoked, or no longer allowed
what was asked for, by whichever server of the store.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.base.problems import Problem
from api.http.connection import connection_of
from api.http.doorkeeper import network_of
from api.http.worked import WorkedResponse
from api.resources.key import ApiKey, KeyScope, allows
from api.store import StoreError
from api.store.keys import Keys

#: Seconds between two looks at the keys of what is under way.
CHECK_S: Final = 2.0
#: Seconds that a reader has to take the end of a stream.
_END_S: Final = 1.0
_RETRY_AFTER_S: Final = 5


@dataclass(frozen=True, eq=False)
class _Watched:
    key_id: str
    scope: KeyScope
    limit: asyncio.Timeout


class LongAnswers:
    """Those under way."""

    def __init__(self, keys: Keys, most: int, most_per_key: int) -> None:
        """
        Args:
            keys: of the store.
            most: at one time in all.
            most_per_key: of one key, or of one address that follows links.
        """
        self._keys = keys
        self._most = most
        self._most_per_key = most_per_key
        self._counts: Counter[str] = Counter()
        self._watched: set[_Watched] = set()
        self._watch: asyncio.Task[None] | None = None

    def bounded(self, answer: Response, key: ApiKey | None, scope: KeyScope) -> Response:
        """`answer`, counted and watched.

        Args:
            answer: a stream or a file.
            key: who asked; None where none was needed.
            scope: what the key has to have for it.
        """
        return _Bounded(self, answer, key, scope)

    @contextlib.asynccontextmanager
    async def place(self, holder: str) -> AsyncIterator[None]:
        """One of the places there are; raises Problem 429 where all are taken."""
        if self._counts[holder] >= self._most_per_key:
            raise _too_many(f"{self._most_per_key} of this key (server.max_streams_per_key)")
        if self._counts.total() >= self._most:
            raise _too_many(f"{self._most} in all (server.max_streams)")
        self._counts[holder] += 1
        try:
            yield
        finally:
            self._counts[holder] -= 1
            if not self._counts[holder]:
                del self._counts[holder]

    @contextlib.asynccontextmanager
    async def watched(self, key: ApiKey, scope: KeyScope) -> AsyncIterator[None]:
        """Raises TimeoutError once the key does not have the scope any more."""
        async with asyncio.timeout(None) as limit:
            one = _Watched(key.id, scope, limit)
            self._watched.add(one)
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._look())
            try:
                yield
            finally:
                self._watched.discard(one)
                if not self._watched and self._watch is not None:
                    self._watch.cancel()
                    self._watch = None  # who comes before it has ended needs another one

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            asked = set(self._watched)  # of who comes meanwhile nothing is told
            try:
                live = await self._keys.live({one.key_id for one in asked})
            except StoreError:
                continue  # what it does not tell us it cannot have been told
            for one in asked & self._watched:  # and who has left has no limit any more
                if one.key_id not in live or not allows(live[one.key_id], one.scope):
                    self._watched.discard(one)
                    one.limit.reschedule(0.0)


class _Bounded(Response):
    def __init__(
        self, answers: LongAnswers, inner: Response, key: ApiKey | None, needed: KeyScope
    ) -> None:
        self._answers = answers
        self._inner = inner
        self._key = key
        self._needed = needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if self._key is None:
            client = "" if request.client is None else request.client.host
            async with self._answers.place(f"address {network_of(client)}"):
                await self._inner(scope, receive, send)
            return
        measured = isinstance(self._inner, WorkedResponse)  # its end would be taken for the whole

        async def told(message: Message) -> None:
            nonlocal measured
            if message["type"] == "http.response.start":
                measured |= any(name == b"content-length" for name, _ in message["headers"])
            await send(message)

        async with self._answers.place(self._key.id):
            try:
                async with self._answers.watched(self._key, self._needed):
                    await self._inner(scope, receive, told)
            except TimeoutError:
                if measured or not await _ended(send):
                    connection = connection_of(request.state)
                    if connection is not None:
                        connection.abort()


async def _ended(send: Send) -> bool:
    """Whether a stream's reader has taken its end."""
    try:
        async with asyncio.timeout(_END_S):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    except TimeoutError:
        return False
    return True


def _too_many(detail: str) -> Problem:
    return Problem(
        429,
        "too_many_streams",
        f"as many streams and downloads are open as there may be: {detail}",
        headers={"Retry-After": str(_RETRY_AFTER_S)},
    )
