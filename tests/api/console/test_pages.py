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


async def test_things_are_made_changed_and_taken_away(bench: Bench, operator: Person) -> None:
    made = await operator.send(
        "/new/trunks", "/new/trunks", fields={"name": "new", "priority": "7"}
    )
    assert made.headers["location"] == "/console/trunks/new"
    fields = {"description": "Berlin", "allow_refer": "true", "allowed_prefixes": '["+49"]'}
    await operator.send("/trunks/new", "/trunks/new", fields=fields)
    trunk = (await bench.client.get("/v1/trunks/new")).json()
    assert (trunk["priority"], trunk["description"], trunk["allow_refer"]) == (7, "Berlin", True)
    assert trunk["allowed_prefixes"] == ["+49"]
    wrong = await operator.send("/trunks/new", "/trunks/new", 422, {"max_channels": "0"})
    assert "greater than or equal to 1" in wrong.text
    gone = await operator.send("/trunks/new/delete", "/trunks/new")
    assert gone.headers["location"] == "/console/trunks"
    await operator.open("/trunks/new", 404)
    await operator.send("/trunks/carrier/explode", "/trunks", 404)


async def test_the_budget_is_limited(bench: Bench, operator: Person) -> None:
    await operator.send("/budget", "/budget", fields={"limit_milli_cents": "500000"})
    assert (await bench.client.get("/v1/budget")).json()["limit_milli_cents"] == 500_000
    await operator.send("/budget", "/budget", 422, {"limit_milli_cents": "-1"})
    await operator.send("/budget", "/budget", fields={"limit_milli_cents": ""})
    assert (await bench.client.get("/v1/budget")).json()["limit_milli_cents"] is None


async def test_a_key_is_shown_once_and_revoked(bench: Bench, operator: Person) -> None:
    fields = {"name": "crm", "scope": "call"}
    page = (await operator.send("/new/keys", "/new/keys", 200, fields)).text
    (key,) = [one for one in await bench.store.keys.list() if one.name == "crm"]
    assert key.prefix in page
    assert "shown once" in page
    assert "sk_" not in (await operator.open(f"/keys/{key.id}")).replace(key.prefix, "")
    await operator.send(f"/keys/{key.id}/revoke", f"/keys/{key.id}")
    assert [one.revoked_at is None for one in await bench.store.keys.list()] == [True, False]
    (own,) = [one for one in await bench.store.keys.list() if one.name == "tests"]
    await operator.send(f"/keys/{own.id}/revoke", f"/keys/{own.id}", 409)


async def test_a_campaign_is_started_and_paused(bench: Bench, operator: Person) -> None:
    campaign = (await tell(bench, "Maria")).campaign
    page = f"/campaigns/{campaign}"
    for action, status in (("start", "running"), ("pause", "paused"), ("resume", "running")):
        await operator.send(f"{page}/{action}", page)
        assert (await bench.client.get(f"/v1{page}")).json()["status"] == status
    await operator.send(f"{page}/delete", page, 409)
