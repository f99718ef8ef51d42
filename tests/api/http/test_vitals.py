"""What `/healthz` says when nothing can be written down: real limits of a real system."""

import asyncio
import contextlib
import resource
import sqlite3
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.http.disk import folders, free_bytes
from api.settings import StoreSection, load_settings
from api.store import Store
from tests.api.conftest import Bench, benching


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.vitals.FRESH_S", 0.0)
    monkeypatch.setattr("api.http.vitals.WRITE_S", 0.5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@contextlib.asynccontextmanager
async def served(folder: Path, **more: str) -> AsyncIterator[Bench]:
    store = await Store.open(StoreSection(path=folder / "data" / "offhook.db"))
    try:
        async with benching(store, folder, more) as bench:
            yield bench
    finally:
        await store.close()


async def health(bench: Bench) -> dict[str, Any]:
    """The checks that are not well; the status has to agree."""
    answer = await bench.client.get("/healthz")
    checks = answer.json()["checks"]
    wrong = {name: one["message"] for name, one in checks.items() if not one["ok"]}
    assert answer.status_code == (503 if wrong else 200)
    assert {"store", "recordings"} <= set(checks)
    return wrong


@pytest.mark.both_stores
async def test_a_store_that_takes_writes_is_well(bench: Bench) -> None:
    assert await health(bench) == {}


async def test_a_full_disk(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(small_disk, OFFHOOK_SERVER__MIN_FREE_MB="0") as bench:
        assert await health(bench) == {}
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        for _ in range(3):
            assert await health(bench) == {
                "store": "the folder of store.path takes no file (No space left on device)",
                "recordings": "the folder of recordings.dir takes no file "
                "(No space left on device)",
            }
        told = [one for one in caplog.records if one.name == "api.http.vitals"]
        assert len(told) == 2
        filler.unlink()
        assert await health(bench) == {}


async def test_a_disk_that_is_getting_full(small_disk: Path) -> None:
    async with served(small_disk) as bench:
        told = await health(bench)
    assert told["store"].startswith("only ")
    assert "MB are free in the folder of store.path; make room there" in told["store"]
    assert "MB are free in the folder of recordings.dir; make room there" in told["recordings"]


async def test_a_store_that_may_not_grow(bench: Bench) -> None:
    """As with a quota: the database's log is at its largest."""
    log = Path(bench.services.settings.store.path).with_name("offhook.db-wal")
    while log.stat().st_size <= 2**16:  # what is written to a folder to try it
        assert await health(bench) == {}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    try:
        told = await health(bench)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert told["store"].startswith("the store does not take a write (SQLITE_")
    assert await health(bench) == {}


async def test_a_locked_store(bench: Bench) -> None:
    other = sqlite3.connect(bench.services.settings.store.path, isolation_level=None)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        told = await health(bench)
        assert told == {"store": "the store does not take a write within 0.5 s"}
        other.execute("ROLLBACK")
    async with asyncio.timeout(20):
        while await health(bench):
            await asyncio.sleep(0.05)


async def test_a_folder_that_hangs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As over NFS: it is told in time, and waited for with one thread."""
    back, tried = threading.Event(), 0
    recordings = bench.services.settings.recordings.dir

    def hanging(folder: Path) -> int:
        nonlocal tried
        if folder == recordings:
            tried += 1
            back.wait(20)
        return free_bytes(folder)

    monkeypatch.setattr("api.http.vitals.free_bytes", hanging)
    for _ in range(2):
        told = await health(bench)
        assert told == {"recordings": "the folder of recordings.dir takes no file within 0.5 s"}
    assert tried == 1
    back.set()
    async with asyncio.timeout(20):
        while await health(bench):
            await asyncio.sleep(0.05)


def test_the_recordings_folder_is_looked_at_whatever_the_settings_record() -> None:
    """A call may ask to be recorded."""
    assert "recordings" in folders(load_settings(None, {"OFFHOOK_RECORDINGS__ENABLED": "false"}))


async def test_being_asked_often_writes_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.vitals.FRESH_S", 3600.0)
    assert await health(bench) == {}
    log = Path(bench.services.settings.store.path).with_name("offhook.db-wal")
    size, changed = log.stat().st_size, log.stat().st_mtime_ns
    for _ in range(20):
        assert await health(bench) == {}
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (size, changed)
