"""The starter voice's network: phoneme ids in, audio out, with the interface of Piper's models.

A small convolutional network predicts how long each phoneme lasts and, for every 6.25 ms, the
spectrum in 64 mel bands, the pitch and how voiced it is. The sound is then made by a vocoder
inside the graph: pulses and noise (source), shaped by the spectrum in short-time Fourier frames
(filter), added up again. Everything that the vocoder needs is differentiable or constant, so the
exported ONNX file is one plain graph.
"""

import math
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

RATE: Final = 16000
HOP: Final = 100
FFT: Final = 400
BANDS: Final = 64
#: Lowest log-mel value; silence.
FLOOR: Final = -9.0
#: Voiced sound is pulses below this frequency and noise above it.
VOICED_UP_TO_HZ: Final = 4500.0


def mel_filters() -> Tensor:
    """Triangular filters of unit sum, shape (BANDS, FFT // 2 + 1)."""
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    # Low bands are narrower than a bin: no triangle may be empty.
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    width = RATE / FFT
    up = (bins[None] - low + width) / (mid - low + width)
    down = (high + width - bins[None]) / (high - mid + width)
    filters = np.maximum(0.0, np.minimum(up, down))
    return torch.from_numpy((filters / filters.sum(1, keepdims=True)).astype(np.float32))


def window() -> Tensor:
    """Square root of a periodic Hann window: its square overlaps at HOP to the constant 2."""
    return torch.hann_window(FFT).sqrt()


def log_mel(audio: Tensor) -> Tensor:
    """Log of the mean power in each band, (frames, BANDS), for samples at RATE."""
    spectrum = torch.stft(
        audio, FFT, HOP, window=window(), center=True, pad_mode="constant", return_complex=True
    )
    # Scaled so that white noise of RMS 1 is 0 in every band.
    power = spectrum.abs().square() / (FFT / 2)
    return (mel_filters() @ power).clamp_min(math.exp(FLOOR)).log().T


class Block(nn.Module):  # type: ignore[misc, unused-ignore]
    """A residual convolution."""

    def __init__(self, width: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(
            width, width, kernel, padding=kernel // 2 * dilation, dilation=dilation
        )
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask` (batch, length, 1) makes padding look like the end of the input."""
        normal = self.norm(x)
        if mask is not None:
            normal = normal * mask
        y = self.conv(normal.transpose(1, 2)).transpose(1, 2)
        mixed: Tensor = self.mix(functional.gelu(y))
        return x + mixed


class Acoustics(nn.Module):  # type: ignore[misc, unused-ignore]
    """Phoneme ids to durations and to frames (spectrum, pitch, voicing)."""

    def __init__(self, symbols: int, width: int = 128) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, width)
        self.encoder = nn.ModuleList(Block(width, 5) for _ in range(4))
        self.duration = nn.Linear(width, 1)
        self.place = nn.Linear(4, width)
        self.decoder = nn.ModuleList(Block(width, 5, d) for d in (1, 2, 4, 2, 1))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, BANDS + 2)

    def encode(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(batch, symbols) to states and durations in frames (batch, symbols)."""
        x = self.embed(ids)
        for block in self.encoder:
            x = block(x, mask)
        return x, functional.softplus(self.duration(x).squeeze(-1))

    def frames(
        self, states: Tensor, ends: Tensor, count: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Frames (batch, frames, BANDS + 2) for states that end at frame `ends`.

        Args:
            states: (batch, symbols, width).
            ends: (batch, symbols), cumulative, whole numbers as floats.
            count: the number of frames, a 0-d integer tensor.
            mask: (batch, frames, 1), 0 after an utterance's last frame.
        """
        at = torch.arange(cast(int, count)).to(ends.dtype)
        index = (at[None, :, None] >= ends[:, None, :]).to(torch.int64).sum(-1)
        index = index.clamp(max=states.shape[1] - 1)
        begins = functional.pad(ends, (1, 0))[:, :-1]
        begin, end = begins.gather(1, index), ends.gather(1, index)
        length = (end - begin).clamp(min=1.0)
        inside = (at[None] + 0.5 - begin) / length
        place = torch.stack(
            [
                inside,
                1.0 - inside,
                torch.log1p(length) / 4,
                ((at[None] + 1 - begin) / 8).clamp(max=1),
            ],
            dim=-1,
        )
        wide = index[:, :, None].expand(-1, -1, states.shape[2])
        x = states.gather(1, wide) + self.place(place)
        for block in self.decoder:
            x = block(x, mask)
        out: Tensor = self.out(self.norm(x))
        return out


class Voice(nn.Module):  # type: ignore[misc, unused-ignore]
    """The whole graph that Piper runs: (input, input_lengths, scales) to (1, 1, samples)."""

    def __init__(self, acoustics: Acoustics, gain: float = 2.2) -> None:
        super().__init__()
        self.acoustics = acoustics
        self.gain = gain
        bins = FFT // 2 + 1
        angle = 2 * math.pi * torch.outer(torch.arange(bins), torch.arange(FFT)) / FFT
        forward = torch.cat([angle.cos(), -angle.sin()]) * window()
        weight = torch.full((bins, 1), 2.0)
        weight[0], weight[-1] = 1.0, 1.0
        back = torch.cat([angle.cos() * weight, -angle.sin() * weight]) * window() / FFT / 2
        self.forward_basis: Tensor
        self.inverse_basis: Tensor
        self.spread: Tensor
        self.voiced_bins: Tensor
        self.disperse: Tensor
        self.register_buffer("forward_basis", forward[:, None])
        self.register_buffer("inverse_basis", back[:, None])
        # From bands back to bins: each bin takes its bands in proportion to their filters.
        filters = mel_filters()
        self.register_buffer("spread", filters / filters.sum(0, keepdim=True).clamp_min(1e-6))
        hertz = torch.arange(bins) * RATE / FFT
        self.register_buffer("voiced_bins", torch.sigmoid((VOICED_UP_TO_HZ - hertz) / 300))
        self.register_buffer("disperse", _dispersion())

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor) -> Tensor:
        states, durations = self.acoustics.encode(ids[:, : lengths[0]])
        ends = torch.round(torch.cumsum(durations * scales[1], dim=1))
        count = (ends[0, -1].clamp(min=4.0)).to(torch.int64)
        frames = self.acoustics.frames(states, ends, count)
        return self.vocode(frames, scales[0] / 0.667, scales[2])

    def vocode(self, frames: Tensor, noise_level: Tensor, flutter: Tensor) -> Tensor:
        """Sound of (1, frames, BANDS + 2); pitch is the log of its frequency in Hz."""
        bands, pitch, voiced = frames[..., :BANDS], frames[..., BANDS], frames[..., BANDS + 1]
        hertz = pitch.clamp(4.0, 6.0).exp() * (1.0 + 0.006 * flutter * torch.randn_like(pitch))
        each = hertz.reshape(-1, 1).repeat(1, HOP).reshape(1, -1)
        phase = torch.cumsum(each / RATE, dim=1)
        turns = torch.floor(phase)
        pulses = functional.pad(turns[:, 1:] - turns[:, :-1], (1, 0)) * (RATE / each).sqrt()
        pulses = functional.conv1d(
            pulses[:, None], self.disperse, padding=self.disperse.shape[2] // 2
        )
        noise = torch.randn_like(pulses) * noise_level
        harmonic, breath = self._analyse(pulses), self._analyse(noise)
        power = bands.exp() @ self.spread
        silent = math.exp(FLOOR) * 4
        envelope = (power - silent).clamp(min=0.0).sqrt().transpose(1, 2)
        tone = (torch.sigmoid(voiced)[:, None] * self.voiced_bins[None, :, None]).clamp(0.0, 1.0)
        whole = torch.cat([envelope * tone.sqrt()] * 2, 1) * harmonic[:, :, : envelope.shape[2]]
        whole = (
            whole
            + torch.cat([envelope * (1.0 - tone).sqrt()] * 2, 1) * breath[:, :, : envelope.shape[2]]
        )
        audio = functional.conv_transpose1d(whole, self.inverse_basis, stride=HOP)
        audio = audio[:, :, FFT // 2 : -FFT // 2]
        return torch.tanh(audio * self.gain)

    def _analyse(self, audio: Tensor) -> Tensor:
        """Short-time Fourier frames, real parts then imaginary parts."""
        padded = functional.pad(audio, (FFT // 2, FFT // 2))
        return functional.conv1d(padded, self.forward_basis, stride=HOP)


def _dispersion() -> Tensor:
    """An all-pass that spreads a pulse over 4 ms, so that voiced sound peaks less."""
    size = 129
    frequency = np.fft.rfftfreq(size)
    phase = -2 * np.pi * size / 4 * frequency**2 * 2
    pulse = np.fft.irfft(np.exp(1j * phase), size)
    return torch.from_numpy(np.roll(pulse, size // 4).astype(np.float32))[None, None]
