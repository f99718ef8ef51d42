"""The network of Silero's voice activity detector, version 6, on numpy, for telephone lines.

faster-whisper brings its weights, as an ONNX graph for 16 kHz and steps of 32 ms. Run here:

- A line of 8 kHz needs no resampling: every other sample of the graph's own Fourier transform is
  that of such a line. Bins above 4 kHz, of which it has none, are left out, on every line.
- It steps with the frames of the line, so that what it says is of this very frame. Its window of
  36 ms then overlaps with the one before, which it takes well: on people it tells speech better so.
- Nothing is loaded but weights, once for all calls; a step costs half of what onnxruntime takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import faster_whisper
import numpy as np
from numpy.typing import NDArray

from voice_loop.audio import FULL_SCALE, Samples
from voice_loop.ports import EngineError

Array = NDArray[np.float32]

ASSET: Final = Path(faster_whisper.__file__).with_name("assets") / "silero_vad_v6.onnx"
#: Of the graph: its rate, the samples under its Fourier transform, and those in one step before
#: which come the last of the step before.
RATE: Final = 16000
#: Of the lines that it hears, Hz.
LINE_RATES: Final = (8000, 16000)
_TAPS: Final = 256
_STEP: Final = 512
_CONTEXT: Final = 64
_WIDTH: Final = 128
"""Of what the network remembers."""

#: Protocol buffers, as in ONNX: ModelProto.graph, GraphProto.initializer, and of a TensorProto its
#: dims, data_type (1 is float32), name and raw_data.
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9


class Weights:
    """The network's matrices for lines of one rate. Raises EngineError (`read_weights`)."""

    def __init__(self, rate: int, path: Path = ASSET) -> None:
        """
        Args:
            rate: of the line, 8000 or 16000 Hz.
            path: the ONNX file.
        """
        stride = RATE // rate
        self.taps, self.step, self.context = (n // stride for n in (_TAPS, _STEP, _CONTEXT))
        self.bins = _TAPS // 4 + 1  # 0 to 4 kHz
        tensors = read_weights(path)
        try:
            transform = tensors["encoder.feature_extractor.forward_basis_buffer"][:, 0]
            convolutions = [tensors[f"encoder.conv_layers.{n}.weight"] for n in range(4)]
            self.biases = [tensors[f"encoder.conv_layers.{n}.bias"] for n in range(4)]
            input_weights, hidden_weights = (tensors[f"onnx::LSTM_{n}"][0] for n in (209, 210))
            gate_bias = tensors["onnx::LSTM_211"][0].reshape(2, -1).sum(axis=0)
            self.decoder = tensors["decoder.conv1d.weight"][0, :, 0]
            self.decoder_bias = tensors["decoder.conv1d.bias"][0]
        except (KeyError, IndexError) as error:
            raise EngineError(f"{path} is another network than Silero v6: {error!r}") from error
        real, imaginary = transform[: self.bins], transform[_TAPS // 2 + 1 :][: self.bins]
        self.transform = _matrix(np.concatenate([real, imaginary])[:, ::stride].T * stride)
        # Of the third layer's window of three only two, of the fourth's only one is ever within
        # the step.
        first, second, third, fourth = convolutions
        kernels = first[:, : self.bins], second, third[:, :, 1:], fourth[:, :, 1:2]
        self.layers = [
            _matrix(kernel.transpose(2, 1, 0).reshape(-1, kernel.shape[0])) for kernel in kernels
        ]
        # A sigmoid is half a hyperbolic tangent of half: so all four gates are one call.
        half = np.ones(4 * _WIDTH, np.float32)
        half[: 3 * _WIDTH] = 0.5
        gates = np.concatenate([input_weights, hidden_weights], axis=1).T
        self.gates = _matrix(gates * half)
        self.gate_bias = gate_bias * half


@cache
def weights_for(rate: int) -> Weights:
    """The matrices for lines of that rate, read once. Raises EngineError."""
    return Weights(rate)


class Silero:
    """What the network has heard of one call, and remembers of it.

    Args:
        weights: shared by all calls of that rate.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.heard = np.zeros(weights.context + weights.step, np.float32)
        self.memory = np.zeros(2 * _WIDTH, np.float32)
        """What it says of the latest frame that it thought about, and what it keeps of all."""

    def hear(self, frame: Samples | Array) -> Array:
        """Take the next frame, full scale being 32768. Returns it, full scale being 1, until the
        next one comes."""
        heard = self.heard
        heard[: -frame.size] = heard[frame.size :]
        latest = heard[-frame.size :]
        np.multiply(frame, np.float32(1 / FULL_SCALE), out=latest)
        return latest


def think(calls: Sequence[Silero]) -> tuple[Array, Array]:
    """Tell what the network makes of the latest frame of each call, of one rate all of them.

    All at once: the matrices, and the way through Python, are then paid for once.

    Returns 128 numbers of the sound and 128 of what is remembered from now on, for each call; and
    of each the logit of the probability that somebody speaks, as the network itself sees it.
    """
    w, count = calls[0].weights, len(calls)
    size = w.context + w.step
    heard = np.empty((count, size + w.context), np.float32)
    np.stack([call.heard for call in calls], out=heard[:, :size])
    heard[:, size:] = heard[:, size - 2 : size - 2 - w.context : -1]
    halves = heard.reshape(count, 5, w.taps // 2)
    windows = np.concatenate([halves[:, :4], halves[:, 1:]], axis=2)
    waves = windows.reshape(count * 4, w.taps) @ w.transform
    np.square(waves, out=waves)
    # What the convolutions pad with is nothing: a row before and after, a row before.
    spectrum = np.zeros((count, 6, w.bins), np.float32)
    powers = np.add(waves[:, : w.bins], waves[:, w.bins :]).reshape(count, 4, w.bins)
    np.sqrt(powers, out=spectrum[:, 1:5])
    by_three = np.concatenate([spectrum[:, :4], spectrum[:, 1:5], spectrum[:, 2:]], axis=2)
    first = np.zeros((count, 5, _WIDTH), np.float32)
    first[:, 1:] = _layer(by_three.reshape(count * 4, -1), w, 0).reshape(count, 4, _WIDTH)
    by_two = np.concatenate([first[:, :4:2], first[:, 1:4:2], first[:, 2::2]], axis=2)
    second = _layer(by_two.reshape(count * 2, -1), w, 1)
    third = _layer(second.reshape(count, -1), w, 2)
    memory = np.stack([call.memory for call in calls])
    said, cell = np.empty((count, 2 * _WIDTH), np.float32), memory[:, _WIDTH:]
    said[:, :_WIDTH] = _layer(third, w, 3)
    said[:, _WIDTH:] = memory[:, :_WIDTH]
    gates = np.tanh(said @ w.gates + w.gate_bias)
    gates[:, : 3 * _WIDTH] *= 0.5
    gates[:, : 3 * _WIDTH] += 0.5
    take, give, keep, new = (gates[:, n * _WIDTH : (n + 1) * _WIDTH] for n in range(4))
    cell *= keep
    cell += take * new
    hidden = np.multiply(give, np.tanh(cell), out=said[:, _WIDTH:])
    memory[:, :_WIDTH] = hidden
    for call, kept in zip(calls, memory, strict=True):
        call.memory[:] = kept
    return said, np.maximum(hidden, 0) @ w.decoder + w.decoder_bias


def _layer(rows: Array, weights: Weights, number: int) -> Array:
    """A convolution of the encoder's, as a product."""
    product: Array = rows @ weights.layers[number]
    product += weights.biases[number]
    return np.maximum(product, 0, out=product)


def _matrix(values: Array) -> Array:
    return np.ascontiguousarray(values, np.float32)


def read_weights(path: Path) -> Mapping[str, Array]:
    """Read the float32 initializers of an ONNX file by their names.

    Raises EngineError for a file that is missing or is none.
    """
    try:
        model = memoryview(path.read_bytes())
        return dict(_tensors(model))
    except OSError as error:
        raise EngineError(
            f"the speech detector's network cannot be read: {error}; install faster-whisper again, "
            "which brings it"
        ) from error
    except (IndexError, ValueError, TypeError) as error:
        raise EngineError(f"{path} is no ONNX file: {error!r}") from error


def _tensors(model: memoryview) -> Iterator[tuple[str, Array]]:
    for graph in _of(model, _GRAPH):
        for tensor in _of(graph, _INITIALIZER):
            fields = list(_fields(tensor))
            values = {field: value for field, value in fields if field != _DIMS}
            if values.get(_DATA_TYPE) == 1 and _RAW_DATA in values:
                shape = [value for field, value in fields if field == _DIMS]
                numbers = np.frombuffer(values[_RAW_DATA], "<f4").reshape(shape)
                yield bytes(values[_NAME]).decode(), numbers


def _of(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for field, value in _fields(message) if field == wanted)


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Those of one message of protocol buffers: integers, or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, at = _varint(message, at)
            case 5:
                size = 4
            case kind:
                raise ValueError(f"a field of kind {kind}")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
