"""Piper's networks in windows: over tiny ones of the same build, whose weights are chance."""

import asyncio
import itertools
import json
import logging
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models import vits
from models.load import STARTER_DIR
from models.onnx_graph import Graph
from models.piper import Piper
from models.vits import ROUNDING, Streaming, Tensors, Whole
from tests.models.tiny_vits import HOP, SPEAKERS, tiny_vits
from voice_loop.audio import Samples

RATE = 8000
SPACE = 3


def options() -> onnxruntime.SessionOptions:
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    return chosen


def sentence(phonemes: int = 80, *, speaker: int | None = None, noise: float = 0.0) -> Tensors:
    ids = np.random.default_rng(phonemes).integers(SPACE + 1, 60, (1, phonemes))
    tensors = {
        "input": ids,
        "input_lengths": np.array([phonemes]),
        "scales": np.array([noise, 1.0, noise], np.float32),
    }
    return tensors if speaker is None else {**tensors, "sid": np.array([speaker])}


def loaded(path: Path, model: bytes, trial: Tensors) -> vits.Network:
    path.write_bytes(model)
    return vits.load(path, options(), RATE, trial=trial, space=SPACE)


@pytest.mark.parametrize(
    ("model", "speaker"),
    [
        (tiny_vits(), None),
        (tiny_vits(speakers=SPEAKERS), 2),
        (tiny_vits(branches=True), None),
        (tiny_vits(opset=17), None),
    ],
    ids=["one speaker", "speakers", "branches", "opset 17"],
)
def test_windows_sound_like_the_whole(model: bytes, speaker: int | None, tmp_path: Path) -> None:
    voice = tmp_path / "voice.onnx"
    network = loaded(voice, model, sentence(speaker=speaker))
    assert isinstance(network, Streaming)
    for phonemes in (1, 2, 12, 80, 400):  # none of them with a space
        said = sentence(phonemes, speaker=speaker)
        ((whole, _),) = Whole(voice, options()).speak(said)
        pieces = list(network.speak(said))
        assert [last for _, last in pieces] == [False] * (len(pieces) - 1) + [True]
        windowed = np.concatenate([piece for piece, _ in pieces])
        assert np.abs(whole).max() > 0.1
        assert windowed.size == whole.size
        assert np.abs(windowed - whole).max() < ROUNDING


def test_the_first_window_is_short_however_long_the_sentence(tmp_path: Path) -> None:
    network = loaded(tmp_path / "voice.onnx", tiny_vits(), sentence())
    first, _ = next(network.speak(sentence(1000)))
    assert first.size / RATE == pytest.approx(vits.FIRST_S, abs=HOP / RATE)


def test_windows_grow_and_the_last_is_no_rest(tmp_path: Path) -> None:
    network = loaded(tmp_path / "voice.onnx", tiny_vits(), sentence())
    for phonemes in range(10, 400, 13):
        seconds = [piece.size / RATE for piece, _ in network.speak(sentence(phonemes))]
        assert all(2 * one <= other for one, other in itertools.pairwise(seconds[:-1][:2]))
        assert max(seconds) <= 1.5 * vits.LONGEST_S + HOP / RATE
        assert len(seconds) == 1 or min(seconds) >= vits.FIRST_S / 2


@pytest.mark.parametrize("words", [40, 41, 60, 200])
@pytest.mark.parametrize(
    ("model", "speaker"),
    [
        (tiny_vits(), None),
        (tiny_vits(speakers=SPEAKERS), 1),
        (tiny_vits(tells_durations=False), None),
    ],
    ids=["one speaker", "speakers", "durations unknown"],
)
def test_long_sentences_are_read_from_word_to_word(
    words: int, model: bytes, speaker: int | None, tmp_path: Path
) -> None:
    """What surrounds a phoneme changes nothing in these networks: so it is the same reading."""
    voice = tmp_path / "voice.onnx"
    network = loaded(voice, model, sentence(speaker=speaker))
    said = dict(sentence(words * 8, speaker=speaker))
    said["input"][:, 5::8] = SPACE
    ((whole, _),) = Whole(voice, options()).speak(said)
    windowed = np.concatenate([piece for piece, _ in network.speak(said)])
    assert windowed.size == whole.size
    assert np.abs(windowed - whole).max() < ROUNDING


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (tiny_vits(sees_all=True), "a frame of it depends on all"),
        ((STARTER_DIR / "voice.onnx").read_bytes(), "it has no VITS flow"),
    ],
    ids=["a decoder that sees all", "the starter voice"],
)
def test_a_network_that_cannot_speak_in_windows_speaks_whole(
    model: bytes, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "models.vits")
    network = loaded(tmp_path / "voice.onnx", model, sentence())
    assert isinstance(network, Whole)
    assert [(record.levelname, why in record.getMessage()) for record in caplog.records] == [
        ("INFO", True)
    ]
    assert len(list(network.speak(sentence()))) == 1


def test_a_sentence_too_short_to_try_a_network_on(tmp_path: Path) -> None:
    assert isinstance(loaded(tmp_path / "voice.onnx", tiny_vits(), sentence(1)), Whole)


# As Piper speaks


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Piper]:
    settings = json.loads((STARTER_DIR / "voice.onnx.json").read_text())
    settings["audio"]["sample_rate"] = RATE
    (tmp_path / "voice.onnx.json").write_text(json.dumps(settings))
    symbols = 1 + max(i for ids in settings["phoneme_id_map"].values() for i in ids)
    (tmp_path / "voice.onnx").write_bytes(tiny_vits(symbols))
    voice = Piper(tmp_path / "voice.onnx")
    yield voice
    voice.close()


LONG = "The appointment with the doctor is on Monday at half past eight in the morning. " * 4


async def spoken(voice: Piper, text: str, speed: float = 1.0) -> list[Samples]:
    async with aclosing(voice.stream(text, speed)) as chunks:
        return [chunk async for chunk in chunks]


async def test_a_clause_comes_in_windows_and_from_the_cache_at_once(tiny: Piper) -> None:
    windowed = await spoken(tiny, LONG)
    assert len(windowed) > 4
    (kept,) = await spoken(tiny, LONG)
    assert np.array_equal(np.concatenate(windowed), kept)


async def test_a_clause_given_up_is_not_kept(tiny: Piper) -> None:
    async with aclosing(tiny.stream(LONG)) as chunks:
        await anext(chunks)
    assert len(await spoken(tiny, LONG)) > 4


async def test_calls_that_speak_at_a_time_take_turns(tiny: Piper) -> None:
    order: list[str] = []

    async def call(name: str, text: str) -> None:
        async with aclosing(tiny.stream(text)) as chunks:
            async for _ in chunks:
                order.extend([name])

    await asyncio.gather(call("long", LONG), call("short", "Hello there, how are you today?"))
    assert order.index("short") < 2
    assert order[-1] == "long"


async def test_a_call_without_a_sound_goes_before_those_with_some_in_hand(tiny: Piper) -> None:
    order: list[str] = []
    begun = asyncio.Event()

    async def call(name: str, text: str) -> None:
        async with aclosing(tiny.stream(text)) as chunks:
            async for _ in chunks:
                order.extend([name])
                if len(set(order)) == 5:
                    begun.set()

    calls = [asyncio.create_task(call(f"long {n}", f"{n}. {LONG}")) for n in range(5)]
    await begun.wait()
    before = len(order)
    await call("new", "Hello there, how are you today?")
    await asyncio.gather(*calls)
    assert order.index("new") - before <= 2, "what was in work, and what was asked for before"
    assert order[-1].startswith("long")


@pytest.mark.parametrize("text", ["", " ", "…", "-", "a", "I.", "?!", "\x00", "ok"])
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
async def test_next_to_nothing_is_said(tiny: Piper, text: str, speed: float) -> None:
    for chunk in await spoken(tiny, text, speed):
        assert chunk.dtype == np.int16


async def test_minutes_are_said_in_one_go(tiny: Piper) -> None:
    endless = " and ".join(["the appointment with the doctor"] * 80)
    length = {speed: sum(map(len, await spoken(tiny, endless, speed))) for speed in (0.5, 1, 2)}
    assert length[1] / RATE > 60
    assert length[0.5] > 1.4 * length[1] > 2 * length[2]


# The graph itself


def test_what_is_no_model_is_refused() -> None:
    for damaged in (b"", b"not a model", tiny_vits()[:-3], tiny_vits()[:2000]):
        with pytest.raises(ValueError, match="not a"):
            Graph(damaged)


def test_a_part_holds_no_more_weights_than_it_needs() -> None:
    model = tiny_vits()
    graph = Graph(model)
    decoder = graph.between("z", "output")
    flow = graph.between("prior", "z")
    assert len(decoder) + len(flow) < len(model)
    with pytest.raises(ValueError, match="no way leads from output to z"):
        graph.between("output", "z")
