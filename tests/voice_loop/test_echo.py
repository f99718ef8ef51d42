"""An agent that hears itself: through the canceller, and in whole conversations."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from models.load import STARTER_DIR
from models.piper import Piper
from models.vad import WebRtcDetector
from pbx.codecs import PCMA, PCMU
from tests.voice_loop.echoing import Echo, EchoingLine
from tests.voice_loop.scripted import RATE, PhoneCall
from voice_loop.audio import Samples, frame_samples, level_dbfs, resample
from voice_loop.config import ConversationConfig
from voice_loop.echo import EchoCanceller
from voice_loop.floor import FloorConfig
from voice_loop.ports import Transcript
from voice_loop.prompts import CALL_ANSWERED

pytestmark = pytest.mark.bed

GREETING = (
    "hello, this is the clinic. our doctors are here from monday to friday. "
    "what day suits you for your visit?"
)
ORDER = "i want a visit on monday morning please"

ECHOES = [
    Echo(level, delay, room, drive, codec)
    for level in (-6, -12, -20, -30)
    for delay, room, drive, codec in ((60, 0, 0, PCMU), (200, 60, 0.5, PCMU), (60, 40, 0.5, PCMA))
]


@pytest.fixture(scope="module")
def voice() -> Piper:
    return Piper(STARTER_DIR / "voice.onnx")


def frames(samples: Samples) -> list[Samples]:
    size = frame_samples(RATE)
    return list(samples[: samples.size // size * size].reshape(-1, size))


async def spoken(voice: Piper, text: str, level_dbfs_: float = -20.0) -> list[Samples]:
    """Frames of these words in another voice: the agent's, higher by a fourth."""
    parts = [part async for part in voice.stream(text)]
    samples = resample(np.concatenate(parts), voice.rate * 3 // 4, RATE).astype(np.float64)
    samples *= 10 ** ((level_dbfs_ - level_dbfs(samples.astype(np.int16))) / 20)
    return frames(np.clip(samples, -32768, 32767).astype(np.int16))


class Listener:
    """A recogniser that keeps what it is given."""

    def __init__(self) -> None:
        self.heard: list[Samples] = []

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        self.heard.append(speech)
        await asyncio.sleep(0)
        return Transcript("i want a visit", 0.9)


class EchoingCall(PhoneCall):
    """A call over a line that gives the agent's voice back, with its real voice and detector."""

    def __init__(self, voice: Piper, echo: Echo | None, noise_dbfs: float = -65) -> None:
        super().__init__(
            {CALL_ANSWERED: GREETING},
            config=ConversationConfig("book a visit", floor=FloorConfig(silence_ms=60_000)),
            new_detector=WebRtcDetector,
        )
        self.mouth = voice  # type: ignore[assignment]
        self.ears = self.listener = Listener()  # type: ignore[assignment]
        self.connect()
        self.echoing = None if echo is None else EchoingLine(echo, RATE)
        self.noise = np.random.default_rng(1)
        self.scale = 10 ** (noise_dbfs / 20) * 32768

    async def tick(self, heard: Samples | None = None) -> bool:
        person = self.noise.normal(scale=self.scale, size=frame_samples(RATE))
        if heard is not None:
            person += heard
        if self.echoing is None:
            return await super().tick(person.astype(np.int16))
        voiced = await super().tick(self.echoing.hear(person))
        self.echoing.send(self.sent[-1])
        return voiced

    async def says_frames(self, words: Sequence[Samples]) -> None:
        for one in words:
            await self.tick(one)


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
    assert (voiced[-1] + 1) * 20 <= 300, "it goes on speaking"
    await call.quiet(1500)
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
