"""Training examples for the starter language model: token ids, targets, and where to copy from."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from models.training.domain import Dialogue, chat, dialogues, transcript, whole_answers
from models.training.llama_tokens import IM_START, StarterTokenizer, render
from models.training.phrases import CALLER_TIMES, DAYS, NUMBERS, PLACES
from voice_loop.prompts import Message, extraction_messages

_POOL = 1536
_VALUES = (*CALLER_TIMES, *DAYS, *PLACES)


@dataclass(frozen=True, slots=True)
class Example:
    """One chat: `learn[i]` says that token i is an answer's; `copies` are (position, source)."""

    ids: list[int]
    learn: list[bool]
    copies: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded ids (batch, length); looks as rows (n, 2) of batch index and position, and sources."""

    ids: Tensor
    target_rows: Tensor
    targets: Tensor
    copy_rows: Tensor
    copy_at: Tensor


def extraction_chat(dialogue: Dialogue) -> list[Message]:
    """The chat that asks for the dialogue's result, with the right answer."""
    question = extraction_messages(dialogue.returns, transcript(dialogue))
    return [*question, {"role": "assistant", "content": json.dumps(dialogue.result)}]


def _find_copies(
    tokenizer: StarterTokenizer,
    ids: Sequence[int],
    learn: Sequence[bool],
    facts: Sequence[str],
    said: Sequence[str],
) -> list[tuple[int, int]]:
    """Positions whose next token belongs to a value, with that token's place in the source.

    A fact is copied from its first occurrence (the system prompt), what somebody said from the
    latest one before.
    """
    kept = [(tokenizer.canonical[i], at) for at, i in enumerate(ids) if i != tokenizer.space_id]
    flat = [token for token, _ in kept]
    where: dict[int, list[int]] = {}
    for index, token in enumerate(flat):
        where.setdefault(token, []).append(index)
    found: dict[int, int] = {}
    for values, first in ((said, False), (facts, True)):
        for value in sorted(values, key=len):
            tokens = [i for i in tokenizer.encode(value) if i != tokenizer.space_id]
            tokens = [tokenizer.canonical[i] for i in tokens]
            n = len(tokens)
            starts = [s for s in where.get(tokens[0], []) if flat[s : s + n] == tokens]
            for before, start in pairwise(starts):
                source = starts[0] if first else before
                for offset in range(n):
                    position = kept[start + offset][1]
                    if learn[position]:
                        found[position - 1] = kept[source + offset][1]
    return sorted(found.items())


def _answers(
    tokenizer: StarterTokenizer, messages: Sequence[Message], whole: Sequence[bool]
) -> tuple[list[int], list[bool]]:
    ids: list[int] = []
    learn: list[bool] = []
    opening = tokenizer.special[f"{IM_START}assistant\n"]
    answers = iter(whole)
    for message in messages:
        tokens = tokenizer.encode(render([message]))
        wanted = tokens[0] == opening and next(answers)
        ids += tokens
        learn += [False] + [wanted] * (len(tokens) - 2) + [False]
    return ids, learn


def chat_example(tokenizer: StarterTokenizer, dialogue: Dialogue) -> Example:
    """The conversation itself; every agent turn that was not cut short is learned."""
    ids, learn = _answers(tokenizer, chat(dialogue), whole_answers(dialogue))
    spoken = " ".join(t.text for t in dialogue.turns if t.speaker == "person")
    said = [value for value in _VALUES if value in spoken]
    facts = [
        v for k, v in dialogue.context.items() if k in ("name", "company", "day", "time", "address")
    ]
    return Example(ids, learn, _find_copies(tokenizer, ids, learn, facts, said))


def result_example(tokenizer: StarterTokenizer, dialogue: Dialogue) -> Example:
    """The question for the typed result, of which the JSON is learned."""
    ids, learn = _answers(tokenizer, extraction_chat(dialogue), [True])
    said = [value for value in dialogue.result.values() if isinstance(value, str)]
    copies = _find_copies(tokenizer, ids, learn, [], said)
    rating = dialogue.result.get("rating")
    if isinstance(rating, int):
        # The figure is read off the word.
        figure, word = tokenizer.encode(str(rating)), tokenizer.encode(NUMBERS[rating - 1])
        at = max(i for i, token in enumerate(ids) if learn[i] and token == figure[0])
        sources = [i for i in range(at) if tokenizer.canonical[ids[i]] == word[0]]
        copies.append((at - 1, sources[-1]))
    return Example(ids, learn, copies)


def collate(examples: Sequence[Example], pad: int) -> Batch:
    """Pad to the longest; targets are the ids that follow the target rows."""
    length = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), length), pad)
    targets: list[tuple[int, int]] = []
    copies: list[tuple[int, int, int]] = []
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        targets += [(row, at - 1) for at, wanted in enumerate(example.learn) if wanted]
        copies += [(row, at, source) for at, source in example.copies]
    rows = torch.tensor(targets)
    looks = torch.tensor(copies) if copies else torch.zeros(0, 3, dtype=torch.long)
    return Batch(ids, rows, ids[rows[:, 0], rows[:, 1] + 1], looks[:, :2], looks[:, 2])


def batches(
    tokenizer: StarterTokenizer, seed: int, tokens: int, result_share: float = 0.7
) -> Iterator[Batch]:
    """Endless batches of about `tokens` ids each, of examples of like length.

    Args:
        tokenizer: makes the ids.
        seed: chooses the dialogues.
        tokens: padded ids of a batch.
        result_share: how many dialogues are also asked for their result.
    """
    rng = random.Random(f"batches {seed}")
    pool_seed = seed * 1_000_000
    while True:
        pool: list[Example] = []
        for dialogue in dialogues(pool_seed, _POOL):
            pool.append(chat_example(tokenizer, dialogue))
            if rng.random() < result_share:
                pool.append(result_example(tokenizer, dialogue))
        pool_seed += 1
        pool.sort(key=lambda example: len(example.ids) + rng.random() * 8)
        groups: list[list[Example]] = [[]]
        for example in pool:
            if (len(groups[-1]) + 1) * len(example.ids) > tokens:
                groups.append([])
            groups[-1].append(example)
        rng.shuffle(groups)
        for group in groups:
            yield collate(group, tokenizer.end_id)
