"""What is heard before the answer, where the agent says nothing.

Networks tell there why a number is not reached, in tones and words, which SIP tells later or never.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from voice_loop.answering.watch import Answerer, AnswerWatch, Who
from voice_loop.audio import FRAME_MS, Samples
from voice_loop.floor import TurnEnded
from voice_loop.ports import EngineError, Transcript
from voice_loop.speech_input import SpeechInput

log = logging.getLogger(__name__)

#: Upon these nobody is going to answer.
_UNREACHED: Final[frozenset[Who]] = frozenset({"unavailable", "fax"})
#: The network's own answer is waited for after the last that was heard, and at most so long after
#: it was known that nobody is reached: announcements are repeated.
_GRACE_FRAMES: Final = 2_000 // FRAME_MS
_LONGEST_FRAMES: Final = 20_000 // FRAME_MS
#: What more is said than is transcribed in time is left out.
_WAITING: Final = 8


@dataclass(frozen=True)
class _Said:
    """What is to be transcribed, in ms since the early media began."""

    started_ms: int
    ended_ms: int


class EarlyMedia:
    """Listens to one call from its early media to its answer.

    Args:
        call_id: names the call in logs.
        speech_input: takes what is heard.
        watch: what it tells who is there.
        transcribe: transcribes samples; raises EngineError.
        min_confidence: a transcript below that is not relied on.
    """

    def __init__(
        self,
        call_id: str,
        speech_input: SpeechInput,
        watch: AnswerWatch,
        transcribe: Callable[[Samples], Awaitable[Transcript]],
        min_confidence: float,
    ) -> None:
        self._call_id = call_id
        self._input = speech_input
        self._watch = watch
        self._transcribe = transcribe
        self._min_confidence = min_confidence
        self._said: asyncio.Queue[_Said] = asyncio.Queue(_WAITING)
        self._clear = asyncio.Event()
        self._told = watch.answerer
        self._known_frame: int | None = None
        self._sounded = 0
        self._over = False

    @property
    def answerer(self) -> Answerer:
        """Who is there, as far as that is known; its time is that since the early media began."""
        return self._watch.answerer

    @property
    def announced_tone(self) -> bool:
        """Whether a tone was announced, after which one may speak."""
        return self._watch.announced

    def hear(self, heard: Samples, arrived_at: float) -> None:
        """Take one frame, in the media tick."""
        for event in self._input.listen(heard, arrived_at, agent_speaks=False, may_speak=True):
            if isinstance(event, TurnEnded) and not self._said.full():
                ended_ms = (event.last_speech_frame + 1) * FRAME_MS
                self._said.put_nowait(_Said(event.onset_frame * FRAME_MS, ended_ms))
        self._look()

    async def unreached(self) -> Answerer:
        """Wait until it is clear that nobody is reached, and what tells has ended."""
        understanding = asyncio.create_task(self._understand_all())
        try:
            await self._clear.wait()
        finally:
            understanding.cancel()
        return self.answerer

    async def _understand_all(self) -> None:
        while True:
            await self._understand(await self._said.get())

    async def _understand(self, said: _Said) -> None:
        try:
            heard = await self._transcribe(self._input.utterance(said.started_ms, said.ended_ms))
        except EngineError as error:
            log.warning("call %s: early media is not understood: %s", self._call_id, error)
            return
        self._watch.words(heard.text, sure=heard.confidence >= self._min_confidence, whole=True)

    def _look(self) -> None:
        answerer, frame = self.answerer, self._input.floor.frame
        if answerer.who != self._told.who:
            evidence = ", ".join(answerer.evidence)
            log.info(
                "call %s: before the answer, %s after %d ms: %s",
                *(self._call_id, answerer.who, answerer.at_ms, evidence),
            )
            self._told = answerer
        if self._input.floor.person_speaks:
            self._sounded = frame
        if answerer.who not in _UNREACHED:
            self._known_frame = None
            return
        if self._known_frame is None:
            self._known_frame = frame
        quiet = frame - max(self._sounded, self._known_frame) >= _GRACE_FRAMES
        if not self._over and (quiet or frame - self._known_frame >= _LONGEST_FRAMES):
            self._over = True
            self._clear.set()
