"""llama.cpp's C interface, as far as it is used here: a model, a context of several sequences,
and a grammar. Typed, owned (`close()`), and without llama.cpp's chatter on stderr.

One thread at a time may use a `Context` or a `Grammar`; a `Model` may be shared.
"""

import ctypes
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from models.cpu_variant import load_variant
from voice_loop.ports import EngineError

Logits = NDArray[np.float32]
Ints = NDArray[np.int32]

_logger = logging.getLogger(__name__)

#: Attention heads narrower than this are quicker without flash attention.
NARROWEST_FLASH_HEAD: Final = 64
_TEXT_BYTES: Final = 256

_last_complaints: deque[str] = deque(maxlen=4)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    line = text.decode("utf-8", "replace").rstrip()
    if level in (2, 3):  # GGML_LOG_LEVEL_WARN, GGML_LOG_LEVEL_ERROR
        _last_complaints.append(line)
    if line:
        _logger.debug("%s", line)


llama_cpp.llama_log_set(_log, ctypes.c_void_p(0))


class Model:
    """The weights and the vocabulary of a GGUF file.

    Args:
        path: the file.
        gpu_layers: how many layers go to the GPU (none in a build without one).
    """

    def __init__(self, path: Path, gpu_layers: int = 0) -> None:
        if not path.is_file():
            raise EngineError(f"the language model {path} is missing")
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise EngineError(f"the language model {path} is not a GGUF file")
        load_variant()
        llama_cpp.llama_backend_init()
        _last_complaints.clear()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        self.handle: Any = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise EngineError(
                f"cannot load the language model {path}: "
                f"{'; '.join(_last_complaints) or 'llama.cpp does not say why'}"
            )
        self.vocab: Any = llama_cpp.llama_model_get_vocab(self.handle)
        self.vocab_size = int(llama_cpp.llama_vocab_n_tokens(self.vocab))
        heads = max(1, int(llama_cpp.llama_model_n_head(self.handle)))
        self.head_width = int(llama_cpp.llama_model_n_embd(self.handle)) // heads
        self.trained_context = int(llama_cpp.llama_model_n_ctx_train(self.handle))

    @property
    def chat_template(self) -> str | None:
        """The Jinja chat template in the file, if there is one."""
        template = llama_cpp.llama_model_chat_template(self.handle, None)
        return template.decode() if template else None

    @property
    def bos_text(self) -> str:
        """The text of the token that begins a text; empty where there is none."""
        return self._token_text(llama_cpp.llama_vocab_bos(self.vocab))

    @property
    def eos_text(self) -> str:
        """The text of the token that ends a text; empty where there is none."""
        return self._token_text(llama_cpp.llama_vocab_eos(self.vocab))

    def control_texts(self) -> list[str]:
        """The texts of all control tokens, which no message may smuggle in."""
        return [
            self._token_text(token)
            for token in range(self.vocab_size)
            if llama_cpp.llama_vocab_is_control(self.vocab, token)
        ]

    def _token_text(self, token: int) -> str:
        text = llama_cpp.llama_vocab_get_text(self.vocab, token) if token >= 0 else None
        return text.decode("utf-8", "replace") if text else ""

    def tokenize(self, text: str) -> list[int]:
        """Tokens of a rendered prompt; control tokens in it are recognised, none is added."""
        data = text.encode(errors="replace")  # half a surrogate pair is no text
        room = len(data) + 8
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocab, data, len(data), tokens, room, False, True)
        if count < 0:
            raise EngineError("the language model cannot read this prompt")
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; they may be part of a character."""
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        size = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, _TEXT_BYTES, 0, True)
        return buffer.raw[: max(size, 0)]

    def ends(self, token: int) -> bool:
        """Whether this token ends the reply."""
        return bool(llama_cpp.llama_vocab_is_eog(self.vocab, token))

    def close(self) -> None:
        """Free the weights. Contexts and grammars must be closed before."""
        if self.handle:
            llama_cpp.llama_model_free(self.handle)
            self.handle = None


class Context:
    """The key-value memory of several sequences, which share its cells, and one batch to fill.

    Args:
        model: whose context this is.
        cells: tokens that all sequences together can hold.
        sequences: how many sequences there are, numbered from 0.
        batch: the most tokens decoded in one step.
        threads: CPU threads.
    """

    def __init__(
        self,
        model: Model,
        *,
        cells: int,
        sequences: int,
        batch: int,
        threads: int,
    ) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = batch
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        # One pool of cells, so that a shared prompt costs its cells once and a long call may
        # take what short ones leave.
        params.kv_unified = True
        params.no_perf = True
        # Measured on a CPU, a step of eight sequences: with heads of 32, 4.5 ms with flash
        # attention and 2.3 without; with heads of 128, 54 ms with it and 96 without.
        params.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO
            if model.head_width >= NARROWEST_FLASH_HEAD
            else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        self._model = model
        self._context: Any = llama_cpp.llama_init_from_model(model.handle, params)
        if not self._context:
            raise EngineError(
                f"no memory for the language model's context of {cells} tokens: lower "
                "`calls.max_concurrent` or choose a smaller `models.set`"
            )
        self._memory: Any = llama_cpp.llama_get_memory(self._context)
        self.cells = int(llama_cpp.llama_n_ctx(self._context))
        self.batch_tokens = batch
        self._tokens = np.zeros(batch, np.int32)
        self._positions = np.zeros(batch, np.int32)
        self._sequences = np.zeros(batch, np.int32)
        self._wanted = np.zeros(batch, np.int8)
        ones = self._ones = np.ones(batch, np.int32)
        step = self._sequences.itemsize
        self._pointers = self._sequences.ctypes.data + step * np.arange(batch, dtype=np.int64)
        self._batch = llama_cpp.llama_batch(
            n_tokens=0,
            token=_pointer(self._tokens, ctypes.c_int32),
            pos=_pointer(self._positions, ctypes.c_int32),
            n_seq_id=_pointer(ones, ctypes.c_int32),
            seq_id=_pointer(self._pointers, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._wanted, ctypes.c_int8),
        )
        self._filled = 0

    @property
    def filled(self) -> int:
        """Tokens in the batch so far."""
        return self._filled

    def add(self, sequence: int, position: int, tokens: list[int], *, logits: bool) -> int:
        """Append tokens of one sequence to the batch.

        Args:
            sequence: its number.
            position: where in the sequence the first of them stands.
            tokens: no more than the batch still has room for.
            logits: whether to predict what follows the last of them.

        Returns:
            The index to ask `logits` for.
        """
        begin, end = self._filled, self._filled + len(tokens)
        if end > self.batch_tokens:
            raise ValueError(f"the batch holds {self.batch_tokens} tokens, not {end}")
        self._tokens[begin:end] = tokens
        self._positions[begin:end] = np.arange(position, position + len(tokens))
        self._sequences[begin:end] = sequence
        self._wanted[begin:end] = 0
        self._wanted[end - 1] = logits
        self._filled = end
        return end - 1

    def decode(self) -> int:
        """Run the batch and empty it; llama.cpp's result, 0 for success. Frees the GIL."""
        self._batch.n_tokens = self._filled
        self._filled = 0
        return int(llama_cpp.llama_decode(self._context, self._batch))

    def logits(self, index: int) -> Logits:
        """The logits at an index of the decoded batch: a view, valid until the next `decode`."""
        pointer = llama_cpp.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, shape=(self._model.vocab_size,))

    def share(self, source: int, target: int, length: int) -> None:
        """Give the target sequence the first `length` tokens of the source; no cell is copied."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def cut(self, sequence: int, length: int) -> bool:
        """Forget what a sequence holds past its first `length` tokens.

        False where the model's memory cannot be cut (recurrent models): nothing has changed.
        """
        return bool(llama_cpp.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def clear(self) -> None:
        """Forget all sequences."""
        llama_cpp.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        """Free the context."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None


class Grammar:
    """A GBNF grammar that one reply must follow, and how far the reply has come in it."""

    def __init__(self, model: Model, gbnf: str) -> None:
        self._model = model
        self._handle: Any = llama_cpp.llama_sampler_init_grammar(
            model.vocab, gbnf.encode(), b"root"
        )
        if not self._handle:
            raise EngineError("the language model cannot follow this result schema")

    def choose(self, logits: Logits, pick: Callable[[Logits], int]) -> int:
        """A token that the grammar allows; the grammar advances by it.

        What is picked of all tokens is tried alone first: checking one is cheap, masking a whole
        vocabulary is not.

        Args:
            logits: of all tokens.
            pick: chooses one of them by their logits.
        """
        chosen = pick(logits)
        if np.isneginf(self._masked(np.array([chosen], np.int32), logits[chosen : chosen + 1])[0]):
            masked = self._masked(np.arange(logits.size, dtype=np.int32), logits)
            if np.isneginf(masked.max()):
                raise EngineError("the language model cannot continue its structured reply")
            chosen = pick(masked)
        llama_cpp.llama_sampler_accept(self._handle, chosen)
        return chosen

    def _masked(self, tokens: Ints, logits: Logits) -> Logits:
        """These tokens' logits, minus infinity where the grammar does not allow them."""
        data = np.zeros(tokens.size, _TOKEN_DATA)
        data["id"], data["logit"] = tokens, logits
        candidates = llama_cpp.llama_token_data_array(
            data=_pointer(data, llama_cpp.llama_token_data),
            size=tokens.size,
            selected=-1,
            sorted=False,
        )
        llama_cpp.llama_sampler_apply(self._handle, ctypes.byref(candidates))
        return data["logit"]

    def close(self) -> None:
        """Free the grammar."""
        if self._handle:
            llama_cpp.llama_sampler_free(self._handle)
            self._handle = None


_TOKEN_DATA: Final = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def _pointer(array: NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
