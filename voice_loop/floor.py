"""Who has the floor: from one speech/no-speech verdict per 20 ms frame to turns.

Sans-IO: time is counted in frames, so the whole logic runs in microseconds in tests.
`speech_input` feeds verdicts in; the `director` decides on the events that come out.

The person's state:

    QUIET ──onset──▶ SPEAKING ──pause──▶ PAUSED ──turn over──▶ QUIET (TurnEnded)
                        ▲                  │
                        └────speech────────┘ (SpeechResumed)

Which pause ends the turn is the turn detector's to say. Work on the reply starts at the pause,
speculatively; it is spoken only once the turn is over.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from voice_loop.audio import FRAME_MS
from voice_loop.ports import Transcript, TurnDetector


@dataclass(frozen=True)
class FloorConfig:
    """Thresholds of turn-taking, all in ms."""

    onset_ms: int = 60
    """Speech within `onset_window_ms` that makes a start, while the agent is silent."""
    onset_window_ms: int = 120
    barge_in_ms: int = 160
    """Speech within `barge_in_window_ms` that interrupts the agent."""
    barge_in_window_ms: int = 240
    pause_ms: int = 180
    """Silence after which the reply is prepared."""
    end_of_turn_ms: int = 420
    """Silence that ends a turn."""
    unfinished_turn_ms: int = 1300
    """Silence that ends a turn whose words sound unfinished; a longer one ends every turn."""
    max_turn_ms: int = 28_000
    """A turn is ended here at the latest (the recogniser hears 30 s at most)."""
    silence_ms: int = 8_000
    """Quiet on both sides after which the person is asked whether they are there."""


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
class SpeechResumed:
    pass


@dataclass(frozen=True)
class TurnEnded:
    onset_frame: int
    last_speech_frame: int


@dataclass(frozen=True)
class NobodySpeaks:
    """Both sides have been quiet for `silence_ms`; comes again for each further such span."""


FloorEvent = SpeechStarted | SpeechPaused | SpeechResumed | TurnEnded | NobodySpeaks


class _Person(Enum):
    QUIET = auto()
    SPEAKING = auto()
    PAUSED = auto()


class Floor:
    """Turns one call's voice activity into floor events."""

    def __init__(self, config: FloorConfig, turns: TurnDetector) -> None:
        self._config = config
        self._turns = turns
        self._longest_pause_ms = max(config.end_of_turn_ms, config.unfinished_turn_ms)
        self._person = _Person.QUIET
        self._frame = -1
        self._onset = 0
        self._last_speech = 0
        self._quiet_since = 0
        window = max(config.onset_window_ms, config.barge_in_window_ms) // FRAME_MS
        self._recent: deque[bool] = deque(maxlen=window)

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

    def transcribed(self, transcript: Transcript) -> None:
        """Tell the turn detector the words up to the current pause."""
        self._turns.transcribed(transcript)

    def push(self, is_speech: bool, agent_speaks: bool) -> list[FloorEvent]:
        """Take one frame's verdict; return what follows from it.

        Args:
            is_speech: the detector's verdict on the person's frame.
            agent_speaks: whether agent audio is on the wire now.
        """
        self._frame += 1
        self._recent.append(is_speech)
        match self._person:
            case _Person.QUIET:
                return self._quiet(is_speech, agent_speaks)
            case _Person.SPEAKING:
                return self._speaking(is_speech)
            case _Person.PAUSED:
                return self._paused(is_speech)

    def _quiet(self, is_speech: bool, agent_speaks: bool) -> list[FloorEvent]:
        config = self._config
        need, window = (
            (config.barge_in_ms, config.barge_in_window_ms)
            if agent_speaks
            else (config.onset_ms, config.onset_window_ms)
        )
        latest = list(self._recent)[-(window // FRAME_MS) :]
        if is_speech and sum(latest) * FRAME_MS >= need:
            self._onset = self._frame - len(latest) + 1 + latest.index(True)
            self._last_speech = self._frame
            self._person = _Person.SPEAKING
            return [SpeechStarted(self._onset, barge_in=agent_speaks)]
        if agent_speaks or is_speech:
            self._quiet_since = self._frame
        elif (self._frame - self._quiet_since) * FRAME_MS >= config.silence_ms:
            self._quiet_since = self._frame
            return [NobodySpeaks()]
        return []

    def _speaking(self, is_speech: bool) -> list[FloorEvent]:
        if is_speech:
            self._last_speech = self._frame
        if (self._frame - self._onset) * FRAME_MS >= self._config.max_turn_ms:
            return [self._end_turn()]
        if self._silent_ms() >= self._config.pause_ms:
            self._person = _Person.PAUSED
            self._turns.paused()
            return [SpeechPaused(self._onset, self._last_speech)]
        return []

    def _paused(self, is_speech: bool) -> list[FloorEvent]:
        onset_frames = self._config.onset_ms // FRAME_MS
        latest = list(self._recent)[-2 * onset_frames :]
        if is_speech and sum(latest) >= onset_frames:
            self._last_speech = self._frame
            self._person = _Person.SPEAKING
            return [SpeechResumed()]
        silent_ms = self._silent_ms()
        over = self._turns.turn_over(silent_ms) or silent_ms >= self._longest_pause_ms
        return [self._end_turn()] if over else []

    def _end_turn(self) -> TurnEnded:
        self._person = _Person.QUIET
        self._quiet_since = self._frame
        self._recent.clear()
        return TurnEnded(self._onset, self._last_speech)

    def _silent_ms(self) -> int:
        return (self._frame - self._last_speech) * FRAME_MS
