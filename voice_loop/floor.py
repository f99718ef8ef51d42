"""Who has the floor: from one speech/no-speech verdict per 20 ms frame to turns.

Sans-IO: time is counted in frames, so the whole logic runs in microseconds in tests.
`speech_input` feeds verdicts in; the `director` decides on the events that come out.

The person's state:

    QUIET ──onset──▶ SPEAKING ──pause──▶ PAUSED ──turn over──▶ QUIET (TurnEnded)
                        ▲                  │
                        └────speech────────┘ (SpeechResumed)

Which pause ends the turn is the turn detector's to say. Work on the reply starts at the pause,
speculatively, after a dip as short as those between words; it is spoken only once the turn is over.
What that costs is bounded: a share of a recogniser's time.
"""

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from voice_loop.audio import FRAME_MS
from voice_loop.ports import Transcript
from voice_loop.turn_detection import TurnDetector

#: Speech this soon after the last is part of the same word: a single frame of it resumes.
_SAME_WORD_MS: Final = 180
#: How far into a pause the sound of it is judged, and judged again, ms.
_SOUND_JUDGED_MS: Final = (120, 300)
#: Asking for words at dips may take this share of a recogniser's time; what is not used is saved,
#: up to so many times as long as they take.
_SHARE: Final = 0.5
_SAVED: Final = 2
#: Words that take longer to come are asked for at no dip, ms.
_QUICK_MS: Final = 400


@dataclass(frozen=True)
class FloorConfig:
    """Thresholds of turn-taking, all in ms."""

    onset_ms: int = 60
    """Speech within `onset_window_ms` that makes a start, while the agent is silent."""
    onset_window_ms: int = 120
    barge_in_ms: int = 160
    """Speech within `barge_in_window_ms` that the agent heeds while it speaks."""
    barge_in_window_ms: int = 240
    barge_in_lasts_ms: int = 700
    """Speech that lasts so long takes the floor from the agent, whatever it sounds like."""
    barge_in_probability: float = 0.5
    """Speech takes the floor once it does so with this probability, by its sound."""
    dip_ms: int = 20
    """Silence after which the reply is prepared, while the agent is silent."""
    dip_into_speech_ms: int = 40
    """The same, while it speaks: the words of half a word are mostly others."""
    pause_ms: int = 180
    """The same, where earlier is a waste."""
    end_of_turn_ms: int = 420
    """Silence that ends a turn of which nothing else is known."""
    longest_pause_ms: int = 1500
    """A longer one ends every turn."""
    max_turn_ms: int = 28_000
    """A turn is ended here at the latest (the recogniser hears 30 s at most)."""
    silence_ms: int = 8_000
    """Quiet on both sides after which the person is asked whether they are there."""

    def interrupted(self, sensitivity: float) -> "FloorConfig":
        """The same, but interrupted as readily as that: by hardly anything near 0, by any speech
        at once at 1; 0.5 leaves `barge_in_ms` as it is."""
        heeded_ms = self.barge_in_ms * 4 ** (1 - 2 * sensitivity)
        return replace(
            self,
            barge_in_ms=round(heeded_ms),
            barge_in_window_ms=round(heeded_ms * 1.5),
            barge_in_lasts_ms=round(2 * self.barge_in_lasts_ms * (1 - sensitivity)),
            barge_in_probability=1 - sensitivity,
        )

    def patient(self, patience: float) -> "FloorConfig":
        """The same, but waiting for pauses as long as that: a third of `end_of_turn_ms` at 0, three
        times as much at 1; 0.5 leaves it as it is."""
        factor = 3 ** (2 * patience - 1)
        return replace(
            self,
            end_of_turn_ms=round(self.end_of_turn_ms * factor),
            longest_pause_ms=round(self.longest_pause_ms * max(1.0, factor) ** 0.5),
        )


@dataclass(frozen=True)
class SpeechStarted:
    onset_frame: int
    """Index of the first speech frame."""
    barge_in: bool


@dataclass(frozen=True)
class SpeechPaused:
    onset_frame: int
    last_speech_frame: int


@dataclass(frozen=True)
class PauseLasts:
    """Its sound is to be judged, up to now."""

    last_speech_frame: int


@dataclass(frozen=True)
class SpeechResumed:
    pass


@dataclass(frozen=True)
class TurnEnded:
    onset_frame: int
    last_speech_frame: int


@dataclass(frozen=True)
class NobodySpeaks:
    """Both sides have been quiet for `silence_ms`; comes again for each further such span."""


FloorEvent = SpeechStarted | SpeechPaused | PauseLasts | SpeechResumed | TurnEnded | NobodySpeaks


class _Person(Enum):
    QUIET = auto()
    SPEAKING = auto()
    PAUSED = auto()


class Floor:
    """Turns one call's voice activity into floor events."""

    def __init__(self, config: FloorConfig, turns: TurnDetector) -> None:
        self._config = config
        self._turns = turns
        self.recognition_ms = 100.0
        """How long words take to come."""
        self._person = _Person.QUIET
        self._frame = -1
        self._onset = 0
        self._since_pause = 0
        self._last_speech = 0
        self._quiet_since = 0
        window = max(config.onset_window_ms, config.barge_in_window_ms) // FRAME_MS
        self._recent: deque[bool] = deque(maxlen=window)
        self._unanswered = False
        """Nothing has been said to the latest turn: what follows it is more of it."""
        self._judged = 0
        self._saved_ms = 0.0
        """Of recognition's time, what may be used at dips."""

    @property
    def frame(self) -> int:
        """Index of the latest frame; -1 before the first."""
        return self._frame

    @property
    def person_speaks(self) -> bool:
        """Between a start and the end of that turn, pauses included."""
        return self._person is not _Person.QUIET

    @property
    def talking(self) -> bool:
        """The person speaks right now: within a turn and not in a pause."""
        return self._person is _Person.SPEAKING

    @property
    def onset_frame(self) -> int:
        """Where the latest turn began."""
        return self._onset

    @property
    def since_pause_frame(self) -> int:
        """Where speech began in the latest turn, or went on after its latest pause between
        words."""
        return self._since_pause

    @property
    def last_speech_frame(self) -> int:
        """The latest frame with speech of the latest turn."""
        return self._last_speech

    @property
    def word_over(self) -> bool:
        """Whether the person is silent for longer than within a word."""
        return self._silent_ms() >= _SAME_WORD_MS

    def asked(self, said: str, *, interrupted: bool) -> None:
        """The person begins to answer these words of the agent's, or interrupts them."""
        self._turns.asked(said, interrupted=interrupted)

    def await_words(self) -> None:
        """The words up to the current pause are on their way."""
        self._turns.await_words()

    def transcribed(self, transcript: Transcript) -> None:
        """These are the words up to the current pause."""
        self._turns.transcribed(transcript)

    def heard_end(self, last_speech_frame: int, probability: float) -> None:
        """So probable it is by its sound that this pause, if it still lasts, ends the turn."""
        if self._person is _Person.PAUSED and last_speech_frame == self._last_speech:
            self._turns.heard_end(probability)

    def push(
        self, is_speech: bool, agent_speaks: bool, *, convinced: bool = True
    ) -> list[FloorEvent]:
        """Take one frame's verdict; return what follows from it.

        Args:
            is_speech: the detector's verdict on the person's frame.
            agent_speaks: whether agent audio is on the wire now.
            convinced: whether the detector would say by now that somebody began to speak.
        """
        self._frame += 1
        most_ms = _SAVED * self.recognition_ms
        self._saved_ms = min(most_ms, self._saved_ms + _SHARE * FRAME_MS)
        self._recent.append(is_speech)
        match self._person:
            case _Person.QUIET:
                return self._quiet(is_speech, agent_speaks, convinced)
            case _Person.SPEAKING:
                return self._speaking(is_speech, agent_speaks)
            case _Person.PAUSED:
                return self._paused(is_speech)

    def _quiet(self, is_speech: bool, agent_speaks: bool, convinced: bool) -> list[FloorEvent]:
        config = self._config
        need, window = (
            (config.barge_in_ms, config.barge_in_window_ms)
            if agent_speaks
            else (config.onset_ms, config.onset_window_ms)
        )
        latest = list(self._recent)[-(window // FRAME_MS) :]
        if is_speech and convinced and sum(latest) * FRAME_MS >= need:
            self._onset = self._frame - len(latest) + 1 + latest.index(True)
            self._since_pause = self._onset
            if self._unanswered:
                self._turns.went_on((self._onset - self._last_speech) * FRAME_MS)
            self._last_speech = self._frame
            self._person = _Person.SPEAKING
            return [SpeechStarted(self._onset, barge_in=agent_speaks)]
        if agent_speaks:
            self._unanswered = False
        if agent_speaks or is_speech:
            self._quiet_since = self._frame
        elif (self._frame - self._quiet_since) * FRAME_MS >= config.silence_ms:
            self._quiet_since = self._frame
            return [NobodySpeaks()]
        return []

    def _speaking(self, is_speech: bool, agent_speaks: bool) -> list[FloorEvent]:
        config = self._config
        if is_speech:
            self._last_speech = self._frame
        if (self._frame - self._onset) * FRAME_MS >= config.max_turn_ms:
            return [self._end_turn()]
        at_dips = self.recognition_ms <= min(_QUICK_MS, self._saved_ms)
        dip_ms = config.dip_into_speech_ms if agent_speaks else config.dip_ms
        if self._silent_ms() >= (dip_ms if at_dips else config.pause_ms):
            self._person, self._judged = _Person.PAUSED, 0
            self._saved_ms = max(0.0, self._saved_ms - self.recognition_ms)
            self._turns.paused((self._last_speech + 1 - self._onset) * FRAME_MS)
            return [SpeechPaused(self._onset, self._last_speech)]
        return []

    def _paused(self, is_speech: bool) -> list[FloorEvent]:
        silent_ms = self._silent_ms()
        onset_frames = self._config.onset_ms // FRAME_MS
        latest = list(self._recent)[-2 * onset_frames :]
        enough = 1 if silent_ms <= _SAME_WORD_MS else onset_frames
        if is_speech and sum(latest) >= enough:
            self._turns.went_on(silent_ms - FRAME_MS * enough)
            self._last_speech = self._frame
            self._person = _Person.SPEAKING
            if silent_ms > _SAME_WORD_MS:
                self._since_pause = self._frame - len(latest) + 1 + latest.index(True)
            return [SpeechResumed()]
        if self._turns.turn_over(silent_ms):
            return [self._end_turn()]
        due = sum(silent_ms >= judged_ms for judged_ms in _SOUND_JUDGED_MS)
        if due > self._judged:
            self._judged = due
            return [PauseLasts(self._last_speech)]
        return []

    def _end_turn(self) -> TurnEnded:
        self._person = _Person.QUIET
        self._quiet_since = self._frame
        self._unanswered = True
        self._recent.clear()
        return TurnEnded(self._onset, self._last_speech)

    def _silent_ms(self) -> int:
        return (self._frame - self._last_speech) * FRAME_MS
