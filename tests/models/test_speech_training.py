"""A few steps of each speech training, and what comes out of them through the real engines."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the `train` extra)")
pytest.importorskip("onnx", reason="onnx is not installed (the `train` extra)")

import torch
from faster_whisper import WhisperModel
from piper import PiperVoice
from tokenizers import Tokenizer

from models.training import voice, whisper, whisper_export
from models.training.speech import (
    HELDOUT_VARIANTS,
    TRAINING_VARIANTS,
    Espeak,
    Speaker,
    mulaw_round_trip,
)
from models.training.whisper_data import (
    IGNORE,
    ExampleMaker,
    collate,
    word_errors,
)

WORDS = ["bye", "friday", "hello", "no", "thank", "yes", "you"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_espeak_tells_where_each_word_and_phoneme_is() -> None:
    speech = Espeak().say(["hello", "on", "friday"], Speaker(rate=150), pauses=[0])
    starts = [start for start, _ in speech.words]
    duration = len(speech.samples) / speech.rate
    assert len(starts) == 3
    assert starts == sorted(starts)
    assert 0.6 < duration < 3.0
    assert speech.words[-1][1] <= duration
    names = "".join(name for _, name in speech.phonemes)
    assert names.replace("ˈ", "").startswith("həl")
    times = [time for time, _ in speech.phonemes]
    assert times == sorted(times)


def test_heldout_speakers_are_never_trained_on() -> None:
    assert not set(HELDOUT_VARIANTS) & set(TRAINING_VARIANTS)


def test_mulaw_keeps_small_sounds_and_bounds_large_ones() -> None:
    samples = np.array([0.0, 0.001, -0.001, 0.5, -0.5, 2.0], np.float32)
    coded = mulaw_round_trip(samples)
    assert np.abs(coded[:3] - samples[:3]).max() < 1e-4
    assert np.abs(coded[3:5] - samples[3:5]).max() < 0.02
    assert coded[5] == pytest.approx(1.0)


def test_word_errors_counts_edits() -> None:
    assert word_errors(["yes", "that", "works"], ["yes", "works", "fine"]) == 2
    assert word_errors([], ["oh"]) == 1
    assert word_errors(["no"], []) == 1


def test_word_frames_follow_the_speech() -> None:
    maker = ExampleMaker(3)
    example = maker.example(["thank", "you", "bye"])
    assert example is not None
    spoken = example.word_at[example.word_at >= 0]
    assert list(dict.fromkeys(spoken.tolist())) == [0, 1, 2]
    assert (np.diff(spoken) >= 0).all()
    assert len(example.word_at) == (example.features.shape[1] + 1) // 2
    assert set(np.unique(example.phonemes[example.word_at < 0])) <= {0}


def test_tokenizer_has_one_token_for_each_word_and_bytes_for_the_rest(tmp_path: Path) -> None:
    table = whisper_export.token_table(WORDS)
    tokenizer = whisper_export.make_tokenizer(table)
    assert len(tokenizer.encode(" thank you bye", add_special_tokens=False).ids) == 3
    unknown = tokenizer.encode(" zebra", add_special_tokens=False).ids
    assert tokenizer.decode(unknown) == " zebra"
    assert table.tokens[table.no_timestamps] == "<|notimestamps|>"
    assert table.no_timestamps == len(table.tokens) - 1


def test_targets_tell_speech_from_noise() -> None:
    maker = ExampleMaker(4)
    made = [maker.example(["yes"]), maker.noise_example()]
    batch = collate([e for e in made if e], {w: i + 1 for i, w in enumerate(WORDS)}, 20)
    table = whisper_export.token_table(WORDS)
    tokens, targets = whisper.token_batch(batch, table)
    assert tokens[:, 0].tolist() == [table.start] * 2
    assert targets[0].tolist() == [table.no_timestamps, table.first_word + 5, table.end]
    assert targets[1].tolist() == [table.no_speech, table.end, IGNORE]


def test_a_few_steps_lower_the_loss_and_the_export_says_what_the_network_says(
    tmp_path: Path,
) -> None:
    training = whisper.Training(WORDS, seed=1, width=64)
    maker = ExampleMaker(5)
    texts = (["yes"], ["no", "thank", "you"], ["hello"], ["friday", "bye"])
    made = [e for e in (maker.example(text) for text in texts) if e]
    batch = collate(made, {w: i + 1 for i, w in enumerate(WORDS)}, 50)
    training.step = 150  # past the warm-up of the learning rate
    losses = [training.update(batch, 0.0, bf16=False) for _ in range(40)]
    assert losses[-1]["text"] < 0.1 * losses[0]["text"]
    assert losses[-1]["phonemes"] < losses[0]["phonemes"]

    checkpoint = tmp_path / "whisper.pt"
    training.save(checkpoint)
    resumed = whisper.Training.load(checkpoint, seed=2)
    assert resumed.step == 190
    whisper_export.export(resumed.model, WORDS, tmp_path / "whisper")
    engine = WhisperModel(str(tmp_path / "whisper"), device="cpu", compute_type="int8")
    assert engine.feature_extractor.nb_max_frames == 1000
    features = made[0].features
    frames = (features.shape[1] + 50) // 2 * 2
    window = np.zeros((80, frames), np.float32)
    window[:, : features.shape[1]] = features
    table = resumed.table
    encoded = engine.encode(window)
    result = engine.model.generate(
        encoded, [[table.start, table.no_timestamps]], beam_size=1, max_length=26
    )[0]
    with torch.no_grad():
        own = whisper.greedy(resumed.model, torch.from_numpy(window[None]), table)[0]
    assert [i - table.first_word for i in result.sequences_ids[0]] == own
    assert own[:1] == [WORDS.index(made[0].words[0])]
    Tokenizer.from_file(str(tmp_path / "whisper" / "tokenizer.json"))


def test_a_voice_of_a_few_steps_speaks_through_piper(tmp_path: Path) -> None:
    teacher = voice.Teacher()
    utterances = [teacher.utterance(t) for t in ("hello, this is north dental.", "thank you bye")]
    for one in utterances:
        assert len(one.ids) == len(one.ends)
        assert float(one.ends[-1]) == len(one.targets)
        assert bool((one.ends.diff() >= 0).all())
    model = voice.train(utterances, minutes=1.0, steps=4)
    voice.export(model, tmp_path)
    piper = PiperVoice.load(tmp_path / "voice.onnx")
    short, long = (
        sum(len(chunk.audio_int16_array) for chunk in piper.synthesize(text))
        for text in ("yes", "yes, that works for me on friday")
    )
    assert 0 < short < long


def test_phonemes_that_were_not_spoken_are_refused() -> None:
    speech = Espeak().say(["yes"], Speaker())
    with pytest.raises(voice.AlignmentError):
        voice.align(list("noʊ"), speech)
