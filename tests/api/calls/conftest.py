"""What tests of single calls share."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.store import Store
from tests.api.switchboard import Office, assert_nothing_is_left, impatient


@pytest.fixture
async def nothing_is_left(monkeypatch: pytest.MonkeyPatch, store: Store) -> AsyncIterator[None]:
    """Nobody waits long here, and every call gives back its tasks and its file."""
    impatient(monkeypatch)
    before = asyncio.all_tasks()
    yield
    await assert_nothing_is_left(before)


@pytest.fixture
def office(store: Store, tmp_path: Path) -> Office:
    return Office(store, tmp_path / "recordings")
