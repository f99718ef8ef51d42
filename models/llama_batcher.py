"""Continuous batching: several chats in one llama.cpp context, joined and left between steps.

Each `step` decodes one token of every reply in progress together with a piece of the prompts
that are still being read. What a finished or cancelled chat has decoded stays in its slot: the
same call's next turn, or another call with the same system prompt, only decodes what differs.

No thread and no clock here: one thread calls `submit` and `step`, and passes the time in.
Batched greedy output may differ from a chat decoded alone where two tokens are almost equally
likely, because the matrix products sum in another order.
"""

import codecs
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np

from models.grammar import beginning_with
from models.llama_cpp_binding import Context, Grammar, Logits, Model
from voice_loop.ports import EngineError, ReplyTooLong
from voice_loop.prompts import TOOL_CALL_OPEN

#: A shared prefix shorter than this is not worth a copy.
WORTH_SHARING: Final = 8
#: While others are speaking, prompts are read in pieces of this many tokens, so that a long
#: prompt does not make them stutter; more in a step reads hardly faster on a CPU.
PROMPT_PIECE: Final = 32
#: When sampling, tokens less likely than this share of the likeliest one are left out (min-p).
LEAST_LIKELY: Final = 0.05


@dataclass(eq=False)
class Request:
    """One reply to make.

    `emit` and `finish` are called from the decoding thread, `finish` exactly once, last.
    """

    tokens: Sequence[int]
    """The prompt, at least one token; with `max_tokens` it must fit the context."""
    max_tokens: int
    gbnf: str | None
    """A grammar that the reply must follow."""
    key: str | None
    """Requests with the same key share a growing prompt."""
    admit_by: float
    """When to give up waiting for a place, in the seconds that `step` is given."""
    emit: Callable[[str], None]
    finish: Callable[[EngineError | None], None]
    tool_rules: str | None = None
    """A grammar (`tool_call_rules`) for what follows the mark of a tool call, if one comes."""
    temperature: float = 0.0
    """Of sampling; 0 takes the likeliest token."""
    chance: np.random.Generator = field(default_factory=np.random.default_rng)
    """What sampling draws from."""
    cancelled: bool = False
    """Set from any thread; obeyed at the next step."""


@dataclass(eq=False)
class _Reply:
    """A request that has a slot."""

    request: Request
    grammar: Grammar | None
    produced: int = 0
    next_token: int | None = None
    tail: str = ""
    """The last characters, fewer than the mark of a tool call has."""
    text: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )


@dataclass(eq=False)
class _Slot:
    """One sequence of the context."""

    index: int
    tokens: list[int] = field(default_factory=list)
    """What the context holds of it."""
    key: str | None = None
    used: int = 0
    """The number of the step in which it was last used."""
    reply: _Reply | None = None

    @property
    def reserved(self) -> int:
        """Cells it may come to need."""
        if self.reply is None:
            return len(self.tokens)
        request = self.reply.request
        return max(len(self.tokens), len(request.tokens) + request.max_tokens)


class Batcher:
    """Decodes replies together.

    Args:
        context: what to decode in; its sequences become the slots.
        slots: how many sequences the context has.
        at_once: replies made at the same time; further requests wait.
    """

    def __init__(self, model: Model, context: Context, slots: int, at_once: int) -> None:
        self._model = model
        self._context = context
        self._slots = [_Slot(i) for i in range(slots)]
        self._at_once = at_once
        self._waiting: deque[Request] = deque()
        self._steps = 0
        self.reused_tokens = 0
        """Prompt tokens that did not have to be decoded, since the start."""

    @property
    def waiting(self) -> int:
        """Requests without a place."""
        return len(self._waiting)

    @property
    def active(self) -> int:
        """Replies in progress."""
        return sum(slot.reply is not None for slot in self._slots)

    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._waiting) or self.active > 0

    def submit(self, request: Request) -> None:
        """Queue a request for the next step."""
        self._waiting.append(request)

    def release(self, key: str) -> None:
        """Forget what was kept for the next request with this key."""
        for slot in self._slots:
            if slot.key == key:
                slot.key = None
                if slot.reply is None:
                    self._keep(slot, 0)

    def step(self, now: float) -> None:
        """Admit what fits, decode one batch, hand out what it predicts."""
        self._steps += 1
        self._drop_cancelled(now)
        self._admit()
        predicted = self._decode()
        for slot, index in predicted:
            self._advance(slot, index)

    def fail_all(self, error: EngineError) -> None:
        """End every request with this error and forget everything."""
        for slot in self._slots:
            if slot.reply is not None:
                self._finish(slot, error)
            slot.tokens.clear()
            slot.key = None
        while self._waiting:
            self._waiting.popleft().finish(error)
        self._context.clear()

    def _drop_cancelled(self, now: float) -> None:
        for slot in self._slots:
            if slot.reply is not None and slot.reply.request.cancelled:
                self._finish(slot, None)
        for request in list(self._waiting):
            if request.cancelled:
                self._waiting.remove(request)
                request.finish(None)
            elif now >= request.admit_by:
                self._waiting.remove(request)
                request.finish(
                    EngineError(
                        "the language model is overloaded: no place became free in time; place "
                        "fewer calls at a time (`calls.max_concurrent`)"
                    )
                )

    # Admission: a slot, cells, and as much of the prompt as is already there.

    def _admit(self) -> None:
        while self._waiting and self.active < self._at_once:
            request = self._waiting[0]
            slot = self._slot_for(request)
            if slot is None or not self._make_room(request, slot):
                return
            self._waiting.popleft()
            try:
                grammar = None if request.gbnf is None else Grammar(self._model, request.gbnf)
            except EngineError as error:
                request.finish(error)
                continue
            self._reuse(slot, request.tokens)
            slot.reply = _Reply(request, grammar)
            keys = {other.key for other in self._slots if other is not slot}
            slot.key = None if request.key in keys else request.key

    def _slot_for(self, request: Request) -> _Slot | None:
        idle = [slot for slot in self._slots if slot.reply is None]
        own = [slot for slot in idle if slot.key is not None and slot.key == request.key]
        if own:
            return own[0]
        # Empty slots first, then those that no call will come back for, then the oldest.
        return min(idle, key=lambda s: (bool(s.tokens), s.key is not None, s.used), default=None)

    def _make_room(self, request: Request, slot: _Slot) -> bool:
        """Forget idle sequences, oldest first, until the request's cells are surely free."""
        need = len(request.tokens) + request.max_tokens
        others = [other for other in self._slots if other is not slot]
        idle = sorted((s for s in others if s.reply is None and s.tokens), key=lambda s: s.used)
        while sum(other.reserved for other in others) + need > self._context.cells:
            if not idle:
                return False
            oldest = idle.pop(0)
            oldest.key = None
            self._keep(oldest, 0)
        return True

    def _reuse(self, slot: _Slot, prompt: Sequence[int]) -> None:
        """Bring the longest known beginning of the prompt into the slot."""
        # The last token is always decoded: its logits are the first prediction.
        most = len(prompt) - 1
        own = min(most, _common_prefix(slot.tokens, prompt))
        donor = max(
            (other for other in self._slots if other is not slot),
            key=lambda other: _common_prefix(other.tokens, prompt),
            default=slot,
        )
        shared = min(most, _common_prefix(donor.tokens, prompt))
        if shared >= own + WORTH_SHARING:
            self._keep(slot, 0)
            self._context.share(donor.index, slot.index, shared)
            slot.tokens = list(prompt[:shared])
        else:
            self._keep(slot, own)
        self.reused_tokens += len(slot.tokens)

    def _keep(self, slot: _Slot, length: int) -> None:
        """Forget a slot's tokens past `length`."""
        if length < len(slot.tokens) and not self._context.cut(slot.index, length):
            # Recurrent memories cannot be cut in the middle, only forgotten.
            self._context.cut(slot.index, 0)
            length = 0
        del slot.tokens[length:]

    # Decoding

    def _decode(self) -> list[tuple[_Slot, int]]:
        """Decodes one batch; returns the slots that may go on and where their logits are."""
        added: list[tuple[_Slot, list[int]]] = []
        predicted: list[tuple[_Slot, int]] = []
        active = [(slot, slot.reply) for slot in self._slots if slot.reply is not None]
        for slot, reply in active:
            if reply.next_token is not None:
                token = [reply.next_token]
                index = self._context.add(slot.index, len(slot.tokens), token, logits=True)
                added.append((slot, token))
                predicted.append((slot, index))
        room = self._context.batch_tokens - self._context.filled
        if predicted:
            room = min(room, PROMPT_PIECE)
        # Those who have waited longest for their first token are read first.
        reading = [(slot, reply) for slot, reply in active if reply.next_token is None]
        for slot, reply in sorted(reading, key=lambda entry: entry[0].used):
            prompt = reply.request.tokens
            piece = list(prompt[len(slot.tokens) : len(slot.tokens) + room])
            if not piece:
                continue
            room -= len(piece)
            complete = len(slot.tokens) + len(piece) == len(prompt)
            index = self._context.add(slot.index, len(slot.tokens), piece, logits=complete)
            added.append((slot, piece))
            if complete:
                predicted.append((slot, index))
        if not added:
            return []
        result = self._context.decode()
        if result != 0:
            self.fail_all(EngineError(f"the language model failed: llama_decode gave {result}"))
            return []
        for slot, tokens in added:
            slot.tokens += tokens
            slot.used = self._steps
        return predicted

    def _advance(self, slot: _Slot, index: int) -> None:
        """Chooses a reply's next token and hands its text out."""
        reply = slot.reply
        if reply is None:
            return
        try:
            token = self._choose(reply, self._context.logits(index))
        except EngineError as error:
            self._finish(slot, error)
            return
        if self._model.ends(token):
            self._finish(slot, None)
            return
        reply.produced += 1
        piece = reply.text.decode(self._model.piece(token))
        if piece:
            reply.tail = (reply.tail + piece)[1 - len(TOOL_CALL_OPEN) :]
            reply.request.emit(piece)
        reply.next_token = token
        if reply.produced >= reply.request.max_tokens:
            self._finish(slot, self._too_long(reply))

    def _choose(self, reply: _Reply, logits: Logits) -> int:
        """The next token; from the mark of a tool call on, one that its grammar allows."""
        request = reply.request
        pick = partial(_sampled, request.temperature, request.chance)
        if reply.grammar is None:
            token = pick(logits)
            if request.tool_rules is None:
                return token
            opening = opens_call(reply.tail, self._model.piece(token).decode(errors="ignore"))
            if opening is None:
                return token
            rules = beginning_with(opening, request.tool_rules)
            reply.grammar = Grammar(self._model, rules)
        return reply.grammar.choose(logits, pick)

    @staticmethod
    def _too_long(reply: _Reply) -> EngineError | None:
        """A cut sentence can be spoken, a cut tool call be seen; a cut JSON text is no result."""
        if reply.request.gbnf is None:
            return None
        return ReplyTooLong(
            f"the language model's structured reply did not fit in {reply.request.max_tokens} "
            "tokens"
        )

    def _finish(self, slot: _Slot, error: EngineError | None) -> None:
        reply, slot.reply = slot.reply, None
        if reply is None:
            return
        rest = reply.text.decode(b"", final=True)
        if rest and error is None:
            reply.request.emit(rest)
        if reply.grammar is not None:
            reply.grammar.close()
        reply.request.finish(error)


def opens_call(tail: str, piece: str) -> str | None:
    """The beginning of a piece with which the mark of a tool call becomes whole; None if it
    does not: vocabularies may cut the mark anywhere, and join its end with what follows.

    Args:
        tail: the end of the text so far, without a whole mark.
        piece: what comes next.
    """
    before, mark, _ = (tail + piece).partition(TOOL_CALL_OPEN)
    return (before + mark)[len(tail) :] if mark else None


def _sampled(temperature: float, chance: np.random.Generator, logits: Logits) -> int:
    """A token by its probability, or the likeliest at a temperature of 0."""
    best = int(np.argmax(logits))
    if temperature <= 0:
        return best
    shares = np.exp((logits - logits[best]) / temperature, dtype=np.float64)
    shares[shares < LEAST_LIKELY] = 0.0
    return int(chance.choice(shares.size, p=shares / shares.sum()))


def _common_prefix(known: Sequence[int], prompt: Sequence[int]) -> int:
    """How many leading tokens are the same."""
    for i, (a, b) in enumerate(zip(known, prompt, strict=False)):
        if a != b:
            return i
    return min(len(known), len(prompt))
