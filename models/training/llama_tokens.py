"""The starter language model's tokenizer: whole words of the domain, pieces for everything else.

A byte-level BPE of the GPT-2 kind, so that llama.cpp reads it from the GGUF file. A word has the
same token with and without a space before it only in its spelling; a name is cut into the same
pieces everywhere, with the space as a token of its own, so that it can be copied piece by piece.
The fixed sentences of the prompts are one token each: they say nothing that varies.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel

from models.training.domain import FAMILIAR_NAMES, RETURNS, TASK_ENDINGS, TASKS, dialogues
from models.training.outcome import SUMMARY_TEXTS
from voice_loop.prompts import (
    CALL_ANSWERED,
    CUT_OFF,
    END_CALL,
    OUTCOMES,
    TOOL_CALL_CLOSE,
    TOOL_CALL_OPEN,
    Message,
    analysis_messages,
    extraction_messages,
    system_prompt,
)

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
ROLES = ("system", "user", "assistant")
CONTROL = (END_OF_TEXT, IM_START, IM_END, *(f"{IM_START}{role}\n" for role in ROLES))

#: Lower-cases what clients wrote: the model knows no capitals.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | lower + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

_CONTEXT_KEYS = (
    "name",
    "company",
    "day",
    "time",
    "address",
    "service",
    "agent",
    "city",
    "doctor",
    "reference",
)
_SPACE = "Ġ"
_WORD = re.compile("[a-z]+")
_VALUE_TOKENS = ("true", "false", "null", "boolean", "integer", "string", "system", "user")


def _fixed_texts() -> tuple[str, ...]:
    marker = "\0"
    before, rest = system_prompt(marker, {}).lower().split(marker)
    middle, after = rest.split("{}", 1)
    schema = extraction_messages({}, [])[0]["content"].lower().removesuffix("{}")
    keys = sorted(
        {*_CONTEXT_KEYS, *(k for r in RETURNS.values() for k in r), "callback", "wrong_number"}
    )
    tool = END_CALL.removeprefix(TOOL_CALL_OPEN).removesuffix(TOOL_CALL_CLOSE)
    # llama-cpp-python writes no token of more than 32 bytes, so the tool's text is two tokens.
    name, arguments = tool[: tool.index(", ")], tool[tool.index(", ") :]
    analysis = analysis_messages("", [])[0]["content"].lower()
    return (
        before,
        middle,
        after,
        schema,
        CALL_ANSWERED,
        TOOL_CALL_OPEN,
        name,
        TOOL_CALL_CLOSE,
        CUT_OFF,
        '", ',
        "agent: ",
        "person: ",
        *(f'"{key}": ' for key in keys),
        *(f'"{key}": "' for key in keys),
        arguments,
        analysis,
        "task: ",
        *(f'"{key}": ' for key in ("summary", "quote", "outcome")),
        *(f'"{key}": "' for key in ("summary", "quote", "outcome")),
        *(outcome for outcome in OUTCOMES if "_" in outcome),
        *SUMMARY_TEXTS,
    )


def _words() -> list[str]:
    """Every word of the domain; names and made-up words are left out, they are copied in pieces."""
    counts: Counter[str] = Counter()
    for dialogue in dialogues(0, 9000):
        text = " ".join(turn.text for turn in dialogue.turns)
        counts.update(_WORD.findall(f"{text} {dialogue.context.get('time', '')}"))
        counts.update(_WORD.findall(dialogue.context.get("service", "")))
    names = set(_WORD.findall(str(FAMILIAR_NAMES)))
    words = {word for word, count in counts.items() if count >= 40} - names
    return sorted(words | set(_WORD.findall(str(TASKS) + str(TASK_ENDINGS))) | set(_VALUE_TOKENS))


class StarterTokenizer:
    """Encodes text to the ids that llama.cpp makes of it.

    Attributes:
        tokens: every token's spelling by id, bytes in GPT-2's printable form.
        merges: the BPE merges, most important first.
        special: the control and fixed tokens with their ids, longest first.
        canonical: for each id, the id of the same word without a space before it.
        joined: for each word's id without the space, the id with it.
        pieces: the ids of all words and pieces of words without a space.
        spaced: for each id, whether it is another one's word with a space before it.
    """

    def __init__(self) -> None:
        words = _words()
        trainer = trainers.BpeTrainer(
            vocab_size=100_000,
            min_frequency=1,
            initial_alphabet=ByteLevel.alphabet(),
            show_progress=False,
        )
        learner = Tokenizer(models.BPE())
        learner.pre_tokenizer = ByteLevel(add_prefix_space=False)
        learner.train_from_iterator([*words, '",', '":', "?", ",", ".", "{", "}", "10"], trainer)
        state = json.loads(learner.to_str())["model"]
        vocabulary: dict[str, int] = state["vocab"]
        merges = [(left, right) for left, right in state["merges"]]
        for word in words:
            vocabulary[_SPACE + word] = len(vocabulary)
            merges.append((_SPACE, word))
        self.merges: tuple[tuple[str, str], ...] = tuple(merges)
        self.control = CONTROL
        self.fixed = _fixed_texts()
        self._bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
        self._bpe.pre_tokenizer = ByteLevel(add_prefix_space=False)
        ordered = sorted(vocabulary, key=vocabulary.__getitem__)
        self.tokens: tuple[str, ...] = (*ordered, *self.control, *self.fixed)
        first = len(ordered)
        specials = (*self.control, *self.fixed)
        self.special: dict[str, int] = {text: first + index for index, text in enumerate(specials)}
        longest_first = sorted(specials, key=len, reverse=True)
        self._split = re.compile("|".join(re.escape(text) for text in longest_first))
        self.canonical: tuple[int, ...] = tuple(
            vocabulary.get(token.removeprefix(_SPACE), index) if index < first else index
            for index, token in enumerate(self.tokens)
        )
        self.spaced: tuple[bool, ...] = tuple(
            index < first and token.startswith(_SPACE) and canonical != index
            for index, (token, canonical) in enumerate(
                zip(self.tokens, self.canonical, strict=True)
            )
        )
        self.joined: dict[int, int] = {
            canonical: index for index, canonical in enumerate(self.canonical) if self.spaced[index]
        }
        self.pieces: tuple[int, ...] = tuple(
            index for index in range(first) if _WORD.fullmatch(self.tokens[index])
        )
        self.space_id = vocabulary[_SPACE]
        self.end_id = self.special[IM_END]

    def encode(self, text: str) -> list[int]:
        """Token ids of a text that may hold special tokens."""
        ids: list[int] = []
        at = 0
        for match in self._split.finditer(text):
            ids += self._plain(text[at : match.start()])
            ids.append(self.special[match.group()])
            at = match.end()
        return [*ids, *self._plain(text[at:])]

    @lru_cache(maxsize=50_000)  # noqa: B019 - one tokenizer lives as long as the program
    def _cached(self, text: str) -> tuple[int, ...]:
        return tuple(self._bpe.encode(text).ids)

    def _plain(self, text: str) -> tuple[int, ...]:
        return self._cached(text) if text else ()

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included."""
        byte_of = _byte_of()
        out = bytearray()
        for index in ids:
            token = self.tokens[index]
            if token in self.special:
                out += token.encode()
            else:
                out += bytes(byte_of[char] for char in token)
        return out.decode(errors="replace")


def _byte_of() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte, the other way round."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [value for value in range(256) if value not in printable]
    table = {chr(value): value for value in printable}
    return table | {chr(256 + index): value for index, value in enumerate(others)}


def render(messages: Sequence[Message]) -> str:
    """What `CHAT_TEMPLATE` makes of the messages, no generation prompt added."""
    return "".join(
        f"{IM_START}{message['role']}\n{message['content'].lower()}{IM_END}\n"
        for message in messages
    )
