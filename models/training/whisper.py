"""Trains the starter Whisper: `python -m models.training.whisper --out models/starter/whisper`.

Speech comes from espeak-ng while training runs. Progress is kept in the user's cache directory,
so a stopped run goes on where it was; the learning rate falls to nothing over `--minutes`.
"""

import argparse
import copy
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from models.training import domain
from models.training.whisper_data import (
    IGNORE,
    Batch,
    ExampleMaker,
    PhonemeTable,
    batches,
    collate,
    in_vocabulary,
    vocabulary,
    word_errors,
)
from models.training.whisper_export import TokenTable, export, token_table
from models.training.whisper_net import Sizes, TinyWhisper

#: Index of `<|notimestamps|>` in the decoder's input; the first word is predicted there.
PROMPT = 1


class BatchStream(IterableDataset[Batch]):  # type: ignore[misc, unused-ignore]
    """The endless training batches, for one worker process."""

    def __init__(self, seed: int, words: Sequence[str], longest: int) -> None:
        self._arguments = (seed, tuple(words), longest)

    def __iter__(self) -> Iterator[Batch]:
        seed, words, longest = self._arguments
        return batches(seed, words, longest)


def token_batch(batch: Batch, table: TokenTable) -> tuple[Tensor, Tensor]:
    """Decoder input and targets, both (batch, longest + 2).

    After the start token the target is `<|notimestamps|>` for speech and `<|nospeech|>` for
    noise, so that the engine's no-speech probability means something.
    """
    size, longest = batch.text.shape
    tokens = np.full((size, longest + 2), table.end, np.int64)
    targets = np.full((size, longest + 2), IGNORE, np.int64)
    tokens[:, 0], tokens[:, 1] = table.start, table.no_timestamps
    targets[:, 0] = np.where(batch.lengths > 0, table.no_timestamps, table.no_speech)
    said = batch.text != IGNORE
    ids = batch.text - 1 + table.first_word
    tokens[:, 2:][said] = ids[said]
    targets[:, 1:-1][said] = ids[said]
    targets[np.arange(size), 1 + batch.lengths] = table.end
    return torch.from_numpy(tokens), torch.from_numpy(targets)


def batch_losses(
    model: TinyWhisper, batch: Batch, table: TokenTable, progress: float
) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum to descend and its parts; the guides fade as `progress` goes to 1."""
    tokens, targets = token_batch(batch, table)
    guide = max(0.0, 1.0 - 2.0 * progress)
    parts = model.losses(
        features=torch.from_numpy(batch.features),
        phonemes=torch.from_numpy(batch.phonemes),
        word_at=torch.from_numpy(batch.word_at),
        word_ids=torch.from_numpy(batch.word_ids),
        tokens=tokens,
        targets=targets,
        lengths=torch.from_numpy(batch.lengths),
        prompt=PROMPT,
        guide=guide > 0.0,
    )
    extra = 0.3 + 0.7 * (1.0 - progress)
    total = (
        parts.text
        + extra * (0.5 * parts.phonemes + 0.5 * parts.words + 0.2 * parts.count)
        + 0.5 * guide * parts.attention
    )
    names = ("text", "phonemes", "words", "count", "attention")
    return total, {name: float(getattr(parts, name).detach()) for name in names}


def make_optimizers(model: TinyWhisper) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the rest."""
    inner = [
        p for module in (model.encoder, model.decoder) for p in module.parameters() if p.ndim == 2
    ]
    ids = {id(p) for p in inner}
    rest = [p for p in model.parameters() if id(p) not in ids]
    return [
        torch.optim.Muon(inner, lr=3e-3, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.0),
    ]


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def greedy(model: TinyWhisper, features: Tensor, table: TokenTable) -> list[list[int]]:
    """Greedy transcripts, as word numbers from 0."""
    heard, _ = model.encode(features)
    tokens = torch.tensor([[table.start, table.no_timestamps]]).repeat(len(features), 1)
    for _ in range(26):
        logits, _ = model.decode(tokens, heard, weights=False)
        tokens = torch.cat([tokens, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
        if bool((tokens[:, 2:] == table.end).any(dim=1).all()):
            break
    found = []
    for row in tokens[:, 2:].tolist():
        length = row.index(table.end) if table.end in row else len(row)
        found.append([token - table.first_word for token in row[:length]])
    return found


def heldout_sentences(words: Sequence[str], count: int) -> list[list[str]]:
    """Caller sentences that training never had, all in vocabulary."""
    known = frozenset(words)
    found = domain.person_sentences(77, count * 2, "heldout")
    return [s.split() for s in found if in_vocabulary(s, known)][:count]


def heldout_batches(words: Sequence[str], count: int) -> list[Batch]:
    """Held-out sentences by held-out voices."""
    maker = ExampleMaker(991, heldout=True)
    made = [maker.example(s) for s in heldout_sentences(words, count)]
    index = {word: i + 1 for i, word in enumerate(words)}
    kept = sorted((e for e in made if e), key=lambda e: e.features.shape[1])
    return [collate(kept[i : i + 32], index, 50) for i in range(0, len(kept), 32)]


def heldout_error(model: TinyWhisper, held: Sequence[Batch], table: TokenTable) -> float:
    """Word error rate of greedy decoding."""
    wrong = total = 0
    for batch in held:
        found = greedy(model, torch.from_numpy(batch.features), table)
        for row, length, heard in zip(batch.text, batch.lengths, found, strict=True):
            said = [int(i) - 1 for i in row[:length]]
            wrong += word_errors(said, heard)
            total += len(said)
    return wrong / max(1, total)


class Training:
    """One training run: the network, its average, the optimizers and the clock."""

    def __init__(self, words: Sequence[str], seed: int, width: int = 192) -> None:
        torch.manual_seed(seed)
        self.words = list(words)
        self.table = token_table(words)
        sizes = Sizes(
            vocabulary=len(self.table.tokens),
            phonemes=PhonemeTable().size,
            words=len(words),
            width=width,
        )
        self.model = TinyWhisper(sizes)
        self.average = copy.deepcopy(self.model)
        self.optimizers = make_optimizers(self.model)
        self.rates = [group["lr"] for o in self.optimizers for group in o.param_groups]
        self.step = 0
        self.seconds = 0.0

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "words": self.words,
            "width": self.model.sizes.width,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
        }
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    @classmethod
    def load(cls, path: Path, seed: int) -> "Training":
        state = torch.load(path, weights_only=True)
        training = cls(state["words"], seed, state["width"])
        training.model.load_state_dict(state["model"])
        training.average.load_state_dict(state["average"])
        for optimizer, saved in zip(training.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        training.step, training.seconds = state["step"], state["seconds"]
        return training

    def update(self, batch: Batch, progress: float, *, bf16: bool) -> dict[str, float]:
        """One step; `progress` (0 to 1) sets the learning rate and fades the guides."""
        factor = min(1.0, (self.step + 1) / 150) * min(1.0, 1.25 * (1.0 - progress) + 0.005)
        groups = [group for o in self.optimizers for group in o.param_groups]
        for group, rate in zip(groups, self.rates, strict=True):
            group["lr"] = rate * factor
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            total, parts = batch_losses(self.model, batch, self.table, progress)
        total.backward()  # type: ignore[no-untyped-call, unused-ignore]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        keep = min(0.99, self.step / (self.step + 200))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
            for mean, now in pairs:
                mean.lerp_(now, 1.0 - keep)
        return parts


def cache_directory() -> Path:
    """Where checkpoints are kept: `offhook-training` in the user's cache directory."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "offhook-training"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    parser.add_argument("--minutes", type=float, default=75.0, help="training time in all")
    parser.add_argument("--steps", type=int, help="stop after so many steps instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 matrix products")
    parser.add_argument("--fresh", action="store_true", help="do not resume")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    checkpoint = cache_directory() / "whisper.pt"
    if checkpoint.exists() and not arguments.fresh:
        training = Training.load(checkpoint, arguments.seed)
        print(f"resumed at step {training.step}, {training.seconds / 60:.1f} minutes", flush=True)
    else:
        training = Training(vocabulary(), arguments.seed)
    words = training.words
    held = heldout_batches(words, 120)
    count = sum(p.numel() for p in training.model.parameters())
    print(f"{len(words)} words, {count / 1e6:.2f} M parameters", flush=True)
    sums: dict[str, float] = {}
    since = saved = time.monotonic()
    seen = 0
    # A short curriculum: sentences of a few words first, where the guides teach the most.
    for longest in (5, 24):
        stream = DataLoader(
            BatchStream(arguments.seed + training.step, words, longest),
            batch_size=None,
            num_workers=1,
            prefetch_factor=4,
        )
        for batch in stream:
            if arguments.steps is not None:
                progress = training.step / arguments.steps
            else:
                progress = training.seconds / (60 * arguments.minutes)
            if progress >= 1.0 or (longest == 5 and progress >= 0.12):
                break
            started = time.monotonic()
            parts = training.update(batch, progress, bf16=arguments.bf16)
            now = time.monotonic()
            training.seconds += now - started
            seen += len(batch.lengths)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            if training.step % 50 == 0:
                shown = " ".join(f"{name} {value / 50:.3f}" for name, value in sums.items())
                speed = seen / (now - since)
                print(
                    f"step {training.step} {training.seconds / 60:.1f} min {speed:.1f}/s {shown}",
                    flush=True,
                )
                sums, seen, since = {}, 0, now
            if now - saved > 300:
                training.save(checkpoint)
                error = heldout_error(training.average, held, training.table)
                print(f"held-out word error {error:.3f}", flush=True)
                export(training.average, words, checkpoint.parent / "whisper")
                saved = time.monotonic()
    training.save(checkpoint)
    error = heldout_error(training.average, held, training.table)
    print(f"held-out word error {error:.3f}; writing {arguments.out}", flush=True)
    export(training.average, words, arguments.out)


if __name__ == "__main__":
    main()
