"""The far end of a line that gives the agent's own voice back."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.piper import Piper
from models.vad import SileroDetector
from pbx.codecs import PCMU, Codec
from tests.voice_loop.scripted import RATE, PhoneCall
from voice_loop.audio import FRAMES_PER_SECOND, Samples, frame_samples
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.ports import Transcript
from voice_loop.prompts import CALL_ANSWERED

GREETING = (
    "hello, this is the clinic. our doctors are here from monday to friday. "
    "what day suits you for your visit?"
)
FULL = 32767.0


@dataclass(frozen=True)
class Echo:
    """What becomes of what we send."""

    level_db: float = -12.0
    """Of the echo, relative to what was sent."""
    delay_ms: float = 60.0
    """From our sending a frame to the echo's arrival."""
    room_ms: float = 60.0
    """Time in which the room's response falls by 60 dB; 0 is a hybrid's short response."""
    drive: float = 0.0
    """Of a loudspeaker that bends loud samples (tanh): 0 is linear, 1 bends full scale by 2.4 dB"""
    codec: Codec | None = PCMU
    """Both ways."""
    seed: int = 1

    def response(self, rate: int) -> NDArray[Any]:
        """Impulse response without the delay; of unit gain for speech-like sound."""
        rng = np.random.default_rng(self.seed)
        length = max(rate * 4 // 1000, int(rate * self.room_ms / 1000))
        at = np.arange(length)
        if self.room_ms:
            taps = rng.normal(size=length) * 10 ** (-3.0 * at / length) * 0.35
            taps[0] = 1.0
        else:
            taps = np.sin(0.9 * at) * np.exp(-at / (rate * 0.0008))
            taps[0] = 1.0
        spectrum = np.abs(np.fft.rfft(taps, 4096))
        low, high = 4096 * 300 // rate, 4096 * 2000 // rate
        response: NDArray[Any] = taps / np.sqrt(np.mean(spectrum[low:high] ** 2))
        return response


class EchoingLine:
    """Sends frames into an echo, and hears them again. Frame by frame, as the media tick does."""

    def __init__(self, echo: Echo, rate: int) -> None:
        self.echo = echo
        self.delay_ms = echo.delay_ms
        """May be changed while it runs, as a jitter buffer does."""
        self._rate = rate
        self._size = frame_samples(rate)
        self._response = echo.response(rate) * 10 ** (echo.level_db / 20)
        self._sent: deque[NDArray[Any]] = deque(maxlen=2 * FRAMES_PER_SECOND)
        for _ in range(2 * FRAMES_PER_SECOND):
            self._sent.append(np.zeros(self._size))

    def send(self, frame: Samples | None) -> None:
        """Take what left in this tick; None is silence."""
        if frame is None:
            self._sent.append(np.zeros(self._size))
            return
        sent = _through(self.echo.codec, frame).astype(np.float64)
        if self.echo.drive:
            bent = np.tanh(self.echo.drive * sent / FULL * 4) / (self.echo.drive * 4)
            sent = bent * FULL
        self._sent.append(sent)

    def hear(self, person: NDArray[Any] | None = None) -> Samples:
        """What arrives in a tick, before its `send`: the echo, and over it the person."""
        delay = round(self.delay_ms * self._rate / 1000)
        need = self._size + self._response.size - 1
        recent = np.concatenate(self._sent)
        # The first sample of this tick is one sample after the last that was sent.
        end = recent.size + self._size - delay
        if end > recent.size:
            raise ValueError("an echo cannot come before its sound")
        echoed = np.convolve(recent[end - need : end], self._response, mode="valid")
        mixed = echoed if person is None else echoed + person
        heard = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
        return _through(self.echo.codec, heard)


def frames(samples: Samples) -> list[Samples]:
    size = frame_samples(RATE)
    return list(samples[: samples.size // size * size].reshape(-1, size))


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
            new_detector=SileroDetector,
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


def _through(codec: Codec | None, samples: Samples) -> Samples:
    return samples if codec is None else codec.decode(codec.encode(samples))
