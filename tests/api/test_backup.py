"""`offhook backup`: whole, consistent and private, while the server runs and writes."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api import backup
from api.backup import BackupError, backup_recordings, backup_store
from api.cli import main
from api.settings import StoreSection
from api.store import Store
from api.webhook_records import DefaultSecret
from tests.api.story import completed
from tests.api.test_retention import record, talked


@pytest.fixture
def source(where: StoreSection) -> Path:
    return where.path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_a_backup_is_consistent_while_the_server_writes(
    store: Store, source: Path, tmp_path: Path
) -> None:
    """Taken in the middle of many transactions, it holds whole ones only, and can be served."""
    target = tmp_path / "copy.db"
    done = asyncio.Event()

    async def write() -> int:
        count = 0
        while not done.is_set():
            await completed(store, webhook_url="https://hooks.example.org/")
            count += 1
        return count

    writing = [asyncio.create_task(write()) for _ in range(3)]
    for _ in range(3):
        await asyncio.to_thread(backup_store, source, target)
    done.set()
    assert sum(await asyncio.gather(*writing)) > 0
    restored = await Store.open(target)
    try:
        page = await restored.calls.page(limit=1000)
        for call in page.calls:
            events = await restored.calls.events(call.id)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert events[-1].terminal == call.over
            deliveries = await restored.deliveries.page(limit=99, call_id=call.id)
            told = {one.event_id for one in deliveries.deliveries}
            assert told <= {event.id for event in events}
        await completed(restored)
    finally:
        await restored.close()


async def test_a_backup_is_private_and_takes_its_place_whole(
    store: Store, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await completed(store)
    target = tmp_path / "out" / "copy.db"
    target.parent.mkdir()
    size = backup_store(source, target)
    assert (mode(target), target.stat().st_size) == (0o600, size)
    before = target.read_bytes()

    def broken(_: Path) -> None:
        raise BackupError("the copy is broken")

    monkeypatch.setattr(backup, "_check", broken)
    with pytest.raises(BackupError, match="broken"):
        backup_store(source, target)
    assert target.read_bytes() == before
    assert [file.name for file in target.parent.iterdir()] == ["copy.db"]


def test_a_broken_store_is_told(tmp_path: Path) -> None:
    source = tmp_path / "a.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.executescript("CREATE TABLE a (b UNIQUE); INSERT INTO a VALUES (1), (2);")
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_schema SET sql = 'CREATE TABLE a (b NOT NULL, c)'")
        connection.commit()
    with pytest.raises(BackupError):
        backup_store(source, tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()


def test_what_is_no_store_or_the_store_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no store at"):
        backup_store(tmp_path / "none.db", tmp_path / "b.db")
    source = tmp_path / "a.db"
    source.write_bytes(b"not a database, but long enough to be read as one" * 20)
    with pytest.raises(BackupError, match="not a database"):
        backup_store(source, tmp_path / "b.db")
    with pytest.raises(BackupError, match="the store itself"):
        backup_store(source, source)
    with pytest.raises(BackupError, match="No such file"):
        backup_store(source, tmp_path / "no" / "b.db")


async def test_recordings_are_copied_once(store: Store, source: Path, tmp_path: Path) -> None:
    folder, target = tmp_path / "recordings", tmp_path / "copies"
    one, other, lost = [await talked(store, folder) for _ in range(3)]
    record(folder, "not-ours.wav")
    (folder / f"{lost.id}.wav").unlink()
    copy = tmp_path / "copy.db"
    backup_store(source, copy)
    first = backup_recordings(copy, folder, target)
    assert (first.copied, first.there_already, first.missing) == (2, 0, (f"{lost.id}.wav",))
    assert {file.stem for file in target.iterdir()} == {one.id, other.id}
    assert {mode(file) for file in target.iterdir()} == {0o600}
    again = backup_recordings(copy, folder, target)
    assert (again.copied, again.there_already) == (0, 2)


# -- the commands ----------------------------------------------------------------------------------


def offhook(tmp_path: Path, *arguments: str, settings: str = "", code: int = 0) -> Any:
    config = tmp_path / "offhook.toml"
    config.write_text(
        f'[store]\npath = "{tmp_path}/data/offhook.db"\n'
        f'[recordings]\ndir = "{tmp_path}/recordings"\n{settings}'
    )
    result = CliRunner().invoke(main, [*arguments, "--config", str(config)])
    assert result.exit_code == code, result.output
    return result


def test_the_commands(tmp_path: Path) -> None:
    path = tmp_path / "data" / "offhook.db"

    def told(*arguments: str) -> Any:
        return json.loads(offhook(tmp_path, *arguments, "--json").stdout)

    async def a_call() -> None:
        store = await Store.open(path)
        await talked(store, tmp_path / "recordings")
        await store.close()

    async def what_is_left() -> tuple[int, DefaultSecret]:
        store = await Store.open(path)
        page, secret = await store.calls.page(limit=9), await store.signing_secret.get()
        await store.close()
        return len(page.calls), secret

    asyncio.run(a_call())
    saved = told("backup", str(tmp_path / "b.db"), "--recordings", str(tmp_path / "copies"))
    assert saved["recordings"] == {"copied": 1, "there_already": 0, "missing": []}
    assert saved["bytes"] == (tmp_path / "b.db").stat().st_size
    assert told("purge")["calls"] == 0
    old = ("purge", "--older-than", "0.0000001")
    assert told(*old, "--dry-run").items() >= {"dry_run": True, "calls": 1}.items()
    assert told(*old).items() >= {"dry_run": False, "calls": 1}.items()
    shown = told("webhooks", "secret")
    rotated = told("webhooks", "secret", "--rotate")
    left, secret = asyncio.run(what_is_left())
    assert left == 0
    assert (secret.secret, secret.previous_secret) == (
        rotated["signing_secret"],
        shown["signing_secret"],
    )


def test_a_backup_of_postgresql_is_pg_dumps_job(tmp_path: Path) -> None:
    config = tmp_path / "offhook.toml"
    config.write_text('[store]\nurl = "postgresql://me:hush@db.example:5432/calls"\n')
    result = CliRunner().invoke(main, ["backup", "x.dump", "--config", str(config)])
    assert result.exit_code == 1
    assert "pg_dump --format=custom --file=x.dump postgresql://me@db.example:5432/calls" in (
        result.output.replace("\n", "")
    )
    assert "hush" not in result.output


def test_a_secret_of_the_settings_is_shown_and_not_rotated(tmp_path: Path) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    settings = f'[webhooks]\nsecret = "{secret}"\n'
    assert secret in offhook(tmp_path, "webhooks", "secret", settings=settings).stdout
    refused = offhook(tmp_path, "webhooks", "secret", "--rotate", settings=settings, code=1)
    assert "webhooks.secret" in refused.output
