"""The starter Whisper as files: tokenizer, CTranslate2 int8 weights, feature settings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from ctranslate2.specs import whisper_spec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn

from models.training.whisper_data import POSITIONS
from models.training.whisper_net import Attention, DecoderLayer, EncoderLayer, TinyWhisper

#: Whisper's control tokens in its own order; `<|notimestamps|>` is last because what follows
#: it would be time stamps.
CONTROL_TOKENS: Final = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)


@dataclass(frozen=True)
class TokenTable:
    """Token strings by id, and the ids that training needs."""

    tokens: tuple[str, ...]
    first_word: int
    end: int
    start: int
    no_speech: int
    no_timestamps: int


def token_table(words: Sequence[str]) -> TokenTable:
    """All bytes, then one token per word (with its leading space), then the control tokens."""
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    first_word = len(tokens)
    tokens += ["Ġ" + word for word in words]
    control = {name: len(tokens) + i for i, name in enumerate(CONTROL_TOKENS)}
    return TokenTable(
        tokens=(*tokens, *CONTROL_TOKENS),
        first_word=first_word,
        end=control["<|endoftext|>"],
        start=control["<|startoftranscript|>"],
        no_speech=control["<|nospeech|>"],
        no_timestamps=control["<|notimestamps|>"],
    )


def make_tokenizer(table: TokenTable) -> Tokenizer:
    """A byte-level tokenizer that knows whole words and spells all others in bytes."""
    vocabulary = {token: i for i, token in enumerate(table.tokens[: table.end])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in CONTROL_TOKENS])
    return tokenizer


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    # A copy: CTranslate2 quantises in place, and the network may go on training.
    return np.array(tensor.detach().float().numpy(), order="C", copy=True)


class _Filler:
    """Copies layers into a CTranslate2 specification, whose attributes are made on the fly."""

    def norm(self, spec: object, module: nn.LayerNorm) -> None:
        self.put(spec, gamma=module.weight, beta=module.bias)

    def put(self, spec: object, **values: Tensor) -> None:
        for name, value in values.items():
            setattr(spec, name, _array(value))

    def stacked(self, spec: object, linears: Sequence[nn.Linear]) -> None:
        """Linears that read the same input as one; CTranslate2 fuses q, k, v like this."""
        weight = torch.cat([linear.weight for linear in linears])
        bias = torch.cat(
            [
                linear.bias if linear.bias is not None else torch.zeros(linear.out_features)
                for linear in linears
            ]
        )
        self.put(spec, weight=weight, bias=bias)

    def self_attention(self, spec: object, norm: nn.LayerNorm, module: Attention) -> None:
        linear = getattr(spec, "linear")  # noqa: B009
        self.norm(getattr(spec, "layer_norm"), norm)  # noqa: B009
        self.stacked(linear[0], [module.query, module.key, module.value])
        self.stacked(linear[1], [module.out])

    def cross_attention(self, spec: object, norm: nn.LayerNorm, module: Attention) -> None:
        linear = getattr(spec, "linear")  # noqa: B009
        self.norm(getattr(spec, "layer_norm"), norm)  # noqa: B009
        self.stacked(linear[0], [module.query])
        self.stacked(linear[1], [module.key, module.value])
        self.stacked(linear[2], [module.out])

    def feed_forward(self, spec: object, module: EncoderLayer | DecoderLayer) -> None:
        self.norm(getattr(spec, "layer_norm"), module.norm)  # noqa: B009
        self.stacked(getattr(spec, "linear_0"), [module.up])  # noqa: B009
        self.stacked(getattr(spec, "linear_1"), [module.down])  # noqa: B009


def export(model: TinyWhisper, words: Sequence[str], out: Path) -> None:
    """Writes a directory that `faster_whisper.WhisperModel` loads.

    Args:
        model: the trained network (float32).
        words: its vocabulary, in token order.
        out: directory; made if missing.
    """
    sizes, table, fill = model.sizes, token_table(words), _Filler()
    spec = whisper_spec.WhisperSpec(
        sizes.encoder_layers, sizes.heads, sizes.decoder_layers, sizes.heads
    )
    encoder, decoder = spec.encoder, spec.decoder
    fill.put(encoder.conv1, weight=model.conv1.weight, bias=_bias(model.conv1))
    fill.put(encoder.conv2, weight=model.conv2.weight, bias=_bias(model.conv2))
    fill.put(encoder.position_encodings, encodings=model.positions)
    fill.norm(encoder.layer_norm, model.encoder_norm)
    for layer_spec, layer in zip(encoder.layer, model.encoder, strict=True):
        assert isinstance(layer, EncoderLayer)
        fill.self_attention(layer_spec.self_attention, layer.attention_norm, layer.attention)
        fill.feed_forward(layer_spec.ffn, layer)
    fill.put(decoder.embeddings, weight=model.embed.weight)
    fill.put(decoder.position_encodings, encodings=model.embed_positions)
    fill.norm(decoder.layer_norm, model.decoder_norm)
    for layer_spec, layer in zip(decoder.layer, model.decoder, strict=True):
        assert isinstance(layer, DecoderLayer)
        fill.self_attention(layer_spec.self_attention, layer.attention_norm, layer.attention)
        fill.cross_attention(layer_spec.attention, layer.cross_norm, layer.cross)
        fill.feed_forward(layer_spec.ffn, layer)
    fill.put(decoder.projection, weight=model.embed.weight)
    spec.register_vocabulary(list(table.tokens))
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = []
    spec.config.alignment_heads = [(sizes.decoder_layers - 1, head) for head in range(sizes.heads)]
    spec.validate()
    spec.optimize(quantization="int8")
    out.mkdir(parents=True, exist_ok=True)
    spec.save(str(out))
    make_tokenizer(table).save(str(out / "tokenizer.json"))
    settings = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "sampling_rate": 16000,
        "hop_length": 160,
        "n_fft": 400,
        # Seconds of audio in one window. The model has this many positions (20 ms) and no more:
        # the caller crops what `pad_or_trim` made 30 s long.
        "chunk_length": POSITIONS // 50,
        "max_source_positions": POSITIONS,
    }
    (out / "preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def _bias(module: nn.Conv1d) -> Tensor:
    assert module.bias is not None
    return module.bias
