"""A few steps of teaching the speech detector, and what they make of the detector."""

import csv
import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the `train` extra)")

import torch

from models.training.ears import heard, train
from models.training.ears_data import SCENE_S, Scenes
from models.vad import SileroDetector, ear_weights
from tests.models.test_speech_engines import SOUNDS
from voice_loop.audio import FRAMES_PER_SECOND


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings with a manifest: the carrier's people order, and noise."""
    rows = [["orders", str(file), file.stem] for file in sorted(SOUNDS.glob("*.wav"))]
    noise = tmp_path / "kitchen.wav"
    with wave.open(str(noise), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(1).normal(0, 500, 80_000).astype("<i2").tobytes())
    columns = ["set", "file", "speaker", "language", "text", "words_in_it", "licence_and_source"]
    with (tmp_path / "manifest.csv").open("w", newline="") as manifest:
        table = csv.writer(manifest)
        table.writerow(columns)
        for name, path, speaker in [*rows, ["noise", str(noise), ""]]:
            table.writerow([name, path, speaker, "en", "", "", ""])
    return tmp_path


def test_a_scene_has_speech_and_more(folder: Path) -> None:
    scenes = Scenes(folder, seed=1)
    shares = []
    for _ in range(12):
        frames, labels = scenes.scene()
        assert frames.shape == (SCENE_S * FRAMES_PER_SECOND, 160)
        assert labels.shape == (SCENE_S * FRAMES_PER_SECOND,)
        shares.append((labels == 1).mean())
    assert min(shares) == 0
    assert 0.2 < max(shares) < 0.9


def test_what_was_taught_is_what_the_detector_does(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    pairs = list(heard(Scenes(folder, seed=2), 8))
    features = np.stack([one for one, _ in pairs])
    labels = np.stack([one for _, one in pairs])
    judge = train(features, labels, rounds=20)
    file = tmp_path / "ears.npz"
    judge.save(file)
    frames = int(np.any(features[0], axis=1).sum())
    with torch.no_grad():
        logits = judge(torch.from_numpy(features[:1].astype(np.float32)))[0, :frames].numpy()
    threshold = float(np.median(logits))
    monkeypatch.setattr("models.vad.ear_weights", lambda: ear_weights(file))
    monkeypatch.setattr("models.vad.THRESHOLD", threshold)
    monkeypatch.setattr("models.vad.DOUBT", -np.inf)
    detector = SileroDetector(8000)
    scene, _ = Scenes(folder, seed=2).scene()
    verdicts = np.array([detector.is_speech(frame) for frame in scene])
    assert verdicts.sum() == pytest.approx((logits > threshold).sum(), abs=0.02 * frames)
    assert 0.4 * frames < verdicts.sum() < 0.6 * frames
