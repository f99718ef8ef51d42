"""Web calls on the wire, with another library's peer as the browser."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

import numpy as np
import psutil
import pytest

from pbx.media import MediaServer
from pbx.switch import Answered, Digit, Ended
from pbx.webrtc.attempt import WebAttempt
from pbx.webrtc.gateway import WebConfig, WebGateway
from pbx.webrtc.ice import IceConfig
from tests.pbx.webrtc.browser import Caller, caller, pitch, tone
from voice_loop.audio import Samples

PORTS = range(42_100, 42_200)


class Echo:
    """Says a tone, and keeps what it hears."""

    def __init__(self, rate: int) -> None:
        self._tone = tone(440, 1.0, rate)
        self._size = rate // 50
        self._at = 0
        self.heard: list[Samples] = []

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        self.heard.append(heard)
        start = self._at % self._tone.size
        self._at += self._size
        return self._tone[start : start + self._size]

    def hear(self, last_s: float = 0.5) -> Samples:
        return np.concatenate(self.heard[-int(last_s * 50) :])


@pytest.fixture
async def media() -> AsyncIterator[MediaServer]:
    server = MediaServer("127.0.0.1", 42_000, 42_050)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def gateway(media: MediaServer) -> AsyncIterator[WebGateway]:
    one = WebGateway(media, WebConfig(IceConfig(ports=PORTS), connect_timeout_s=2.0))
    yield one
    await one.close()
    assert one.peers == 0
    async with asyncio.timeout(5):
        while _tasks():
            await asyncio.sleep(0.05)
    assert not _ours()


def _tasks() -> list[asyncio.Task[object]]:
    """Those of web calls; the test bed has tasks of its own."""
    return [
        task
        for task in asyncio.all_tasks()
        if (code := getattr(task.get_coro(), "cr_code", None)) is not None
        and re.search(r"aiortc|aioice|pbx/webrtc", code.co_filename)
        and "tests" not in code.co_filename
    ]


def _ours() -> list[int]:
    """Ports of the gateway that are open."""
    found = psutil.Process().net_connections("udp")
    return [one.laddr.port for one in found if one.laddr and one.laddr.port in PORTS]


async def _placed(gateway: WebGateway, browser: Caller) -> WebAttempt:
    attempt, answer = await gateway.answer_call(gateway.read(await browser.offer()))
    await browser.take(answer)
    attempt.begin("127.0.0.1")
    return attempt


async def _next(attempt: WebAttempt, kind: type, within_s: float = 10.0) -> object:
    async with asyncio.timeout(within_s):
        async for event in attempt.progress():
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind}")


@pytest.mark.parametrize(
    ("codecs", "rate"), [(("96", "0", "8"), 16_000), (("0",), 8_000), (("8",), 8_000)]
)
async def test_both_sides_hear_each_other(
    gateway: WebGateway, codecs: tuple[str, ...], rate: int
) -> None:
    async with caller(codecs=codecs) as browser:
        attempt = await _placed(gateway, browser)
        await _next(attempt, Answered)
        assert attempt.rate == rate
        peer = Echo(rate)
        attempt.attach(peer)
        browser.microphone.say(tone(700, 1.5))
        await asyncio.sleep(1.2)
        assert pitch(peer.hear(), rate) == pytest.approx(700, abs=10)
        assert pitch(browser.hear(), browser.rate) == pytest.approx(440, abs=10)
        stats = attempt.media_stats()
        assert stats.received > 50
        assert stats.lost == 0
        assert all(port in PORTS for port in _ours())
        assert _ours()
        await attempt.hang_up()
        ended = await _next(attempt, Ended)
        assert isinstance(ended, Ended)
        assert ended.cause.state == "completed"


async def test_who_closes_the_page_hangs_up(gateway: WebGateway) -> None:
    async with caller() as browser:
        attempt = await _placed(gateway, browser)
        await _next(attempt, Answered)
    ended = await _next(attempt, Ended, 5.0)
    assert isinstance(ended, Ended)
    assert (ended.cause.state, ended.cause.q850) == ("completed", 16)


async def test_who_never_connects_ends(gateway: WebGateway) -> None:
    async with caller() as browser:
        attempt, _ = await gateway.answer_call(gateway.read(await browser.offer()))
        begun = time.monotonic()
        attempt.begin("127.0.0.1")
        ended = await _next(attempt, Ended)
        assert isinstance(ended, Ended)
        assert (ended.cause.state, ended.cause.name) == ("failed", "not_connected")
        assert 1.5 < time.monotonic() - begun < 4.0


async def test_a_key_is_heard_once(gateway: WebGateway) -> None:
    """RFC 4733: five packets of one event, the last sent thrice, among the audio's numbers."""
    async with caller() as browser:
        offer = await browser.offer()
        offer = offer.replace("UDP/TLS/RTP/SAVPF 96", "UDP/TLS/RTP/SAVPF 110 96").replace(
            "a=rtpmap:96", "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:96"
        )
        attempt, answer = await gateway.answer_call(gateway.read(offer))
        assert "a=rtpmap:110 telephone-event/48000" in answer
        known = [line for line in answer.split("\r\n") if ":110 " not in line]
        await browser.take("\r\n".join(known).replace(" 96 110", " 96"))
        attempt.begin("127.0.0.1")
        await _next(attempt, Answered)
        sender = browser.peer.getSenders()[0]
        sequence = int(attempt.media_stats().received)
        for index in range(5):
            ended = 0x80 if index > 1 else 0
            event = bytes([11, ended | 10]) + (960 * (index + 1)).to_bytes(2, "big")
            header = bytes([0x80, 110]) + (sequence + index & 0xFFFF).to_bytes(2, "big")
            packet = header + (5000).to_bytes(4, "big") + sender._ssrc.to_bytes(4, "big") + event
            await sender.transport._send_rtp(packet)
        digit = await _next(attempt, Digit)
        assert isinstance(digit, Digit)
        assert (digit.digit, digit.duration_ms) == ("#", 60)
        await asyncio.sleep(0.1)
        await attempt.hang_up()
        assert isinstance(await _next(attempt, Ended), Ended)
