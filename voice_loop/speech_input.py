"""What comes in on one call, frame by frame: speech, keys, and what shows who answered.

Runs in the media tick. It keeps the last half minute of audio for the recogniser, turns the
detector's verdicts into floor events, and gathers keys (DTMF) into groups.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from voice_loop.answering.watch import AnswerEvent, AnswerWatch
from voice_loop.audio import FRAME_MS, Samples, level_dbfs
from voice_loop.floor import Floor, FloorConfig, FloorEvent
from voice_loop.ports import NeuralDetector, SpeechDetector
from voice_loop.turn_detection import TurnDetector

#: Frames kept before the onset and after the last speech frame: detectors clip the edges.
_PADDING_FRAMES = 10
#: Speech varies by so much within a turn, dB; the loudest is forgotten by so much per frame.
_SOFTEST_DB = 30.0
_FALL_DB = 0.1
_KEPT_FRAMES = 30_000 // FRAME_MS
#: A group of keys ends after this pause, with `#`, or at the limit.
_KEYS_GAP_FRAMES = 1500 // FRAME_MS
_KEYS_LIMIT = 32


@dataclass(frozen=True)
class Keys:
    """A group of keys is complete."""

    digits: str
    frame: int
    """Index of the frame in which the group ended."""
    at: float
    """When the last one was pressed, `time.monotonic()` seconds."""


class _Loudness:
    """How loud somebody has been lately: detectors go on to call speech what follows it."""

    def __init__(self) -> None:
        self._dbfs = -96.0

    def fallen(self, speech: Samples) -> bool:
        """Whether a frame that was taken for speech is so much softer that it is none."""
        level = level_dbfs(speech)
        self._dbfs = max(level, self._dbfs - _FALL_DB)
        return level < self._dbfs - _SOFTEST_DB


class SpeechInput:
    """Listens to one call."""

    def __init__(
        self,
        detector: SpeechDetector,
        turns: TurnDetector,
        answering: AnswerWatch,
        config: FloorConfig,
    ) -> None:
        self.floor = Floor(config, turns)
        self.voiced_at = 0.0
        """Arrival of the latest packet with speech in it, `time.monotonic()` seconds."""
        self._detector = detector
        self._neural = detector if isinstance(detector, NeuralDetector) else None
        self._answering = answering
        self._loudness = _Loudness()
        self._heard: deque[Samples] = deque(maxlen=_KEPT_FRAMES)
        self._digits = ""
        self._digit_frame = 0
        self._digit_at = 0.0

    def expect(self, heard: Samples) -> None:
        """Take the frame that `listen` brings next, to be judged with every call's at once."""
        if self._neural is not None:
            self._neural.expect(heard)

    def listen(
        self,
        heard: Samples,
        arrived_at: float,
        *,
        agent_speaks: bool,
        may_speak: bool,
        is_echo: bool = False,
    ) -> Iterator[FloorEvent | Keys | AnswerEvent]:
        """Take one frame.

        Args:
            heard: the person's frame.
            arrived_at: when its packet came, `time.monotonic()` seconds.
            agent_speaks: whether agent audio is on the wire now.
            may_speak: whether the person's speech counts; not during last words.
            is_echo: whether it is our own voice, come back, and nobody's else.
        """
        voiced = self._detector.is_speech(heard) and not is_echo
        is_speech = voiced and not self._loudness.fallen(heard)
        if is_speech:
            self.voiced_at = arrived_at
        self._heard.append(heard)
        yield from self._answering.listen(heard, is_speech=is_speech, agent_speaks=agent_speaks)
        if may_speak:
            convinced = not is_speech or self._neural is None or self._neural.convinced
            yield from self.floor.push(is_speech, agent_speaks, convinced=convinced)
        else:
            self.floor.push(is_speech=False, agent_speaks=True)
        if self._digits and self._keys_complete():
            digits, self._digits = self._digits, ""
            yield Keys(digits, self.floor.frame, self._digit_at)

    def press(self, digit: str, at: float) -> None:
        """A key was pressed; `at` is `time.monotonic()` seconds."""
        self._digits = (self._digits + digit)[:_KEYS_LIMIT]
        self._digit_frame, self._digit_at = self.floor.frame, at
        self._answering.press()

    def _keys_complete(self) -> bool:
        return (
            self._digits.endswith("#")
            or len(self._digits) >= _KEYS_LIMIT
            or self.floor.frame - self._digit_frame >= _KEYS_GAP_FRAMES
        )

    def heard_since(self, frame: int) -> Samples:
        """What was heard from that frame on, at most the last 30 s."""
        count = min(self.floor.frame + 1 - max(frame, 0), len(self._heard))
        return np.concatenate([self._heard[index] for index in range(-count, 0)])

    def utterance(self, started_ms: int, ended_ms: int) -> Samples:
        """Cut out what was heard in that time, edges included; the last 30 s of a longer one.

        Recognisers mishear what ends abruptly: silence stands in for what has not come yet.
        """
        now = self.floor.frame + 1
        first = max(started_ms // FRAME_MS - _PADDING_FRAMES, now - len(self._heard), 0)
        end = ended_ms // FRAME_MS + _PADDING_FRAMES
        heard = list(self._heard)[first - now :][: end - first]
        return np.concatenate([*heard, *[np.zeros_like(heard[-1])] * (end - now)])

    def latest(self, ms: int) -> Samples:
        """Cut out what was heard last, up to now."""
        return np.concatenate(list(self._heard)[-(ms // FRAME_MS) :])
