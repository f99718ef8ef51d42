"""What the agent says, on its way to the wire: frames, and which words they carry.

A `Speech` is filled by the voice while it may already be playing; `Playout` hands one frame per
tick to the line, and knows at any moment which words have left.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from voice_loop.audio import FRAME_MS, FRAMES_PER_SECOND, Resampler, Samples, frame_samples
from voice_loop.clauses import ToolCall

#: Peak of a frame, in int16 units, above which it counts as voiced (about -46 dBFS).
VOICED_PEAK = 160

#: Speaking rate assumed before the voice has said anything.
_CHARS_PER_SECOND = 15.0

#: With less than this left to say, whoever speaks answers rather than listens.
_NEARLY_OVER_FRAMES = 500 // FRAME_MS

#: So near to the end of a question, before it and after it, whoever speaks answers it.
_ANSWERS_BEFORE_FRAMES = 1000 // FRAME_MS
_ANSWERS_AFTER_FRAMES = 1200 // FRAME_MS

#: A speech that was stopped goes on from the quietest frame of so long before: there a word ends.
_KEPT_FRAMES = 800 // FRAME_MS
_REPEATED_FRAMES = 240 // FRAME_MS

#: Level of a speech that somebody speaks into, as a factor (-10 dB): half as loud to the ear, and
#: its quietest sounds still carry.
LOWERED: Final = 0.316

#: A speech holds this much audio at most; a voice that runs away is cut there.
MAX_SPEECH_SECONDS = 120


@dataclass
class Pace:
    """How fast a voice speaks, as it has so far; tells of a clause that is still in the making how
    long it will be."""

    _chars: float = 0.0
    _frames: int = 0

    def learn(self, chars: float, frames: int) -> None:
        """Take in a clause that is complete: `chars` were said within `frames`."""
        self._chars += chars
        self._frames += frames

    def frames(self, chars: float) -> int:
        """How long it takes to say them, about."""
        if not self._chars:
            return int(chars / _CHARS_PER_SECOND * FRAMES_PER_SECOND)
        return int(chars * self._frames / self._chars)


@dataclass
class _Clause:
    text: str
    weights: tuple[float, ...]
    """Characters that are said for each word."""
    first_frame: int
    frames: int = 0
    voiced: int = 0
    """Frames up to the last voiced one: the words are over there, the silence after them is not."""
    complete: bool = False

    @property
    def length(self) -> float:
        """Characters that are said, with those between words."""
        return sum(self.weights) + max(0, len(self.weights) - 1)

    def heard(self, played: int, pace: Pace) -> str:
        """The words whose audio lies within the first `played` frames of the speech."""
        if played <= self.first_frame or (self.complete and not self.voiced):
            return ""
        if self.complete and played >= self.first_frame + self.voiced:
            return self.text
        span = self.voiced if self.complete else max(self.frames, pace.frames(self.length))
        share = (played - self.first_frame) / span
        budget, spent, count = share * self.length, 0.0, 0
        for weight in self.weights:
            spent += weight
            if spent > budget:
                break
            spent += 1
            count += 1
        return " ".join(self.text.split()[:count])


@dataclass(eq=False)
class Speech:
    """One agent turn on its way out. `source_rate` and `line_rate` in Hz."""

    source_rate: int
    line_rate: int
    pace: Pace = field(default_factory=Pace)
    """Of the voice; speeches of the same voice share it."""
    interruptible: bool = True
    last_words: bool = False
    """The call ends with it: nobody may interrupt it, not even before it is heard."""
    in_history: bool = True
    """Whether the language model is told of it; fixed lines are not its words."""
    hang_up_after: bool = False
    announces: bool = False
    """Nobody may interrupt it, but what they say meanwhile is heard."""
    opens: bool = False
    """It is the opening of the call."""
    fills_silence: bool = False
    """It only tells that the answer takes a while."""
    tool_call: ToolCall | None = None
    """What the agent does after it."""
    finished: bool = False
    """No more audio will come."""
    _frames: deque[Samples] = field(default_factory=deque)
    _left: deque[Samples] = field(default_factory=lambda: deque(maxlen=_KEPT_FRAMES))
    """The latest frames that have left."""
    _clauses: list[_Clause] = field(default_factory=list)
    _added: int = 0
    _voiced: int = 0
    _played: int = 0
    _rest: Samples = field(default_factory=lambda: np.zeros(0, dtype=np.int16))
    _resampler: Resampler | None = None

    @property
    def played(self) -> int:
        """Number of frames that have left."""
        return self._played

    @property
    def over(self) -> bool:
        """Whether all of it has been played."""
        return self.finished and not self._frames

    def is_answered_at(self, played: int) -> bool:
        """Whether who begins to speak after so many frames answers it: at its end, at a question.

        Elsewhere one may speak into it as a sign of listening.
        """
        if self.finished and self._added - played < _NEARLY_OVER_FRAMES:
            return True
        question_ends = [
            clause.first_frame + clause.voiced
            for clause in self._clauses
            if clause.complete and clause.text.endswith("?")
        ]
        return any(
            end - _ANSWERS_BEFORE_FRAMES <= played <= end + _ANSWERS_AFTER_FRAMES
            for end in question_ends
        )

    @property
    def begun(self) -> bool:
        """Whether its first audio is there."""
        return self._added > 0

    @property
    def wordless(self) -> bool:
        """Whether it has no words so far."""
        return not self._clauses

    @property
    def length_ms(self) -> int:
        """Length of the audio so far."""
        return self._added * FRAME_MS

    @property
    def waiting_ms(self) -> int:
        """Length of the audio that is there and has not left."""
        return len(self._frames) * FRAME_MS

    @property
    def text(self) -> str:
        """All of its words so far."""
        return " ".join(clause.text for clause in self._clauses)

    @property
    def heard_text(self) -> str:
        """The words whose audio has left."""
        return " ".join(
            filter(None, (clause.heard(self._played, self.pace) for clause in self._clauses))
        )

    @property
    def unheard_text(self) -> str:
        """The words whose audio has not left, as far as they are made."""
        heard = len(self.heard_text.split())
        return " ".join(self.text.split()[heard:])

    @property
    def cut_short(self) -> bool:
        """Whether words of it have not left."""
        return not self.finished or self._played < self._voiced

    @property
    def last_clause(self) -> str:
        """The clause that was begun last; empty before the first."""
        return self._clauses[-1].text if self._clauses else ""

    def begin_clause(self, text: str, weights: tuple[float, ...] | None = None) -> None:
        """Begin a clause.

        Args:
            text: as it is written.
            weights: characters that are said for each of its words; None where it is said as
                it is written.
        """
        if weights is None:
            weights = tuple(map(float, map(len, text.split())))
        self._clauses.append(_Clause(text, weights, first_frame=self._added))
        self._resampler = Resampler(self.source_rate, self.line_rate)

    def add(self, samples: Samples) -> None:
        """Add audio of the current clause, at the source rate, any length."""
        assert self._resampler is not None
        self._append(self._resampler.push(samples))

    def end_clause(self) -> None:
        assert self._resampler is not None
        self._append(self._resampler.push(np.zeros(0, dtype=np.int16), last=True))
        if self._rest.size:
            padding = frame_samples(self.line_rate) - self._rest.size
            self._append(np.zeros(padding, dtype=np.int16))
        clause = self._clauses[-1]
        clause.complete = True
        self.pace.learn(clause.length, clause.voiced)

    def retract(self) -> None:
        """Take back the words that have not left."""
        heard = [clause for clause in self._clauses if clause.heard(self._played, self.pace)]
        for clause in heard:
            clause.text = clause.heard(self._played, self.pace)
            clause.weights = clause.weights[: len(clause.text.split())]
            clause.frames = min(clause.frames, self._played - clause.first_frame)
            clause.voiced = min(clause.voiced, clause.frames)
            clause.complete = True
        self._clauses = heard
        self._frames.clear()
        self._added, self._voiced = self._played, min(self._voiced, self._played)

    def _append(self, samples: Samples) -> None:
        size = frame_samples(self.line_rate)
        audio = np.concatenate([self._rest, samples]) if self._rest.size else samples
        whole = audio.size // size
        self._rest = audio[whole * size :]
        for index in range(whole):
            frame = audio[index * size : (index + 1) * size]
            voiced = is_voiced(frame)
            # A turn begins with sound: the voice's own leading silence is only latency.
            if self._added == 0 and not voiced:
                continue
            if self._added >= MAX_SPEECH_SECONDS * FRAMES_PER_SECOND:
                return
            self._frames.append(frame)
            self._added += 1
            clause = self._clauses[-1]
            clause.frames += 1
            if voiced:
                self._voiced, clause.voiced = self._added, clause.frames

    def next_frame(self) -> Samples | None:
        if not self._frames:
            return None
        self._played += 1
        self._left.append(self._frames.popleft())
        return self._left[-1]

    def step_back(self) -> None:
        """Go back to where a word ended shortly before, so that it goes on with a whole one."""
        kept = list(self._left)[-_KEPT_FRAMES:]
        peaks = [int(np.abs(frame.astype(np.int32)).max()) for frame in kept]
        earlier = peaks[: max(1, len(peaks) - _REPEATED_FRAMES + 1)]
        if earlier and not self.over:
            quietest = len(earlier) - 1 - int(np.argmin(earlier[::-1]))
            self._go_back(len(kept) - quietest)

    def rewind(self) -> None:
        """Go back to the beginning; of a speech that keeps what has left (`kept_whole`)."""
        self._go_back(len(self._left))

    def _go_back(self, frames: int) -> None:
        for _ in range(frames):
            self._frames.appendleft(self._left.pop())
        self._played -= frames


@dataclass(frozen=True)
class SpeechFactory:
    """Makes the empty speeches of one call, at the voice's and the line's rates in Hz."""

    source_rate: int
    line_rate: int
    interruptible: bool = True
    pace: Pace = field(default_factory=Pace)

    def new(self, *, in_history: bool = True) -> Speech:
        """Make a speech that the person may interrupt, unless the call forbids that."""
        return Speech(
            self.source_rate,
            self.line_rate,
            self.pace,
            interruptible=self.interruptible,
            in_history=in_history,
        )

    def last_words(self, *, kept_whole: bool = False) -> Speech:
        """Make a speech that cannot be interrupted and ends the call.

        Args:
            kept_whole: whether it may have to be said again from its beginning.
        """
        left: deque[Samples] = deque(maxlen=None if kept_whole else _KEPT_FRAMES)
        return Speech(
            self.source_rate,
            self.line_rate,
            self.pace,
            interruptible=False,
            last_words=True,
            in_history=False,
            hang_up_after=True,
            _left=left,
        )


def is_voiced(frame: Samples) -> bool:
    """Whether a frame of our own making holds more than silence."""
    return bool(frame.size) and int(np.abs(frame.astype(np.int32)).max()) >= VOICED_PEAK


class Playout:
    """Plays one speech at a time; can lower it, hold it, resume it or drop it."""

    def __init__(self) -> None:
        self._speech: Speech | None = None
        self._held = False
        self._level = self._wanted = 1.0

    @property
    def speech(self) -> Speech | None:
        """The speech that has the floor, held or not."""
        return self._speech

    @property
    def held(self) -> bool:
        return self._held

    @property
    def lowered(self) -> bool:
        """Whether the speech goes on at a lower level."""
        return not self._held and self._wanted < 1

    @property
    def audible(self) -> bool:
        """Whether the agent is heard now, short gaps between clauses included."""
        speech = self._speech
        return speech is not None and not self._held and speech.begun and not speech.over

    def play(self, speech: Speech) -> None:
        self._speech, self._held = speech, False
        self._level = self._wanted = 1.0

    def lower(self) -> None:
        """Let the speech go on at a lower level."""
        self._wanted = LOWERED

    def hold(self) -> None:
        """Stop the speech at once, and keep the rest of it."""
        self._held = self._speech is not None

    def resume(self) -> None:
        """Let the speech go on at its own level; one that was stopped, from the word before."""
        if self._held and self._speech is not None:
            self._speech.step_back()
            self._level = 0.0
        self._held, self._wanted = False, 1.0

    def take(self) -> Speech | None:
        """Give the speech up, finished or not, and fall silent."""
        speech, self._speech, self._held = self._speech, None, False
        return speech

    def next_frame(self) -> Samples | None:
        """The frame for this tick; None is silence."""
        if self._speech is None or self._held:
            return None
        frame = self._speech.next_frame()
        if frame is None or self._level == self._wanted == 1:
            return frame
        # Over a frame, so that no step is heard.
        levels = np.linspace(self._level, self._wanted, frame.size, dtype=np.float32)
        self._level = self._wanted
        faded: Samples = np.rint(frame * levels).astype(np.int16)
        return faded
