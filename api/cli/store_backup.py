"""Online backup of a SQLite store: a consistent copy, made while the server runs and writes.

`VACUUM INTO` reads under one snapshot, which in WAL mode blocks no writer, and writes a compact
file. The copy is checked before it takes its name, so a backup is whole or not there.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.base.private_files import fsync_folder
from api.calls.recording_folder import MARK, owner_of, recording_file
from api.store.organization import NAME

BUSY_TIMEOUT_S = 30.0


class BackupError(Exception):
    """There is no backup; the message says why."""


@dataclass(frozen=True)
class Copied:
    """Recordings in a backup."""

    copied: int
    there_already: int
    missing: tuple[str, ...]
    """Names of recordings that the store knows and the folder lacks."""


def backup_store(source: Path, target: Path) -> int:
    """Copy the SQLite file at `source` to `target`, which is replaced; returns its size in bytes.

    The file is private to the user: it holds secrets. Raises BackupError.
    """
    if not source.is_file():
        raise BackupError(f"there is no store at {source}")
    if target.exists() and target.samefile(source):
        raise BackupError(f"{target} is the store itself; name another file")
    try:
        with _named_at_last(target) as copy:
            with closing(sqlite3.connect(source, timeout=BUSY_TIMEOUT_S)) as store:
                store.execute("VACUUM INTO ?", (str(copy),))
            _check(copy)
            return copy.stat().st_size
    except sqlite3.Error as error:
        raise BackupError(f"{source} cannot be copied: {error}") from error
    except OSError as error:
        raise BackupError(f"{error.filename or target}: {error.strerror}") from error


def backup_recordings(backup: Path, folder: Path, target: Path) -> Copied:
    """Copy the recordings that a backup names, and the name of their node; what is there already
    is left.

    Args:
        backup: a file that `backup_store` made.
        folder: of the recordings.
        target: folder to copy into, made when absent.

    Raises BackupError.
    """
    copied = there = 0
    missing = []
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in recordings_in(backup):
            source, copy = recording_file(folder, name), recording_file(target, name)
            if source is None or copy is None or not source.is_file():
                missing.append(name)
            elif copy.exists() and copy.stat().st_size == source.stat().st_size:
                there += 1
            else:
                with _named_at_last(copy) as part:
                    shutil.copyfile(source, part)
                copied += 1
        _copy_mark(backup, folder, target)
    except OSError as error:
        raise BackupError(f"{error.filename or target}: {error.strerror}") from error
    return Copied(copied, there, tuple(missing))


def _copy_mark(backup: Path, folder: Path, target: Path) -> None:
    """Have the copies' folder go by the node that the attempts name. Another store's name, as in a
    folder with the backups of several, would keep the server from starting."""
    owner, copy = owner_of(folder), target / MARK
    if owner is not None and owner == _store_id(backup) and not copy.exists():
        with _named_at_last(copy) as part:
            shutil.copyfile(folder / MARK, part)


@contextmanager
def _named_at_last(target: Path) -> Iterator[Path]:
    """An empty private file beside `target`, which takes its place once it is written."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    path = Path(name)
    try:
        yield path
        os.fsync(descriptor)
        path.replace(target)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
    fsync_folder(target.parent)


def _check(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != ("ok",):
            raise BackupError(f"the copy is broken, so the store may be too: {found[0]}")
        if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise BackupError("the copy holds rows whose call is missing")


def recordings_in(backup: Path) -> list[str]:
    """Names of the recordings that a store knows."""
    with closing(sqlite3.connect(backup)) as connection:
        rows = connection.execute(
            "SELECT recording_path FROM calls WHERE recording_path IS NOT NULL UNION "
            "SELECT recording_path FROM attempts WHERE recording_path IS NOT NULL"
        )
        return [name for (name,) in rows]


def _store_id(backup: Path) -> str | None:
    with closing(sqlite3.connect(backup)) as connection:
        query = "SELECT value FROM kept_values WHERE name = ?"
        found = connection.execute(query, (NAME,)).fetchone()
        return None if found is None else str(found[0])
