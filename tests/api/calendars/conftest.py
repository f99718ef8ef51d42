"""One Radicale for all tests; each has an empty calendar."""

from collections.abc import AsyncIterator

import pytest

from tests.api.calendars.radicale import Radicale, radicale


@pytest.fixture(scope="session")
async def radicale_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Radicale]:
    async with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
async def desk(radicale_server: Radicale) -> Radicale:
    """With an empty calendar."""
    await radicale_server.make()
    return radicale_server
