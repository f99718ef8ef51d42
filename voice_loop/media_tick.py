"""The media tick of one conversation: every 20 ms it hears a frame, sends one, and keeps time.

It detects speech, stops the agent's audio the moment the person interrupts, and tells the
conversation what happened. Nothing here waits for anything.
"""

from collections.abc import Callable

import numpy as np

from voice_loop.ambience import Ambience
from voice_loop.audio import FRAME_MS, Samples
from voice_loop.config import ConversationConfig
from voice_loop.floor import SpeechResumed, SpeechStarted, TurnEnded
from voice_loop.playout import Playout, is_voiced
from voice_loop.reply import Reply
from voice_loop.signals import OpeningDue, Signal, SpeechOver, TimeUp, ToolSlow
from voice_loop.speech_input import Keys, SpeechInput

#: A silence this long while a tool works is filled.
_TOOL_SLOW_FRAMES = 700 // FRAME_MS


class MediaTick:
    """One call's two directions of audio."""

    def __init__(
        self,
        speech_input: SpeechInput,
        ambience: Ambience,
        config: ConversationConfig,
        post: Callable[[Signal], None],
    ) -> None:
        self.speech_input = speech_input
        self.playout = Playout()
        self.ending = False
        """Whether last words are being said: nobody may interrupt them."""
        self.awaited: Reply | None = None
        """The answer whose first voiced frame has not left yet."""
        self._ambience = ambience
        self.time_up_at: int | None = None
        """Index of the frame in which the last words of the longest conversation must begin."""
        self._tool_slow_at: int | None = None
        self._config = config
        self._post = post
        self._spoke_from = 0
        self._spoke_to = 0

    @property
    def frame(self) -> int:
        """Index of the latest frame since the answer."""
        return self.speech_input.floor.frame

    @property
    def spoken_ms(self) -> tuple[int, int]:
        """When the speech that has the floor began, and when its latest frame ended."""
        return self._spoke_from * FRAME_MS, self._spoke_to * FRAME_MS

    def await_tool(self) -> None:
        """The person waits for a tool from now on."""
        self._tool_slow_at = self.frame + _TOOL_SLOW_FRAMES

    def exchange(
        self, heard: Samples, arrived_at: float, now: float, *, understanding: bool
    ) -> Samples | None:
        """One tick (`voice_loop.ports.AudioPeer`).

        `understanding`: the person has finished, and what they said is not known yet.
        """
        self._listen(heard, arrived_at)
        self._keep_time()
        frame = self._speak(now)
        speech = self.playout.speech
        making = speech is not None and not speech.finished and not self.playout.held
        thinking = (understanding or making) and not self.speech_input.floor.person_speaks
        return self._ambience.mix(frame, thinking=thinking and frame is None)

    def pass_time(self, heard: Samples, now: float) -> None:
        """One tick in which the line is somebody else's: nothing is heard, nothing said."""
        self._tool_slow_at = None
        unheard = np.zeros_like(heard)
        for event in self.speech_input.listen(unheard, now, agent_speaks=True, may_speak=True):
            self._post(event)
        self._keep_time()

    def _speak(self, now: float) -> Samples | None:
        """The next frame of the agent's words; what else is heard is none of them."""
        speech, frame = self.playout.speech, self.playout.next_frame()
        if speech is None:
            return None
        if frame is not None:
            if speech.played == 1:
                self._spoke_from = self.frame
            self._spoke_to = self.frame + 1
        if frame is not None and self.awaited is not None and is_voiced(frame):
            self.awaited.marks.setdefault("wire", now)
            self.awaited = None
        if speech.over and not self.playout.held:
            self._post(SpeechOver(speech))
        return frame

    def _listen(self, heard: Samples, arrived_at: float) -> None:
        speech, audible = self.playout.speech, self.playout.audible
        # An answer that cannot be interrupted is not heard yet: until then one may go on.
        interruptible = speech is None or speech.interruptible
        may_speak = interruptible or not (self.ending or audible)
        events = self.speech_input.listen(
            heard, arrived_at, agent_speaks=audible, may_speak=may_speak
        )
        for event in events:
            if isinstance(event, SpeechStarted | SpeechResumed):
                # An answer that is not heard yet waits too: it may answer too little.
                self.playout.hold()
            if isinstance(event, TurnEnded | Keys):
                self._ambience.begin_turn()
            self._post(event)

    def _keep_time(self) -> None:
        if self.frame == self._config.opening_delay_ms // FRAME_MS:
            self._post(OpeningDue())
        if self.frame == self._tool_slow_at:
            self._post(ToolSlow())
        if self.time_up_at is not None and self.frame >= self.time_up_at:
            self.time_up_at = None
            self._post(TimeUp(final=False))
        if self.frame == self._config.max_duration_ms // FRAME_MS:
            self._post(TimeUp(final=True))
