"""Cuts parts out of an ONNX model, each a model of its own, without the `onnx` package.

onnxruntime runs whole graphs only. A model is a Protocol Buffers message (onnx.proto), and to make
one of a part takes no more than to copy some of its fields: nodes and weights stay as they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

# Numbers of the fields in onnx.proto.
_MODEL_GRAPH: Final = 7
_NODE, _GRAPH_NAME, _INITIALIZER, _INPUT, _OUTPUT = 1, 2, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP_TYPE, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_GRAPHS: Final = (6, 11)
_TENSOR_NAME: Final = 8
_VALUE_NAME, _VALUE_TYPE = 1, 2
#: TypeProto { tensor_type { elem_type: FLOAT } }, of whatever shape.
_FLOATS: Final = b"\x0a\x02\x08\x01"


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    number: int
    content: memoryview
    encoded: memoryview
    """With tag and length."""


@dataclass(frozen=True)
class Node:
    """One operation of a graph."""

    op_type: str
    inputs: tuple[str, ...]
    """Tensors that it takes, its subgraphs' from outside among them."""
    outputs: tuple[str, ...]
    encoded: memoryview


class Graph:
    """A model's graph. Raises ValueError where `model` is no ONNX model."""

    def __init__(self, model: bytes) -> None:
        self._around: list[memoryview] = []
        graph = memoryview(b"")
        for field in _fields(memoryview(model)):
            if field.number == _MODEL_GRAPH:
                graph = field.content
            else:
                self._around.append(field.encoded)
        parts = list(_fields(graph))
        self.nodes = [_node(part.content, part.encoded) for part in parts if part.number == _NODE]
        """In the order of computing, as ONNX demands."""
        self._constants = {
            _name(part.content, _TENSOR_NAME): part.encoded
            for part in parts
            if part.number == _INITIALIZER
        }
        self._inputs = {
            _name(part.content, _VALUE_NAME): part.encoded
            for part in parts
            if part.number == _INPUT
        }
        self.outputs = tuple(
            _name(part.content, _VALUE_NAME) for part in parts if part.number == _OUTPUT
        )
        if not self.nodes or not self.outputs:
            raise ValueError("not an ONNX model")
        self._variable = self._below(self._inputs.keys() - self._constants.keys())

    def before(self, ends: Sequence[str]) -> bytes:
        """A model that computes the tensors `ends` from all inputs of this one."""
        nodes, needed = self._towards(ends, self._variable)
        return self._model(nodes, needed, list(self._inputs.values()), ends)

    def between(self, begin: str, end: str) -> bytes:
        """A model of the ways from `begin` to `end`. What else they need of the inputs' work is an
        input of it, too; all are of type float."""
        nodes, needed = self._towards([end], self._below({begin}) - {begin})
        computed = {output for node in nodes for output in node.outputs}
        given = sorted(needed - computed - self._constants.keys())
        if begin not in given:
            raise ValueError(f"no way leads from {begin} to {end}")
        return self._model(nodes, needed, [_value(_INPUT, name) for name in given], [end])

    def _below(self, begins: Iterable[str]) -> set[str]:
        """Tensors that depend on `begins`, these included."""
        below = set(begins)
        for node in self.nodes:
            if not below.isdisjoint(node.inputs):
                below.update(node.outputs)
        return below

    def _towards(self, ends: Iterable[str], among: set[str]) -> tuple[list[Node], set[str]]:
        """Nodes on the way to `ends` that compute tensors `among` these, or what never changes;
        and the tensors that they need or give."""
        nodes, needed = [], set(ends)
        for node in reversed(self.nodes):
            if needed.isdisjoint(node.outputs):
                continue
            if among.isdisjoint(node.outputs) and not self._variable.isdisjoint(node.outputs):
                continue
            nodes.append(node)
            needed.update(filter(None, node.inputs))
        return nodes[::-1], needed

    def _model(
        self,
        nodes: Iterable[Node],
        needed: set[str],
        inputs: Iterable[bytes | memoryview],
        outputs: Iterable[str],
    ) -> bytes:
        graph = b"".join(
            [
                *(node.encoded for node in nodes),
                _encoded(_GRAPH_NAME, b"part"),
                *(weights for name, weights in self._constants.items() if name in needed),
                *inputs,
                *(_value(_OUTPUT, name) for name in outputs),
            ]
        )
        return b"".join([*self._around, _encoded(_MODEL_GRAPH, graph)])


def _node(message: memoryview, encoded: memoryview) -> Node:
    op_type = ""
    inputs, outputs = [], []
    for field in _fields(message):
        if field.number == _NODE_INPUT:
            inputs.append(_text(field.content))
        elif field.number == _NODE_OUTPUT:
            outputs.append(_text(field.content))
        elif field.number == _NODE_OP_TYPE:
            op_type = _text(field.content)
        elif field.number == _NODE_ATTRIBUTE:
            for part in _fields(field.content):
                if part.number in _ATTRIBUTE_GRAPHS:
                    inputs += _taken_from_outside(part.content)
    return Node(op_type, tuple(inputs), tuple(outputs), encoded)


def _taken_from_outside(subgraph: memoryview) -> set[str]:
    taken: set[str] = set()
    own: set[str] = set()
    for field in _fields(subgraph):
        if field.number == _NODE:
            node = _node(field.content, field.encoded)
            taken.update(filter(None, node.inputs))
            own.update(node.outputs)
        elif field.number == _INITIALIZER:
            own.add(_name(field.content, _TENSOR_NAME))
        elif field.number == _INPUT:
            own.add(_name(field.content, _VALUE_NAME))
    return taken - own


def _name(message: memoryview, number: int) -> str:
    return next((_text(field.content) for field in _fields(message) if field.number == number), "")


def _text(content: memoryview) -> str:
    return str(content, "utf-8")


def _value(number: int, name: str) -> bytes:
    """A graph's input or output of type float."""
    value = _encoded(_VALUE_NAME, name.encode()) + _encoded(_VALUE_TYPE, _FLOATS)
    return _encoded(number, value)


# Protocol Buffers' wire format (https://protobuf.dev/programming-guides/encoding/)


def _fields(message: memoryview) -> Iterator[Field]:
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                content, (_, at) = at, _varint(message, at)
            case 1:
                content, at = at, at + 8
            case 2:
                length, content = _varint(message, at)
                at = content + length
            case 5:
                content, at = at, at + 4
            case kind:
                raise ValueError(f"not a Protocol Buffers message: wire type {kind}")
        if at > len(message):
            raise ValueError("not a Protocol Buffers message: a field is cut off")
        yield Field(tag >> 3, message[content:at], message[begin:at])


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number, and the place after it."""
    value = shift = 0
    while True:
        if at == len(message):
            raise ValueError("not a Protocol Buffers message: a number is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _encoded(number: int, content: bytes) -> bytes:
    return _varint_of(number << 3 | 2) + _varint_of(len(content)) + content


def _varint_of(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
