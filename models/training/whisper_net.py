"""The starter Whisper's network: OpenAI's architecture, small, with training-only heads.

The layout follows "Robust Speech Recognition via Large-Scale Weak Supervision" (Radford et al.,
2022): two convolutions over the log-mel (the second with stride 2), pre-norm transformer blocks,
absolute positions, output tied to the input embedding. It takes any length up to its window, as
CTranslate2 does.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.whisper_data import IGNORE, POSITIONS


@dataclass(frozen=True)
class Sizes:
    """The network's shape."""

    vocabulary: int
    phonemes: int
    words: int
    width: int = 192
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 2
    #: After this many encoder layers the phonemes are read off.
    phoneme_layer: int = 3
    #: Highest word index that the encoder is taught to count to.
    counted: int = 24
    target_positions: int = 448


class Attention(nn.Module):  # type: ignore[misc, unused-ignore]
    """Multi-head attention; the key projection has no bias, as in Whisper."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(
        self, x: Tensor, source: Tensor, *, causal: bool = False, weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the output and, when asked, the log attention (batch, heads, to, from)."""
        query, key, value = (
            self._split(self.query(x)),
            self._split(self.key(source)),
            self._split(self.value(source)),
        )
        # Written out: on a CPU this is several times faster backwards than the fused attention.
        scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(2, 3)
        if causal:
            length = x.shape[1]
            future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(future, -1e4)
        mixed = functional.softmax(scores, dim=-1) @ value
        logs = functional.log_softmax(scores.float(), dim=-1) if weights else None
        return self.out(mixed.transpose(1, 2).reshape(x.shape)), logs


class EncoderLayer(nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        normal = self.attention_norm(x)
        x = x + self.attention(normal, normal)[0]
        mixed: Tensor = self.down(functional.gelu(self.up(self.norm(x))))
        return x + mixed


class DecoderLayer(nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.cross_norm = nn.LayerNorm(width)
        self.cross = Attention(width, heads)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, heard: Tensor, weights: bool) -> tuple[Tensor, Tensor | None]:
        normal = self.attention_norm(x)
        x = x + self.attention(normal, normal, causal=True)[0]
        mixed, logs = self.cross(self.cross_norm(x), heard, weights=weights)
        x = x + mixed
        fed: Tensor = self.down(functional.gelu(self.up(self.norm(x))))
        return x + fed, logs


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's fixed encoder positions, shape (length, width)."""
    step = math.log(10_000) / (width // 2 - 1)
    scales = torch.exp(-step * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * scales[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


@dataclass(frozen=True)
class Losses:
    """Mean losses of one batch; the extra ones teach where the words and phonemes are."""

    text: Tensor
    phonemes: Tensor
    words: Tensor
    count: Tensor
    attention: Tensor


class TinyWhisper(nn.Module):  # type: ignore[misc, unused-ignore]
    """The recogniser and the heads that only training uses."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, heads = sizes.width, sizes.heads
        self.sizes = sizes
        self.conv1 = nn.Conv1d(80, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.positions: Tensor
        self.register_buffer("positions", sinusoids(POSITIONS, width))
        self.encoder = nn.ModuleList(
            EncoderLayer(width, heads) for _ in range(sizes.encoder_layers)
        )
        self.encoder_norm = nn.LayerNorm(width)
        self.embed = nn.Embedding(sizes.vocabulary, width)
        self.embed_positions = nn.Parameter(torch.zeros(sizes.target_positions, width))
        self.decoder = nn.ModuleList(
            DecoderLayer(width, heads) for _ in range(sizes.decoder_layers)
        )
        self.decoder_norm = nn.LayerNorm(width)
        self.phoneme_head = nn.Linear(width, sizes.phonemes)
        self.word_head = nn.Linear(width, sizes.words + 1)
        self.count_head = nn.Linear(width, sizes.counted + 1)
        nn.init.normal_(self.embed.weight, std=0.05)
        with torch.no_grad():
            self.embed_positions[:64] = 0.05 * sinusoids(64, width)

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, 80, frames) to the encoder's output and the middle layer, (batch, pos, width)."""
        x = functional.gelu(self.conv1(features))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        middle = x
        for number, layer in enumerate(self.encoder, 1):
            x = layer(x)
            if number == self.sizes.phoneme_layer:
                middle = x
        return self.encoder_norm(x), middle

    def decode(self, tokens: Tensor, heard: Tensor, weights: bool) -> tuple[Tensor, list[Tensor]]:
        """Next-token logits for each position, and each layer's log cross-attention if asked."""
        x = self.embed(tokens) + self.embed_positions[: tokens.shape[1]]
        attention: list[Tensor] = []
        for layer in self.decoder:
            x, logs = layer(x, heard, weights)
            if logs is not None:
                attention.append(logs)
        return functional.linear(self.decoder_norm(x), self.embed.weight), attention

    def losses(
        self,
        *,
        features: Tensor,
        phonemes: Tensor,
        word_at: Tensor,
        word_ids: Tensor,
        tokens: Tensor,
        targets: Tensor,
        lengths: Tensor,
        prompt: int,
        guide: bool,
    ) -> Losses:
        """All losses of one batch.

        Args:
            features: (batch, 80, frames).
            phonemes, word_at, word_ids: (batch, positions), see `whisper_data.Batch`.
            tokens, targets: (batch, tokens); target `IGNORE` where it does not count.
            lengths: (batch,) words said.
            prompt: index of the token that predicts the first word.
            guide: whether to compute the attention loss.
        """
        heard, middle = self.encode(features)
        logits, attention = self.decode(tokens, heard, weights=guide)
        text = functional.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORE
        )
        phoneme = functional.cross_entropy(
            self.phoneme_head(middle).flatten(0, 1).float(), phonemes.flatten()
        )
        word = functional.cross_entropy(
            self.word_head(heard).flatten(0, 1).float(), word_ids.flatten()
        )
        counted = (word_at + 1).clamp(max=self.sizes.counted)
        count = functional.cross_entropy(
            self.count_head(heard).flatten(0, 1).float(), counted.flatten()
        )
        guided = text.new_zeros(())
        if guide:
            guided = self._guided(attention, word_at, lengths, prompt, tokens.shape[1])
        return Losses(text, phoneme, word, count, guided)

    @staticmethod
    def _guided(
        attention: list[Tensor], word_at: Tensor, lengths: Tensor, prompt: int, steps: int
    ) -> Tensor:
        """How far each step's attention is from the word that it is about to write.

        The step after the last word has to look at where no word is any more.
        """
        step = torch.arange(steps, device=word_at.device)[None, :, None] - prompt
        spoken = (step >= 0) & (step < lengths[:, None, None])
        inside = (word_at[:, None, :] == step) & spoken
        last = torch.where(word_at >= 0, torch.arange(word_at.shape[1])[None], -1).amax(dim=1)
        after = torch.arange(word_at.shape[1])[None, None, :] > last[:, None, None]
        inside = inside | (after & (step == lengths[:, None, None]) & (lengths > 0)[:, None, None])
        known = inside.any(dim=-1)
        total = word_at.new_zeros((), dtype=torch.float32)
        for logs in attention:
            masked = logs.masked_fill(~inside[:, None], -1e4)
            mass = torch.logsumexp(masked, dim=-1)  # (batch, heads, steps)
            total = total - (mass * known[:, None]).sum() / (known.sum() * mass.shape[1] + 1e-6)
        return total / max(1, len(attention))
