"""The line on which processes that share a PostgreSQL database tell each other what is new.

One connection for `LISTEN` and `NOTIFY`. Notices go out after the commit they tell of: PostgreSQL
takes one commit with a NOTIFY at a time, and a slow disk would then set the pace of all. What a
lost connection or a dying process swallows is made good: after each connect, and now and then,
everybody looks for themselves.
"""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg

from api.store.database import Notices, StoreError, Topic

CHANNEL: Final = "offhook"
#: Seconds after which everybody looks for what no notice told.
SWEEP_S: Final = 30.0
#: Notices waiting to be sent; beyond that only their topics are told.
_LIMIT: Final = 1000
_CLOSE_S: Final = 1.0
_RECONNECT_S: Final = (0.2, 1.0, 2.0, 5.0)
_SEND: Final = "SELECT pg_notify($1, told) FROM unnest($2::text[]) AS told"
_FAILURES: Final = (
    StoreError,
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)

log = logging.getLogger(__name__)

_Notice = tuple[Topic, str | None]


class NoticeLine:
    """Sends this process's notices, and delivers those of others."""

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], notices: Notices
    ) -> None:
        """
        Args:
            connect: makes a connection of its own; raises StoreError.
            notices: who is told.
        """
        self._connect = connect
        self._notices = notices
        self._self = uuid.uuid4().hex
        self._waiting: dict[_Notice, None] = {}
        self._stir = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen from now on, and through losses of the connection. Raises StoreError."""
        connection = await self._listening()
        self._task = asyncio.create_task(self._run(connection))

    async def close(self) -> None:
        """Send what waits to be sent, if that can be done soon, and hang up."""
        if self._task is None:
            return
        self._closing = True
        self._stir.set()
        await asyncio.wait([self._task], timeout=_CLOSE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    def tell(self, topic: Topic, payload: str | None) -> None:
        """Have the other processes told soon."""
        self._waiting[topic, payload] = None
        if len(self._waiting) > _LIMIT:
            self._waiting = {(kept, None): None for kept, _ in self._waiting}
        self._stir.set()

    async def _listening(self) -> asyncpg.Connection:
        connection = await self._connect()
        connection.add_termination_listener(lambda _: self._stir.set())
        await connection.add_listener(CHANNEL, self._heard)
        return connection

    async def _run(self, connection: asyncpg.Connection) -> None:
        tries = 0
        while True:
            try:
                if connection.is_closed():
                    connection = await self._listening()
                    log.info("PostgreSQL is back")
                    self._notices.deliver_all()
                tries = 0
                await self._talk(connection)
                if self._closing:
                    return
                log.warning("the line to PostgreSQL is lost; connecting again")
            except _FAILURES as error:
                log.warning("the line to PostgreSQL is lost (%s); connecting again", error)
            finally:
                connection.terminate()
            await asyncio.sleep(_RECONNECT_S[min(tries, len(_RECONNECT_S) - 1)])
            tries += 1

    async def _talk(self, connection: asyncpg.Connection) -> None:
        """Send and listen until the connection is lost."""
        loop = asyncio.get_running_loop()
        sweep_at = loop.time() + SWEEP_S
        while not (connection.is_closed() or self._closing):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(sweep_at):
                    await self._stir.wait()
            self._stir.clear()
            if self._waiting:
                await self._send(connection)
            if loop.time() >= sweep_at:
                await connection.execute("SELECT 1")  # a dead connection may look alive
                self._notices.deliver_all()
                sweep_at = loop.time() + SWEEP_S

    async def _send(self, connection: asyncpg.Connection) -> None:
        batch, self._waiting = self._waiting, {}
        try:
            told = [json.dumps([self._self, *notice]) for notice in batch]
            await connection.execute(_SEND, CHANNEL, told)
        except BaseException:
            self._waiting = batch | self._waiting
            raise

    def _heard(self, _connection: Any, _process: int, _channel: str, told: str) -> None:
        try:
            sender, topic, payload = json.loads(told)
        except ValueError:
            log.warning("a notice on channel %s is not Offhook's", CHANNEL)
            return
        if sender != self._self:
            self._notices.deliver(topic, payload)
