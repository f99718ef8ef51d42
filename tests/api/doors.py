"""Clients of the application under other settings, from other addresses, with other keys."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import httpx

from api.compat.endpoints import ENDPOINTS
from api.console.app import console
from api.http.app import create_app
from api.settings import load_settings
from tests.api.conftest import SETTINGS, Bench


@contextlib.asynccontextmanager
async def client_of(
    bench: Bench,
    key: str | None = None,
    settings: Mapping[str, str] | None = None,
    peer: str = "127.0.0.1",
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application of its own on the store of `bench`.

    Args:
        bench: whose services.
        key: to send as the bearer.
        settings: the environment, beside that of the tests.
        peer: address that the application sees.
    """
    loaded = load_settings(None, SETTINGS | dict(settings or {}))
    app = create_app(replace(bench.services, settings=loaded), ENDPOINTS, console)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(peer, 50_000)),
        base_url="http://offhook",
        headers={} if key is None else {"Authorization": f"Bearer {key}"},
    ) as client:
        yield client
