"""Tiny networks of Piper's kind (VITS), written as ONNX: weights by chance, the same every time.

What they say is noise, but stage by stage they are built as Piper's: phonemes have durations, a
flow changes what is made of them, and a decoder raises that to samples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

CHANNELS = 8
HOP = 32
SPEAKERS = 3
_FLOAT, _INT64 = 1, 7


def tiny_vits(
    symbols: int = 64,
    *,
    speakers: int = 1,
    branches: bool = False,
    sees_all: bool = False,
    tells_durations: bool = True,
    opset: int = 15,
) -> bytes:
    """One network.

    Args:
        symbols: phonemes that it knows.
        speakers: more than one makes a network that takes `sid`.
        branches: has a subgraph that takes a tensor from outside.
        sees_all: its decoder normalises over the whole sentence, as none can in windows.
        tells_durations: they are rounded as Piper's are.
        opset: of ONNX.
    """
    net = _Network()
    _text(net, symbols, "Ceil" if tells_durations else "Round")
    if branches:
        then = _graph([_node("Identity", ["mean0"], ["a"])], [], [], [_value("a", _FLOAT)])
        other = _graph([_node("Neg", ["mean0"], ["b"])], [], [], [_value("b", _FLOAT)])
        net.node("If", ["always"], "mean", then_branch=then, else_branch=other)
        net.constant("always", np.array(True))
    else:
        net.node("Identity", ["mean0"], "mean")
    voice = []
    if speakers > 1:
        net.weights("speaker_table", speakers, CHANNELS)
        net.node("Gather", ["speaker_table", "sid"], "speaker0")
        net.node("Unsqueeze", ["speaker0", "last"], "speaker")
        voice = [("sid", _INT64)]
    net.node("RandomNormalLike", ["mean"], "noise")
    net.node("Mul", ["noise", "deviation"], "noise1")
    net.node("Gather", ["scales", "zero"], "noise_scale")
    net.node("Mul", ["noise1", "noise_scale"], "noise2")
    net.node("Add", ["mean", "noise2"], "prior")
    net.weights("deviation", 1, CHANNELS, 1)
    latent = _flow(net, "prior", with_speaker=speakers > 1)
    _decoder(net, latent, with_speaker=speakers > 1, sees_all=sees_all)
    inputs = [("input", _INT64), ("input_lengths", _INT64), ("scales", _FLOAT), *voice]
    graph = _graph(
        net.nodes,
        net.tensors,
        [_value(name, kind) for name, kind in inputs],
        [_value("output", _FLOAT)],
    )
    return _number(1, 8) + _bytes(8, _number(2, opset)) + _bytes(7, graph)


def _text(net: "_Network", symbols: int, rounding: str) -> None:
    """Each phoneme's vector, as often as it has frames."""
    net.weights("table", symbols, CHANNELS, size=1.0)
    net.constant("zero", np.array(0))
    net.constant("one", np.array(1))
    net.constant("last", np.array([-1]))
    net.constant("first", np.array([0]))
    frames = np.random.default_rng(5).integers(4, 12, symbols)
    net.constant("frames", frames.astype(np.float32))
    net.node("Gather", ["frames", "input"], "long0")
    net.node("Gather", ["scales", "one"], "length_scale")
    net.node("Mul", ["long0", "length_scale"], "long1")
    net.node(rounding, ["long1"], "long2")
    net.node("Cast", ["long2"], "long", to=_INT64)
    net.node("CumSum", ["long", "one"], "until")
    net.node("ReduceSum", ["long"], "total", keepdims=0)
    net.node("Range", ["zero", "total", "one"], "times0")
    net.node("Unsqueeze", ["times0", "last"], "times")
    net.node("LessOrEqual", ["until", "times"], "gone")
    net.node("Cast", ["gone"], "gone1", to=_INT64)
    net.node("ReduceSum", ["gone1", "last"], "which", keepdims=0)
    net.node("Gather", ["table", "input"], "vectors0")
    net.node("Transpose", ["vectors0"], "vectors", perm=[0, 2, 1])
    net.node("Gather", ["vectors", "which"], "mean0", axis=2)
    net.node("Less", ["times0", "total"], "mask0")
    net.node("Cast", ["mask0"], "mask1", to=_FLOAT)
    net.constant("mask_shape", np.array([1, 1, -1]))
    net.node("Reshape", ["mask1", "mask_shape"], "mask")


def _flow(net: "_Network", tensor: str, *, with_speaker: bool) -> str:
    for layer in range(2):
        name = f"flow{layer}"
        made = net.conv(tensor, name, 5)
        if with_speaker:
            net.node("Add", [made, net.conv("speaker", f"{name}.c", 1)], name)
            made = name
        net.node("Tanh", [made], f"{name}.tanh")
        net.node("Mul", [f"{name}.tanh", "mask"], f"{name}.masked")
        net.node("Sub", [tensor, f"{name}.masked"], f"{name}.out")
        tensor = f"{name}.out"
    net.node("Mul", [tensor, "mask"], "z")
    return "z"


def _decoder(net: "_Network", tensor: str, *, with_speaker: bool, sees_all: bool) -> None:
    made = net.conv(tensor, "pre", 7)
    if with_speaker:
        net.node("Add", [made, net.conv("speaker", "cond", 1)], "told")
        made = "told"
    for index, stride in enumerate((8, 4)):
        net.node("LeakyRelu", [made], f"up{index}.in", alpha=0.1)
        net.weights(f"up{index}.w", CHANNELS, CHANNELS, 2 * stride, size=0.2)
        net.node(
            "ConvTranspose",
            [f"up{index}.in", f"up{index}.w"],
            f"up{index}",
            strides=[stride],
            pads=[stride // 2, stride // 2],
        )
        block = net.conv(f"up{index}", f"block{index}", 3, dilation=5)
        net.node("Add", [f"up{index}", block], f"up{index}.out")
        made = f"up{index}.out"
    if sees_all:
        net.constant("even", np.ones(CHANNELS, np.float32))
        net.constant("none", np.zeros(CHANNELS, np.float32))
        net.node("InstanceNormalization", [made, "even", "none"], "normal")
        made = "normal"
    net.node("Tanh", [net.conv(made, "post", 7, channels=1)], "sound")
    net.node("Unsqueeze", ["sound", "first"], "output")


class _Network:
    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []
        self._chance = np.random.default_rng(7)

    def node(self, op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(_node(op_type, inputs, [output], **attributes))

    def constant(self, name: str, value: np.ndarray[Any, Any]) -> None:
        self.tensors.append(_tensor(name, value))

    def weights(self, name: str, *shape: int, size: float = 0.5) -> None:
        self.constant(name, self._chance.normal(0, size, shape).astype(np.float32))

    def conv(
        self, tensor: str, name: str, width: int, dilation: int = 1, channels: int = CHANNELS
    ) -> str:
        self.weights(f"{name}.w", channels, CHANNELS, width, size=0.3 / width**0.5)
        pad = dilation * (width // 2)
        inputs = [tensor, f"{name}.w"]
        self.node("Conv", inputs, f"{name}.conv", dilations=[dilation], pads=[pad, pad])
        return f"{name}.conv"


# Messages of onnx.proto


def _graph(
    nodes: Sequence[bytes], tensors: Sequence[bytes], inputs: Sequence[bytes], outputs: list[bytes]
) -> bytes:
    parts = ((1, nodes), (2, [b"tiny"]), (5, tensors), (11, inputs), (12, outputs))
    return b"".join(_bytes(number, one) for number, some in parts for one in some)


def _node(op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> bytes:
    names = [_bytes(1, name.encode()) for name in inputs]
    names += [_bytes(2, name.encode()) for name in outputs]
    settings = [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join([*names, _bytes(4, op_type.encode()), *settings])


def _attribute(name: str, value: float | int | bytes | list[int]) -> bytes:
    match value:
        case bytes():
            content, kind = _bytes(6, value), 5
        case float():
            content, kind = b"\x15" + np.float32(value).tobytes(), 1
        case int():
            content, kind = _number(3, value), 2
        case _:
            content, kind = b"".join(_number(8, one) for one in value), 7
    return _bytes(1, name.encode()) + content + _number(20, kind)


def _tensor(name: str, value: np.ndarray[Any, Any]) -> bytes:
    kind = {"f": _FLOAT, "i": _INT64, "b": 9}[value.dtype.kind]
    shape = b"".join(_number(1, size) for size in value.shape)
    return shape + _number(2, kind) + _bytes(8, name.encode()) + _bytes(9, value.tobytes())


def _value(name: str, kind: int) -> bytes:
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, kind)))


def _bytes(number: int, content: bytes) -> bytes:
    return _plain(number << 3 | 2) + _plain(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _plain(number << 3) + _plain(value)


def _plain(value: int) -> bytes:
    head = b""
    while value > 0x7F:
        head, value = head + bytes([value & 0x7F | 0x80]), value >> 7
    return head + bytes([value])
