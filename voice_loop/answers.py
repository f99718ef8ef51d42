"""How the agent's answers are made: from what the person said, pressed or waits for."""

import logging
from typing import Final

from voice_loop.audio import Samples
from voice_loop.dialogue import Dialogue
from voice_loop.judgement import judge
from voice_loop.parts import Parts
from voice_loop.ports import EngineError, Transcript
from voice_loop.reply import Reply, Verdict
from voice_loop.signals import Transcribed

log = logging.getLogger(__name__)

#: Tools that one answer may use one after the other.
_MAX_TOOLS_IN_A_ROW: Final = 5


class Answers:
    """Fills replies; the conversation decides whether and when they are spoken."""

    def __init__(self, parts: Parts) -> None:
        self._call_id = parts.call_id
        self._engines = parts.engines
        self._faq = parts.faq
        self._dialogue = parts.dialogue
        self._tick = parts.tick
        self._tools = parts.tools
        self._phrases = parts.phrases
        self._min_confidence = parts.min_confidence
        self._post = parts.post
        self.opening_comes = parts.config.first_sentence_mode != "none"
        """The agent has yet to open the call: that is the answer to whatever is said."""

    async def to_words(self, reply: Reply, samples: Samples) -> None:
        """Understand what was said, tell so, and answer it. Raises EngineError."""
        transcript = reply.transcript = await self._engines.transcribe(samples)
        reply.mark("transcript")
        reply.verdict = self._judge(transcript)
        self._post(Transcribed(reply))
        if reply.verdict is Verdict.REPEAT:
            reply.speech.in_history = False
            await self._engines.read_out(self._phrases.repeat, reply.speech, reply)
        elif reply.verdict is Verdict.ANSWER:
            await self._tools.finished()
            dialogue = self._dialogue.copy()
            if not reply.settled:
                if (held := self._tick.playout.speech) is not None and held.in_history:
                    dialogue.agent_said(held.heard_text, interrupted=held.cut_short)
                dialogue.person_said(transcript.text)
            await self._answer(reply, dialogue)

    async def to_dialogue(self, reply: Reply) -> None:
        """Answer what the dialogue has come to. Raises EngineError."""
        await self._tools.finished()
        await self._answer(reply, self._dialogue.copy())

    async def understand(self, reply: Reply) -> None:
        """Only find out what was said, as far as that goes: it will not be answered."""
        try:
            if reply.transcript is None:
                heard = self._tick.speech_input.utterance(reply.started_ms, reply.ended_ms)
                reply.transcript = await self._engines.transcribe(heard)
        except EngineError as error:
            log.error("call %s: the last words are lost: %s", self._call_id, error)

    def _judge(self, transcript: Transcript) -> Verdict:
        speech = self._tick.playout.speech
        if self.opening_comes or (speech is not None and speech.opens and not speech.played):
            return Verdict.OPENING
        verdict = judge(transcript, speech, self._phrases, self._min_confidence)
        if verdict is Verdict.ANSWER:
            self._tick.speech_input.floor.transcribed(transcript)
        return verdict

    async def _answer(self, reply: Reply, dialogue: Dialogue) -> None:
        """Answer in `dialogue`, a copy."""
        if reply.transcript is not None:
            dialogue.recall(self._faq.about(reply.transcript.text))
        exhausted = reply.tools_used >= _MAX_TOOLS_IN_A_ROW
        await self._engines.answer(
            dialogue.messages(),
            reply.speech,
            tools=() if exhausted else self._tools.toolset.specs,
            announce=self._tools.toolset.announcement,
            fallback=self._phrases.tool_trouble if exhausted else self._phrases.at_a_loss,
            reply=reply,
        )
