"""The starter language model's network: a small Llama, in pure torch, for training only.

At this size wording is learned in minutes, while copying names and times from the prompt is not.
So three attention heads are guided while training: in the first block one head each looks one
and two tokens back, in the copy block two heads look at the token that the answer takes from the
prompt. The guidance is an extra loss; the network that is exported has no trace of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

COPY_BLOCK = 2
COPY_HEADS = 2


@dataclass(frozen=True, slots=True)
class LlamaSize:
    """Hyperparameters, named as in GGUfunctional."""

    vocab: int
    width: int = 192
    blocks: int = 4
    heads: int = 6
    feed_forward: int = 512
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def rope_tables(length: int, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines, each (length, head_width), of the rotary embedding (RoFormer)."""
    frequency = base ** (-torch.arange(0, head_width, 2, dtype=torch.float32) / head_width)
    angle = torch.arange(length, dtype=torch.float32)[:, None] * frequency
    return torch.cat((angle.cos(),) * 2, -1), torch.cat((-angle.sin(), angle.sin()), -1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the first half of each head against the second.

    llama.cpp rotates neighbours instead, so the export reorders the rows (`interleave`).

    Args:
        x: (batch, heads, length, head_width).
        cos: (length, head_width), and `sin` alike.
    """
    return x * cos + x.roll(x.shape[-1] // 2, -1) * sin


def interleave(weight: Tensor, heads: int) -> Tensor:
    """Reorder the rows of a query or key matrix from halves to neighbouring pairs."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def deinterleave(weight: Tensor, heads: int) -> Tensor:
    """What `interleave` was given."""
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


class Norm(nn.Module):  # type: ignore[misc, unused-ignore]
    """Root-mean-square norm."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


class Block(nn.Module):  # type: ignore[misc, unused-ignore]
    """Attention and gated feed-forward.

    Gives the states of all positions, or of `rows` only, and the queries and keys.
    """

    def __init__(self, size: LlamaSize) -> None:
        super().__init__()
        self.heads, self.head_width = size.heads, size.head_width
        self.attn_norm = Norm(size.width, size.norm_epsilon)
        self.attn_q = nn.Linear(size.width, size.width, bias=False)
        self.attn_k = nn.Linear(size.width, size.width, bias=False)
        self.attn_v = nn.Linear(size.width, size.width, bias=False)
        self.attn_output = nn.Linear(size.width, size.width, bias=False)
        self.ffn_norm = Norm(size.width, size.norm_epsilon)
        self.ffn_gate = nn.Linear(size.width, size.feed_forward, bias=False)
        self.ffn_up = nn.Linear(size.width, size.feed_forward, bias=False)
        self.ffn_down = nn.Linear(size.feed_forward, size.width, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, future: Tensor, rows: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        batch, length, width = x.shape
        y = self.attn_norm(x)
        shape = (batch, length, self.heads, self.head_width)
        q = rotate(self.attn_q(y).view(shape).transpose(1, 2), cos, sin)
        k = rotate(self.attn_k(y).view(shape).transpose(1, 2), cos, sin)
        v = self.attn_v(y).view(shape).transpose(1, 2)
        # Faster than torch's fused attention at this size on a CPU.
        weights = torch.baddbmm(
            future, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=self.head_width**-0.5
        ).softmax(-1)
        mixed = torch.bmm(weights, v.flatten(0, 1)).view(batch, self.heads, length, -1)
        mixed = mixed.transpose(1, 2).reshape(batch, length, width)
        if rows is not None:
            x, mixed = x[rows[:, 0], rows[:, 1]], mixed[rows[:, 0], rows[:, 1]]
        x = x + self.attn_output(mixed)
        y = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(y)) * self.ffn_up(y)), q, k


class Llama(nn.Module):  # type: ignore[misc, unused-ignore]
    """The whole network; input and output embeddings are one.

    A word with a space before it is embedded as the word plus one vector for all spaces, so that
    a name's first piece is copied as easily after a space as after a quotation mark.

    Args:
        size: hyperparameters.
        canonical: for each token id, the id of the same word without the space, or itself.
        spaced: for each token id, whether it has that space.
    """

    canonical: Tensor
    spaced: Tensor

    def __init__(self, size: LlamaSize, canonical: Sequence[int], spaced: Sequence[bool]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("canonical", torch.tensor(canonical), persistent=False)
        self.register_buffer("spaced", torch.tensor(spaced)[:, None].float(), persistent=False)
        self.words = nn.Parameter(torch.empty(size.vocab, size.width))
        self.space = nn.Parameter(torch.randn(size.width) * 0.02)
        self.blk = nn.ModuleList(Block(size) for _ in range(size.blocks))
        self.output_norm = Norm(size.width, size.norm_epsilon)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                deep = name.endswith(("attn_output.weight", "ffn_down.weight"))
                spread = 0.02 if name == "words" else parameter.shape[1] ** -0.5
                nn.init.normal_(parameter, std=spread / ((2 * size.blocks) ** 0.5 if deep else 1))

    def token_embd(self) -> Tensor:
        """The embedding of every token, (vocab, width)."""
        return self.words[self.canonical] + self.spaced * self.space

    def forward(self, ids: Tensor, rows: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Logits (n, vocab) of the tokens after some positions, and each block's looks.

        Args:
            ids: (batch, length).
            rows: (n, 2), batch index and position.

        Returns:
            The logits, and each block's rotated queries and keys.
        """
        table = self.token_embd()
        x = functional.embedding(ids, table)
        cos, sin = rope_tables(ids.shape[1], self.size.head_width, self.size.rope_base)
        x = x.bfloat16() if torch.is_autocast_enabled("cpu") else x
        cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        future = torch.full((ids.shape[1], ids.shape[1]), -1e4, dtype=x.dtype).triu(1)
        looks: list[tuple[Tensor, Tensor]] = []
        for number, block in enumerate(self.blk, 1):
            picked = rows if number == len(self.blk) else None
            x, q, k = block(x, cos, sin, future, picked)
            looks.append((q, k))
        return functional.linear(self.output_norm(x), table), looks


def look_loss(q: Tensor, k: Tensor, rows: Tensor, at: Tensor) -> Tensor:
    """How far a group of heads is from looking at given positions: mean negative log attention.

    Args:
        q: (batch, heads, length, head_width), and `k` alike.
        rows: (n, 2), batch index and position of each look.
        at: (n,), the position to look at.
    """
    scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    picked = scores[rows[:, 0], :, rows[:, 1]]
    future = torch.arange(k.shape[2]) > rows[:, 1:2]
    logs = picked.masked_fill(future[:, None], float("-inf")).log_softmax(-1)
    return -logs.gather(-1, at[:, None, None].expand(-1, logs.shape[1], 1)).mean()
