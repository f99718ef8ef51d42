"""The shipped speech models through the engines: the test bed's people, and our own voice."""

import wave
from pathlib import Path

import numpy as np
import pytest

from models.piper import Piper
from models.training.whisper_data import word_errors
from models.whisper import FasterWhisper
from voice_loop.audio import Samples, resample

ROOT = Path(__file__).parents[2]
SOUNDS = ROOT / "pbx" / "testbed" / "sounds"
RATE = 8000

SAID = {
    "hello": "hello",
    "speaking": "yes speaking",
    "confirm": "yes that works for me",
    "other_time": "no can we do thursday at two p m instead",
    "yes": "yes",
    "no": "no",
    "cannot": "no i can not make it",
    "who": "who is calling",
    "wrong": "sorry wrong number",
    "busy": "i am busy now",
    "rating": "eight",
    "recommend": "yes i would",
    "at_home": "no i will be at work",
    "leave": "you can leave it at the front door",
    "interrupt": "sorry can you repeat that",
    "wait": "wait",
    "bye": "thank you bye",
}

AGENT = (
    "hello this is north dental am i speaking with maria lopez",
    "i am calling about your appointment on monday at eight thirty a m does that work for you",
    "okay thursday at two p m is that right",
    "great see you on thursday at two p m goodbye",
    "no problem which day works for you",
    "from one to ten how do you rate our service",
    "okay eight out of ten would you recommend us to a friend",
    "we have a parcel for you will you be at home on friday",
    "no problem where can we leave the parcel",
    "sorry for the mistake goodbye",
)


def sound(name: str) -> Samples:
    with wave.open(str(SOUNDS / f"{name}.wav")) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


def on_the_line(speech: Samples, *, before_ms: int = 200, after_ms: int = 200) -> Samples:
    """The speech with line noise around it, as a voice detector hands it over."""
    rng = np.random.default_rng(8)
    quiet = [np.asarray(rng.normal(0, 6, RATE * ms // 1000)) for ms in (before_ms, after_ms)]
    return np.concatenate([quiet[0], speech, quiet[1]]).astype(np.int16)


@pytest.mark.parametrize(("name", "text"), SAID.items())
async def test_the_test_beds_people_are_understood(
    stt: FasterWhisper, name: str, text: str
) -> None:
    transcript = await stt.transcribe(on_the_line(sound(name)), RATE, "en")
    assert transcript.text == text


async def test_no_length_of_an_utterance_is_encoded_twice(stt: FasterWhisper) -> None:
    # CTranslate2 takes an encoder output with as many positions as there are mel bands for
    # features: with 50 frames of margin that is an utterance of 1.09 s.
    speech = sound("recommend")
    spoken_ms = len(speech) * 1000 // RATE
    texts = set()
    for length_ms in range(1000, 1180, 10):
        padded = on_the_line(speech, before_ms=50, after_ms=length_ms - 50 - spoken_ms)
        texts.add((await stt.transcribe(padded, RATE, "en")).text)
    assert texts == {"yes i would"}


async def test_a_line_without_speech_gives_no_text(stt: FasterWhisper) -> None:
    noise = np.random.default_rng(1).normal(0, 300, 2 * RATE).astype(np.int16)
    assert (await stt.transcribe(noise, RATE, "en")).text == ""


async def test_our_voice_is_understood(stt: FasterWhisper, tts: Piper) -> None:
    wrong = total = 0
    for text in AGENT:
        speech = resample(await tts.render(text), tts.rate, RATE)
        transcript = await stt.transcribe(on_the_line(speech), RATE, "en")
        wrong += word_errors(text.split(), transcript.text.split())
        total += len(text.split())
    assert wrong / total <= 0.05
