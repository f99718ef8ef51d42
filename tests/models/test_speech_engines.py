"""Speech recognition, synthesis and detection, over the starter weights."""

import asyncio
import json
import re
import shutil
import threading
import wave
from contextlib import aclosing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

from models.hypotheses import WORST_COMPRESSION, compression
from models.languages import language_of
from models.piper import KNEE, SPEECH_DBFS, Piper, SpeechCache, active_level, limited
from models.token_rates import MOST_TOKENS, most_tokens
from models.vad import LOUDEST_DBFS, WebRtcDetector
from models.whisper import FasterWhisper, attempts, windows
from models.workers import Workers
from voice_loop.audio import Samples, frame_samples, level_dbfs, resample, silence
from voice_loop.ports import EngineError

SOUNDS = Path(__file__).parents[2] / "pbx" / "testbed" / "sounds"


def recorded(name: str) -> Samples:
    """A recorded sentence of the carrier's people, 8 kHz."""
    with wave.open(str(SOUNDS / f"{name}.wav")) as file:
        assert file.getframerate() == 8000
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


# Speech recognition


@pytest.mark.parametrize(
    ("name", "said"), [("hello", "hello"), ("yes", "yes"), ("who", "who is calling")]
)
async def test_a_recording_is_transcribed(stt: FasterWhisper, name: str, said: str) -> None:
    heard = await stt.transcribe(recorded(name), 8000, "en")
    assert words(heard.text) == words(said)
    assert 0.5 < heard.confidence <= 1.0


async def test_the_line_rate_does_not_matter(stt: FasterWhisper) -> None:
    wideband = resample(recorded("who"), 8000, 16000)
    assert words((await stt.transcribe(wideband, 16000, "en-US")).text) == ["who", "is", "calling"]


async def test_silence_and_nothing_are_no_words(stt: FasterWhisper) -> None:
    for nothing in (silence(8000, 1000), np.zeros(0, np.int16)):
        heard = await stt.transcribe(nothing, 8000, "en")
        assert (heard.text, heard.confidence) == ("", 0.0)


async def test_noise_is_no_words(stt: FasterWhisper) -> None:
    noise = np.random.default_rng(3).normal(0, 500, 8000).astype(np.int16)
    assert (await stt.transcribe(noise, 8000, "en")).text == ""


@pytest.mark.parametrize(
    ("content", "window", "frames"),
    [
        (120, 3000, (1000, 2000)),
        (250, 3000, (1000, 2000)),
        (251, 3000, (1000, 3000)),
        (800, 3000, (1000, 3000)),
        (1500, 3000, (1700, 3000)),
        (2800, 3000, (3000,)),
        (2950, 3000, (3000,)),
        (120, 1000, (170,)),
        (980, 1000, (1000,)),
    ],
)
def test_the_encoder_gets_no_more_than_it_needs(
    content: int, window: int, frames: tuple[int, ...]
) -> None:
    """At least 10 s with 2 s of margin for OpenAI's models; when in doubt 20 s for a word or two,
    and all 30 s for more."""
    assert attempts(content, window) == frames


def test_long_speech_is_cut_in_its_pauses() -> None:
    speech, pause = np.ones(24000, np.float32), np.zeros(8000, np.float32)
    audio = np.concatenate([speech, pause] * 16)
    parts = windows(audio, 16000 * 9)
    assert np.array_equal(np.concatenate(parts), audio)
    assert len(parts) == 4
    assert all(part.size <= 16000 * 9 for part in parts)
    assert all(part[0] == 0 for part in parts[1:])


async def test_speech_longer_than_the_window_is_transcribed(stt: FasterWhisper) -> None:
    """The last words of half a minute are heard, too."""
    long = np.concatenate([silence(8000, 27_000), recorded("who")])
    assert "calling" in words((await stt.transcribe(long, 8000, "en")).text)


async def test_a_model_writes_no_token_that_it_shall_not_but_annotations(
    model_dir: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "whisper"
    shutil.copytree(model_dir / "whisper", changed)
    tokenizer = json.loads((changed / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    # `(who` shall be written: it begins an annotation.
    vocabulary["Ġ(who"] = vocabulary.pop("Ġwho")
    (changed / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = json.loads((changed / "config.json").read_text())
    config["suppress_ids"] = [vocabulary["Ġ(who"], vocabulary["Ġcalling"]]
    (changed / "config.json").write_text(json.dumps(config))
    engine = FasterWhisper(changed, threads=1)
    audio = resample(recorded("who"), 8000, 16000).astype(np.float32) / np.float32(32768)
    look = engine.look(audio, 170, "en")
    engine.close()
    assert look.hypotheses[0].text.startswith("(who is")
    assert "calling" not in look.hypotheses[0].text


async def test_all_the_tokens_of_the_bound_can_be_heard(
    stt: FasterWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CTranslate2 by itself writes half of the length that it is given."""
    monkeypatch.setattr("models.whisper.most_tokens", lambda _seconds, _language: 3)
    assert words((await stt.transcribe(recorded("who"), 8000, "en")).text) == [
        "who",
        "is",
        "calling",
    ]


async def test_speech_of_more_tokens_than_a_window_may_have_is_heard_in_halves(
    stt: FasterWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.whisper.MOST_TOKENS", 4)
    monkeypatch.setattr("models.whisper.most_tokens", lambda _seconds, _language: 4)
    monkeypatch.setattr("models.whisper.SHORTEST_HALF", 1)
    twice = np.concatenate([recorded("who"), silence(8000, 500), recorded("who")])
    assert words((await stt.transcribe(twice, 8000, "en")).text) == ["who", "is", "calling"] * 2


QUICK_SPEECH = json.loads(Path(__file__).with_name("token_rates.json").read_text("utf-8"))


@pytest.mark.parametrize("said", QUICK_SPEECH, ids=lambda said: str(said["language"]))
def test_quick_speech_of_any_language_has_room_for_its_tokens(said: Any) -> None:
    """And for no loop: two and a half times as many are too many."""
    bound = most_tokens(said["seconds"], said["language"])
    assert bound <= 2.5 * said["tokens"]
    assert said["tokens"] <= bound or bound == MOST_TOKENS


def test_only_repetition_is_repetition_in_every_script() -> None:
    for said in QUICK_SPEECH:
        assert compression(said["text"]) < 1.5
    for loop in ("ta " * 12, "நன்றி " * 12, "Thank you. " * 6):
        assert compression(loop) > WORST_COMPRESSION


async def test_an_unknown_language_is_refused(stt: FasterWhisper) -> None:
    with pytest.raises(EngineError, match="does not know the language 'xx'"):
        await stt.transcribe(recorded("yes"), 8000, "xx")


def test_a_missing_whisper_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"has no model\.bin"):
        FasterWhisper(tmp_path)


def test_a_damaged_whisper_file_is_told(model_dir: Path, tmp_path: Path) -> None:
    broken = tmp_path / "whisper"
    shutil.copytree(model_dir / "whisper", broken)
    whole = (broken / "model.bin").read_bytes()
    (broken / "model.bin").unlink()
    (broken / "model.bin").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(EngineError, match="cannot load the Whisper model"):
        FasterWhisper(broken)


async def test_a_closed_recogniser_says_so(model_dir: Path) -> None:
    engine = FasterWhisper(model_dir / "whisper", threads=1)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        await engine.transcribe(recorded("yes"), 8000, "en")


# Speech synthesis


async def speak(tts: Piper, text: str) -> list[Samples]:
    async with aclosing(tts.stream(text)) as chunks:
        return [chunk async for chunk in chunks]


async def test_what_is_spoken_can_be_heard(tts: Piper, stt: FasterWhisper) -> None:
    (spoken,) = await speak(tts, "who is calling?")
    assert spoken.dtype == np.int16
    line = resample(spoken, tts.rate, 8000)
    heard = words((await stt.transcribe(line, 8000, "en")).text)
    assert heard == ["who", "is", "calling"]


async def test_each_sentence_is_a_chunk_of_its_own(tts: Piper) -> None:
    assert len(await speak(tts, "Hello. How are you? Goodbye.")) == 3


async def test_loudness_is_even_from_clause_to_clause(tts: Piper) -> None:
    for text in ("hello, who is calling?", "monday at two.", "thank you very much, goodbye."):
        spoken = np.concatenate(await speak(tts, text))
        share = spoken.astype(np.float32) / np.float32(32768)
        level = 20 * np.log10(active_level(share, tts.rate))
        assert abs(level - SPEECH_DBFS) < 4
        assert np.abs(spoken.astype(np.int32)).max() < 32767


async def test_text_without_sounds_is_silence(tts: Piper) -> None:
    assert sum(chunk.size for chunk in await speak(tts, "")) == 0


async def test_a_line_spoken_before_comes_from_the_cache(tts: Piper) -> None:
    first = await tts.render("thanks for waiting.")
    (again,) = await speak(tts, "thanks for waiting.")
    assert np.array_equal(first, again)
    assert not again.flags.writeable


def test_the_cache_forgets_the_oldest_line_when_its_bytes_are_used_up() -> None:
    cache = SpeechCache(8000)
    line = np.zeros(1000, np.int16)
    for name in ("a", "b", "c", "d"):
        cache.put((name, 1.0, 1.0), line.copy())
    assert cache.get(("a", 1.0, 1.0)) is not None
    cache.put(("e", 1.0, 1.0), line.copy())
    assert cache.get(("b", 1.0, 1.0)) is None
    assert all(cache.get((name, 1.0, 1.0)) is not None for name in ("a", "c", "d", "e"))
    cache.put(("long", 1.0, 1.0), np.zeros(1001, np.int16))
    assert cache.get(("long", 1.0, 1.0)) is None


@pytest.mark.rows("RV-242", "RV-245", "OI-25")
async def test_the_speed_is_how_fast_it_is_spoken(tts: Piper) -> None:
    line = "this is a longer sentence, and it is always the same."
    sizes = {}
    for speed in (0.6, 1.0, 1.5):
        spoken = [(await tts.render(line, speed)).size for _ in range(2)]
        assert spoken[0] == spoken[1], "another speed's speech came out of the cache"
        sizes[speed] = spoken[0]
    assert np.array_equal(await tts.render(line), await tts.render(line, 1.0))
    assert 1.3 < sizes[0.6] / sizes[1.0] < 1.9
    assert 1.3 < sizes[1.0] / sizes[1.5] < 1.7


@pytest.mark.rows("OI-26")
async def test_a_steady_voice_never_varies(model_dir: Path) -> None:
    """Of the same words, how far two renderings are apart; nothing is kept."""
    voice = Piper(model_dir / "voice.onnx", cache_bytes=0)
    apart = []
    try:
        for stability in (1.0, 0.5, 0.0):
            steadied = voice.steadied(stability)
            first, second = [await steadied.render("thanks for waiting.") for _ in range(2)]
            size = min(first.size, second.size)
            difference = first[:size].astype(float) - second[:size]
            apart.append(float(np.sqrt(np.mean(difference**2))))
    finally:
        voice.close()
    assert apart[0] == 0
    assert apart[1] > 0
    assert apart[2] > 0


async def test_raw_phonemes_are_not_taken_from_text(tts: Piper) -> None:
    """Piper reads `[[…]]` as phonemes; text from outside is only ever read aloud."""
    plain = np.concatenate(await speak(tts, "hello ab goodbye."))
    tricky = np.concatenate(await speak(tts, "hello [[ab]] goodbye."))
    assert abs(plain.size - tricky.size) < tts.rate // 5


@pytest.mark.parametrize(
    ("text", "sounds_as"),
    [
        # With a hyphen, eSpeak NG has no doubt that the letter is meant.
        ("Gate A four.", "Gate A- four."),
        ("A B C, one.", "A- B C, one."),
        ("A visit is fine.", "a visit is fine."),
    ],
)
def test_the_letter_a_is_no_article(tts: Piper, text: str, sounds_as: str) -> None:
    assert tts._phonemize(text) == tts._phonemize(sounds_as)


def test_a_missing_voice_file_is_named(model_dir: Path, tmp_path: Path) -> None:
    shutil.copy(model_dir / "voice.onnx", tmp_path / "voice.onnx")
    with pytest.raises(EngineError, match=r"voice\.onnx\.json is missing"):
        Piper(tmp_path / "voice.onnx")


def test_a_damaged_voice_is_told(model_dir: Path, tmp_path: Path) -> None:
    shutil.copy(model_dir / "voice.onnx.json", tmp_path / "voice.onnx.json")
    (tmp_path / "voice.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match="cannot load the Piper voice"):
        Piper(tmp_path / "voice.onnx")


@pytest.mark.parametrize("phonemes", ["pinyin", "japanese", "thai"])
def test_a_voice_that_piper_would_fetch_something_for(
    model_dir: Path, tmp_path: Path, phonemes: str
) -> None:
    """Piper downloads a model when it reads Chinese for the first time."""
    shutil.copy(model_dir / "voice.onnx", tmp_path)
    settings = json.loads((model_dir / "voice.onnx.json").read_text())
    settings["phoneme_type"] = phonemes
    (tmp_path / "voice.onnx.json").write_text(json.dumps(settings))
    with pytest.raises(EngineError, match=rf"`phoneme_type` {phonemes}.*choose another voice"):
        Piper(tmp_path / "voice.onnx")


def test_the_limiter_leaves_quiet_samples_alone_and_never_clips() -> None:
    audio = np.linspace(-4, 4, 801, dtype=np.float32)
    out = limited(audio)
    quiet = np.abs(audio) <= KNEE
    assert np.array_equal(out[quiet], audio[quiet])
    assert np.abs(out).max() <= 1
    assert np.all(np.diff(out) >= 0)


@pytest.mark.parametrize(
    ("voice", "code"), [("en-us", "en"), ("es-419", "es"), ("es_MX", "es"), ("fr", "fr")]
)
def test_language_codes(voice: str, code: str) -> None:
    assert language_of(voice) == code


# The threads behind both


async def test_the_event_loop_runs_on_while_an_engine_works(stt: FasterWhisper) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await stt.transcribe(np.concatenate([recorded("who")] * 8), 8000, "en")
    counting.cancel()
    assert turns > 10


async def test_waiting_work_is_bounded_and_dropped_when_cancelled() -> None:
    workers = Workers("the engine", threads=1, waiting=1, timeout_s=10)
    gate, begun = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        gate.wait(10)
        done.append("first")

    running = asyncio.create_task(workers.run(first))
    await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.create_task(workers.run(lambda: done.append("second")))
    await asyncio.sleep(0)
    with pytest.raises(EngineError, match="overloaded: 2 requests"):
        await workers.run(lambda: done.append("third"))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await running
    await workers.run(lambda: done.append("fourth"))
    assert done == ["first", "fourth"]
    workers.close()


async def test_what_is_needed_first_is_done_first() -> None:
    workers = Workers("the engine", threads=1, waiting=8, timeout_s=10)
    gate, begun = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        gate.wait(10)

    running = asyncio.create_task(workers.run(first))
    await asyncio.to_thread(begun.wait, 10)
    now = monotonic()
    dues = {"in a minute": now + 60, "now": None, "now, too": None, "long ago": now - 60}
    others = [
        asyncio.create_task(workers.run(partial(done.append, name), due))
        for name, due in dues.items()
    ]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(running, *others)
    assert done == ["long ago", "now", "now, too", "in a minute"]
    workers.close()


async def test_closing_drops_what_waits() -> None:
    workers = Workers("the engine", threads=1, waiting=2, timeout_s=10)
    gate, begun = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        gate.wait(10)

    running = asyncio.create_task(workers.run(first))
    await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.create_task(workers.run(lambda: None))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(workers.close))
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(running, closing)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(EngineError, match="has been closed"):
        await workers.run(lambda: None)


async def test_work_that_takes_too_long_is_an_engine_error() -> None:
    workers = Workers("the engine", threads=1, waiting=1, timeout_s=0.05)
    gate = threading.Event()
    with pytest.raises(EngineError, match=r"did not answer within 0\.05 s"):
        await workers.run(lambda: gate.wait(10))
    gate.set()
    workers.close()


# Speech detection


def speech_share(detector: WebRtcDetector, audio: Samples, rate: int) -> list[bool]:
    size = frame_samples(rate)
    frames = audio[: audio.size // size * size].reshape(-1, size)
    return [detector.is_speech(frame) for frame in frames]


@pytest.mark.parametrize("rate", [8000, 16000])
def test_speech_is_told_from_silence(rate: int) -> None:
    said = resample(recorded("leave"), 8000, rate)
    detector = WebRtcDetector(rate)
    before = speech_share(detector, silence(rate, 500), rate)
    during = speech_share(detector, said, rate)
    speech_share(detector, silence(rate, 300), rate)
    after = speech_share(detector, silence(rate, 500), rate)
    assert not any(before)
    assert sum(during) / len(during) > 0.6
    assert not any(after)


@pytest.mark.parametrize("amplitude", [100, 300, 800])
def test_steady_noise_stops_being_speech(amplitude: int) -> None:
    noise = np.random.default_rng(1).normal(0, amplitude, 8000 * 6).astype(np.int16)
    detector = WebRtcDetector(8000)
    found = speech_share(detector, noise, 8000)
    assert not any(found[2 * 50 :])


def test_speech_over_noise_is_still_speech() -> None:
    rng = np.random.default_rng(2)
    said = recorded("leave")
    hiss = rng.normal(0, 60, said.size + 8000 * 3)
    detector = WebRtcDetector(8000)
    speech_share(detector, hiss[: 8000 * 3].astype(np.int16), 8000)
    noisy = np.clip(said + hiss[8000 * 3 :], -32768, 32767).astype(np.int16)
    found = speech_share(detector, noisy, 8000)
    assert sum(found) / len(found) > 0.5


def test_a_long_talker_does_not_become_noise() -> None:
    said = np.concatenate([recorded("leave"), recorded("other_time")] * 4)
    detector = WebRtcDetector(8000)
    found = speech_share(detector, said, 8000)
    assert sum(found[-200:]) / 200 > 0.6
    assert detector.noise_dbfs <= LOUDEST_DBFS
    assert level_dbfs(said) > detector.noise_dbfs


def test_odd_rates_modes_and_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="8000 or 16000"):
        WebRtcDetector(44100)
    with pytest.raises(ValueError, match="mode"):
        WebRtcDetector(8000, mode=4)
    with pytest.raises(ValueError, match="160 samples"):
        WebRtcDetector(8000).is_speech(silence(8000, 10))
