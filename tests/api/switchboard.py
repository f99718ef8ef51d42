"""A small working PBX, and all that a call needs around it: only the PBX and the engines are
played. The test drives what the network tells and every tick of audio."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.calls.recording_folder import RecordingFolder
from api.calls.runner import CallRunner, RunnerConfig
from api.dialing.dialer import Dialer
from api.resources.call import Call
from api.resources.claim import Claim
from api.settings.calling import Calls
from api.settings.server import Recordings as RecordingSettings
from api.store import Store, StoreError
from api.store.ledger_writer import insist
from api.tools.recording import PauseRecording
from api.tools.transfer import HandOver
from pbx.dial_string import Way
from pbx.switch import (
    Answered,
    Attempt,
    AudioProblem,
    Cause,
    Dial,
    Digit,
    Ended,
    Finding,
    MediaStats,
    Progress,
    Ringing,
    Transferred,
)
from tests.api.story import NORMAL
from tests.voice_loop.scripted import Detector, Ears, Mind, Mouth, frame, settle
from voice_loop.audio import Samples, silence
from voice_loop.config import ConversationConfig
from voice_loop.playout import is_voiced
from voice_loop.ports import AudioPeer, EngineError, Engines, Line, SpeechDetector
from voice_loop.prompts import Message
from voice_loop.tools import Tool, ToolSpec

RATE = 8000
RING_TIMEOUT_S = 30
CANCELED = Cause("canceled", "originator_cancel", "The call was canceled.", None, 487, "a@b")


class PlayedAttempt:
    """Implements `pbx.switch.Attempt`; the test says what the network does."""

    rate = RATE

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self.hang_ups = 0
        self.obeys = True
        """Whether a hang-up is confirmed."""
        self.hang_up_fault: Exception | None = None
        self.referred: list[str] = []
        self.refer_fault: Exception | None = None
        self.limit_s = dial.limit_s
        """When the PBX itself hangs up; from when on, is not played."""
        self.limit_fault: Exception | None = None
        self.partner: PlayedAttempt | None = None
        """Whom the PBX has joined it with."""
        self.peer: AudioPeer | None = None
        self.media = MediaStats(7, 6, 1, 0, 0, 0, 1, 0, 0.5, 0, 0)
        self.problems: list[AudioProblem] = []
        self._answered = False
        self._over = False
        self._queue: asyncio.Queue[Progress | Exception] = asyncio.Queue()

    @property
    def id(self) -> str:
        return self.dial.id

    async def progress(self) -> AsyncIterator[Progress]:
        while True:
            event = await self._queue.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Ended):
                return

    def attach(self, peer: AudioPeer | None) -> None:
        self.peer = peer

    async def hang_up(self) -> None:
        self.hang_ups += 1
        if self.hang_up_fault is not None:
            raise self.hang_up_fault
        if self.obeys:
            self.end(NORMAL if self._answered else CANCELED)

    async def limit(self, seconds: int) -> None:
        if self.limit_fault is not None:
            raise self.limit_fault
        self.limit_s = seconds

    async def send_digits(self, digits: str) -> None:
        raise AssertionError("nobody sends digits")

    async def refer(self, number: str) -> None:
        self.referred.append(number)
        if self.refer_fault is not None:
            raise self.refer_fault
        self.tell(Transferred(time.time()))
        self.end()

    async def join(self, other: Attempt) -> None:
        assert isinstance(other, PlayedAttempt)
        self.partner, other.partner = other, self
        for one in (self, other):
            one.tell(Transferred(time.time()))

    def media_stats(self) -> MediaStats:
        return self.media

    # What the test does -------------------------------------------------------------------

    def tell(self, event: Progress | Exception) -> None:
        if not self._over:
            self._queue.put_nowait(event)

    def ring(self) -> None:
        self.tell(Ringing(time.time()))

    def answer(self) -> None:
        self._answered = True
        self.tell(Answered(time.time()))

    def press(self, digit: str) -> None:
        self.tell(Digit(time.time(), digit, 90))

    def end(self, cause: Cause = NORMAL) -> None:
        self.tell(Ended(time.time(), cause))
        self._over = True
        if self.partner is not None and not self.partner._over:
            self.partner.end()

    async def tick(self, heard: Samples | None = None) -> bool:
        """20 ms of audio each way; whether the agent's voice left."""
        if self.peer is None:
            return False
        now = time.monotonic()
        said = self.peer.exchange(silence(RATE) if heard is None else heard, now, now)
        await settle()
        return said is not None and is_voiced(said)

    async def until_spoken(self) -> None:
        """Listen until the agent has begun to speak and stopped again."""
        spoken = False
        for _ in range(2000):
            voiced = await self.tick()
            if spoken and not voiced:
                return
            spoken = spoken or voiced
        raise AssertionError("the agent does not speak")


class PlayedSwitch:
    """Implements `pbx.switch.Switch`."""

    def __init__(self) -> None:
        self.connected = True
        self.calls = 0
        self.attempts: list[PlayedAttempt] = []
        self.obeys = True
        self.fault: Exception | None = None
        self.gate: asyncio.Event | None = None
        """An originate waits for it."""
        self.originating = asyncio.Event()
        self.originated = asyncio.Event()
        self.living: list[str] = []
        self.hung_up: list[str] = []
        self.stubborn: dict[str, Exception] = {}
        """Channels that cannot be hung up."""

    async def start(self) -> None:
        raise AssertionError("already started")

    async def close(self) -> None:
        raise AssertionError("somebody else's to close")

    async def originate(self, dial: Dial) -> Attempt:
        self.originating.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        attempt = PlayedAttempt(dial)
        attempt.obeys = self.obeys
        self.attempts.append(attempt)
        self.originated.set()
        return attempt

    async def dialed(self, count: int = 1) -> PlayedAttempt:
        """The attempt of that number, once it is there and followed."""
        async with asyncio.timeout(5):
            while len(self.attempts) < count:
                self.originated.clear()
                await self.originated.wait()
        await settle()
        return self.attempts[count - 1]

    async def living_channels(self) -> Sequence[str]:
        return self.living

    async def hang_up_channel(self, channel_id: str) -> None:
        if channel_id in self.stubborn:
            raise self.stubborn[channel_id]
        self.hung_up.append(channel_id)

    async def check(self, ways: Sequence[Way] = ()) -> Sequence[Finding]:
        return []

    async def send_message(
        self, number: str, caller_number: str, text: str, trunk: str | None = None
    ) -> None:
        raise AssertionError("nobody sends a text message")


class Clerk(Mind):
    """The scripted language model, which also fills in results."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__(answers)
        self.result = '{"ok": true}'
        self.result_fault: Exception | None = None
        self.result_gate: asyncio.Event | None = None
        self.extractions = 0
        self.asked_for_result: Sequence[Message] = ()
        self.analysis = '{"quote": null, "summary": "They spoke.", "outcome": "completed"}'
        self.analysis_fault: Exception | None = None
        self.analyses = 0
        self.asked_for_analysis: Sequence[Message] = ()

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
        if schema is None:
            async for piece in super().stream(messages, max_tokens=max_tokens):
                yield piece
            return
        if "outcome" in schema["properties"]:
            self.analyses += 1
            self.asked_for_analysis = messages
            if self.analysis_fault is not None:
                raise self.analysis_fault
            yield self.analysis
            return
        self.extractions += 1
        self.asked_for_result = messages
        if self.result_gate is not None:
            await self.result_gate.wait()
        if self.result_fault is not None:
            raise self.result_fault
        yield self.result


@dataclass
class Office:
    """The real store, runner and dialer with a played PBX and scripted engines."""

    store: Store
    recordings: Path | None = None
    records: Callable[[Call], bool] = field(default=lambda _: True)
    max_transferred_s: int = 3600
    calls: Calls = field(default_factory=Calls)
    tools: Callable[[Call, Line, HandOver, PauseRecording], tuple[Tool, ...]] = field(
        default=lambda *_: ()
    )
    recording: RecordingSettings = field(default_factory=RecordingSettings)
    announcement: str = ""
    new_detector: Callable[[int], SpeechDetector] = field(default=lambda rate: Detector())
    engines_fault: EngineError | None = None

    def __post_init__(self) -> None:
        self.switch = PlayedSwitch()
        self.ears, self.mind, self.mouth = Ears(), Clerk({}), Mouth()

    @property
    def config(self) -> RunnerConfig:
        return RunnerConfig(
            RING_TIMEOUT_S,
            self._conversation,
            None if self.recordings is None else RecordingFolder(self.recordings, "here"),
            calls=self.calls.model_copy(update={"max_transferred_s": self.max_transferred_s}),
            recording=self.recording,
            records=self.records,
            tools=self.tools,
        )

    def _conversation(self, call: Call) -> ConversationConfig:
        return ConversationConfig(call.prompt, announcement=self.announcement, engine_timeout_s=1.0)

    def engines(self, call: Call) -> Engines:
        assert call.language == "en"
        if self.engines_fault is not None:
            raise self.engines_fault
        return Engines(self.ears, self.mind, self.mouth, self.new_detector)

    def runner(self, claim: Claim) -> CallRunner:
        return CallRunner(claim, self.store, self.switch, self.engines, self.config)

    def dialer(self, max_concurrent: int = 1) -> Dialer:
        return Dialer(self.store, self.switch, self.engines, self.config, max_concurrent)

    async def attempt_of(self, call: Call) -> PlayedAttempt:
        """What the PBX has of a call that is being dialled."""
        channel_id = (await self.store.calls.attempts(call.id))[-1].channel_id
        (attempt,) = [one for one in self.switch.attempts if one.id == channel_id]
        return attempt

    async def hears(self, attempt: PlayedAttempt, sentence: str) -> None:
        """The person says it, the turn ends and the agent answers."""
        loud = frame(self.ears.code(sentence))
        for _ in range(30):
            await attempt.tick(loud)
        await attempt.until_spoken()


class Fault:
    """One write of the store fails that often before it works; with `times` None, for ever."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        store: Store,
        write: str,
        times: int | None,
        error: Exception | None = None,
    ) -> None:
        self.tries = 0
        owner = store.claims if write == "take" else store.calls
        real = getattr(owner, write)

        async def failing(*args: Any) -> Any:
            self.tries += 1
            if times is None or self.tries <= times:
                raise error or StoreError("the disk is full")
            return await real(*args)

        monkeypatch.setattr(owner, write, failing)


async def story(store: Store, call_id: str) -> list[str]:
    """The types of a call's events, without their prefix."""
    return [event.type.removeprefix("call.") for event in await store.calls.events(call_id)]


async def until(store: Store, call_id: str, kind: str) -> None:
    """Wait for an event of the call."""
    with store.bus.subscribe(call_id) as events:
        if kind in await story(store, call_id):
            return
        async with asyncio.timeout(5):
            while (await events.next()).type != f"call.{kind}":
                pass


async def over(store: Store, call_id: str) -> Call:
    """The call, which must be over for good, with one end and one terminal event, the last."""
    events = await store.calls.events(call_id)
    call = await store.calls.get(call_id)
    assert [event.terminal for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1].type == f"call.{call.status}"
    assert [event.type for event in events].count("call.ended") == 1
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert call_id not in [left.call.id for left in await store.calls.orphans()]
    return call


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits: notes are tried 3 times, ends 6 times."""
    monkeypatch.setattr("api.store.ledger_writer._NOTE_WAITS", (0.0,) * 3)
    monkeypatch.setattr("api.store.ledger_writer._END_WAITS", (0.0,) * 6)
    monkeypatch.setattr(insist, "__defaults__", ((0.0,) * 6,))
    monkeypatch.setattr("voice_loop.conversation._HANG_UP_GRACE_S", 0.0)


async def assert_nothing_is_left(before: set[asyncio.Task[Any]]) -> None:
    """No task runs beyond those `before`, no recording is open."""
    await settle()
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:  # a thread's last word may still be on its way on a busy machine
        await asyncio.wait(left, timeout=5)
        left = {task for task in left if not task.done()}
    for task in left:
        task.cancel()  # the next test is not to blame
    assert not left
    assert not [file.path for file in psutil.Process().open_files() if file.path.endswith(".wav")]
