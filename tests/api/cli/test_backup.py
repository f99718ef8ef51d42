"""`offhook backup`: whole, consistent and private, while the server runs and writes."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.calls.recording_folder import open_folder
from api.cli import main
from api.cli import store_backup as backup
from api.cli.store_backup import BackupError, backup_recordings, backup_store
from api.resources.webhook import DefaultSecret
from api.settings import StoreSection
from api.store import Store
from api.store.sqlite import lock_store
from tests.api.calls.test_retention import record, talked
from tests.api.story import completed


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
        for call in page.items:
            events = await restored.calls.events(call.id)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert events[-1].terminal == call.over
            deliveries = await restored.deliveries.page(limit=99, call_id=call.id)
            told = {one.event_id for one in deliveries.items}
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


async def test_recordings_take_the_name_of_their_node_along(
    store: Store, source: Path, tmp_path: Path
) -> None:
    """To the backup and back, but never in the place of another one."""
    folder = open_folder(tmp_path / "recordings", await store.organization.id())
    strange = open_folder(tmp_path / "strange", "another-store")
    copies, new = tmp_path / "copies", tmp_path / "new"
    call, copy = await talked(store, folder.path), tmp_path / "copy.db"
    backup_store(source, copy)
    backup_recordings(copy, strange.path, copies)
    backup_recordings(copy, folder.path, copies)
    backup_recordings(copy, copies, new)
    assert {mode(file) for file in new.iterdir()} == {0o600}
    moved = open_folder(new, await store.organization.id())
    assert (moved.node, moved.names()) == (folder.node, [f"{call.id}.wav"])
    backup_recordings(copy, folder.path, strange.path)
    assert open_folder(strange.path, "another-store") == strange


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
        return len(page.items), secret

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


# -- restoring -------------------------------------------------------------------------------------


def calls_in(path: Path) -> list[str]:
    async def ids() -> list[str]:
        store = await Store.open(path)
        page = await store.calls.page(limit=99)
        await store.close()
        return [call.id for call in page.items]

    return asyncio.run(ids())


def make_calls(path: Path, count: int) -> None:
    async def work() -> None:
        store = await Store.open(path)
        for _ in range(count):
            await completed(store)
        await store.close()

    asyncio.run(work())


def test_a_backup_is_put_back_and_what_it_replaces_is_kept(tmp_path: Path) -> None:
    path, copy = tmp_path / "data" / "offhook.db", tmp_path / "b.db"
    make_calls(path, 2)
    offhook(tmp_path, "backup", str(copy))
    before = calls_in(path)
    make_calls(path, 3)
    after = calls_in(path)
    told = json.loads(offhook(tmp_path, "restore", str(copy), "--json").stdout)
    assert calls_in(path) == before
    assert mode(path) == 0o600
    assert told["replaced"].startswith(f"{path}.replaced-")
    assert calls_in(Path(told["replaced"])) == after
    assert copy.is_file()
    said = offhook(tmp_path, "restore", str(copy)).output.replace("\n", "")
    assert "replaced-" in said


def test_what_is_replaced_is_told_where_the_recordings_cannot_be_copied(tmp_path: Path) -> None:
    path, copy = tmp_path / "data" / "offhook.db", tmp_path / "b.db"
    make_calls(path, 1)
    offhook(tmp_path, "backup", str(copy))
    (tmp_path / "recordings").touch()  # in the way
    (tmp_path / "copies").mkdir()
    command = ("restore", str(copy), "--recordings", str(tmp_path / "copies"))
    for form in ([], ["--json"]):
        failed = offhook(tmp_path, *command, *form, code=1)
        assert f"The store before it is {path}.replaced-" in failed.output


def test_a_restore_refuses_while_a_server_has_the_store(tmp_path: Path) -> None:
    path, copy = tmp_path / "data" / "offhook.db", tmp_path / "b.db"
    make_calls(path, 1)
    offhook(tmp_path, "backup", str(copy))
    lock = lock_store(path)
    refused = offhook(tmp_path, "restore", str(copy), code=1)
    os.close(lock)
    assert "in use by a server" in refused.output
    assert {one.name for one in path.parent.iterdir()} == {"offhook.db", "offhook.db.lock"}


def test_what_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data" / "offhook.db"
    make_calls(path, 1)
    before = calls_in(path)
    strange, foreign, newer = (tmp_path / name for name in ("a.db", "b.db", "c.db"))
    strange.write_bytes(b"not a database, but long enough to be read as one" * 20)
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE a (b)")
    backup_store(path, newer)
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for file, why in (
        (tmp_path / "none.db", "no backup at"),
        (strange, "not a database"),
        (foreign, "no store of Offhook's"),
        (newer, "9999"),
        (path, "the store itself"),
    ):
        refused = offhook(tmp_path, "restore", str(file), code=1)
        assert why in refused.output.replace("\n", " "), refused.output
    assert calls_in(path) == before
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]


def test_a_broken_store_is_replaced_and_kept(tmp_path: Path) -> None:
    path, copy = tmp_path / "data" / "offhook.db", tmp_path / "b.db"
    make_calls(path, 1)
    offhook(tmp_path, "backup", str(copy))
    before = calls_in(path)
    path.write_bytes(b"broken" * 1000)
    told = json.loads(offhook(tmp_path, "restore", str(copy), "--json").stdout)
    assert Path(told["replaced"]).read_bytes() == b"broken" * 1000
    assert calls_in(path) == before


def test_recordings_are_put_back_and_those_of_later_calls_are_told(tmp_path: Path) -> None:
    path, folder = tmp_path / "data" / "offhook.db", tmp_path / "recordings"

    async def a_call() -> str:
        store = await Store.open(path)
        call = await talked(store, folder)
        await store.close()
        return call.id

    first = asyncio.run(a_call())
    copy, copies = tmp_path / "b.db", tmp_path / "copies"
    offhook(tmp_path, "backup", str(copy), "--recordings", str(copies))
    asyncio.run(a_call())
    (folder / f"{first}.wav").unlink()
    command = ("restore", str(copy), "--recordings", str(copies), "--json")
    told = json.loads(offhook(tmp_path, *command).stdout)
    assert told["recordings"] == {"copied": 1, "there_already": 0, "missing": []}
    assert told["recordings_to_be_deleted"] == 1
    assert (folder / f"{first}.wav").is_file()


def test_a_restore_into_postgresql_is_pg_restores_job(tmp_path: Path) -> None:
    config = tmp_path / "offhook.toml"
    config.write_text('[store]\nurl = "postgresql://me:hush@db.example:5432/calls"\n')
    result = CliRunner().invoke(main, ["restore", "x.dump", "--config", str(config)])
    assert result.exit_code == 1
    assert "pg_restore" in result.output
    assert "hush" not in result.output
