"""Shared by the voice loop's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.voice_loop.scripted import end_all


@pytest.fixture(autouse=True)
async def _no_call_goes_on() -> AsyncIterator[None]:
    """End the calls that a test left, lest another test's log tell of them."""
    yield
    await end_all()
