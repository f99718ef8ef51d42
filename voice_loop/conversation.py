"""One call's conversation: the thin shell that joins the floor, the engines and the line.

`exchange` runs in the media tick (`media_tick`), which stops the agent's audio the moment the
person interrupts. Everything slower happens in `run`, which reads what the tick and the work
beside it posted; the `director` decides whose turn it is.
"""

import asyncio
import logging
from collections.abc import Callable

from voice_loop.audio import FRAME_MS, Samples
from voice_loop.config import ConversationConfig
from voice_loop.director import Director
from voice_loop.events import EndReason, Turn
from voice_loop.parts import parts_of
from voice_loop.ports import Engines, Line
from voice_loop.signals import Over, Signal, SpeechOver, Told

log = logging.getLogger(__name__)

#: The last frame needs to reach the far end before the line is cut.
_HANG_UP_GRACE_S = 0.3
#: Between the last words of the longest conversation and its limit: the grace, and some slack.
_TIME_UP_SLACK_MS = 600
_INBOX_LIMIT = 1024


class Conversation:
    """Holds one conversation. Make it when dialling starts; `run` it from the answer on."""

    def __init__(
        self,
        call_id: str,
        config: ConversationConfig,
        engines: Engines,
        line_rate: int,
        on_turn: Callable[[Turn], None],
    ) -> None:
        """
        Args:
            call_id: names the call in logs and in the language model's prefix cache.
            config: what it is about.
            engines: the loaded engines for the call's language.
            line_rate: Hz of the line's frames.
            on_turn: told every finished turn, in order; must not block.
        """
        self._call_id = call_id
        self._config = config
        # Its own object: parts that knew the conversation would keep each other, and half a minute
        # of audio, until the garbage collector comes.
        self._inbox = _Inbox(call_id)
        self._post = self._inbox.post
        self._parts = parts_of(
            call_id, config, engines, line_rate, on_turn=on_turn, post=self._post
        )
        self._tick, self._work = self._parts.tick, self._parts.work
        self._director = Director(self._parts)
        self._answered = False

    # What the outside calls -------------------------------------------------------------

    async def prepare(self) -> None:
        """Render what is said word for word, and the opening; best run while it rings.

        An engine's failure is kept and told to the person by `run`; the end of `run` ends this.
        """
        prepared = self._parts.prepared
        await self._work.see_through(prepared.time_up, self._prepare)
        await self._work.see_through(prepared.voicemail, prepared.render_voicemail)

    async def _prepare(self) -> None:
        prepared, dialogue = self._parts.prepared, self._parts.dialogue
        toolset = self._parts.tools.toolset
        await self._work.see_through(
            prepared.opening, lambda: prepared.render_opening(dialogue, toolset)
        )
        if length_ms := await prepared.render_time_up():
            limit_ms = self._config.max_duration_ms
            lead_ms = min(length_ms + _TIME_UP_SLACK_MS, limit_ms // 2)
            self._tick.time_up_at = (limit_ms - lead_ms) // FRAME_MS
        if self._config.first_sentence_mode != "generated":
            await self._parts.engines.warm_up(dialogue.messages())

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        """The media tick (`voice_loop.ports.AudioPeer`)."""
        if not self._answered:
            return None
        try:
            understanding = self._director.understanding
            return self._tick.exchange(heard, arrived_at, now, understanding=understanding)
        except Exception:
            # Without the tick there is no clock either: the call would never end.
            self._post(Over("engine_error"))
            raise

    def pass_time(self, heard: Samples, now: float) -> None:
        """A media tick in which somebody else has the line (`pbx.desk.Owner`)."""
        if self._answered:
            self._tick.pass_time(heard, now)

    def tell(self, note: str) -> None:
        """The agent is to know this, and to speak of it."""
        self._post(Told(note))

    def press(self, digit: str, at: float) -> None:
        """The person pressed a key; `at` is `time.monotonic()` seconds."""
        self._tick.speech_input.press(digit, at)

    def hung_up(self) -> None:
        """The line is gone."""
        self._post(Over("person_hangup"))

    def stop(self) -> None:
        """The operator wants the call to end now."""
        self._post(Over("operator_hangup"))

    @property
    def took_voicemail(self) -> bool:
        """An answering machine took the call."""
        return self._director.voicemail

    @property
    def conversed(self) -> bool:
        """Somebody let the agent finish and then spoke, twice: they listen."""
        return self._director.conversed

    def transferred(self) -> None:
        """The person talks to somebody else now."""
        self._post(Over("transferred"))

    async def run(self, line: Line) -> EndReason:
        """Converse on the answered line until the end; returns why it ended.

        The line is hung up when this returns, whatever happened, unless it was transferred.
        """
        self._answered = True
        reason: EndReason | None = None
        try:
            reason = await self._converse()
        finally:
            self._answered = False
            cut_off = self._director.stop()
            await self._give_back(None if reason == "transferred" else line)
            self._parts.tools.note(self._tick.frame * FRAME_MS)
        if cut_off is not None:
            await self._work.see_through(cut_off.speech, lambda: self._director.note(cut_off))
        return reason

    async def _converse(self) -> EndReason:
        while True:
            event = await self._inbox.get()
            reason = self._director.decide(event)
            if reason is not None:
                if isinstance(event, SpeechOver):
                    await asyncio.sleep(_HANG_UP_GRACE_S)
                return reason

    async def _give_back(self, line: Line | None) -> None:
        """Hang up, where there is a line to, and end all work."""
        self._work.cancel()
        try:
            if line is not None:
                await line.hang_up()
        finally:
            await self._work.ended()
            self._parts.engines.close()


class _Inbox:
    """What the tick and the work beside it have told, and nobody has looked at yet."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._events: asyncio.Queue[Signal] = asyncio.Queue(_INBOX_LIMIT)

    def post(self, event: Signal) -> None:
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            # Cannot happen while `run` is alive: it would mean 20 s of unread events.
            log.error("call %s: conversation inbox is full, event dropped", self._call_id)

    async def get(self) -> Signal:
        """The next one, in order."""
        return await self._events.get()
