"""A caller: takes what is heard, gives what is sent, 20 ms at a time, as its script says.

Sans-IO: `api.lab.telephone` gives it a line. Everything it does depends on what it hears and on
time, which it counts in frames.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from api.lab.clip import Clip
from api.lab.library import scaled
from api.lab.scenario import LineConditions
from api.lab.timeline import Timeline
from api.lab.trace import Kind, Spoken
from models.recordings import RATE
from voice_loop.audio import FRAME_MS, Samples, frame_samples

_FRAME: Final = frame_samples(RATE)
_FRAME_S: Final = FRAME_MS / 1000
#: Peak above which a frame of the agent's is speech: about -46 dBFS.
_VOICED_PEAK: Final = 160
#: The agent's sentences are further apart than that only where it has said what it wanted to.
_BREATH_S: Final = 0.5
#: Packets are judged this long after their time, so that late ones are in.
_SETTLED: Final = 2 * _FRAME


@dataclass(frozen=True)
class Utter:
    """Says something: at once, or so long after the agent has begun to speak."""

    kind: Kind
    clip: Clip
    after_ms: int | None = None
    at_most_ms: int = 0
    """How long the agent's speech is waited for; then the step is left out."""


@dataclass(frozen=True)
class Pause:
    """Says nothing for a while."""

    ms: int


@dataclass(frozen=True)
class Listen:
    """Waits until the agent has spoken and is silent."""

    silence_ms: int
    at_most_ms: int


@dataclass(frozen=True)
class Press:
    """Presses keys."""

    keys: str


Cue = Utter | Pause | Listen | Press


@dataclass(frozen=True)
class Said:
    """Something is begun: its words, each with the moment of its middle."""

    words: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Pressed:
    """Keys are to be pressed."""

    keys: str


Told = Said | Pressed


@dataclass(frozen=True)
class Script:
    """What a caller does until it hangs up, and what else is on its line."""

    cues: Sequence[Cue]
    conditions: LineConditions
    backdrop: Samples | None = None
    """Noise and other people, at their level; repeated for as long as the call lasts."""


class Caller:
    """One caller on one call.

    Args:
        script: what it does.
        seed: where the backdrop begins.
        tell: told of what it begins to say, and of keys that it wants pressed.
    """

    def __init__(
        self, script: Script, seed: int = 0, tell: Callable[[Told], None] = lambda _: None
    ) -> None:
        self.agent = Timeline()
        """What was heard."""
        self.person = Timeline()
        """The voice alone."""
        self.line = Timeline()
        """What was sent."""
        self.spoken: list[Spoken] = []
        self.unplaced = 0
        self._script = script
        self._tell = tell
        self._left = list(script.cues)
        self._frames = 0
        self._since = 0.0  # when the current cue became the next one
        self._saying: Clip | None = None
        self._said = 0
        self._turn = 0
        self._agent_since: float | None = None
        self._agent_voiced = -10.0
        self._backdrop = None if script.backdrop is None else _looped(script.backdrop, seed)

    @property
    def now(self) -> float:
        """Seconds since its first frame."""
        return self._frames * _FRAME_S

    @property
    def done(self) -> bool:
        """Whether it wants to hang up."""
        return not self._left and self._saying is None

    def hear(self, samples: Samples, at: float) -> None:
        """Take what came at `at`, in seconds since its first frame."""
        self.agent.write(round(at * RATE), samples)

    def speak(self) -> Samples:
        """The next frame for the line."""
        self._mind_agent()
        self._begin_cues()
        voice = self._voice()
        start = self._frames * _FRAME
        self.person.write(start, voice)
        sent = self._mixed(voice, start)
        self.line.write(start, sent)
        self._frames += 1
        return sent

    def _mixed(self, voice: Samples, start: int) -> Samples:
        """The voice with what else is on the line."""
        conditions = self._script.conditions
        if self._backdrop is None and conditions.echo_db is None:
            return voice
        mixed = voice.astype(np.int32)
        if self._backdrop is not None:
            place = start % (self._backdrop.size - _FRAME)
            mixed += self._backdrop[place : place + _FRAME]
        if conditions.echo_db is not None:
            back = start - round(conditions.echo_ms / 1000 * RATE)
            mixed += scaled(self.agent.cut(back, back + _FRAME), conditions.echo_db)
        return np.clip(mixed, -32768, 32767).astype(np.int16)

    def _mind_agent(self) -> None:
        end = self._frames * _FRAME - _SETTLED
        if not self.agent.is_louder(end - _FRAME, end, _VOICED_PEAK):
            return
        if self._agent_since is None or self.now - self._agent_voiced > _BREATH_S:
            self._agent_since = self.now
        self._agent_voiced = self.now

    def _begin_cues(self) -> None:
        """Begin whatever is due, until something takes time."""
        while self._left and self._saying is None:
            cue = self._left[0]
            waited_ms = (self.now - self._since) * 1000
            match cue:
                case Utter():
                    if not self._is_moment(cue) and waited_ms < cue.at_most_ms:
                        return
                    if self._is_moment(cue):
                        self._begin(cue)
                    else:
                        self.unplaced += 1
                case Pause():
                    if waited_ms < cue.ms:
                        return
                case Listen():
                    spoke = self._agent_voiced >= self._since
                    silent = (self.now - self._agent_voiced) * 1000 >= cue.silence_ms
                    if not (spoke and silent) and waited_ms < cue.at_most_ms:
                        return
                    self._turn += 1
                case Press():
                    self._tell(Pressed(cue.keys))
            self._left.pop(0)
            self._since = self.now

    def _is_moment(self, cue: Utter) -> bool:
        if cue.after_ms is None:
            return True
        speaking = self.now - self._agent_voiced < 2 * _FRAME_S
        since = self._agent_since
        return speaking and since is not None and (self.now - since) * 1000 >= cue.after_ms

    def _begin(self, cue: Utter) -> None:
        if cue.kind != "say":
            self._turn += 1
        self._saying, self._said = cue.clip, 0
        self._tell(Said([(self.now + at, word) for at, word in cue.clip.timed_words()]))
        voiced = tuple(one.later(self.now) for one in cue.clip.voiced)
        clip = cue.clip
        self.spoken.append(
            Spoken(cue.kind, clip.text, clip.words, voiced, self._turn, clip.dictated)
        )
        if cue.kind != "say":
            self._turn += 1

    def _voice(self) -> Samples:
        frame = np.zeros(_FRAME, dtype=np.int16)
        if self._saying is not None:
            part = self._saying.samples[self._said : self._said + _FRAME]
            frame[: part.size] = part
            self._said += _FRAME
            if self._said >= self._saying.samples.size:
                self._saying = None
                self._since = self.now + _FRAME_S
        return frame


def _looped(backdrop: Samples, seed: int) -> Samples:
    """The same from somewhere on, with its first frame once more at its end."""
    start = random.Random(seed).randrange(backdrop.size)
    turned = np.roll(backdrop, -start)
    return np.concatenate([turned, turned[:_FRAME]])
