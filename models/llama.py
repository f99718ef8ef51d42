"""The language model: llama.cpp with continuous batching, behind an async stream of text.

One thread decodes (`llama_batcher`); a second renders and tokenises prompts, so that neither the
event loop nor the replies in progress wait for that.
"""

import asyncio
import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import TemplateError
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from models.grammar import gbnf, tool_call_rules
from models.llama_batcher import Batcher, Request
from models.llama_cpp_binding import Context, Model
from models.workers import Workers
from voice_loop.ports import EngineError, ReplyTooLong
from voice_loop.prompts import THOUGHTS_OPEN, TOOL_MARKS, Message
from voice_loop.reasoning import ends_in_thoughts
from voice_loop.tools import ToolSpec
from voice_loop.untrusted import holdable

_logger = logging.getLogger(__name__)

#: For a GGUF without a chat template: ChatML, which most models know.
CHATML: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: Turns that a full context drops at once. Dropping one at a time would move the beginning of the
#: history with every turn, and nothing decoded before could be used again.
TURNS_DROPPED: Final = 6
BATCH_TOKENS: Final = 512
#: Tokens that thoughts may take beside the reply, if there is room.
_THOUGHT_TOKENS: Final = 1024
#: In the template of a model that thinks on a channel of its own.
_CHANNELS: Final = "<|channel|>"
_HELLO: Final[list[Message]] = [{"role": "user", "content": "hello"}]
#: Of the context, what a system prompt may take: a tool's answer needs room beside it, too.
_PROMPT_SHARE: Final = 0.5


class LlamaCpp:
    """A GGUF chat model, shared by all calls (`voice_loop.ports.LanguageModel`).

    Args:
        path: the GGUF file.
        context_tokens: the longest prompt and reply of one call together.
        max_sequences: replies made at the same time. Twice as many calls are remembered. Memory
            is taken for half of them at their longest: calls of ordinary length then all fit,
            and a reply that does not waits for another one to end.
        threads: CPU threads.
        gpu_layers: layers on the GPU, where llama.cpp was built for one.
        waiting: replies that may wait for a place; one more raises EngineError.
        admission_timeout_s: how long a reply may wait for a place, seconds.
        stall_timeout_s: how long a reply in progress may show nothing new, seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int = 4096,
        max_sequences: int = 4,
        threads: int = 2,
        gpu_layers: int = 0,
        waiting: int = 32,
        admission_timeout_s: float = 10.0,
        stall_timeout_s: float = 30.0,
    ) -> None:
        self._model = Model(path, gpu_layers)
        self._context_tokens = min(context_tokens, self._model.trained_context)
        slots = 2 * max_sequences
        cells = self._context_tokens * ((max_sequences + 1) // 2)
        try:
            self._context = Context(
                self._model,
                cells=cells,
                sequences=slots,
                batch=BATCH_TOKENS,
                threads=threads,
            )
        except EngineError:
            self._model.close()
            raise
        self._batcher = Batcher(self._model, self._context, slots, max_sequences)
        self._formatter = Jinja2ChatFormatter(
            template=self._model.chat_template or CHATML,
            eos_token=self._model.eos_text,
            bos_token=self._model.bos_text,
        )
        # Some models make the marks of tools control tokens, and the dialogue must have them.
        forbidden = {*self._model.control_texts()} - {"", *TOOL_MARKS}
        longest_first = sorted(forbidden, key=len, reverse=True)
        self._forbidden = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._most_waiting = waiting
        self._admission_timeout_s = admission_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._prompts = Workers("prompt preparation", 1, 2 * waiting, admission_timeout_s)
        self._inbox: deque[Request | str] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._decode, name="llama", daemon=True)
        self._thread.start()

    @property
    def active(self) -> int:
        """Replies in progress."""
        return self._batcher.active

    @property
    def reused_tokens(self) -> int:
        """Prompt tokens that were still known from before, since the start."""
        return self._batcher.reused_tokens

    def count_tokens(self, text: str) -> int:
        """How many tokens a text is."""
        return len(self._model.tokenize(text))

    def too_long(self, prompt: str) -> str | None:
        """Why a system prompt leaves no room for a conversation; None if it does."""
        room = round(self._context_tokens * _PROMPT_SHARE)
        if len(prompt.encode()) <= room:  # no token is shorter than a byte
            return None
        needed = self.count_tokens(prompt)
        if needed <= room:
            return None
        return (
            f"{needed} tokens, and at most {room} leave room for a conversation in the context of "
            f"{self._context_tokens} (`models.context_tokens`)"
        )

    def warm_up(self) -> None:
        """Make one token, so that the first caller does not pay for allocations. Blocks."""
        done = threading.Event()
        prompt = self._prepare(_HELLO, 1)
        self._send(
            Request(
                tokens=prompt,
                max_tokens=1,
                gbnf=None,
                key=None,
                admit_by=time.monotonic() + self._admission_timeout_s,
                emit=lambda _piece: None,
                finish=lambda _error: done.set(),
            )
        )
        if not done.wait(self._stall_timeout_s):
            raise EngineError(
                f"the language model did not make a token within {self._stall_timeout_s:g} s"
            )

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,
    ) -> AsyncGenerator[str, None]:
        """Stream the reply's text; see the port.

        A history that does not fit loses its oldest turns; a system prompt and last message that
        do not fit raise EngineError. With a `schema`, `tools` are left out.
        """
        if schema is None and max_tokens > 1 and self._thinks:
            max_tokens += min(_THOUGHT_TOKENS, self._context_tokens // 4)
        prompt, grammar, tool_rules = await self._prompts.run(
            lambda: (self._prepare(messages, max_tokens), *_grammars(schema, tools))
        )
        if len(self._inbox) + self._batcher.waiting >= self._most_waiting:
            raise EngineError(
                f"the language model is overloaded: {self._most_waiting} replies are waiting; "
                "place fewer calls at a time (`calls.max_concurrent`)"
            )
        pieces = _Pieces(asyncio.get_running_loop())
        request = Request(
            tokens=prompt,
            max_tokens=max_tokens,
            gbnf=grammar,
            key=cache_key,
            admit_by=time.monotonic() + self._admission_timeout_s,
            emit=pieces.put,
            finish=pieces.finish,
            tool_rules=tool_rules,
            temperature=temperature,
        )
        self._send(request)
        try:
            opened = THOUGHTS_OPEN if schema is None and self._opens_thoughts else ""
            while True:
                try:
                    async with asyncio.timeout(self._stall_timeout_s):
                        text = await pieces.take()
                except TimeoutError as error:
                    raise EngineError(
                        f"the language model showed nothing for {self._stall_timeout_s:g} s"
                    ) from error
                if text is None:
                    return
                yield opened + text
                opened = ""
        finally:
            request.cancelled = True

    def release(self, cache_key: str) -> None:
        """Forget what was kept for a call's next turn."""
        self._send(cache_key)

    def close(self) -> None:
        """End all replies with EngineError and free the memory. Blocks for one step."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._prompts.close()
        self._context.close()
        self._model.close()

    def _send(self, item: Request | str) -> None:
        with self._wake:
            if self._closing:
                raise EngineError("the language model has been closed")
            self._inbox.append(item)
            self._wake.notify()

    # The prompt thread

    def _prepare(self, messages: Sequence[Message], max_tokens: int) -> list[int]:
        """The prompt's tokens."""
        clean: list[Message] = [
            {"role": m["role"], "content": self._forbidden.sub(" ", m["content"])} for m in messages
        ]
        system = [m for m in clean if m["role"] == "system"]
        turns = [m for m in clean if m["role"] != "system"]
        room = self._context_tokens - max_tokens
        needed = 0
        for dropped in (*range(0, max(1, len(turns)), TURNS_DROPPED), max(0, len(turns) - 1)):
            tokens = self._model.tokenize(self._render(system + turns[dropped:]))
            needed = len(tokens)
            if 0 < needed <= room:
                return tokens
        raise ReplyTooLong(
            f"the prompt ({needed} tokens) and the reply (up to {max_tokens}) do not fit in the "
            f"context of {self._context_tokens} tokens: shorten the prompt"
        )

    @cached_property
    def _thinks(self) -> bool:
        """Whether it thinks before it answers."""
        return self._opens_thoughts or _CHANNELS in (self._model.chat_template or "")

    @cached_property
    def _opens_thoughts(self) -> bool:
        """Whether a prompt ends where the model is to think."""
        return ends_in_thoughts(self._render(_HELLO))

    def _render(self, messages: Sequence[Message]) -> str:
        plain: list[Any] = list(messages)
        try:
            rendered = self._formatter(messages=plain, enable_thinking=False)
        except (TemplateError, ValueError, TypeError) as error:
            raise EngineError(f"the model's chat template refuses the messages: {error}") from error
        return str(rendered.prompt)

    # The decoding thread

    def _decode(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._inbox or self._batcher.busy or self._closing)
                arrived = list(self._inbox)
                self._inbox.clear()
                closing = self._closing
            for item in arrived:
                if isinstance(item, str):
                    self._batcher.release(item)
                else:
                    self._batcher.submit(item)
            if closing:
                self._batcher.fail_all(EngineError("the language model has been closed"))
                return
            try:
                self._batcher.step(time.monotonic())
            # The one boundary of this thread: whatever went wrong, every waiting call is told,
            # and the next ones start from a clean context.
            except Exception as error:
                _logger.exception("the language model's decoding step failed")
                self._batcher.fail_all(EngineError(f"the language model failed: {error!r}"))


class _Pieces:
    """Text on its way from the decoding thread to one stream.

    Bounded by the reply's `max_tokens`; pieces that come faster than they are taken are joined.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._arrived = asyncio.Event()
        self._text = ""
        self._finished = False
        self._error: EngineError | None = None

    def put(self, piece: str) -> None:
        with self._lock:
            self._text += holdable(piece)
        self._wake()

    def finish(self, error: EngineError | None) -> None:
        with self._lock:
            self._finished = True
            self._error = error
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:  # the loop has closed, and with it whoever listened
            _logger.debug("a reply outlived its event loop")

    async def take(self) -> str | None:
        """All text since the last call; None at the end. Raises the reply's error."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            with self._lock:
                text, self._text = self._text, ""
                finished, error = self._finished, self._error
            if finished:
                self._arrived.set()
            if text:
                return text
            if error is not None:
                raise error
            if finished:
                return None


def _grammars(
    schema: Mapping[str, Any] | None, tools: Sequence[ToolSpec]
) -> tuple[str | None, str | None]:
    """The grammar of the whole reply, and the rules of a tool call in it."""
    if schema is not None:
        return _grammar_of(json.dumps(schema)), None
    if not tools:
        return None, None
    return None, _tool_rules_of(json.dumps([(tool.name, tool.parameters) for tool in tools]))


@lru_cache(maxsize=64)
def _grammar_of(schema_json: str) -> str:
    return gbnf(json.loads(schema_json))


@lru_cache(maxsize=64)
def _tool_rules_of(tools_json: str) -> str:
    return tool_call_rules(
        ToolSpec(name, "", parameters) for name, parameters in json.loads(tools_json)
    )
