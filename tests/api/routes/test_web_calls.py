"""Calls from browsers, by API key and by token, with another library's peer as the browser."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api.compat.endpoints import ENDPOINTS
from api.http.app import create_app
from api.resources.agent import NewStoredAgent
from api.store.tables import web_call_tokens
from pbx.webrtc.gateway import WebGateway
from tests.api.conftest import Bench, Clock
from tests.api.switchboard import over, until
from tests.api.web import called_by_browsers
from tests.pbx.webrtc.browser import Caller, caller, pitch, tone

ORIGIN = "https://www.example.org"


@dataclass
class Web:
    """A server that browsers can call."""

    client: httpx.AsyncClient
    bench: Bench
    gateway: WebGateway

    async def token(self, **body: Any) -> str:
        made = await self.client.post("/v1/agents", json={"name": "Web", "type": "inbound"})
        asked = {"agent_id": made.json()["id"], "origin": ORIGIN} | body
        answer = await self.client.post("/v1/web_call_tokens", json=asked)
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    async def offer(self, token: str, sdp: str, origin: str = ORIGIN) -> httpx.Response:
        """As a page does: with no key."""
        headers = {"Origin": origin, "Authorization": ""}
        return await self.client.post(
            "/v1/web_call_offers", json={"token": token, "sdp": sdp}, headers=headers
        )


@pytest.fixture
async def web(bench: Bench) -> AsyncIterator[Web]:
    async with called_by_browsers(bench) as (services, gateway):
        transport = httpx.ASGITransport(create_app(services, ENDPOINTS))
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://offhook",
            headers={"Authorization": f"Bearer {bench.key}"},
        ) as client:
            yield Web(client, bench, gateway)


async def _placed(web: Web, browser: Caller, **body: Any) -> dict[str, Any]:
    answer = await web.client.post("/v1/web_calls", json={"sdp": await browser.offer()} | body)
    assert answer.status_code == 201, answer.text
    await browser.take(answer.json()["sdp"])
    call: dict[str, Any] = answer.json()["call"]
    return call


async def test_a_web_call_is_a_call(web: Web) -> None:
    async with caller() as browser:
        placed = await _placed(web, browser, prompt="Say hello.", metadata={"customer": "42"})
        assert (placed["direction"], placed["status"]) == ("web", "ringing")
        assert (placed["to_number"], placed["from_number"]) == (None, None)
        await until(web.bench.store, placed["id"], "answered")
        listed = await web.client.get("/v1/calls", params={"direction": "web"})
        assert [one["id"] for one in listed.json()["data"]] == [placed["id"]]
        for other in ("inbound", "outbound"):
            listed = await web.client.get("/v1/calls", params={"direction": other})
            assert listed.json()["data"] == []
    await until(web.bench.store, placed["id"], "completed")
    call = await over(web.bench.store, placed["id"])
    assert (call.status, call.end_reason) == ("completed", "person_hangup")
    assert call.media is not None
    assert call.media["received"] > 0


async def test_an_operator_hangs_up(web: Web) -> None:
    async with caller() as browser:
        placed = await _placed(web, browser)
        await until(web.bench.store, placed["id"], "answered")
        assert (await web.client.post(f"/v1/calls/{placed['id']}/hangup")).status_code == 202
        await until(web.bench.store, placed["id"], "completed")
        assert (await over(web.bench.store, placed["id"])).end_reason == "operator_hangup"
        async with asyncio.timeout(5):
            while browser.peer.connectionState != "closed":
                await asyncio.sleep(0.02)


async def test_who_never_connects_fails(web: Web) -> None:
    async with caller() as browser:
        sdp = await browser.offer()
        answer = await web.client.post("/v1/web_calls", json={"sdp": sdp})
        call_id = answer.json()["call"]["id"]
        await until(web.bench.store, call_id, "failed")
        call = await over(web.bench.store, call_id)
        assert (call.status, call.end_reason) == ("failed", "not_connected")
        assert "did not connect" in (call.error_message or "")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"sdp": "hello"}, "/sdp"),
        ({"retry": {"max_attempts": 2}}, "/retry"),
        ({"from_number": "+15559876543"}, "/from_number"),
        ({"to": "+15551234567"}, "/to"),
        ({"agent_id": "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"}, "/agent_id"),
    ],
)
async def test_what_is_wrong_is_pointed_at(web: Web, body: dict[str, Any], pointer: str) -> None:
    async with caller() as browser:
        asked = {"sdp": await browser.offer()} | body
        answer = await web.client.post("/v1/web_calls", json=asked)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert web.gateway.peers == 0


async def test_limits_hold(web: Web) -> None:
    """Two lines; one of them by its concurrency key."""
    async with caller() as one, caller() as two, caller() as three:
        key = {"concurrency": {"key": "shop", "max": 1}}
        await _placed(web, one, **key)
        refused = await web.client.post("/v1/web_calls", json={"sdp": await two.offer()} | key)
        assert (refused.status_code, refused.json()["code"]) == (409, "concurrency_reached")
        await _placed(web, two)
        refused = await web.client.post("/v1/web_calls", json={"sdp": await three.offer()})
        assert (refused.status_code, refused.json()["code"]) == (409, "busy")
        assert web.gateway.peers == 2


async def test_calls_of_a_key_are_capped(web: Web) -> None:
    made = await web.client.post(
        "/v1/api_keys", json={"name": "page", "scope": "call", "max_calls_per_day": 1}
    )
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    async with caller() as one, caller() as two:
        for browser, status in ((one, 201), (two, 429)):
            asked = {"sdp": await browser.offer()}
            answer = await web.client.post("/v1/web_calls", json=asked, headers=headers)
            assert answer.status_code == status, answer.text


async def test_a_page_calls_with_a_token_once(web: Web) -> None:
    token = await web.token(metadata={"customer": "42"})
    async with caller() as browser:
        sdp = await browser.offer()
        answers = await asyncio.gather(*(web.offer(token, sdp) for _ in range(5)))
        assert sorted(one.status_code for one in answers) == [201, 401, 401, 401, 401]
        (answer,) = [one for one in answers if one.status_code == 201]
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.json().keys() == {"call_id", "type", "sdp"}
        await browser.take(answer.json()["sdp"])
        await until(web.bench.store, answer.json()["call_id"], "answered")
        call = await web.bench.store.calls.get(answer.json()["call_id"])
        assert (call.direction, call.metadata) == ("web", {"customer": "42"})
        assert call.api_key_id is not None


async def test_pages_of_another_origin_have_no_use_for_it(web: Web) -> None:
    token = await web.token()
    async with caller() as browser:
        sdp = await browser.offer()
        for origin in ("https://evil.example.org", "null", ORIGIN + ":8443", ""):
            answer = await web.offer(token, sdp, origin)
            assert answer.status_code == 401
            assert "access-control-allow-origin" not in answer.headers
        assert (await web.offer(token, sdp)).status_code == 201


async def test_browsers_are_told_before_which_origin_may_ask(web: Web) -> None:
    await web.token()
    for origin, status in ((ORIGIN, 204), ("https://evil.example.org", 403)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = await web.client.options("/v1/web_call_offers", headers=headers)
        assert answer.status_code == status
        told = answer.headers.get("access-control-allow-origin")
        assert told == (ORIGIN if status == 204 else None)
    assert (await web.client.options("/v1/web_calls")).status_code == 405


async def test_a_token_lapses_and_is_kept_as_a_hash(ledger: Any, clock: Clock) -> None:
    agent = await ledger.agents.create(NewStoredAgent("Web", {}, "inbound"))
    tokens = ledger.web_call_tokens
    _, token = await tokens.create(agent.id, ORIGIN, 60)
    rows = await ledger.database.fetch(select(web_call_tokens))
    assert token not in str(rows)
    clock.now += 61
    assert await tokens.use(token, ORIGIN) is None
    assert not await tokens.knows(ORIGIN)


async def test_they_can_be_turned_off(bench: Bench) -> None:
    answer = await bench.client.post("/v1/web_calls", json={"sdp": "v=0"})
    assert (answer.status_code, answer.json()["code"]) == (501, "web_calls_off")


async def test_oneinbox_clients_get_a_token_for_their_page(web: Web) -> None:
    """OI-31, OI-34, X-OI-4."""
    made = await web.client.post("/v1/agents", json={"name": "Web", "type": "outbound"})
    path = "/compat/oneinbox/v1/calls"
    asked = {"agent_id": made.json()["id"], "metadata": {"customer": "42"}}
    assert (await web.client.post(f"{path}/web", json=asked)).status_code == 422
    answer = await web.client.post(f"{path}/web", json=asked, headers={"Origin": ORIGIN})
    assert answer.status_code == 200, answer.text
    assert answer.json()["server_url"].endswith("/v1/web_call_offers")
    async with caller() as browser:
        offered = await web.offer(answer.json()["participant_token"], await browser.offer())
        assert offered.status_code == 201
        call = (await web.client.get(f"{path}/{offered.json()['call_id']}")).json()
        assert (call["type"], call["direction"]) == ("web", "inbound")
        assert (call["to_number"], call["from_number"]) == (None, None)
        assert call["metadata"] == {"customer": "42"}


async def test_a_listener_hears_both_sides_and_is_recorded(web: Web) -> None:
    """The person left, the agent right: the person's tone is heard where they are alone."""
    async with caller(codecs=("0",)) as person, caller(speaks=False) as listener:
        placed = await _placed(web, person)
        await until(web.bench.store, placed["id"], "answered")
        path = f"/v1/calls/{placed['id']}/listen"
        answer = await web.client.post(path, json={"sdp": await listener.offer(), "stereo": True})
        assert answer.status_code == 201, answer.text
        await listener.take(answer.json()["sdp"])
        await listener.connected()
        person.microphone.say(tone(700, 2.0))
        await asyncio.sleep(1.5)
        assert pitch(listener.hear(), listener.rate) == pytest.approx(700, abs=15)
        assert web.gateway.peers == 2
        await listener.close()
        await until(web.bench.store, placed["id"], "listening_ended")
        events = await web.bench.store.calls.events(placed["id"])
        told = [one for one in events if one.type == "call.listening_started"]
        assert [one.data["listener"]["api_key_id"] is not None for one in told] == [True]


async def test_who_listens_is_let_go_at_the_end(web: Web) -> None:
    async with caller() as person, caller(speaks=False) as listener:
        placed = await _placed(web, person)
        await until(web.bench.store, placed["id"], "answered")
        path = f"/v1/calls/{placed['id']}/listen"
        answer = await web.client.post(path, json={"sdp": await listener.offer()})
        await listener.take(answer.json()["sdp"])
        await listener.connected()
        await person.close()
        await until(web.bench.store, placed["id"], "completed")
        async with asyncio.timeout(5):
            while web.gateway.peers:
                await asyncio.sleep(0.02)


async def test_so_many_listen_and_only_to_what_is_live(web: Web) -> None:
    async with caller() as person, caller(speaks=False) as listener:
        placed = await _placed(web, person)
        path = f"/v1/calls/{placed['id']}/listen"
        sdp = await listener.offer()
        await until(web.bench.store, placed["id"], "answered")
        codes = [(await web.client.post(path, json={"sdp": sdp})).status_code for _ in range(5)]
        assert codes == [201] * 4 + [409]
        await web.client.post(f"/v1/calls/{placed['id']}/hangup")
        await until(web.bench.store, placed["id"], "completed")
        refused = await web.client.post(path, json={"sdp": sdp})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_in_progress")
        assert web.gateway.peers == 0


async def test_listening_and_speaking_need_their_own_scope(web: Web) -> None:
    made = await web.client.post("/v1/api_keys", json={"name": "crm", "scope": "call"})
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    for action in ("listen", "say", "whisper", "press"):
        path = f"/v1/calls/6f1c2d3e-4b5a-4c6d-8e7f-901234567890/{action}"
        refused = await web.client.post(path, json={}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")


async def test_what_an_operator_says_is_spoken(web: Web) -> None:
    async with caller(codecs=("0",)) as person:
        placed = await _placed(web, person)
        await until(web.bench.store, placed["id"], "answered")
        path = f"/v1/calls/{placed['id']}"
        said = await web.client.post(f"{path}/say", json={"text": "One moment please."})
        assert said.status_code == 202
        async with asyncio.timeout(10):
            while True:
                turns = (await web.client.get(f"{path}/transcript")).json()["turns"]
                if "One moment please." in [one["text"] for one in turns]:
                    break
                await asyncio.sleep(0.1)
        refused = await web.client.post(f"{path}/press", json={"digits": "1"})
        assert (refused.status_code, refused.json()["code"]) == (409, "web_call")
        events = await web.bench.store.calls.events(placed["id"])
        (done,) = [one.data["control"] for one in events if one.type == "call.controlled"]
        assert (done["action"], done["text"]) == ("say", "One moment please.")
