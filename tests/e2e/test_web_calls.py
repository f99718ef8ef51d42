"""A call from a page in a real browser, whose microphone plays recorded sentences.

Chromium hides its own addresses behind names of multicast DNS until a page may use the microphone;
nobody asks for those names, as its checks come from where it is.
"""

import asyncio
import contextlib
import shutil
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import pytest
from playwright.async_api import Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from api.cli.example import EXAMPLE
from api.http.server import http_server, listen
from api.resources.web_call import CreateWebCallToken
from api.settings.server import Server as ServerSettings
from pbx.testbed import personas
from tests.e2e.conftest import Phone
from voice_loop.audio import Samples, resample

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
_RATE: Final = 48_000
#: Each sentence begins that many seconds after the microphone was opened.
_SAID: Final = ((2.0, "hello"), (9.0, "speaking"), (19.0, "confirm"), (27.0, "bye"))

PAGE: Final = """<!doctype html>
<meta charset="utf-8"><title>Call us</title>
<button id="call">Call</button><button id="hang-up">Hang up</button><audio autoplay></audio>
<script>
let peer;
document.querySelector("#call").onclick = async () => {
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  peer = new RTCPeerConnection();
  peer.ontrack = ({ streams, track }) => {
    document.querySelector("audio").srcObject = streams[0] ?? new MediaStream([track]);
  };
  peer.onconnectionstatechange = () => { document.title = peer.connectionState; };
  peer.addTrack(microphone.getAudioTracks()[0], microphone);
  await peer.setLocalDescription(await peer.createOffer());
  await new Promise((done) => {
    if (peer.iceGatheringState === "complete") return done();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done();
  });
  const { token, url } = await (await fetch("/token", { method: "POST" })).json();
  const answer = await fetch(`${url}/v1/web_call_offers`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, sdp: peer.localDescription.sdp }),
  });
  const { call_id, type, sdp } = await answer.json();
  window.callId = call_id;
  await peer.setRemoteDescription({ type, sdp });
};
document.querySelector("#hang-up").onclick = () => peer.close();
</script>"""


@contextlib.asynccontextmanager
async def _site(phone: Phone, agent_id: str) -> AsyncIterator[str]:
    """The operator's own site: a page, and a server that has the API key."""
    listener = listen("127.0.0.1", 0)
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def page(_: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    async def token(_: Request) -> JSONResponse:
        asked = CreateWebCallToken(agent_id=agent_id, origin=origin, metadata={"customer": "42"})
        made = await phone.client.create_web_call_token(asked)
        return JSONResponse({"token": made.token, "url": phone.server.url})

    routes = [Route("/", page), Route("/token", token, methods=["POST"])]
    with listener:
        async with http_server(Starlette(routes=routes), listener, ServerSettings()):
            yield origin


def _microphone(path: Path) -> None:
    """What the person says, and when."""
    said = np.zeros(40 * _RATE, dtype=np.int16)
    for at, name in _SAID:
        with wave.open(str(Path(personas.__file__).with_name("sounds") / f"{name}.wav")) as file:
            rate, frames = file.getframerate(), file.readframes(file.getnframes())
        samples: Samples = resample(np.frombuffer(frames, dtype=np.int16), rate, _RATE)
        start = int(at * _RATE)
        said[start : start + samples.size] = samples
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(said.tobytes())


@contextlib.asynccontextmanager
async def _browsing(url: str, microphone: Path) -> AsyncIterator[Page]:
    flags = [
        *("--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
        "--autoplay-policy=no-user-gesture-required",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            page = await browser.new_page()
            await page.goto(url)
            yield page
        finally:
            await browser.close()


def _udp() -> set[int]:
    return {one.laddr.port for one in psutil.Process().net_connections("udp") if one.laddr}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")
async def test_a_page_holds_a_call(phone: Phone, tmp_path: Path) -> None:
    microphone = tmp_path / "said.wav"
    _microphone(microphone)
    agent = await phone.ask(
        "POST",
        "/v1/agents",
        json={
            "name": "Web",
            "type": "inbound",
            "instructions": EXAMPLE["prompt"],
            "context": EXAMPLE["context"],
            "returns": EXAMPLE["returns"],
            "webhook_url": phone.hook,
        },
    )
    before = _udp()
    async with _site(phone, agent["id"]) as url, _browsing(url, microphone) as page:
        await page.click("#call")
        await page.wait_for_function("document.title === 'connected'", timeout=15_000)
        call_id = await page.evaluate("window.callId")
        assert (await phone.read(call_id))["status"] == "in_progress"
        async with asyncio.timeout(40):
            while [turn["speaker"] for turn in await phone.turns(call_id)].count("agent") < 3:
                await asyncio.sleep(0.5)
        heard = await page.evaluate(
            """async () => [...(await peer.getStats()).values()]
                .find((one) => one.type === "inbound-rtp")"""
        )
        assert heard["packetsReceived"] > 200
        assert heard["totalAudioEnergy"] > 0
        await page.click("#hang-up")
        call = await phone.wait(call_id)
    turns = await phone.turns(call_id)
    said = " / ".join(turn["text"] for turn in turns if turn["speaker"] == "person")
    spoken = " / ".join(turn["text"] for turn in turns if turn["speaker"] == "agent")
    print(said, "|", spoken, "|", call["result"], call["latency"])  # noqa: T201
    assert "speaking" in said
    assert "north dental" in spoken
    assert (call["status"], call["end_reason"]) == ("completed", "person_hangup")
    assert (call["direction"], call["metadata"]) == ("web", {"customer": "42"})
    assert call["result_status"] == "completed"
    assert call["recording_available"]
    assert _udp() <= before
