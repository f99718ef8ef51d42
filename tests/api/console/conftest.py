"""Somebody who is signed in with an admin key, and somebody with a read key."""

from collections.abc import AsyncIterator

import pytest

from tests.api.conftest import Bench
from tests.api.console.people import Person, signed_in, stranger


@pytest.fixture
async def operator(bench: Bench) -> AsyncIterator[Person]:
    async with stranger(bench) as client:
        yield await signed_in(bench, client)


@pytest.fixture
async def reader(bench: Bench) -> AsyncIterator[Person]:
    _, key = await bench.store.keys.create("reader", "read")
    async with stranger(bench) as client:
        yield await signed_in(bench, client, key)
