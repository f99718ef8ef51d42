"""An aiosqlite connection that runs a whole statement in one turn of its thread.

The stock cursor crosses to the connection's thread four times for each statement (make, execute,
fetch, close). Beside engines that keep every core busy each crossing can cost milliseconds, so
this one does all of it at once. Results are small here: pages are bounded.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiosqlite


class OneTurnConnection(aiosqlite.Connection):
    """What SQLAlchemy's aiosqlite dialect gets as its driver connection."""

    def cursor(self) -> "OneTurnCursor":  # type: ignore[override]
        return OneTurnCursor(self)

    async def in_thread(self, work: Any, *arguments: Any) -> None:
        """Run `work(sqlite3 connection, *arguments)` in the connection's thread."""
        await self._execute(work, self._conn, *arguments)  # type: ignore[no-untyped-call]


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
