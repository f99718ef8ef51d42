"""A small working peer for conversations: scripted engines, a line, and a person who talks.

What the person says travels as audio: every sentence has an amplitude of its own, so that the
scripted recogniser hears exactly what the conversation cut out of the line, no more, no less.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self

import numpy as np

from voice_loop.audio import FRAME_MS, Samples, frame_samples, silence
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.events import EndReason, Turn
from voice_loop.phrases import phrases
from voice_loop.playout import is_voiced
from voice_loop.ports import (
    EngineError,
    Engines,
    OnsetModel,
    SpeechDetector,
    Transcript,
    TurnEndModel,
)
from voice_loop.prompts import CALL_ANSWERED, Message
from voice_loop.tools import ToolResult, ToolSpec

RATE = 8000
#: The voice takes this long for one character.
CHAR_MS = 40
OPENING = "hello, this is the clinic."
NOISE = ""

_FIRST_CODE = 1000
_CODE_STEP = 16


def frame(amplitude: int) -> Samples:
    """One frame of constant amplitude."""
    return np.full(frame_samples(RATE), amplitude, dtype=np.int16)


@dataclass
class Fault:
    """What an engine is told to do wrong."""

    error: str | None = None
    gate: asyncio.Event | None = None
    """Work waits for it: a slow engine, or with an event that never comes, a hanging one."""

    async def pass_(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise EngineError(self.error)


class Stubborn(Fault):
    """Work that goes on when it is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.release = asyncio.Event()

    async def pass_(self) -> None:
        while not self.release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.release.wait()


class Buggy(Fault):
    """Work that fails as no engine should."""

    async def pass_(self) -> None:
        raise KeyError("a bug")


class Ears:
    """Speech recognition: reads the amplitudes back."""

    def __init__(self) -> None:
        self.fault = Fault()
        self.sentences: list[str] = []
        self.confidence: dict[str, float] = {}
        self.heard: list[str] = []

    def code(self, sentence: str) -> int:
        if sentence not in self.sentences:
            self.sentences.append(sentence)
        return _FIRST_CODE + _CODE_STEP * self.sentences.index(sentence)

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        assert rate == RATE
        await asyncio.sleep(0)
        await self.fault.pass_()
        codes = [int(code) for code in dict.fromkeys(speech.tolist()) if code >= _FIRST_CODE]
        said = [self.sentences[(code - _FIRST_CODE) // _CODE_STEP] for code in codes]
        self.heard.append(" ".join(filter(None, said)))
        confidence = min((self.confidence.get(part, 0.9) for part in said), default=0.0)
        return Transcript(self.heard[-1], confidence)


class Mind:
    """The language model: a table from the last thing said to the answer."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.fault = Fault()
        self.answers = {CALL_ANSWERED: OPENING, **answers}
        self.asked: list[list[Message]] = []
        self.schemas: list[Mapping[str, Any] | None] = []
        #: The names of the tools that each time were offered.
        self.offered: list[list[str]] = []
        self.temperatures: set[float] = set()
        self.released: list[str] = []
        self.open = 0

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,
    ) -> AsyncGenerator[str, None]:
        self.asked.append(list(messages))
        self.schemas.append(schema)
        self.offered.append([tool.name for tool in tools])
        self.temperatures.add(temperature)
        self.open += 1
        try:
            await self.fault.pass_()
            answer = self.answers.get(messages[-1]["content"], "i see.")
            for word in answer.split(" "):
                await asyncio.sleep(0)
                yield word + " "
        finally:
            self.open -= 1

    def release(self, cache_key: str) -> None:
        self.released.append(cache_key)


class Mouth:
    """The voice: a tone as long as its text."""

    rate = RATE

    def __init__(self) -> None:
        self.fault = Fault()
        self.said: list[str] = []
        self.speeds: set[float] = set()
        self.stability = 0.5
        self.open = 0
        #: Fails or hangs at texts with this in them only.
        self.only_at = ""

    def steadied(self, stability: float) -> "Mouth":
        self.stability = stability
        return self

    async def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        self.said.append(text)
        self.speeds.add(speed)
        self.open += 1
        try:
            if self.only_at in text:
                await self.fault.pass_()
            tone = np.full(RATE * CHAR_MS * len(text) // 1000, 5000, dtype=np.int16)
            for part in np.array_split(tone, 3):
                await asyncio.sleep(0)
                yield part
        finally:
            self.open -= 1


class Detector:
    """Speech is whatever is loud."""

    def is_speech(self, frame: Samples) -> bool:
        return int(frame.max()) >= _FIRST_CODE


class Sound:
    """Tells takers of the floor from listeners, who make noises or say one of `listeners`."""

    def __init__(self, ears: Ears) -> None:
        self.ears = ears
        lines = phrases("en")
        self.listeners = {NOISE, *lines.backchannels, *lines.greetings, *lines.farewells}
        self.takers: set[str] = set()

    def takes_floor(self, speech: Samples, rate: int) -> float:
        said = {self.ears.code(one): one for one in list(self.ears.sentences)}
        heard = {said[code] for code in set(speech.tolist()) if code in said}
        return 0.9 if heard & self.takers or heard - self.listeners else 0.1


class HandSet:
    """The line of the port, which notes what is done to it."""

    id = "channel-1"
    rate = RATE

    def __init__(self) -> None:
        self.hang_ups = 0
        self.error: Exception | None = None
        self.pressed: list[str] = []

    async def hang_up(self) -> None:
        self.hang_ups += 1
        if self.error is not None:
            raise self.error

    async def send_digits(self, digits: str) -> None:
        self.pressed.append(digits)


class Gadget:
    """A tool that does what it is told to."""

    def __init__(self, name: str = "book", **result: Any) -> None:
        parameters = {
            "type": "object",
            "properties": {"day": {"type": "string"}},
            "required": ["day"],
            "additionalProperties": False,
        }
        self.spec = ToolSpec(name, "Book a visit.", parameters)
        self.say: str | None = None
        self.fault = Fault()
        self.result = ToolResult(**({"output": "booked"} | result))
        self.used: list[dict[str, Any]] = []
        self.at_work = False
        self.cancelled = False

    async def __call__(self, arguments: Mapping[str, Any]) -> ToolResult:
        assert not self.at_work, "one at a time"
        self.used.append(dict(arguments))
        self.at_work = True
        try:
            await self.fault.pass_()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.at_work = False
        return self.result


@dataclass
class PhoneCall:
    """One conversation with scripted engines, driven frame by frame by a scripted person."""

    answers: Mapping[str, str] = field(default_factory=dict)
    config: ConversationConfig = field(default_factory=lambda: ConversationConfig("book a visit"))
    new_detector: Callable[[int], SpeechDetector] = field(default=lambda rate: Detector())
    turn_end: TurnEndModel | None = None

    def __post_init__(self) -> None:
        self.ears, self.mind, self.mouth = Ears(), Mind(self.answers), Mouth()
        self.sound = Sound(self.ears)
        self.onset: OnsetModel | None = self.sound
        self.line = HandSet()
        self.turns: list[Turn] = []
        #: For every tick, what left, and whether that was the agent's voice.
        self.sent: list[Samples | None] = []
        self.voiced: list[bool] = []
        #: So long before its tick every packet with the person's voice arrives.
        self.voiced_before_s = 0.0
        self.connect()
        self.transferred = False
        """Whether it is expected to be."""
        self._run: asyncio.Task[EndReason] | None = None

    def connect(self) -> None:
        """Make the conversation anew, with the engines as they are now."""
        engines = Engines(
            self.ears,
            self.mind,
            self.mouth,
            self.new_detector,
            turn_end=self.turn_end,
            onset=self.onset,
        )
        self.conversation = Conversation("call-1", self.config, engines, RATE, self.turns.append)

    async def answer(self, *, prepared: bool = True) -> Self:
        """Pick up; with `prepared`, after the opening was rendered."""
        if prepared:
            await self.conversation.prepare()
        self._tasks_before = asyncio.all_tasks()
        self._run = asyncio.create_task(self.conversation.run(self.line))
        _under_way.append(self._run)
        await settle()
        return self

    # What the person does ---------------------------------------------------------------

    async def tick(self, heard: Samples | None = None) -> bool:
        """One frame each way; whether the agent's voice left in it."""
        now = monotonic()
        arrived_at = now if heard is None else now - self.voiced_before_s
        frame = silence(RATE) if heard is None else heard
        self.conversation.expect(frame)
        sent = self.conversation.exchange(frame, arrived_at, now)
        self.sent.append(sent)
        self.voiced.append(sent is not None and is_voiced(sent))
        await settle()
        return self.voiced[-1]

    async def quiet(self, ms: int) -> None:
        for _ in range(ms // FRAME_MS):
            await self.tick()

    async def says(self, sentence: str, ms: int = 600) -> None:
        """Speak for `ms`; NOISE is a sound without words."""
        code = self.ears.code(sentence)
        for _ in range(ms // FRAME_MS):
            await self.tick(frame(code))

    async def says_and_waits(self, sentence: str) -> None:
        """Speak, and let the turn end and the agent's answer be made and begin."""
        await self.says(sentence)
        await self.quiet(500)

    async def hears_out(self, limit_ms: int = 20_000) -> None:
        """Listen until the agent, who speaks or is about to, is silent."""
        await self.until(lambda: self.voiced[-1], limit_ms)
        await self.until(lambda: not any(self.voiced[-5:]), limit_ms)

    async def until(self, condition: Callable[[], bool], limit_ms: int = 20_000) -> None:
        for _ in range(limit_ms // FRAME_MS):
            await self.tick()
            if condition():
                return
        raise AssertionError(f"still not so after {limit_ms} ms")

    # What it looks like afterwards ------------------------------------------------------

    @property
    def ms(self) -> int:
        """Audio time since the answer."""
        return len(self.voiced) * FRAME_MS

    @property
    def is_over(self) -> bool:
        assert self._run is not None
        return self._run.done()

    async def end(self) -> EndReason:
        """The reason of the end, which must be near; everything must be given back then."""
        assert self._run is not None
        reason = await asyncio.wait_for(self._run, 5)
        self.assert_given_back()
        return reason

    def cancel(self) -> None:
        assert self._run is not None
        self._run.cancel()

    def assert_given_back(self) -> None:
        assert asyncio.all_tasks() <= self._tasks_before
        assert self.line.hang_ups == (0 if self.transferred else 1)
        assert self.mind.released == ["call-1"]
        assert self.mind.open == self.mouth.open == 0
        assert self.conversation.exchange(silence(RATE), 0.0, 0.0) is None

    @property
    def said(self) -> list[tuple[str, str]]:
        """The turns as (speaker, text); an interrupted one ends in an ellipsis."""
        return [
            (turn.speaker, turn.text + ("…" if turn.interrupted else "")) for turn in self.turns
        ]

    @property
    def last_history(self) -> list[tuple[str, str]]:
        """What the language model was last told, less the system prompt."""
        return [(message["role"], message["content"]) for message in self.mind.asked[-1][1:]]


_under_way: list[asyncio.Task[EndReason]] = []


async def end_all() -> None:
    """Cancel the conversations that are under way."""
    loop = asyncio.get_running_loop()  # some tests have one of their own
    left = [task for task in _under_way if task.get_loop() is loop]
    _under_way.clear()
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def settle() -> None:
    """Let what can go on do so; a chain of many steps takes a few ticks, as in a real call."""
    for _ in range(12):
        await asyncio.sleep(0)
