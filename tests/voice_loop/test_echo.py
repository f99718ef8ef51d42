"""An agent that hears itself: through the canceller, and in whole conversations."""

import numpy as np
import pytest

from models.load import STARTER_DIR
from models.piper import Piper
from pbx.codecs import PCMA, PCMU
from tests.voice_loop.echoing import GREETING, Echo, EchoingCall, frames
from tests.voice_loop.scripted import RATE
from voice_loop.audio import Samples, level_dbfs, resample
from voice_loop.echo import EchoCanceller

pytestmark = pytest.mark.bed

#: By then whoever speaks has the floor, whatever they say.
HEEDED_MS = 700
ORDER = "i want a visit on monday morning please"

ECHOES = [
    Echo(level, delay, room, drive, codec)
    for level in (-6, -12, -20, -30)
    for delay, room, drive, codec in ((60, 0, 0, PCMU), (200, 60, 0.5, PCMU), (60, 40, 0.5, PCMA))
]


@pytest.fixture(scope="module")
def voice() -> Piper:
    return Piper(STARTER_DIR / "voice.onnx")


async def spoken(voice: Piper, text: str, level_dbfs_: float = -20.0) -> list[Samples]:
    """Frames of these words in another voice: the agent's, higher by a fourth."""
    parts = [part async for part in voice.stream(text)]
    samples = resample(np.concatenate(parts), voice.rate * 3 // 4, RATE).astype(np.float64)
    samples *= 10 ** ((level_dbfs_ - level_dbfs(samples.astype(np.int16))) / 20)
    return frames(np.clip(samples, -32768, 32767).astype(np.int16))


@pytest.mark.parametrize("echo", ECHOES, ids=str)
async def test_an_agent_that_hears_itself_neither_stops_nor_answers(
    voice: Piper, echo: Echo
) -> None:
    call = EchoingCall(voice, echo)
    await call.answer()
    await call.until(lambda: any(call.voiced))
    await call.quiet(12_000)
    assert call.said == [("agent", GREETING)]
    assert not call.listener.heard


@pytest.mark.parametrize("echo", [None, *ECHOES[:9]], ids=str)
async def test_an_order_over_the_echo_silences_the_agent(voice: Piper, echo: Echo | None) -> None:
    call = EchoingCall(voice, echo)
    order = await spoken(voice, ORDER)
    await call.answer()
    await call.until(lambda: any(call.voiced))
    await call.quiet(2500)
    begin = len(call.sent)
    await call.says_frames(order)
    voiced = [index for index, one in enumerate(call.voiced[begin:]) if one]
    assert (voiced[-1] + 1) * 20 <= HEEDED_MS, "it goes on speaking"
    await call.until(lambda: len(call.said) > 1)
    assert call.said[0][0] == "agent"
    assert call.said[0][1].endswith("…")
    assert call.said[1] == ("person", "i want a visit")


async def test_a_line_without_an_echo_is_passed_through_as_it_is(voice: Piper) -> None:
    canceller, noise = EchoCanceller(RATE), np.random.default_rng(1)
    ours = [part async for part in voice.stream(GREETING)]
    theirs = await spoken(voice, ORDER)
    for index, sent in enumerate(frames(resample(np.concatenate(ours), voice.rate, RATE))):
        person = noise.normal(scale=20, size=sent.size).astype(np.int16)
        if 40 <= index < 40 + len(theirs):
            person += theirs[index - 40]
        assert canceller.hear(person).frame is person
        canceller.sent(sent)


@pytest.mark.parametrize(("before", "after"), [(60, 80), (200, 140), (120, 127)])
async def test_an_echo_may_change_its_delay(voice: Piper, before: float, after: float) -> None:
    call = EchoingCall(voice, Echo(-6, before, 40, 0.5))
    await call.answer()
    await call.quiet(2500)
    assert call.echoing is not None
    call.echoing.delay_ms = after
    await call.quiet(10_000)
    assert call.said == [("agent", GREETING)]


async def test_an_echo_that_is_found_is_told_in_the_log(
    voice: Piper, caplog: pytest.LogCaptureFixture
) -> None:
    call = EchoingCall(voice, Echo(-12, 200))
    await call.answer()
    with caplog.at_level("INFO", "voice_loop.echo"):
        await call.quiet(2500)
    (found,) = caplog.messages
    assert found.startswith("call call-1: our own voice comes back after 200 ms, at about -1")
