"""Trains the model of turn ends: `python -m models.training.turn --audio DIR --out models/turn`.

`DIR` has recordings of people and their manifest (see `models.recordings`); only their part `tune`
is used, of the sets `orders`, `watson` and `words`. Ends of turns, pauses and dips within, and cuts
in the midst of words are heard through telephone lines of every kind. `--teacher` is the ONNX of
Smart Turn v3: what it thinks of each place, having known many more people, is learned beside the
truth.
`--fold` leaves a quarter of the recordings out, so that choices can be made without the part
`closed`.
"""

import argparse
import hashlib
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.recordings import RATE, Recording, recordings
from models.training.turn_data import Kind, Line, Place, cuts, example, places, voice
from models.turn_end import TurnEnd
from models.turn_features import BANDS, CHANNELS, FRAMES, turn_features

#: How often each kind of place is heard.
MIX: Final[Mapping[tuple[str, Kind], float]] = {
    ("orders", "end"): 0.36,
    ("words", "end"): 0.09,
    ("watson", "end"): 0.03,
    ("orders", "pause"): 0.22,
    ("orders", "dip"): 0.10,
    ("orders", "word"): 0.08,
    ("watson", "pause"): 0.08,
    ("watson", "dip"): 0.02,
    ("watson", "word"): 0.02,
}
#: A recording of a call that goes on for less than this after its last word was cut off, samples.
CUT_OFF: Final = 1200
FOLDS: Final = 4
BATCH: Final = 64
WIDTH: Final = 40
HEADS: Final = 4
#: The network sees every fourth frame, with what is around it.
STRIDE: Final = 4


class Block(nn.Module):  # type: ignore[misc, unused-ignore]
    """Looks around each moment, further with more dilation."""

    def __init__(self, dilation: int, dropout: float) -> None:
        super().__init__()
        self.around = nn.Conv1d(WIDTH, WIDTH, 5, padding=2 * dilation, dilation=dilation)
        self.norm = nn.BatchNorm1d(WIDTH)
        self.mix = nn.Conv1d(WIDTH, WIDTH, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.mix(torch.relu(self.norm(self.around(x)))))


class TurnNet(nn.Module):  # type: ignore[misc, unused-ignore]
    """From features to the logit that the turn ends, (batch, 1)."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(CHANNELS, WIDTH, 2 * STRIDE + 1, stride=STRIDE, padding=STRIDE),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(Block(dilation, dropout) for dilation in (1, 2, 4)))
        self.attention = nn.Conv1d(WIDTH, HEADS, 1)
        # Each head begins by looking further back than the one before.
        back = torch.arange(FRAMES // STRIDE).flip(0)
        self.recency = nn.Parameter(-back * torch.tensor([[1.0], [0.3], [0.1], [0.03]])[None])
        self.head = nn.Sequential(
            nn.Dropout(1.5 * dropout),
            nn.Linear(HEADS * WIDTH, 48),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(48, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        seen = self.blocks(self.stem(features))
        weights = torch.softmax(self.attention(seen) + self.recency, -1)
        logits: Tensor = self.head((weights @ seen.transpose(1, 2)).flatten(1))
        return logits


class Probability(nn.Module):  # type: ignore[misc, unused-ignore]
    """What is exported: what several networks say together."""

    def __init__(self, nets: Sequence[TurnNet]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, features: Tensor) -> Tensor:
        logits = torch.stack([net(features) for net in self.nets])
        return torch.sigmoid(logits.mean(0))


def gathered(folder: Path) -> list[Place]:
    """All places that are learned from."""
    rng = np.random.default_rng(1)
    found = []
    for one in filter(None, map(voice, recordings(folder, {name for name, _ in MIX}, "tune"))):
        found += [*places(one), *cuts(one, rng, 8)]
    return [
        one
        for one in found
        if _kind(one) in MIX and not (_kind(one) == ("watson", "end") and one.natural < CUT_OFF)
    ]


def _kind(place: Place) -> tuple[str, Kind]:
    return place.voice.recording.set, place.kind


def examples(
    folder: Path, own: Sequence[Place], count: int, seed: int
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Features of pauses at places drawn as `MIX` has them, and the index of each one's place."""
    rng = np.random.default_rng(seed)
    # The other half of each noise is for judging.
    noises = [
        np.array_split(one.samples().astype(np.float32), 2)[0]
        for one in recordings(folder, ["noise"])
    ]
    line = Line(noises)
    by_kind = {kind: [i for i, one in enumerate(own) if _kind(one) == kind] for kind in MIX}
    kinds = [kind for kind in MIX if by_kind[kind]]
    share = np.array([MIX[kind] for kind in kinds])
    drawn = np.array(
        [
            rng.choice(by_kind[kinds[kind]])
            for kind in rng.choice(len(kinds), count, p=share / share.sum())
        ]
    )
    seen = np.empty((count, CHANNELS, FRAMES), np.float16)
    for index, place in enumerate(drawn):
        seen[index] = turn_features(example(rng, own[place], line))
        if index % 1000 == 0:
            _say(f"examples: {index} of {count}")
    return seen, drawn


def fold_of(recording: Recording) -> int:
    """The quarter of the recordings that it belongs to."""
    return hashlib.sha256(recording.name.encode()).digest()[0] % FOLDS


def opinions(own: Sequence[Place], teacher: Path | None) -> NDArray[np.float32]:
    """The teacher's probability of each end; NaN without one."""
    if teacher is None:
        return np.full(len(own), np.nan, np.float32)
    model, rng = TurnEnd(teacher), np.random.default_rng(0)
    told = []
    for index, one in enumerate(own):
        natural = max(1, min(one.natural, CUT_OFF))
        heard = one.voice.paused(rng, one.at, natural, 1600)
        told.append(model.judge((16384 * heard / np.abs(heard).max()).astype(np.int16), RATE))
        if index % 100 == 0:
            _say(f"teacher: {index} of {len(own)}")
    model.close()
    return np.array(told, np.float32)


def masked(rng: np.random.Generator, features: NDArray[np.float32]) -> Tensor:
    """With a longer or shorter throat, and with bands, moments and the melody missing at times, so
    that nothing is relied upon alone."""
    for one in features:
        bands = one[:BANDS]
        throat = rng.uniform(-1, 1) + np.arange(BANDS) * rng.uniform(0.97, 1.03)
        below = np.clip(np.floor(throat).astype(int), 0, BANDS - 2)
        part = np.clip(throat - below, 0, 1)[:, None]
        bands[:] = (1 - part) * bands[below] + part * bands[below + 1]
        if rng.random() < 0.6:
            band = rng.integers(0, BANDS - 2)
            bands[band : band + rng.integers(1, 8)] = 0
        if rng.random() < 0.5:
            moment = rng.integers(0, FRAMES - 20)
            one[:, moment : moment + rng.integers(2, 16)] = 0
        if rng.random() < 0.2:
            one[-2:] = 0
    return torch.from_numpy(features)


def train(
    seen: NDArray[np.float16],
    ends: NDArray[np.float32],
    taught: NDArray[np.float32],
    *,
    epochs: float,
    rate: float = 2e-3,
    teaching: float = 0.55,
    seed: int = 0,
) -> TurnNet:
    """A network that has learned them.

    Args:
        seen: features of the examples.
        ends: whether each is an end, 0 or 1.
        taught: the teacher's probability, or NaN.
        epochs: how often each is seen.
        rate: of learning, at its highest.
        teaching: the share of the teacher's word beside the truth.
        seed: of what is left to chance.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    # The truth is softened: some pauses do sound like an end.
    truth = 0.9 * ends + 0.05
    both = (1 - teaching) * truth + teaching * taught
    aims = torch.from_numpy(np.where(np.isnan(taught), truth, both).astype(np.float32))
    net = TurnNet()
    steps = int(epochs * len(ends) / BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.15
    )
    begun = time.monotonic()
    for step in range(steps):
        chosen = rng.choice(len(ends), BATCH, replace=False)
        told = net(masked(rng, seen[chosen].astype(np.float32)))[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(told, aims[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            _say(f"step {step} of {steps}: {loss.item():.3f}, {time.monotonic() - begun:.0f} s")
    net.eval()
    return net


def export(nets: Sequence[TurnNet], file: Path) -> None:
    """Write it as ONNX: `features` (1, CHANNELS, FRAMES) to `probability` (1, 1)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The tracing exporter, which needs no further package, announces its end.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            Probability(nets).eval(),
            (torch.zeros(1, CHANNELS, FRAMES),),
            str(file),
            input_names=["features"],
            output_names=["probability"],
            opset_version=17,
            dynamo=False,
        )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.training.turn")
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a folder, for turn.onnx")
    parser.add_argument("--teacher", type=Path, help="Smart Turn v3's ONNX")
    parser.add_argument("--examples", type=int, default=26_000)
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--nets", type=int, default=2, help="which are asked together")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), help="left out and judged")
    chosen = parser.parse_args(arguments)

    torch.set_num_threads(1)
    own = gathered(chosen.audio)
    learned = [one for one in own if fold_of(one.voice.recording) != chosen.fold]
    taught = opinions(learned, chosen.teacher)
    seen, drawn = examples(chosen.audio, learned, chosen.examples, seed=0)
    ends = np.array([one.ends for one in learned], np.float32)
    nets = [
        train(seen, ends[drawn], taught[drawn], epochs=chosen.epochs, seed=seed)
        for seed in range(chosen.nets)
    ]
    export(nets, chosen.out / "turn.onnx")
    if chosen.fold is not None:
        judged = [one for one in own if fold_of(one.voice.recording) == chosen.fold]
        seen, drawn = examples(chosen.audio, judged, 1000, seed=1)
        with torch.no_grad():
            score = Probability(nets)(torch.from_numpy(seen.astype(np.float32)))[:, 0].numpy()
        truth = np.array([judged[index].ends for index in drawn])
        above = score[truth][:, None] > score[~truth]
        _say(f"an end scores above what is none in {np.mean(above):.1%} of what was left out")


if __name__ == "__main__":
    main()
