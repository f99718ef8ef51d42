"""Teach the speech detector to judge.

    python -m models.training.ears --audio DIR --out models/ears/ears.npz

`DIR` has recordings of people and noise with their manifest (`models/recordings.py`); their `tune`
part is heard alone. Scenes of 20 s go through the very senses of the detector
(`models.vad.SpeechSenses`), so what those keep from it is never seen here either.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.recordings import RATE
from models.training.ears_data import SCENE_S, Labels, Scenes
from models.vad import FEATURES, Array, SpeechSenses, features_of
from voice_loop.audio import FRAMES_PER_SECOND

FRAMES: Final = SCENE_S * FRAMES_PER_SECOND
NARROW: Final = 24
MEMORY: Final = 40
#: Scenes at a time, and how many frames of each: its first ones, or any.
BATCH: Final = 24
CROP: Final = 300
#: Weight of speech, and of the first frames of speech and of pauses: of their delay all else comes.
SPEECH_WEIGHT: Final = 1.8
ONSET_FRAMES: Final = 4
ONSET_WEIGHT: Final = 2.0
PAUSE_FRAMES: Final = 8
PAUSE_WEIGHT: Final = 2.0


class Judge(nn.Module):  # type: ignore[misc]
    """What `models.vad.SileroDetector` is, for training."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Linear(FEATURES, NARROW)
        self.memory = nn.GRU(NARROW, MEMORY, batch_first=True)
        self.readout = nn.Linear(MEMORY, 1)

    def forward(self, features: Tensor) -> Tensor:
        remembered, _ = self.memory(torch.relu(self.narrow(features)))
        logits: Tensor = self.readout(remembered)[..., 0]
        return logits

    def save(self, file: Path) -> None:
        """Write the arrays of `models.vad.EarWeights`; matrices in half precision."""
        arrays = {
            "narrow": self.narrow.weight.T,
            "narrow_bias": self.narrow.bias,
            "gates": self.memory.weight_ih_l0.T,
            "gates_bias": self.memory.bias_ih_l0,
            "memory": self.memory.weight_hh_l0.T,
            "memory_bias": self.memory.bias_hh_l0,
            "readout": self.readout.weight[0],
            "readout_bias": self.readout.bias,
        }
        np.savez(file, **{name: one.detach().half().numpy() for name, one in arrays.items()})


def heard(scenes: Scenes, count: int) -> Iterator[tuple[NDArray[np.float16], Labels]]:
    """What the detector goes by in each of so many scenes; what it never sees is -1, at the end."""
    for _ in range(count):
        frames, labels = scenes.scene()
        senses = SpeechSenses(RATE)
        features = np.zeros((FRAMES, FEATURES), np.float16)
        seen = np.full(FRAMES, -1, np.int8)
        size = 0
        for frame, label in zip(frames, labels, strict=True):
            if senses.hear(frame):
                features[size], seen[size] = features_of([senses])[0][0], label
                size += 1
        yield features, seen


def weights_of(labels: Labels) -> Array:
    """What each frame counts."""
    speech, other = labels == 1, labels == 0
    weights = np.where(speech, SPEECH_WEIGHT, np.where(other, 1.0, 0.0))
    weights[speech & _lately(other, ONSET_FRAMES)] *= ONSET_WEIGHT
    weights[other & _lately(speech, PAUSE_FRAMES)] *= PAUSE_WEIGHT
    return weights.astype(np.float32)


def _lately(states: NDArray[np.bool_], frames: int) -> NDArray[np.bool_]:
    """Where a state was at least once in so many frames before."""
    ahead = np.pad(states, ((0, 0), (frames, 0)))
    shifted = [ahead[:, back : back + states.shape[1]] for back in range(frames)]
    return np.asarray(np.logical_or.reduce(shifted))


def train(features: NDArray[np.float16], labels: Labels, rounds: int) -> Judge:
    """Teach a judge."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    judge = Judge()
    weights = weights_of(labels)
    heard_frames = np.any(features, axis=2).sum(axis=1)
    steps = rounds * int(heard_frames.sum()) // (BATCH * CROP)
    optimizer = torch.optim.Adam(judge.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, steps)
    told = 0.0
    for step in range(steps):
        chosen = random.integers(0, len(features), BATCH)
        latest = np.maximum(heard_frames[chosen] - CROP, 0)
        begin = (random.random(BATCH) * latest).astype(int) * random.integers(0, 2, BATCH)
        cut = chosen[:, None], begin[:, None] + np.arange(CROP)
        logits = judge(torch.from_numpy(features[cut].astype(np.float32)))
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits,
            torch.from_numpy((labels[cut] == 1).astype(np.float32)),
            torch.from_numpy(weights[cut]),
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
        optimizer.step()
        rate.step()
        told += loss.item()
        if step % 50 == 49:
            sys.stdout.write(f"step {step + 1} of {steps}: loss {told / 50:.4f}\n")
            sys.stdout.flush()
            told = 0.0
    return judge


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--audio", type=Path, required=True, help="recordings with a manifest")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=14)
    options = parser.parse_args()
    scenes = list(heard(Scenes(options.audio, seed=1), options.scenes))
    features = np.stack([one for one, _ in scenes])
    labels = np.stack([one for _, one in scenes])
    sys.stdout.write(f"{(labels >= 0).sum()} frames are heard, {(labels == 1).sum()} of speech\n")
    train(features, labels, options.rounds).save(options.out)


if __name__ == "__main__":
    main()
