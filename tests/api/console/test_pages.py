"""Every page: for whom it is, and that what anybody said on it is text."""

from typing import Final

import pytest

from api.console.agents import AGENTS
from api.console.lists import LISTINGS as OTHERS
from tests.api.conftest import Bench
from tests.api.console.people import Person
from tests.api.console.story import HOSTILE, tell

LISTINGS: Final = (AGENTS, *OTHERS)
LISTS: Final = tuple(f"/{one.slug}" for one in LISTINGS)
NEW: Final = tuple(f"/new/{one.slug}" for one in LISTINGS if one.make)
PAGES: Final = ("/calls", "/live", "/health", "/budget", *LISTS)
#: As a browser would read them: elements, and scripts of a link.
TELLTALES: Final = ("<script>alert", "<img src=x", "<a href='javascript", "zzzzzzzzz", "<b>")


async def things(bench: Bench) -> list[str]:
    """The pages of one of each."""
    found = []
    for listing in LISTINGS:
        answer = await bench.client.get(f"/v1/{API.get(listing.slug, listing.slug)}")
        assert answer.status_code == 200, answer.text
        found += [f"/{listing.slug}/{one[listing.id_field]}" for one in answer.json()["data"][:1]]
    return found


API: Final = {
    "do-not-call": "do_not_call",
    "webhooks": "webhook_endpoints",
    "deliveries": "webhook_deliveries",
    "keys": "api_keys",
}


async def test_what_anybody_said_is_text_on_every_page(bench: Bench, operator: Person) -> None:
    told = await tell(bench, HOSTILE)
    single = await things(bench)
    assert len(single) > 6
    calls = [f"/calls/{one}" for one in (told.over, told.live, told.busy)]
    for path in (*PAGES, *NEW, *single, *calls):
        html = await operator.open(path)
        assert not [part for part in TELLTALES if part in html], path
    for path in ("/campaigns", "/keys", "/trunks", "/do-not-call", "/live", f"/calls/{told.over}"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in await operator.open(path), path


async def test_an_empty_store_has_its_pages_too(operator: Person) -> None:
    for path in (*PAGES, *NEW):
        await operator.open(path)


async def test_a_reader_sees_no_keys_and_nothing_to_change_with(
    bench: Bench, reader: Person
) -> None:
    told = await tell(bench, "Maria")
    single = [path for path in await things(bench) if not path.startswith("/keys")]
    assert "API keys" not in await reader.open("/calls")
    await reader.open("/keys", 403)
    for path in (*PAGES, *single, f"/calls/{told.live}"):
        if path == "/keys":
            continue
        html = await reader.open(path)
        assert html.count('method="post"') == 1, path  # to sign out
        assert "/new/" not in html


@pytest.mark.parametrize("listing", [one for one in LISTINGS if one.make], ids=lambda one: one.slug)
async def test_a_reader_makes_nothing(reader: Person, listing: object) -> None:
    slug = listing.slug  # type: ignore[attr-defined]
    answer = await reader.send(f"/new/{slug}", "/calls", 403)
    assert "needs a key with the scope" in answer.text


async def test_no_form_is_taken_without_our_token(bench: Bench, operator: Person) -> None:
    told = await tell(bench, "Maria")
    for path in (
        *(f"/calls/{told.live}/hang-up", "/new/trunks", f"/campaigns/{told.campaign}/start"),
        *("/trunks/carrier-b", "/budget", "/import/do-not-call", "/sign-out"),
    ):
        answer = await operator.client.post(f"/console{path}", data={"csrf": "x", "name": "c"})
        assert answer.status_code == 403, path
        assert "not of this session" in answer.text
    assert bench.asked == []
