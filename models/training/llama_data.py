"""Training examples for the starter language model: token ids, targets, and where to copy from."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from models.training.domain import (
    CONTEXT_TIMES,
    Dialogue,
    chat,
    dialogues,
    transcript,
    whole_answers,
)
from models.training.llama_tokens import IM_START, StarterTokenizer, render
from models.training.phrases import CALLER_TIMES, DAYS, NUMBERS, PLACES
from voice_loop.prompts import Message, analysis_messages, extraction_messages

_POOL = 1536
#: Dialogues that are also asked for their result, and as many for what they came to.
_ASKED_SHARE = 0.7
_RARE_SHARE = 0.25
_SPOKEN_FACTS = ("name", "company", "day", "time", "address")
_NAMES = ("name", "company", "address")
_VALUES = (*CALLER_TIMES, *DAYS, *PLACES)


@dataclass(frozen=True, slots=True)
class Example:
    """One chat: `learn[i]` says that token i is an answer's; `copies` are (position, source)."""

    ids: list[int]
    learn: list[bool]
    copies: list[tuple[int, int]]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded ids (batch, length); looks as rows (n, 2) of batch index and position, and sources."""

    ids: Tensor
    target_rows: Tensor
    targets: Tensor
    weights: Tensor
    copy_rows: Tensor
    copy_at: Tensor


def extraction_chat(dialogue: Dialogue) -> list[Message]:
    """The chat that asks for the dialogue's result, with the right answer."""
    question = extraction_messages(dialogue.returns, transcript(dialogue))
    return [*question, {"role": "assistant", "content": json.dumps(dialogue.result)}]


def analysis_chat(dialogue: Dialogue) -> list[Message]:
    """The chat that asks what the dialogue came to, with the right answer."""
    question = analysis_messages(dialogue.task, transcript(dialogue))
    return [*question, {"role": "assistant", "content": json.dumps(dialogue.analysis)}]


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
    found: dict[int, int] = {}
    for values, first in ((said, False), (facts, True)):
        for value in sorted(values, key=len):
            spans = _occurrences(tokenizer, ids, value)
            for before, span in pairwise(spans):
                for position, source in zip(span, spans[0] if first else before, strict=True):
                    if learn[position]:
                        found[position - 1] = source
    return sorted(found.items())


def _occurrences(tokenizer: StarterTokenizer, ids: Sequence[int], value: str) -> list[list[int]]:
    """Where a value stands, as the positions of its tokens; spaces of their own do not count."""
    wanted = [tokenizer.canonical[i] for i in tokenizer.encode(value) if i != tokenizer.space_id]
    kept = [at for at, i in enumerate(ids) if i != tokenizer.space_id]
    flat = [tokenizer.canonical[ids[at]] for at in kept]
    n = len(wanted)
    starts = [s for s in range(len(flat) - n + 1) if flat[s] == wanted[0]]
    return [kept[s : s + n] for s in starts if flat[s : s + n] == wanted]


def _shuffle_pieces(
    tokenizer: StarterTokenizer, rng: random.Random, ids: list[int], spans: Sequence[Sequence[int]]
) -> None:
    """Write a value of random pieces instead, everywhere alike.

    Made-up names hold a few pieces often and most of them hardly ever, but all must be copied.
    The first piece of a word stays one that joins with a space, or one that does not.
    """
    new: list[int] = []
    for index, at in enumerate(spans[0]):
        token = tokenizer.canonical[ids[at]]
        if index > 0 and ids[at] == token and ids[at - 1] != tokenizer.space_id:
            new.append(rng.choice(tokenizer.pieces))
        elif token in tokenizer.joined:
            new.append(rng.choice(tuple(tokenizer.joined)))
        else:
            new.append(rng.choice(tokenizer.pieces))
            while new[-1] in tokenizer.joined:
                new[-1] = rng.choice(tokenizer.pieces)
    for span in spans:
        for at, piece in zip(span, new, strict=True):
            ids[at] = tokenizer.joined[piece] if tokenizer.spaced[ids[at]] else piece


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


def chat_example(
    tokenizer: StarterTokenizer, dialogue: Dialogue, shuffle: random.Random | None = None
) -> Example:
    """The conversation itself; every agent turn that was not cut short is learned.

    Args:
        tokenizer: makes the ids.
        dialogue: the call.
        shuffle: where given, every other name becomes one of random pieces.
    """
    ids, learn = _answers(tokenizer, chat(dialogue), whole_answers(dialogue))
    spoken = " ".join(t.text for t in dialogue.turns if t.speaker == "person")
    said = [value for value in _VALUES if value in spoken]
    facts = [value for key, value in dialogue.context.items() if key in _SPOKEN_FACTS]
    copies = _find_copies(tokenizer, ids, learn, facts, said)
    if shuffle is not None:
        for key in _NAMES:
            if key in dialogue.context and shuffle.random() < 0.5:
                spans = _occurrences(tokenizer, ids, dialogue.context[key])
                if spans:  # One value within another is gone once the other was rewritten.
                    _shuffle_pieces(tokenizer, shuffle, ids, spans)
    return Example(ids, learn, copies)


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
    # A result has few tokens, and each is a decision.
    return Example(ids, learn, copies, weight=3.0)


def analysis_example(tokenizer: StarterTokenizer, dialogue: Dialogue) -> Example:
    """The question what the call came to, of which the JSON is learned."""
    ids, learn = _answers(tokenizer, analysis_chat(dialogue), [True])
    summary = dialogue.analysis["summary"] or ""
    said = [v for v in (*CONTEXT_TIMES, *DAYS, *PLACES.values(), *NUMBERS) if v in summary]
    if dialogue.analysis["quote"] is not None:
        said.append(dialogue.analysis["quote"])
    return Example(ids, learn, _find_copies(tokenizer, ids, learn, [], said), weight=3.0)


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
    weights = torch.tensor([example.weight for example in examples])[rows[:, 0]]
    following = ids[rows[:, 0], rows[:, 1] + 1]
    return Batch(ids, rows, following, weights, looks[:, :2], looks[:, 2])


def batches(tokenizer: StarterTokenizer, seed: int, tokens: int) -> Iterator[Batch]:
    """Endless batches of about `tokens` ids each, of examples of like length.

    Args:
        tokenizer: makes the ids.
        seed: chooses the dialogues.
        tokens: padded ids of a batch.
    """
    rng = random.Random(f"batches {seed}")
    pool_seed = seed * 1_000_000
    while True:
        pool: list[Example] = []
        for dialogue in dialogues(pool_seed, _POOL, rare_share=_RARE_SHARE):
            pool.append(chat_example(tokenizer, dialogue, rng))
            if rng.random() < _ASKED_SHARE:
                pool.append(result_example(tokenizer, dialogue))
            if rng.random() < _ASKED_SHARE:
                pool.append(analysis_example(tokenizer, dialogue))
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
