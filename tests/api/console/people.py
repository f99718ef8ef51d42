"""People at the console: they sign in, and send the forms that a page has."""

import re
from collections.abc import Mapping
from html import unescape

import httpx

from tests.api.conftest import Bench

CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Person:
    """Somebody with a browser that runs no script."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def open(self, path: str, status: int = 200) -> str:
        """The HTML of a page."""
        answer = await self.client.get(f"/console{path}")
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return answer.text

    async def send(
        self, path: str, page: str, status: int = 303, fields: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a form to `path` with the token that `page` has."""
        data = {"csrf": token_of(await self.open(page)), **(fields or {})}
        answer = await self.client.post(f"/console{path}", data=data)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return answer


def token_of(html: str) -> str:
    """The token in its forms."""
    found = CSRF.search(html)
    assert found is not None, html[:500]
    return unescape(found[1])


def stranger(bench: Bench) -> httpx.AsyncClient:
    """A browser without a session."""
    return httpx.AsyncClient(base_url=bench.client.base_url, timeout=10, trust_env=False)


async def signed_in(bench: Bench, client: httpx.AsyncClient, key: str | None = None) -> Person:
    """Somebody who has signed in with `key`."""
    form = await client.get("/console/sign-in")
    answer = await client.post(
        "/console/sign-in", data={"csrf": token_of(form.text), "key": key or bench.key}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/console"), answer.text
    return Person(client)
