"""LiveKit Agents as a session is by default without its cloud, on a folder of cases.

    PYTHON -m bench.peers.run_livekit FOLDER OUTCOMES

PYTHON is of an environment with `livekit-agents`. Its own Silero finds speech, its own model for
one's own machine (`v1-mini`) the end of the turn: both come with it and run within it, as their
licence asks. The transcript comes when it is due. Interruptions are told by speech that lasts;
the "adaptive" kind and the larger model are services of its cloud.
"""

import sys
from pathlib import Path

from bench.peers import simulated_time

LOOP = simulated_time.begin()

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, StopResponse, llm, stt
from livekit.agents.voice import io

from bench.peers.exchange import (
    FRAME_MS,
    RATE,
    TRANSCRIPT_MS,
    Case,
    Outcome,
    frames,
    take_all,
)

SIZE = RATE * FRAME_MS // 1000


class Transcriber(stt.STT):
    """Knows what was said, and says so a while after each stretch of speech."""

    def __init__(self, text: str) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._text = text

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        await asyncio.sleep(TRANSCRIPT_MS / 1000)
        said = stt.SpeechData(language="en", text=self._text)
        return stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[said])


class NoModel(llm.LLM):
    """Is never asked."""

    def chat(self, **_: Any) -> llm.LLMStream:
        raise NotImplementedError


class Listener(Agent):
    """Notes when it would answer, and does not."""

    def __init__(self) -> None:
        super().__init__(instructions="")
        self.at: list[float] = []

    async def on_user_turn_completed(self, *_: Any, **__: Any) -> None:
        self.at.append(time.monotonic())
        raise StopResponse

    async def llm_node(self, *_: Any) -> AsyncIterator[str]:
        yield "ok"


class Microphone(io.AudioInput):
    """The person's side of the line, frame by frame."""

    def __init__(self, audio: list[bytes]) -> None:
        super().__init__(label="line")
        self._audio = iter(audio)
        self._due = time.monotonic()

    async def __anext__(self) -> rtc.AudioFrame:
        self._due += FRAME_MS / 1000
        await asyncio.sleep(self._due - time.monotonic())
        if (frame := next(self._audio, None)) is None:
            await asyncio.Event().wait()
        return rtc.AudioFrame(frame, RATE, 1, SIZE)


class Earpiece(io.AudioOutput):
    """Plays what the agent says in time, and notes when it is heard."""

    def __init__(self) -> None:
        super().__init__(
            label="line", capabilities=io.AudioOutputCapabilities(pause=True), sample_rate=RATE
        )
        self.spans: list[tuple[float, float]] = []
        self._waiting_s = 0.0
        self._played_s = 0.0
        self._since: float | None = None
        self._done: asyncio.TimerHandle | None = None
        self._complete = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._stop()
        self._waiting_s += frame.duration
        self._go_on()

    def flush(self) -> None:
        super().flush()
        self._complete = True
        self._stop()
        self._go_on()

    def clear_buffer(self) -> None:
        self._stop()
        if self._waiting_s or self._played_s:
            self._finish(interrupted=True)

    def pause(self) -> None:
        super().pause()
        self._stop()

    def resume(self) -> None:
        super().resume()
        self._go_on()

    def _go_on(self) -> None:
        if self._since is None and self._waiting_s > 0:
            if self._played_s == 0:
                self.on_playback_started(created_at=time.time())
            self._since = time.monotonic()
            self._done = asyncio.get_running_loop().call_later(self._waiting_s, self._all_played)

    def _stop(self) -> None:
        if self._since is None or self._done is None:
            return
        self._done.cancel()
        since, now = self._since, time.monotonic()
        self._since = None
        self._played_s += now - since
        self._waiting_s = max(0.0, self._waiting_s - (now - since))
        if self.spans and self.spans[-1][1] == since:
            since, _ = self.spans.pop()
        self.spans.append((since, now))

    def _all_played(self) -> None:
        self._stop()
        if self._complete:
            self._finish(interrupted=False)

    def _finish(self, *, interrupted: bool) -> None:
        played, self._played_s, self._waiting_s = self._played_s, 0.0, 0.0
        self._complete = False
        self.on_playback_finished(playback_position=played, interrupted=interrupted)


async def speech(length_ms: int) -> AsyncIterator[rtc.AudioFrame]:
    """What the agent says while somebody speaks into it."""
    for _ in range(0, length_ms, FRAME_MS):
        yield rtc.AudioFrame(bytes(2 * SIZE), RATE, 1, SIZE)


async def converse(folder: Path, case: Case) -> Outcome:
    """Take one case through a session of its own."""
    agent = Listener()
    session: AgentSession[None] = AgentSession(
        stt=Transcriber(case.text or "yes"), llm=NoModel(), aec_warmup_duration=None
    )
    starts: list[float] = []

    @session.on("user_state_changed")
    def _(event: Any) -> None:
        if event.new_state == "speaking":
            starts.append(time.monotonic())

    earpiece = Earpiece()
    begun = time.monotonic()
    session.input.audio = Microphone(list(frames(folder, case)))
    session.output.audio = earpiece
    await session.start(agent, record=False)
    if case.kind in ("backchannel", "interruption"):
        session.say("...", audio=speech(case.length + 5000), add_to_chat_ctx=False)
    await asyncio.sleep(case.length / 1000 + 0.5)
    earpiece.pause()
    await session.aclose()

    def ms(at: float) -> int:
        return round((at - begun) * 1000)

    return Outcome(
        case.file,
        tuple(ms(at) for at in starts),
        tuple(ms(at) for at in agent.at),
        tuple((ms(begin), ms(end)) for begin, end in earpiece.spans),
    )


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    framework = (
        "LiveKit Agents",
        version("livekit-agents"),
        "its Silero VAD and v1-mini, default delays; interruptions by duration",
    )
    taking = take_all(framework, converse, Path(sys.argv[1]), Path(sys.argv[2]))
    LOOP.run_until_complete(taking)
