"""An aiosqlite connection that runs a whole transaction in one turn of its thread.

The stock one crosses to its thread four times for each statement (make, execute, fetch, close).
Beside engines that keep every core busy each crossing can cost milliseconds, so here everything
that a transaction does runs in the thread. Results are small: pages are bounded.
"""

import sqlite3
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")


class OneTurnConnection(aiosqlite.Connection):
    """What SQLAlchemy's aiosqlite dialect gets as its driver connection."""

    async def one_turn(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work`, which may wait for nothing but this connection, in the thread."""
        done: T = await self._execute(_finish, work)
        return done

    def cursor(self) -> "OneTurnCursor":  # type: ignore[override]
        return OneTurnCursor(self)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work(sqlite3 connection, *arguments)` in the connection's thread."""
        done: T = await self._execute(work, self._conn, *arguments)
        return done

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is self._thread:
            return fn(*args, **kwargs)
        return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]


def _finish(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as end:
        done: T = end.value
        return done
    work.close()
    raise RuntimeError("a transaction waited for something else than its connection")


class OneTurnCursor:
    """The part of aiosqlite's cursor that SQLAlchemy uses; rows are fetched with the statement."""

    def __init__(self, connection: OneTurnConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> "OneTurnCursor":
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> "OneTurnCursor":
        await self._connection.in_thread(self._run, operation, parameters)
        return self

    async def executemany(
        self, operation: str, parameters: Sequence[Sequence[Any]]
    ) -> "OneTurnCursor":
        await self._connection.in_thread(self._run_many, operation, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Nothing is left open in the thread."""

    def _run(
        self, connection: sqlite3.Connection, operation: str, parameters: Sequence[Any]
    ) -> None:
        self._take(connection.execute(operation, parameters))

    def _run_many(
        self, connection: sqlite3.Connection, operation: str, parameters: Sequence[Sequence[Any]]
    ) -> None:
        self._take(connection.executemany(operation, parameters))

    def _take(self, cursor: sqlite3.Cursor) -> None:
        try:
            self.description = cursor.description
            self._rows = cursor.fetchall()
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()


async def connect(path: Path) -> OneTurnConnection:
    """Open the SQLite file at `path`, which exists."""
    connection = OneTurnConnection(lambda: sqlite3.connect(path), iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy sets it: never keeps the process alive
    await connection
    return connection
