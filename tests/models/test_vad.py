"""Who speaks on a line, and what is only heard there: the detector of calls."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from api import lab
from api.lab.clip import dictation
from api.lab.library import Library
from bench.ears import TONES, bursts, heard_by, starts, tone, verdicts
from models.recordings import recordings
from models.sounds import load_sound
from models.training.ears_data import Audio, as_frames, at_level
from models.vad import Ears, SileroDetector, WebRtcDetector, ear_weights
from tests.models.test_speech_engines import recorded
from voice_loop.audio import FRAMES_PER_SECOND, Samples, frame_samples, resample, silence
from voice_loop.ports import EngineError

RATE = 8000
PEOPLE = Path(lab.__file__).with_name("recordings")
SECONDS = 20


def sound(name: str) -> Audio:
    return np.resize(load_sound(name).at(RATE).astype(float), SECONDS * RATE)


def siren() -> Audio:
    when = np.arange(SECONDS * RATE) / RATE
    return np.sin(2 * np.pi * np.cumsum(900 + 500 * np.sin(2 * np.pi * when / 3)) / RATE)


def hiss(size: int) -> Audio:
    return np.random.default_rng(1).normal(size=size)


NOT_SPEECH: dict[str, Callable[[], Audio]] = {
    **{name: partial(tone, name, SECONDS) for name in TONES},
    "siren": siren,
    "hiss": lambda: hiss(SECONDS * RATE),
    "bursts": lambda: bursts(SECONDS),
    "music on hold": lambda: sound("hold_music"),
    "a crowd": lambda: sound("crowded-room"),
}


@pytest.mark.parametrize("dbfs", [-25, -35])
@pytest.mark.parametrize("name", NOT_SPEECH)
def test_what_is_not_speech_starts_nothing(name: str, dbfs: float) -> None:
    audio = np.concatenate([np.zeros(RATE), at_level(NOT_SPEECH[name](), dbfs)])
    heard = heard_by(SileroDetector(RATE), as_frames(audio))
    assert not starts(heard, agent_speaks=False)
    assert not starts(heard, agent_speaks=True)


def said(name: str, dbfs: float, rate: int = RATE) -> Audio:
    """A recorded sentence, between a second and half a second of silence."""
    spoken = at_level(resample(recorded(name), RATE, rate).astype(float), dbfs)
    return np.concatenate([np.zeros(rate), spoken, np.zeros(rate // 2)])


@pytest.mark.parametrize("dbfs", [-20, -30, -40])
def test_speech_is_heard_at_every_level(dbfs: float) -> None:
    frames = as_frames(said("leave", dbfs))
    levels = np.sqrt(np.square(frames.astype(float)).mean(axis=1))
    loud = levels > levels.max() / 30
    assert verdicts(SileroDetector(RATE), frames)[loud].mean() > 0.95


def test_speech_is_heard_in_noise() -> None:
    clean = np.concatenate([np.zeros(RATE), said("leave", -20)])
    frames = as_frames(clean + at_level(hiss(clean.size), -30))
    heard = verdicts(SileroDetector(RATE), frames)
    assert heard[2 * FRAMES_PER_SECOND : -FRAMES_PER_SECOND // 2].mean() > 0.7
    assert not heard[: 2 * FRAMES_PER_SECOND].any()


@pytest.mark.parametrize("gap_ms", [200, 300, 600])
def test_digits_go_on_to_be_heard_where_a_noise_comes_with_each_of_them(gap_ms: int) -> None:
    """As from a telephone that sends nothing between words."""
    dictated = dictation(Library("closed"), "555555", 0, -20, gap_ms)
    audio = np.concatenate([silence(RATE, 1000), dictated.samples, silence(RATE, 500)])
    heard = verdicts(SileroDetector(RATE), as_frames(audio.astype(float)))
    for span in dictated.voiced:
        begin, end = (FRAMES_PER_SECOND + round(at * FRAMES_PER_SECOND) for at in span)
        assert heard[begin:end].sum() > 20, "of 41 frames"


def test_a_pause_between_words_is_seen() -> None:
    said = recorded("no")
    loud = np.flatnonzero(np.abs(said) > 500)
    word = at_level(said[loud[0] : loud[0] + 20 * 160].astype(float), -20)
    pause = np.zeros(8 * 160)
    frames = as_frames(np.concatenate([np.zeros(RATE), word, pause, word, np.zeros(RATE)]))
    heard = verdicts(SileroDetector(RATE), frames)
    assert (~heard[70:78]).sum() >= 4
    assert heard[78:98].mean() > 0.8


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_end_of_speech_is_known_at_once(rate: int) -> None:
    audio = said("who", -20, rate)
    size = frame_samples(rate)
    frames = audio[: audio.size // size * size].astype(np.int16).reshape(-1, size)
    end = int(np.flatnonzero(np.abs(frames).max(axis=1) > 300)[-1])
    heard = np.flatnonzero(verdicts(SileroDetector(rate), frames))
    assert end - 3 <= heard[-1] <= end + 3


@pytest.mark.parametrize("content", [None, b"", b"PK no archive"])
def test_weights_that_are_missing_or_damaged_are_named(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "ears.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EngineError, match="install Offhook again"):
        ear_weights(file)


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="160 samples"):
        SileroDetector(8000).is_speech(silence(8000, 10))
    with pytest.raises(ValueError, match="8000 or 16000"):
        SileroDetector(44100)


def test_the_rule_alone_takes_music_for_speech() -> None:
    """What the network is for."""
    audio = np.concatenate([np.zeros(RATE), at_level(NOT_SPEECH["music on hold"](), -25)])
    assert starts(heard_by(WebRtcDetector(RATE), as_frames(audio)), agent_speaks=False)


@pytest.mark.parametrize("calls", [3, 20])
def test_calls_that_are_judged_at_once_are_judged_as_each_alone(calls: int) -> None:
    """Each hears something else, from another moment on, and some hear nothing."""
    random = np.random.default_rng(calls)
    sentences = [said(name, -20) for name in ("leave", "who", "no")]
    heard: list[Samples] = []
    for call in range(calls):
        audio = np.roll(sentences[call % 3], 997 * call) * (call % 4 > 0)
        heard.append(as_frames(np.resize(audio, 2 * RATE) + random.normal(0, call, 2 * RATE)))
    ears = Ears()
    together = [ears.detector(RATE) for _ in range(calls)]
    alone = [SileroDetector(RATE) for _ in range(calls)]
    spoke = 0
    for tick in range(len(heard[0])):
        frames = [one[tick] for one in heard]
        for detector, frame in zip(together, frames, strict=True):
            detector.expect(frame)
        expected = [one.is_speech(frame) for one, frame in zip(alone, frames, strict=True)]
        # Asked in another order than they heard in.
        verdicts = [
            one.is_speech(frame) for one, frame in list(zip(together, frames, strict=True))[::-1]
        ]
        assert verdicts[::-1] == expected
        for one, other in zip(together, alone, strict=True):
            assert one.memory == pytest.approx(other.memory, abs=1e-4)
        spoke += sum(expected)
    assert spoke > 10 * calls


def test_a_frame_that_was_expected_in_vain_is_heard_all_the_same() -> None:
    ears = Ears()
    detector, alone = ears.detector(RATE), SileroDetector(RATE)
    frames = list(as_frames(said("leave", -20)))
    heard: list[bool] = []
    for frame in frames:
        detector.expect(frame)
        if len(heard) % 3:
            detector.is_speech(frame)
        heard.append(alone.is_speech(frame))
    assert detector.is_speech(frames[0]) == alone.is_speech(frames[0])
    assert detector.memory == pytest.approx(alone.memory, abs=1e-4)
    assert any(heard)


def test_a_dogs_bark_convinces_nobody() -> None:
    [dog] = [one for one in recordings(PEOPLE, ["noise"]) if "dog" in one.name]
    bark = at_level(np.resize(dog.samples().astype(float), 10 * RATE), -25)
    heard = heard_by(SileroDetector(RATE), as_frames(np.append(np.zeros(RATE), bark)))
    assert starts(replace(heard, convinced=heard.speech), agent_speaks=False)
    assert not starts(heard, agent_speaks=False)


def test_a_word_convinces_as_soon_as_it_is_heard() -> None:
    later = []
    for word in recordings(PEOPLE, ["words"]):
        audio = np.append(np.zeros(RATE), at_level(word.samples().astype(float), -25))
        heard = heard_by(SileroDetector(RATE), as_frames(audio))
        [first, *_] = starts(heard, agent_speaks=False)
        [earliest, *_] = starts(replace(heard, convinced=heard.speech), agent_speaks=False)
        later.append(first - earliest)
    assert np.quantile(later, 0.9) == 0
    assert max(later) <= 4
