"""Puts a backup in the place of a SQLite store.

The database that it replaces, with what its write-ahead log holds, is kept beside under another
name: that log, left where it was, would be played onto the copy and destroy it. At every moment
there is one whole database at the store's path.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from api.base.private_files import fsync_folder
from api.cli.store_backup import BackupError, backup_store
from api.store.migrate import revisions
from api.store.sqlite import lock_store

_LOGS = ("-wal", "-shm")


@dataclass(frozen=True)
class Restored:
    """A backup that is the store now."""

    bytes: int
    replaced: Path | None
    """What was the store before."""


def restore_store(backup: Path, path: Path, now: float) -> Restored:
    """Check the backup, and make a copy of it the store at `path`.

    Args:
        backup: what `backup_store` made; it is left as it is.
        path: `store.path`.
        now: Unix seconds, for the name of what is replaced.

    Raises BackupError: the store is as it was then.
    """
    if not backup.is_file():
        raise BackupError(f"there is no backup at {backup}")
    if path.exists() and path.samefile(backup):
        raise BackupError(f"{backup} is the store itself; name a backup")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _nobody_serves(path), _staged(backup, path) as copy:
            size = copy.stat().st_size
            replaced = _set_aside(path, now)
            copy.replace(path)
            fsync_folder(path.parent)
    except OSError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror}") from error
    return Restored(size, replaced)


@contextlib.contextmanager
def _nobody_serves(path: Path) -> Iterator[None]:
    try:
        lock = lock_store(path)
    except BlockingIOError as error:
        raise BackupError(f"{path} is in use by a server; stop that one first") from error
    try:
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def _staged(backup: Path, path: Path) -> Iterator[Path]:
    """A checked copy of the backup in the store's folder."""
    copy = path.with_name(f".{path.name}.restoring")
    try:
        backup_store(backup, copy)
        _check_schema(copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _check_schema(copy: Path) -> None:
    try:
        with closing(sqlite3.connect(copy)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"the backup is no store of Offhook's: {error}") from error
    if found is None or found[0] not in revisions():
        raise BackupError(
            f"the backup has schema revision {found and found[0]}, which this release does not "
            "know; restore it with the release that made it, or a newer one"
        )


def _set_aside(path: Path, now: float) -> Path | None:
    """Give the store a second name, with all that its log holds, and leave no log."""
    aside = path.with_name(
        f"{path.name}.replaced-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S.%fZ}"
    )
    if path.exists():
        # A broken one is kept as it is.
        with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.link(path, aside)
    for suffix in _LOGS:
        log = path.with_name(path.name + suffix)
        if log.exists():
            log.rename(aside.with_name(aside.name + suffix))
    return aside if aside.exists() else None
