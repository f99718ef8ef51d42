"""The media tick of one conversation: every 20 ms it hears a frame, sends one, and keeps time.

It detects speech, lowers the agent's voice the moment the person speaks into it, stops it the
moment that is an interruption, and posts what happened. Nothing here waits for anything, and
nothing here decides more than that: the rest comes as the director's commands.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from voice_loop.ambience import Ambience
from voice_loop.audio import FRAME_MS, Samples
from voice_loop.barge_in import BargeIn
from voice_loop.echo import EchoCanceller, Heard
from voice_loop.floor import SpeechResumed, SpeechStarted, TurnEnded
from voice_loop.playout import Playout, Speech, is_voiced
from voice_loop.ports import Transcript
from voice_loop.signals import DeadlineReached, Moment, Signal, SpeechHeard, SpeechOver
from voice_loop.speech_input import Keys, SpeechInput
from voice_loop.stopwatch import Stopwatch

#: Whoever speaks up so soon after an answer began had not finished: their first 160 ms included.
_HEARD_FRAMES: Final = 460 // FRAME_MS
#: So much of what was heard tells how a turn sounds.
_SOUND_MS: Final = 8_000


class MediaTick:
    """Trades one call's frames, both ways."""

    def __init__(
        self,
        speech_input: SpeechInput,
        barge_in: BargeIn,
        echo: EchoCanceller,
        ambience: Ambience,
        post: Callable[[Signal], None],
    ) -> None:
        """
        Args:
            speech_input: takes what is heard.
            barge_in: tells whether that takes the floor from the agent.
            echo: takes our own voice out of that first.
            ambience: mixes what is sent.
            post: takes what happened; never blocks.
        """
        self.deadline: int | None = None
        """Index of the frame from which on `DeadlineReached` is due, once."""
        self.understanding = False
        """The person has finished, and what they said is not known yet."""
        self._speech_input = speech_input
        self._floor = speech_input.floor
        self._barge_in = barge_in
        self._playout = Playout()
        self._echo = echo
        self._ambience = ambience
        self._post = post
        self._stopwatch: Stopwatch | None = None
        self._spoke_from = 0
        self._spoke_to = 0
        self._away_frame = -1
        self._person: Heard | None = None
        """The frame that is expected, cleaned of our own voice."""
        self._said: Speech | None = None
        """What the agent has spoken last, or speaks."""

    @property
    def frame(self) -> int:
        """Index of the latest frame since the answer."""
        return self._floor.frame

    @property
    def held(self) -> bool:
        """Whether the speech that has the floor is stopped."""
        return self._playout.held

    def moment(self, at: float) -> Moment:
        """Tell how things stand on the line; `at` is now, `time.monotonic()` seconds."""
        return Moment(
            at,
            frame=self.frame,
            person_speaks=self._floor.person_speaks,
            talking=self._floor.talking,
            onset_frame=self._floor.onset_frame,
            voiced_at=self._speech_input.voiced_at,
            spoken_ms=(self._spoke_from * FRAME_MS, self._spoke_to * FRAME_MS),
            away_frame=self._away_frame,
            held=self._playout.held,
        )

    # Commands ---------------------------------------------------------------------------

    def play(self, speech: Speech, stopwatch: Stopwatch | None) -> None:
        """Give a speech the floor; `stopwatch` marks its first voiced frame."""
        self._playout.play(speech)
        self._stopwatch = stopwatch

    def hold(self) -> None:
        """Stop the speech that has the floor, and keep the rest of it."""
        self._playout.hold()

    def resume(self) -> None:
        """Go on with the speech that is held or lowered."""
        self._playout.resume()

    def fall_silent(self) -> None:
        """Take the floor from the speech that has it."""
        self._playout.take()

    def await_words(self) -> None:
        """The words of the turn so far are on their way to the turn detector."""
        self._floor.await_words()

    def tell_turn_detector(self, transcript: Transcript) -> None:
        """Give the turn detector the words of the turn so far."""
        self._floor.transcribed(transcript)

    def heard_end(self, last_speech_frame: int, probability: float) -> None:
        """Tell how probable it is that the pause after that frame ends the turn, by its sound."""
        self._floor.heard_end(last_speech_frame, probability)

    def recognition_took(self, seconds: float) -> None:
        """Words took so long to come, or did not come in that time."""
        self._floor.recognition_ms += (seconds * 1000 - self._floor.recognition_ms) / 2

    def latest_sound(self) -> Samples:
        """Cut out the latest seconds of what was heard, up to now."""
        return self._speech_input.latest(_SOUND_MS)

    def utterance(self, started_ms: int, ended_ms: int) -> Samples:
        """Cut out what was heard in that time (`SpeechInput.utterance`)."""
        return self._speech_input.utterance(started_ms, ended_ms)

    def press(self, digit: str, at: float) -> None:
        """The person pressed a key; `at` is `time.monotonic()` seconds."""
        self._speech_input.press(digit, at)

    # The tick ---------------------------------------------------------------------------

    def expect(self, heard: Samples) -> None:
        """Take the frame of the next tick (`voice_loop.ports.ForewarnedPeer`)."""
        self._person = self._echo.hear(heard)
        self._speech_input.expect(self._person.frame)

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        """One tick (`voice_loop.ports.AudioPeer`)."""
        self._listen(heard, arrived_at)
        self._keep_time()
        frame = self._speak(now)
        speech = self._playout.speech
        making = speech is not None and not speech.finished and not self._playout.held
        thinking = (self.understanding or making) and not self._floor.person_speaks
        sent = self._ambience.mix(frame, thinking=thinking and frame is None)
        self._echo.sent(sent)
        return sent

    def pass_time(self, heard: Samples, now: float) -> None:
        """One tick in which the line is somebody else's: nothing is heard, nothing said."""
        self._echo.sent(None)
        self._person = None
        unheard = np.zeros_like(heard)
        for event in self._speech_input.listen(unheard, now, agent_speaks=True, may_speak=True):
            self._post(event)
        self._away_frame = self.frame
        self._keep_time()

    def _listen(self, heard: Samples, arrived_at: float) -> None:
        speech, audible = self._playout.speech, self._playout.audible
        # An answer that cannot be interrupted is not heard yet: until then one may go on.
        may_speak = speech is None or speech.interruptible or not (speech.last_words or audible)
        may_speak = may_speak or (speech is not None and speech.announces)
        person, self._person = self._person or self._echo.hear(heard), None
        for event in self._speech_input.listen(
            person.frame,
            arrived_at,
            agent_speaks=audible,
            may_speak=may_speak,
            is_echo=person.is_echo,
        ):
            if isinstance(event, SpeechStarted):
                said = "" if self._said is None else self._said.heard_text
                self._floor.asked(said, interrupted=event.barge_in)
            self._give_way(event)
            if isinstance(event, TurnEnded | Keys):
                self._ambience.begin_turn()
            self._post(event)
        if self._playout.lowered and self._floor.word_over:
            self._playout.resume()
        elif self._playout.lowered and self._barge_in.takes_floor():
            self._playout.hold()

    def _give_way(self, event: object) -> None:
        """Make room for what the person says, as far as that is known to be wanted."""
        speech, heard = self._playout.speech, self._playout.audible
        if speech is not None and speech.announces:
            return
        if speech is not None and speech.in_history and not speech.opens:
            heard = heard and speech.played >= _HEARD_FRAMES
        match event:
            case SpeechStarted() | SpeechResumed() if not heard:
                # An answer that is not heard yet waits: it may answer too little.
                self._playout.hold()
            case SpeechStarted() | SpeechResumed():
                self._playout.lower()
            case TurnEnded() if self._playout.lowered:
                self._playout.resume()
            case _:
                pass

    def _keep_time(self) -> None:
        if self.deadline is not None and self.frame >= self.deadline:
            self.deadline = None
            self._post(DeadlineReached())

    def _speak(self, now: float) -> Samples | None:
        """Take the next frame of the agent's words, without what is mixed in."""
        speech, frame = self._playout.speech, self._playout.next_frame()
        if speech is None:
            return None
        if frame is not None:
            self._said = speech
            if speech.played == 1:
                self._spoke_from = self.frame
            if speech.played == _HEARD_FRAMES:
                self._post(SpeechHeard(speech))
            self._spoke_to = self.frame + 1
        if frame is not None and self._stopwatch is not None and is_voiced(frame):
            self._stopwatch.mark("wire", now)
            self._stopwatch = None
        if speech.over and not self._playout.held:
            self._post(SpeechOver(speech))
        return frame
