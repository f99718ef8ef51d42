"""Scores a language model file through llama.cpp on held-out calls.

`python -m models.training.llama_score FILE.gguf`: agent turns given the right history, typed
results under the JSON grammar, whole calls in which the model hears its own words, and what calls
came to.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from llama_cpp import Llama
from llama_cpp.llama_grammar import LlamaGrammar

from models.cpu_variant import load_variant
from models.grammar import gbnf
from models.training.domain import Dialogue, chat, dialogues, transcript, whole_answers
from voice_loop.analysis import analysis_schema
from voice_loop.prompts import OUTCOMES, Message, analysis_messages, extraction_messages

_LONGEST_REPLY = 96


@dataclass(frozen=True, slots=True)
class Score:
    """How many were right of how many, and what went wrong (expected, got)."""

    right: int
    total: int
    mistakes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The right analysis of a call, and the model's."""

    dialogue: Dialogue
    got: Mapping[str, str | None]

    @property
    def wanted(self) -> Mapping[str, str | None]:
        return self.dialogue.analysis


def schema_of(returns: Mapping[str, str]) -> str:
    """The JSON schema of a result in which everything may be null."""
    return json.dumps(
        {
            "type": "object",
            "properties": {key: {"type": [kind, "null"]} for key, kind in sorted(returns.items())},
            "required": sorted(returns),
            "additionalProperties": False,
        }
    )


class Scorer:
    """One loaded model, always greedy.

    Args:
        path: the GGUF file.
        threads: processor threads.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        load_variant()
        self._llama = Llama(
            str(path), n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def answer(self, messages: Sequence[Message], grammar: LlamaGrammar | None = None) -> str:
        """The whole reply as the file's own chat template asks for it."""
        done: Any = self._llama.create_chat_completion(
            messages=list(messages),  # type: ignore[arg-type]
            temperature=0.0,
            repeat_penalty=1.0,
            max_tokens=_LONGEST_REPLY,
            grammar=grammar,
        )
        return str(done["choices"][0]["message"]["content"]).strip()

    def turns(self, held: Sequence[Dialogue], now: datetime | None = None) -> Score:
        """Agent turns, each after the right history; those cut short are history only."""
        mistakes: list[tuple[str, str]] = []
        total = 0
        for dialogue in held:
            messages = chat(dialogue, now)
            whole = iter(whole_answers(dialogue))
            for index, message in enumerate(messages):
                if message["role"] != "assistant" or not next(whole):
                    continue
                total += 1
                got = self.answer(messages[:index])
                if got != message["content"].lower():
                    mistakes.append((message["content"], got))
        return Score(total - len(mistakes), total, tuple(mistakes))

    def results(self, held: Sequence[Dialogue], began: datetime | None = None) -> Score:
        """Typed results, read from the right transcript."""
        mistakes: list[tuple[str, str]] = []
        for dialogue in held:
            grammar = LlamaGrammar.from_json_schema(schema_of(dialogue.returns), verbose=False)
            said = transcript(dialogue)
            asked = extraction_messages(dialogue.returns, said, began=began)
            got = self.answer(asked, grammar)
            try:
                right = json.loads(got) == dialogue.result
            except json.JSONDecodeError:
                right = False
            if not right:
                mistakes.append((json.dumps(dialogue.result), got))
        return Score(len(held) - len(mistakes), len(held), tuple(mistakes))

    def judge(self, dialogue: Dialogue) -> Judgement | None:
        """What the model says the call came to; None when the person said nothing."""
        turns = transcript(dialogue)
        schema = analysis_schema(turns)
        if schema is None:
            return None
        grammar = LlamaGrammar.from_string(gbnf(schema), verbose=False)
        got = self.answer(analysis_messages(dialogue.task, turns), grammar)
        return Judgement(dialogue, json.loads(got))

    def whole_calls(self, held: Sequence[Dialogue]) -> Score:
        """Calls in which no turn of the model's own differs from the right one to the end.

        The person's side is the dialogue's; the history holds what the model itself said.
        """
        mistakes: list[tuple[str, str]] = []
        total = 0
        for dialogue in held:
            if not all(whole_answers(dialogue)):
                continue
            total += 1
            right = chat(dialogue)
            messages: list[Message] = []
            for message in right:
                if message["role"] == "assistant":
                    messages.append({"role": "assistant", "content": self.answer(messages)})
                else:
                    messages.append(message)
            for wanted, got in zip(right, messages, strict=True):
                if wanted["role"] == "assistant" and wanted["content"].lower() != got["content"]:
                    mistakes.append((wanted["content"], got["content"]))
                    break
        return Score(total - len(mistakes), total, tuple(mistakes))


def _print_judgements(judgements: Sequence[Judgement], shown: int) -> None:
    wrong = [j for j in judgements if j.got["outcome"] != j.wanted["outcome"]]
    right = len(judgements) - len(wrong)
    print(f"outcomes: {right}/{len(judgements)} ({right / max(1, len(judgements)):.1%})")
    wanted = Counter(j.wanted["outcome"] for j in judgements)
    got = Counter(j.got["outcome"] for j in judgements)
    missed = Counter(j.wanted["outcome"] for j in wrong)
    for outcome in (*OUTCOMES, None):
        found = wanted[outcome] - missed[outcome]
        print(f"  {outcome}: found {found}/{wanted[outcome]}, falsely {got[outcome] - found}")
    for field in ("summary", "quote"):
        same = sum(j.got[field] == j.wanted[field] for j in judgements)
        print(f"  {field} word for word: {same}/{len(judgements)}")
    for judgement in wrong[:shown]:
        print(f"  expected {json.dumps(judgement.wanted)}\n       got {json.dumps(judgement.got)}")


def _print(name: str, score: Score, shown: int) -> None:
    print(f"{name}: {score.right}/{score.total} ({score.right / max(1, score.total):.1%})")
    for expected, got in score.mistakes[:shown]:
        print(f"  expected {expected}\n       got {got}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.llama_score", description=__doc__
    )
    parser.add_argument("file", type=Path, help="the GGUF file")
    parser.add_argument("--calls", type=int, default=90, help="how many held-out dialogues")
    parser.add_argument("--seed", type=int, default=11, help="which held-out dialogues")
    parser.add_argument("--split", choices=("train", "heldout"), default="heldout")
    parser.add_argument("--show", type=int, default=8, help="mistakes to show of each kind")
    options = parser.parse_args(arguments)
    scorer = Scorer(options.file)
    held = list(dialogues(options.seed, options.calls, options.split))
    _print("agent turns", scorer.turns(held), options.show)
    _print("results", scorer.results(held), options.show)
    _print("whole calls", scorer.whole_calls(held), options.show)
    judged = dialogues(options.seed, 3 * options.calls, options.split, rare_share=0.5)
    judgements = [j for j in map(scorer.judge, judged) if j is not None]
    _print_judgements(judgements, options.show)


if __name__ == "__main__":
    main()
