"""The browser on the line: test calls, listening in and speaking into calls, from the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest
from playwright.async_api import async_playwright

from api.calls.recording_folder import box_name
from api.compat.endpoints import ENDPOINTS
from api.console.app import console
from api.http.app import create_app
from api.http.server import http_server, listen
from tests.api.conftest import Bench
from tests.api.console.people import Person, signed_in, token_of
from tests.api.console.story import HOSTILE, answered, tell
from tests.api.console.test_browser import CHROMIUM, faults_of, sign_in
from tests.api.console.test_browser import listen as complaints_of
from tests.api.switchboard import over, until
from tests.api.web import called_by_browsers
from tests.pbx.webrtc.browser import caller

JSON: Final = {"Accept": "application/json"}
NO_MICROPHONE: Final = """() => {
    navigator.mediaDevices.getUserMedia = async () => { throw new Error("none <b>here</b>"); };
}"""
#: Whether the agent is played.
PLAYS: Final = """() => {
    const audio = document.querySelector("audio");
    return !audio.paused && audio.srcObject.getAudioTracks()[0].readyState === "live";
}"""
#: The loudest sample, of 1, that is heard within four seconds on one side: 0 left, 1 right.
HEARD: Final = """async () => {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    const stream = document.querySelector("audio").srcObject;
    const channels = context.createChannelSplitter(2);
    context.createMediaStreamSource(stream).connect(channels).connect(analyser, SIDE);
    const samples = new Float32Array(analyser.fftSize);
    let peak = 0;
    for (let count = 0; count < 100 && peak < 0.05; count += 1) {
        await new Promise((done) => setTimeout(done, 40));
        analyser.getFloatTimeDomainData(samples);
        peak = Math.max(peak, ...samples.map(Math.abs));
    }
    return peak;
}"""
CONTROLS: Final = ("listen", "say", "whisper", "press")


@pytest.fixture
async def live(bench: Bench) -> str:
    """The path of a live call's page: it was there before whoever claims calls."""
    return f"/calls/{await answered(bench, HOSTILE)}"


@pytest.fixture
async def site(bench: Bench) -> AsyncIterator[Bench]:
    """The bench, where browsers can call."""
    listener = listen("127.0.0.1", 0)
    url = "http://{}:{}".format(*listener.getsockname())
    async with called_by_browsers(bench) as (calling, _):
        services = replace(calling, url=url)
        with listener:
            app = create_app(services, ENDPOINTS, console)
            async with (
                http_server(app, listener, services.settings.server),
                httpx.AsyncClient(base_url=url, headers=bench.client.headers) as client,
            ):
                yield replace(bench, services=services, client=client)


@asynccontextmanager
async def person(bench: Bench, scope: Any) -> AsyncIterator[Person]:
    """Somebody with a key of that scope."""
    _, key = await bench.store.keys.create("somebody", scope)
    async with httpx.AsyncClient(base_url=bench.client.base_url, timeout=10) as client:
        yield await signed_in(bench, client, key)


async def agent_of(bench: Bench, **body: Any) -> str:
    made = await bench.client.post("/v1/agents", json={"name": "Ada", "type": "inbound"} | body)
    assert made.status_code == 201, made.text
    agent_id: str = made.json()["id"]
    return agent_id


async def test_an_agent_is_called_listened_to_and_told(site: Bench) -> None:
    spoken = {"first_sentence": "Hello {{who}}.", "variables": {"who": "there"}}
    page = f"/agents/{await agent_of(site, **spoken)}"
    async with person(site, "listen") as one, caller() as browser, caller(speaks=False) as ear:
        html = await one.open(f"{page}?variable.who=Maria")
        assert 'name="variable.who" value="Maria"' in html
        fields = {"sdp": await browser.offer(), "variable.who": "Maria"}
        told = (await one.send(f"{page}/web-call", page, 200, fields)).json()
        await browser.take(told["sdp"])
        call = told["page"].removeprefix("/console")
        call_id = call.rpartition("/")[2]
        await until(site.store, call_id, "answered")
        assert (await site.store.calls.get(call_id)).variables == {"who": "Maria"}
        html = await one.open(call)
        assert "Call from a browser" in html
        assert "None" not in html
        assert f"{call}/press" not in html  # a browser has no use for keys
        listened = await one.send(f"{call}/listen", call, 201, {"sdp": await ear.offer()})
        await ear.take(listened.json()["sdp"])
        await ear.connected()
        await one.send(f"{call}/whisper", call, fields={"text": "They are in a hurry."})
        refused = await one.send(f"{call}/whisper", call, 422, {"text": ""})
        assert "text" in refused.text
        events = await site.store.calls.events(call_id)
        (done,) = [event.data["control"] for event in events if event.type == "call.controlled"]
        assert (done["action"], done["text"]) == ("whisper", "They are in a hurry.")
        await one.send(f"{call}/hang-up", call)
        await until(site.store, call_id, "completed")
        assert (await over(site.store, call_id)).end_reason == "operator_hangup"


async def test_each_key_sees_and_does_what_its_scope_allows(live: str, site: Bench) -> None:
    agent, call = f"/agents/{await agent_of(site)}", live
    for scope, calls, listens in (
        ("read", False, False),
        ("call", True, False),
        ("listen", True, True),
    ):
        async with person(site, scope) as one:
            assert (f"{agent}/web-call" in await one.open(agent)) == calls, scope
            html = await one.open(call)
            assert [f"{call}/{action}" in html for action in CONTROLS] == [listens] * 4, scope
            if not calls:
                refused = await one.send(f"{agent}/web-call", agent, 403, {"sdp": "v=0"})
                assert "needs a key with the scope call" in refused.text
            for action in () if listens else CONTROLS:
                refused = await one.send(f"{call}/{action}", call, 403, {"text": "x"})
                assert "needs a key with the scope listen" in refused.text


async def test_nothing_is_done_without_our_token(live: str, site: Bench) -> None:
    agent, call = f"/agents/{await agent_of(site)}", live
    async with person(site, "listen") as one:
        for path in (f"{agent}/web-call", *(f"{call}/{action}" for action in CONTROLS)):
            data = {"csrf": "x", "sdp": "v=0", "text": "x", "digits": "1"}
            answer = await one.client.post(f"/console{path}", data=data, headers=JSON)
            assert (answer.status_code, answer.json()["code"]) == (403, "form_expired"), path


async def test_a_script_is_told_what_is_wrong_as_the_api_tells_it(live: str, site: Bench) -> None:
    agent, call = f"/agents/{await agent_of(site)}", live
    async with person(site, "listen") as one:
        data = {"csrf": token_of(await one.open(agent)), "sdp": HOSTILE, "digits": HOSTILE}
        for path, at in ((f"{agent}/web-call", "/sdp"), (f"{call}/press", "/digits")):
            answer = await one.client.post(f"/console{path}", data=data, headers=JSON)
            assert answer.headers["content-type"] == "application/problem+json"
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, at)
        page = await one.client.post(f"/console{call}/press", data=data)
        assert "<script>alert" not in page.text


async def test_where_browsers_cannot_call_it_is_said(bench: Bench, operator: Person) -> None:
    agent, call = f"/agents/{await agent_of(bench)}", f"/calls/{await answered(bench, 'Maria')}"
    assert "Browsers cannot call" in await operator.open(agent)
    assert "Nobody can listen in" in await operator.open(call)
    refused = await operator.send(f"{agent}/web-call", agent, 501, {"sdp": "v=0"})
    assert "web.enabled is off" in refused.text
    await operator.send(f"{call}/press", call, fields={"digits": "4"})
    events = await bench.store.calls.events(call.rpartition("/")[2])
    assert [one.data["control"]["text"] for one in events if one.type == "call.controlled"] == ["4"]


async def test_an_archived_agent_takes_no_test_call(site: Bench) -> None:
    page = f"/agents/{await agent_of(site)}"
    async with person(site, "admin") as one:
        await one.send(f"{page}/archive", page)
        assert "web-call" not in await one.open(page)


async def test_the_black_box_is_there_where_one_was_kept(bench: Bench, operator: Person) -> None:
    told = await tell(bench, "Maria")
    page = f"/calls/{told.over}"
    assert "black-box" not in await operator.open(page)
    await operator.open(f"{page}/black-box", 404)
    (bench.recordings / box_name(told.over, 1)).write_bytes(b"no box")
    assert f"{page}/black-box" in await operator.open(page)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
async def test_a_real_browser_calls_listens_and_whispers(site: Bench) -> None:
    """Its microphone beeps; who listens hears that on the left."""
    agent_id = await agent_of(site)
    flags = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", *flags]
        )
        context = await chromium.new_context()
        context.set_default_timeout(10_000)
        page = await context.new_page()
        complaints = complaints_of(page)
        await sign_in(page, site)
        await page.goto(f"{site.services.url}/console/agents/{agent_id}")
        assert await faults_of(page) == []
        complaints.clear()  # axe's own
        await page.evaluate(NO_MICROPHONE)
        await page.click("button.start")
        await page.wait_for_selector("text=There is no microphone to speak into: none <b>here</b>")
        await page.reload()
        await page.click("button.start")
        await page.wait_for_selector("text=Connected.")
        assert await page.evaluate(PLAYS)
        async with context.expect_page() as opened:
            await page.click("text=The call's page")
        call = await opened.value
        complaints_there = complaints_of(call)
        await call.wait_for_selector(".status.in_progress")
        await call.click("text=Listen in")
        await call.wait_for_selector("text=Connected.")
        assert await call.evaluate(HEARD.replace("SIDE", "0")) > 0.01  # the person
        await call.fill("#c-whisper", "They are <b>in a hurry</b>.")
        await call.click("button:has-text('Whisper')")
        await call.wait_for_selector("text=It is passed on.")
        await call.wait_for_selector("code:has-text('call.controlled')", state="attached")
        assert await call.text_content("form[data-line] .told") == "Connected."  # it goes on
        await page.click("text=Hang up")
        await call.wait_for_selector(".status.completed")
        assert await page.text_content(".told") == "It is over."
        assert complaints + complaints_there == []
        await page.click("button.start")  # again; now the operator hangs up
        await page.wait_for_selector("text=Connected.")
        async with context.expect_page() as opened:
            await page.click("text=The call's page")
        other = await opened.value
        complaints_of(other)  # which agrees to what it is asked
        await other.click(".head button:has-text('Hang up')")
        await page.wait_for_selector("text=It is over.")
        await chromium.close()
    call_id = call.url.rpartition("/")[2]
    assert (await over(site.store, call_id)).end_reason == "person_hangup"
