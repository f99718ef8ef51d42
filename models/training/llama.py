"""Trains the starter language model: `python -m models.training.llama --out FILE.gguf`.

It learns the conversations of `domain` from scratch on one processor core, or goes on from a file's
weights. The run can be stopped at any time; the next one goes on from the checkpoint in the cache
folder.
"""

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.domain import dialogues
from models.training.llama_data import (
    Batch,
    Example,
    analysis_example,
    batches,
    chat_example,
    collate,
    result_example,
)
from models.training.llama_gguf import read_gguf, write_gguf
from models.training.llama_net import COPY_BLOCK, COPY_HEADS, Llama, LlamaSize, look_loss
from models.training.llama_tokens import StarterTokenizer

_LEARNING_RATE = 4e-3
_WARM_UP_STEPS = 100
_DECAY_FROM = 0.3
_COPY_WEIGHT = 0.5
_BACK_WEIGHT = 0.1


class Training:
    """The network with its optimizers and how far it has come.

    Attributes:
        net: the network.
        step: batches seen.
        seconds: time spent training, over all runs.
    """

    def __init__(self, tokenizer: StarterTokenizer, size: LlamaSize, seed: int = 1) -> None:
        torch.manual_seed(seed)
        self.tokenizer = tokenizer
        self.net = Llama(size, tokenizer.canonical, tokenizer.spaced)
        self.step = 0
        self.seconds = 0.0
        inner = [p for n, p in self.net.named_parameters() if p.dim() == 2 and "blk" in n]
        outer = [p for n, p in self.net.named_parameters() if p.dim() != 2 or "blk" not in n]
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(inner, lr=1.0, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(outer, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0),
        )

    def learn(self, batch: Batch, rate: float, copy_weight: float) -> tuple[float, float]:
        """One step; returns the mean cross-entropy of the answers and the loss of the copying."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, looks = self.net(batch.ids, batch.target_rows)
        each = functional.cross_entropy(logits.float(), batch.targets, reduction="none")
        answer = (each * batch.weights).sum() / batch.weights.sum()
        copying = torch.zeros(())
        if len(batch.copy_at):
            q, k = looks[COPY_BLOCK]
            copying = look_loss(
                q[:, :COPY_HEADS], k[:, :COPY_HEADS], batch.copy_rows, batch.copy_at
            )
        loss = answer + copy_weight * copying
        if self.step % 4 == 0 and copy_weight > 0:
            loss = loss + _BACK_WEIGHT * 4 * self._look_back(*looks[0])
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.step += 1
        return float(answer.detach()), float(copying.detach())

    def _look_back(self, q: Tensor, k: Tensor) -> Tensor:
        """Guides the first block's first two heads one and two tokens back."""
        batch, _, length, _ = q.shape
        rows = torch.cartesian_prod(torch.arange(min(batch, 4)), torch.arange(2, length))
        return sum(
            (
                look_loss(q[:, back - 1 : back], k[:, back - 1 : back], rows, rows[:, 1] - back)
                for back in (1, 2)
            ),
            start=torch.zeros(()),
        )

    def save(self, path: Path) -> None:
        state = {
            "net": self.net.state_dict(),
            "size": asdict(self.net.size),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
            "tokens": self.tokenizer.tokens,
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> bool:
        """Go on from a checkpoint; False if it is of another tokenizer or size."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if tuple(state["tokens"]) != self.tokenizer.tokens or state["size"] != asdict(
            self.net.size
        ):
            return False
        self.net.load_state_dict(state["net"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seconds = state["step"], state["seconds"]
        return True


def rate_at(step: int, progress: float, highest: float = _LEARNING_RATE) -> float:
    """The learning rate: warm-up, a plateau, then straight down to almost nothing.

    Args:
        step: batches seen.
        progress: share of the whole run that is done, 0 to 1.
        highest: the plateau.
    """
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    left = min(1.0, max(0.02, (1 - progress) / (1 - _DECAY_FROM)))
    return highest * warm * left


def teacher_forced(net: Llama, examples: Sequence[Example], pad: int) -> float:
    """The share of answers of which every token comes first, given the right history."""
    right = wrong = 0
    net.eval()
    with torch.no_grad():
        for start in range(0, len(examples), 16):
            group = examples[start : start + 16]
            batch = collate(group, pad)
            rows = batch.target_rows
            logits, _ = net(batch.ids, rows)
            hits = (logits.argmax(-1) == batch.targets).tolist()
            previous = (-1, -1)
            runs: list[bool] = []
            for (row, at), hit in zip(rows.tolist(), hits, strict=True):
                if (row, at - 1) == previous:
                    runs[-1] = runs[-1] and hit
                else:
                    runs.append(hit)
                previous = (row, at)
            right += sum(runs)
            wrong += len(runs) - sum(runs)
    net.train()
    return right / max(1, right + wrong)


def train(
    training: Training,
    *,
    steps: int,
    minutes: float,
    tokens: int,
    checkpoint: Path,
    out: Path,
    learning_rate: float = _LEARNING_RATE,
    report_every: float = 120.0,
) -> None:
    """Train until either bound, saving and scoring as it goes.

    Args:
        training: a fresh one or one that was loaded.
        steps: batches at most, over all runs.
        minutes: time at most, over all runs.
        tokens: padded ids of a batch.
        checkpoint: where to keep the state.
        out: the GGUF file to write at the end and on each save.
        learning_rate: the highest one.
        report_every: seconds between reports.
    """
    tokenizer = training.tokenizer
    held = list(dialogues(7, 90, "heldout"))
    chats = [chat_example(tokenizer, dialogue) for dialogue in held]
    results = [result_example(tokenizer, dialogue) for dialogue in held]
    judged = dialogues(7, 90, "heldout", rare_share=0.5)
    analyses = [analysis_example(tokenizer, dialogue) for dialogue in judged]
    source = batches(tokenizer, seed=random.Random(training.step).randrange(1000), tokens=tokens)
    last = reported = time.monotonic()
    losses: list[tuple[float, float]] = []
    while training.step < steps and training.seconds < minutes * 60:
        progress = max(training.step / steps, training.seconds / (minutes * 60))
        copy_weight = _COPY_WEIGHT if progress < 0.8 else _COPY_WEIGHT / 5
        rate = rate_at(training.step, progress, learning_rate)
        losses.append(training.learn(next(source), rate, copy_weight))
        now = time.monotonic()
        training.seconds += now - last
        last = now
        if now - reported >= report_every:
            answer, copying = (sum(part) / len(losses) for part in zip(*losses, strict=True))
            print(
                f"step {training.step} {training.seconds / 60:.1f} min "
                f"loss {answer:.4f} copying {copying:.4f} held out: "
                f"turns {teacher_forced(training.net, chats, tokenizer.end_id):.3f} "
                f"results {teacher_forced(training.net, results, tokenizer.end_id):.3f} "
                f"analyses {teacher_forced(training.net, analyses, tokenizer.end_id):.3f}",
                flush=True,
            )
            training.save(checkpoint)
            write_gguf(training.net, tokenizer, out)
            losses.clear()
            reported = last = time.monotonic()
    training.save(checkpoint)
    write_gguf(training.net, tokenizer, out)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.training.llama", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the GGUF file to write")
    parser.add_argument("--steps", type=int, default=1_000_000, help="batches at most")
    parser.add_argument("--minutes", type=float, default=70, help="minutes at most, over all runs")
    parser.add_argument("--rate", type=float, default=_LEARNING_RATE, help="highest learning rate")
    parser.add_argument("--tokens", type=int, default=2560, help="token ids of a batch")
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "offhook-training",
        help="folder of the checkpoint",
    )
    parser.add_argument("--weights", type=Path, help="a GGUF file to begin with")
    parser.add_argument("--fresh", action="store_true", help="ignore an earlier checkpoint")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    options.cache.mkdir(parents=True, exist_ok=True)
    checkpoint = options.cache / "llama.pt"
    tokenizer = StarterTokenizer()
    training = Training(tokenizer, LlamaSize(vocab=len(tokenizer.tokens)))
    if checkpoint.exists() and not options.fresh and training.load(checkpoint):
        print(f"going on from step {training.step}", flush=True)
    elif options.weights is not None:
        read_gguf(training.net, tokenizer, options.weights)
    train(
        training,
        steps=options.steps,
        minutes=options.minutes,
        tokens=options.tokens,
        checkpoint=checkpoint,
        out=options.out,
        learning_rate=options.rate,
    )


if __name__ == "__main__":
    main()
