"""What judged sounds in the recording, and what would today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api.blackbox.entries import Entry, of_audio
from voice_loop.audio import Samples
from voice_loop.ports import NeuralDetector, OnsetModel, SpeechDetector


@dataclass
class Compared:
    """How often today's judgement of a frame is another."""

    frames: int = 0
    different: int = 0
    first: int | None = None
    """Index of the first such frame."""

    def add(self, frame: int, different: bool) -> None:
        self.frames += 1
        self.different += different
        if different and self.first is None:
            self.first = frame


@dataclass
class Verdicts:
    """The recording's judgements of the current tick."""

    speech: bool = False
    convinced: bool = True
    frame: int = -1
    compared: Compared = field(default_factory=Compared)


class Detector:
    """`voice_loop.ports.NeuralDetector`: the recording's, beside today's if there is one."""

    def __init__(self, verdicts: Verdicts, today: SpeechDetector | None, *, obeyed: bool) -> None:
        """
        Args:
            verdicts: the recording's.
            today: one that hears the same.
            obeyed: whether its judgement holds.
        """
        self._verdicts = verdicts
        self._today = today
        self._neural = today if isinstance(today, NeuralDetector) else None
        self._obeyed = obeyed

    def expect(self, frame: Samples) -> None:
        if self._neural is not None:
            self._neural.expect(frame)

    def is_speech(self, frame: Samples) -> bool:
        verdicts = self._verdicts
        if self._today is None:
            return verdicts.speech
        today = bool(self._today.is_speech(frame))
        verdicts.compared.add(verdicts.frame, today is not verdicts.speech)
        return today if self._obeyed else verdicts.speech

    @property
    def convinced(self) -> bool:
        if self._obeyed and self._today is not None:
            return self._neural is None or bool(self._neural.convinced)
        return self._verdicts.convinced


class Onset:
    """`voice_loop.ports.OnsetModel`: the recording's for the same sound, else today's."""

    def __init__(self, entries: Sequence[Entry], today: OnsetModel | None, *, obeyed: bool) -> None:
        """Raises KeyError, TypeError, ValueError."""
        told = [one.fields for one in entries if one.kind == "onset"] if not obeyed else []
        self._known: Mapping[tuple[int, int], float] = {
            (one["audio"]["samples"], one["audio"]["crc32"]): float(one["probability"])
            for one in told
        }
        self._today = today

    def takes_floor(self, speech: Samples, rate: int) -> float:
        sound = of_audio(speech)
        known = self._known.get((sound["samples"], sound["crc32"]))
        if known is not None:
            return float(known)
        return 0.0 if self._today is None else self._today.takes_floor(speech, rate)
