"""Frames in, floor events out."""

import numpy as np
import pytest

from voice_loop.answering.watch import AnswerConfig, Answerer, AnswerWatch
from voice_loop.audio import FRAME_MS, Samples, frame_samples
from voice_loop.floor import FloorConfig, PauseLasts, SpeechPaused, SpeechStarted, TurnEnded
from voice_loop.speech_input import SpeechInput
from voice_loop.turn_detection import TurnDetector

RATE = 8000


class Lingering:
    """A detector that goes on to call speech what follows it, whatever that is."""

    def __init__(self, frames: int) -> None:
        self._frames = self._left = frames

    def is_speech(self, frame: Samples) -> bool:
        self._left = self._frames if int(frame.max()) > 20 else self._left - 1
        return self._left > 0


def sound(dbfs: float) -> Samples:
    peak = 32768 * 10 ** (dbfs / 20) * np.sqrt(2)
    wave = np.sin(2 * np.pi * 200 * np.arange(frame_samples(RATE)) / RATE)
    return np.asarray(peak * wave, dtype=np.int16)


def heard(levels_dbfs: list[float], lingers: int) -> list[tuple[int, object]]:
    config = FloorConfig()
    turns = TurnDetector(config.end_of_turn_ms, config.longest_pause_ms, "en")
    speech = SpeechInput(Lingering(lingers), turns, AnswerWatch(RATE, AnswerConfig()), config)
    return [
        (speech.floor.frame, event)
        for level in levels_dbfs
        for event in speech.listen(sound(level), 0.0, agent_speaks=False, may_speak=True)
        if not isinstance(event, PauseLasts | Answerer)
    ]


@pytest.mark.parametrize("loud", [-10.0, -25.0, -40.0])
def test_a_pause_begins_with_the_silence_whatever_the_detector_makes_of_that(loud: float) -> None:
    config = FloorConfig()
    assert heard([loud] * 20 + [-90.0] * 40, lingers=8) == [
        (2, SpeechStarted(0, barge_in=False)),
        (19 + config.dip_ms // FRAME_MS, SpeechPaused(0, 19)),
        (19 + config.end_of_turn_ms // FRAME_MS, TurnEnded(0, 19)),
    ]


def test_silence_stands_in_for_what_has_not_come_yet() -> None:
    speech = SpeechInput(
        Lingering(1),
        TurnDetector(420, 1_500, "en"),
        AnswerWatch(RATE, AnswerConfig()),
        FloorConfig(),
    )
    for level in [-20.0] * 20 + [-50.0] * 3:
        list(speech.listen(sound(level), 0.0, agent_speaks=False, may_speak=True))
    early = speech.utterance(0, 400)
    assert early.size == RATE * 600 // 1000
    assert early[RATE * 460 // 1000 - 50 :][:50].any()
    assert not early[RATE * 460 // 1000 :].any()
    assert speech.latest(8_000).size == RATE * 460 // 1000, "what has come, and no more"
    for _ in range(20):
        list(speech.listen(sound(-50.0), 0.0, agent_speaks=False, may_speak=True))
    assert speech.utterance(0, 400)[RATE * 460 // 1000 :].any(), "it has come"


def test_who_grows_soft_is_heard_still() -> None:
    levels = [-15.0] * 20 + [-40.0] * 50 + [-15.0] * 10 + [-38.0] * 60
    assert heard(levels, lingers=1) == [(2, SpeechStarted(0, barge_in=False))]
