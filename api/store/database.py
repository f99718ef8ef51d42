"""What every kind of database does here: transactions that cancelling cannot split, and notices.

A cancelled task would leave its transaction open, so each one is a task of its own, shielded from
whoever asked for it. What is published (events, wake-ups) runs right after the commit.
"""

import asyncio
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Row, Select, UpdateBase, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.store.migrate import upgrade

T = TypeVar("T")

#: `work`: a call may be claimed. `pacing`: a campaign may have room. `webhooks`: a delivery may be
#: due. `messages`: a text message or a mail may be. `call`: the call with that id has a new event.
#: `control`: the call with that id is to be transferred, or ended at once (`ID:cancel`,
#: `ID:hangup`). `erasures`: a call was erased.
Topic = Literal["work", "pacing", "webhooks", "messages", "call", "control", "erasures"]
Callback = Callable[[str | None], None]

_UPDATES_COLLIDED: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_DATA: Final = "22"  # the class of what is wrong with a value

#: What no JSON can say never gets into a column.
strict_json: Final = partial(json.dumps, allow_nan=False)

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The store cannot be opened or used; the message names the setting and the fix."""


class CollisionError(StoreError):
    """The database undid a transaction that got in the way of another; it may be run again."""


class UnstorableError(Exception):
    """A value that the database cannot hold: a fault of ours, which no second try mends."""


class Notices:
    """Who in this process listens to which topic.

    A notice is a hint to look into the store, which alone is right: one may come twice, or for
    nothing. Only that a call is to be ended is taken at its word.
    """

    def __init__(self) -> None:
        self._callbacks: dict[Topic, list[Callback]] = {}

    def subscribe(self, topic: Topic, callback: Callback) -> None:
        """Have `callback` called with each payload, and with None where some may have been
        missed. It must not raise or block."""
        self._callbacks.setdefault(topic, []).append(callback)

    def deliver(self, topic: Topic, payload: str | None) -> None:
        for callback in self._callbacks.get(topic, ()):
            callback(payload)

    def deliver_all(self) -> None:
        """Say of every topic that something may have been missed."""
        for topic in self._callbacks:
            self.deliver(topic, None)


@dataclass
class Transaction:
    """A write under way."""

    connection: AsyncConnection
    database: "Database"
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    """Called in order once the commit is on disk; must not raise or block."""

    def notify(self, topic: Topic, payload: str = "", *, others_only: bool = False) -> None:
        """Tell every process that uses the store, after the commit.

        Args:
            topic: what it is about.
            payload: such as a call's id; 1000 characters at most.
            others_only: this process knows already.
        """
        if not others_only:
            self.after_commit.append(partial(self.database.notices.deliver, topic, payload))
        self.after_commit.append(partial(self.database.tell_others, topic, payload))

    async def serialize(self, name: str) -> None:
        """Wait until no other transaction that said `name` is under way."""
        if self.connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            key = func.hashtextextended(f"offhook:{name}", 0)
            await self.connection.execute(select(func.pg_advisory_xact_lock(key)))


class Database(ABC):
    """Opens and migrates a database, and runs reads and writes on it."""

    shared: bool
    """Whether other servers may use it beside this one."""

    def __init__(self) -> None:
        self.notices = Notices()
        self._under_way: set[asyncio.Task[Any]] = set()

    @abstractmethod
    async def open(self) -> None:
        """Connect and migrate.

        Raises StoreError, here and from then on whenever the database fails.
        """

    async def close(self) -> None:
        """Let what is under way finish, then close every connection."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._disconnect()

    async def write(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """Run `work` in a write transaction: all of it is committed, or nothing.

        A cancelled caller does not cancel it. `work` is run again where its transaction collided
        with another one's. It waits for nothing but its connection, and may run in a thread.
        """
        return await self._shielded(self._write(work))

    async def read(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        """Run `work`; each of its statements sees what is committed when it starts. It waits for
        nothing but its connection, and may run in a thread."""
        return await self._shielded(self._read(work))

    async def fetch(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """The rows that one query finds."""

        async def work(connection: AsyncConnection) -> Sequence[Row[Any]]:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

        return await self.read(work)

    async def fetch_value(self, query: Select[Any]) -> Any:
        """The first column of the first row that one query finds; None without one."""
        return await self.read(lambda connection: connection.scalar(query))

    async def execute(self, statement: UpdateBase) -> int:
        """Run one statement as a write of its own; how many rows it changed."""

        async def work(transaction: Transaction) -> int:
            return (await transaction.connection.execute(statement)).rowcount

        return await self.write(work)

    @abstractmethod
    async def scrub(self) -> bool:
        """Remove what is deleted from the database's own files, as far as that is ours to do;
        False where it has to be tried again. Raises StoreError."""

    @abstractmethod
    def tell_others(self, topic: Topic, payload: str) -> None:
        """Give a notice to the other processes on this database."""

    @abstractmethod
    async def _disconnect(self) -> None: ...

    @abstractmethod
    async def _write(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T: ...

    @abstractmethod
    async def _read(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T: ...

    async def _shielded(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        # Looked at here too, because a cancelled caller no longer sees it.
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("store: transaction rolled back: %r", error)


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """Tell the database's own failures (locked, disk full, gone) as StoreError."""
    try:
        yield
    except IntegrityError:
        raise  # an invariant: whoever wrote knows which
    except OverflowError as error:  # SQLite's driver, of an integer beyond 64 bits
        raise UnstorableError(str(error)) from error
    except StatementError as error:
        if _unstorable(error):
            raise UnstorableError(str(error)) from error
        collided = getattr(error.orig, "sqlstate", None) in _UPDATES_COLLIDED
        kind = CollisionError if collided else StoreError
        raise kind(f"the store does not answer: {error}") from error
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        reason = str(error) or "no answer in time"
        raise StoreError(f"the store does not answer: {reason}") from error


def _unstorable(error: StatementError) -> bool:
    """Whether a value was refused: before it was sent, by the driver, or by PostgreSQL."""
    refused = isinstance(error.orig, ValueError) or isinstance(
        getattr(error.orig, "__cause__", None), ValueError
    )
    return refused or (getattr(error.orig, "sqlstate", None) or "").startswith(_DATA)


async def migrate(transaction: Transaction) -> None:
    """Bring the schema up to date."""
    await transaction.serialize("migrate")
    await transaction.connection.run_sync(upgrade)
