"""A few steps of the training of the model of turn ends, and what is made for it to learn from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.recordings import RATE, recordings
from models.training.turn_data import Line, Place, cuts, example, places, voice
from models.turn_end import TurnEnd

PEOPLE = Path(__file__).with_name("people")


@pytest.fixture(scope="module")
def learned() -> list[Place]:
    """Places in people's speech, and cuts within it."""
    rng = np.random.default_rng(0)
    voices = [one for one in map(voice, recordings(PEOPLE)) if one is not None]
    return [place for one in voices for place in (*places(one), *cuts(one, rng, 3))]


def test_cuts_lie_in_speech(learned: list[Place]) -> None:
    for one in learned:
        spoken = [begin < one.at < end for begin, end in one.voice.spoken]
        assert any(spoken) == (one.kind == "word")


def test_every_example_is_another(learned: list[Place]) -> None:
    line = Line([np.random.default_rng(1).normal(size=RATE).astype(np.float32)])
    rng = np.random.default_rng(0)
    one, other = (example(rng, learned[0], line) for _ in range(2))
    assert one.size == other.size
    assert not np.array_equal(one, other)


def test_a_few_steps_make_a_model_that_tells_what_it_has_seen(
    learned: list[Place], tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="torch is not installed (the `train` extra)")
    pytest.importorskip("onnx", reason="onnx is not installed (the `train` extra)")
    from models.training.turn import export, train
    from models.turn_features import turn_features

    line = Line([np.random.default_rng(1).normal(size=RATE).astype(np.float32)])
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(learned), 256)
    heard = [example(rng, learned[index], line) for index in drawn]
    seen = np.array([turn_features(one) for one in heard], np.float16)
    ends = np.array([learned[index].ends for index in drawn], np.float32)
    net = train(seen, ends, np.full(ends.size, np.nan, np.float32), epochs=20)
    export([net], tmp_path / "turn.onnx")
    model = TurnEnd(tmp_path / "turn.onnx")
    told = np.array([model.judge(one, RATE) for one in heard])
    model.close()
    assert told[ends == 1].mean() > told[ends == 0].mean() + 0.2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the tracing exporter
def test_a_model_in_smart_turn_s_form_is_read_too(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (the `train` extra)")
    pytest.importorskip("onnx", reason="onnx is not installed (the `train` extra)")

    class Last(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        """How much louder the last half second is than the rest."""

        def forward(self, mel: Any) -> Any:
            return torch.sigmoid(mel[:, :, -50:].mean((1, 2)) - mel[:, :, :-50].mean((1, 2)))

    file = tmp_path / "smart.onnx"
    mel = torch.zeros(1, 80, 800)
    names = {"input_names": ["input_features"], "output_names": ["logits"]}
    torch.onnx.export(Last().eval(), (mel,), str(file), dynamo=False, **names)
    noise = np.random.default_rng(0).normal(0, 3000, 6 * RATE).astype(np.int16)
    hushed = noise.copy()
    hushed[-RATE // 2 :] = 0
    model = TurnEnd(file)
    try:
        assert model.judge(hushed, RATE) < 0.4 < model.judge(noise, RATE)
        # What is missing before is silence: at the end it speaks.
        assert model.judge(noise[-RATE // 2 :], RATE) > 0.6
    finally:
        model.close()
