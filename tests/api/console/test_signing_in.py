"""Signing in with an API key, and what a session is worth."""

import httpx
import pytest

from api.console.sign_in import LIFETIME_S
from api.store import Store
from tests.api.conftest import Bench, Clock
from tests.api.console.people import Person, signed_in, stranger, token_of
from tests.api.doors import client_of

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)


async def test_a_key_becomes_a_session_that_no_script_and_no_other_site_can_use(
    bench: Bench,
) -> None:
    async with stranger(bench) as client:
        assert (await client.get("/console/calls")).headers["location"] == "/console/sign-in"
        person = await signed_in(bench, client)
        assert "Calls" in await person.open("/calls")
        (cookie,) = [one for one in client.cookies.jar if one.name == "offhook_session"]
        assert bench.key not in str(cookie.value)
        assert cookie.path == "/console"
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "strict"


async def test_behind_tls_the_cookie_goes_over_tls_only(bench: Bench) -> None:
    settings = {"OFFHOOK_SERVER__TRUSTED_PROXIES": "127.0.0.0/8"}
    async with client_of(bench, settings=settings) as client:
        answer = await client.get("/console/sign-in", headers={"X-Forwarded-Proto": "https"})
        assert "; secure" in answer.headers["set-cookie"].lower()


async def test_every_answer_says_what_may_be_loaded(bench: Bench, operator: Person) -> None:
    for path in ("/sign-in", "/calls", "/nowhere"):
        answer = await operator.client.get(f"/console{path}")
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("key", ["", "sk_wrong", "x" * 3000, "<script>alert(1)</script>"])
async def test_what_is_no_live_key_gets_no_session(bench: Bench, key: str) -> None:
    async with stranger(bench) as client:
        form = await client.get("/console/sign-in")
        data = {"csrf": token_of(form.text), "key": key}
        answer = await client.post("/console/sign-in", data=data)
        assert answer.status_code == 401
        assert "unknown or revoked" in answer.text
        assert "<script>alert" not in answer.text
        assert "offhook_session" not in client.cookies


async def test_who_guesses_keys_is_told_to_wait(bench: Bench) -> None:
    async with stranger(bench) as client:
        page = await client.get("/console/sign-in")
        found: list[int] = []
        while 429 not in found and len(found) < 200:  # one more is let through each second
            data = {"csrf": token_of(page.text), "key": "sk_guess"}
            page = await client.post("/console/sign-in", data=data)
            found.append(page.status_code)
        assert found[:60] == [401] * 60
        assert found[-1] == 429


async def test_a_form_without_our_token_signs_nobody_in_or_out(
    bench: Bench, operator: Person
) -> None:
    async with stranger(bench) as client:
        answer = await client.post("/console/sign-in", data={"key": bench.key})
        assert answer.status_code == 403
        assert "offhook_session" not in client.cookies
    for token in ("", "x", token_of((await operator.client.get("/console/sign-in")).text)):
        answer = await operator.client.post("/console/sign-out", data={"csrf": token})
        assert answer.status_code == 403
    await operator.open("/calls")


async def test_who_signs_out_has_ended_the_session_everywhere(
    bench: Bench, operator: Person
) -> None:
    kept = dict(operator.client.cookies)
    await operator.send("/sign-out", "/calls")
    async with httpx.AsyncClient(base_url=bench.client.base_url, cookies=kept) as thief:
        assert (await thief.get("/console/calls")).headers["location"] == "/console/sign-in"


async def test_a_revoked_key_ends_its_sessions_at_once(bench: Bench, reader: Person) -> None:
    await reader.open("/calls")
    (key,) = [one for one in await bench.store.keys.list() if one.name == "reader"]
    await bench.store.keys.revoke(key.id)
    answer = await reader.client.get("/console/calls")
    assert answer.headers["location"] == "/console/sign-in"


@pytest.mark.both_stores
async def test_a_session_expires_and_is_forgotten(ledger: Store, clock: Clock) -> None:
    key, _ = await ledger.keys.create("somebody")
    token = await ledger.sessions.begin(key.id, LIFETIME_S)
    assert await ledger.sessions.recognise(token) == key
    assert await ledger.sessions.recognise(token + "x") is None
    clock.now += LIFETIME_S
    assert await ledger.sessions.recognise(token) is None


async def test_a_session_makes_no_more_requests_than_its_key_may(bench: Bench) -> None:
    _, key = await bench.store.keys.create("slow", "read", rate_limit_per_minute=2)
    async with stranger(bench) as client:
        person = await signed_in(bench, client, key)
        await person.open("/calls")
        await person.open("/calls")
        assert "Too Many Requests" in await person.open("/calls", 429)


async def test_the_settings_may_want_no_console(bench: Bench) -> None:
    async with client_of(bench, settings={"OFFHOOK_SERVER__CONSOLE": "false"}) as client:
        assert (await client.get("/console/sign-in")).status_code == 404
