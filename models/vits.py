"""Piper's network (VITS, Kim et al. 2021), run so that its first sound does not wait for the last.

Three stages in a row: the text becomes a latent, a frame for every 12 ms or so; the flow changes
the latent; the decoder (HiFi-GAN) makes sound of it, and takes most of the time. Flow and decoder
are convolutions: a frame of what they give depends on a few dozen frames of what they take. So
they work on windows, and see as many frames more on both sides: what comes out is what would have
come out of the whole, to within rounding.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.onnx_graph import Graph

Audio = NDArray[np.float32]
Tensors = Mapping[str, NDArray[Any]]

#: Sound of the first window, seconds: as little as lets the second one come in time, even if the
#: machine does other things most of the time.
FIRST_S: Final = 0.37
#: How much longer each window is than the one before, as every seam costs; and the longest.
GROWTH: Final = 3
LONGEST_S: Final = 1.8
#: Frames that the flow makes at a time at least; it sees further than the decoder, so a seam costs
#: more. It begins with less where there is much to come.
FLOW_FRAMES: Final = 128
#: Frames that a network is tried on when it is loaded.
TRIAL_FRAMES: Final = 256
#: Share of full scale by which windows may differ from the whole.
ROUNDING: Final = 1e-4

log = logging.getLogger(__name__)


class Network(Protocol):
    """A voice's network, shared by threads."""

    def speak(self, sentence: Tensors) -> Iterator[tuple[Audio, bool]]:
        """Make a sentence's sound (full scale is 1), in pieces; each with whether it is the last.

        Args:
            sentence: what Piper's networks take: `input`, `input_lengths`, `scales`, `sid`.
        """
        ...


def load(path: Path, options: onnxruntime.SessionOptions, rate: int, trial: Tensors) -> Network:
    """Load a voice's network; the log tells of one that speaks sentences whole only.

    Args:
        path: its `.onnx`.
        options: of onnxruntime's sessions.
        rate: Hz of its sound.
        trial: some seconds of speech to try it on.

    Raises what onnxruntime raises where it cannot load the network.
    """
    try:
        return Streaming(path, options, rate, trial)
    except Exception as error:  # onnxruntime's exceptions share no other base
        log.info("the voice %s cannot speak sentences window by window: %s", path, error)
    return Whole(path, options)


class Whole:
    """Any network: a sentence comes in one piece."""

    def __init__(self, path: Path, options: onnxruntime.SessionOptions) -> None:
        self._session = _session(path, options)

    def speak(self, sentence: Tensors) -> Iterator[tuple[Audio, bool]]:
        yield self._session.run(None, sentence)[0].reshape(-1), True


class Streaming:
    """A VITS network, cut where its decoder begins to raise the rate and where its flow begins.

    Raises ValueError, or what onnxruntime raises, where it is none, or windows of `trial` do not
    sound like the whole.
    """

    def __init__(
        self, path: Path, options: onnxruntime.SessionOptions, rate: int, trial: Tensors
    ) -> None:
        graph = Graph(path.read_bytes())
        self._prior, self._latent = _cuts(graph)
        flow = _part(graph.between(self._prior, self._latent), options)
        decoder = _part(graph.between(self._latent, graph.outputs[0]), options)
        self._between = [tensor.name for tensor in (*flow.get_inputs(), *decoder.get_inputs())]
        self._between.remove(self._latent)
        self._text = _part(graph.before(self._between), options)

        tensors = self._read(trial)
        frames = tensors[self._prior].shape[-1]
        tensors = {
            name: tensor[..., :TRIAL_FRAMES] if tensor.shape[-1] == frames else tensor
            for name, tensor in tensors.items()
        }
        self._flow = _Stage.tried(flow, self._prior, tensors)
        tensors[self._latent] = flow.run(None, {i: tensors[i] for i in self._flow.inputs})[0]
        self._decoder = _Stage.tried(decoder, self._latent, tensors)
        frames_per_s = rate / self._decoder.hop
        self._first = max(1, round(FIRST_S * frames_per_s))
        self._longest = max(1, round(LONGEST_S * frames_per_s))
        self._compare(tensors)

    def speak(self, sentence: Tensors) -> Iterator[tuple[Audio, bool]]:
        return self._sound(self._read(sentence))

    def _read(self, sentence: Tensors) -> dict[str, NDArray[Any]]:
        return dict(zip(self._between, self._text.run(self._between, sentence), strict=True))

    def _sound(self, tensors: dict[str, NDArray[Any]]) -> Iterator[tuple[Audio, bool]]:
        frames = tensors[self._prior].shape[-1]
        made = 0
        for begin, end in windows(frames, self._first, self._longest):
            needed = min(frames, end + self._decoder.after)
            if needed > made:
                until = min(frames, max(needed, made + 2 * FLOW_FRAMES)) if made else needed
                if frames - until < FLOW_FRAMES:
                    until = frames
                piece = self._flow.run(tensors, made, until)
                if not made:
                    tensors[self._latent] = np.zeros((*piece.shape[:-1], frames), piece.dtype)
                tensors[self._latent][..., made:until] = piece
                made = until
            yield self._decoder.run(tensors, begin, end).reshape(-1), end == frames

    def _compare(self, tensors: dict[str, NDArray[Any]]) -> None:
        """Raises ValueError where windows do not sound like the whole."""
        frames = tensors[self._prior].shape[-1]
        whole = self._decoder.run(tensors, 0, frames).reshape(-1)
        windowed = np.concatenate([piece for piece, _ in self._sound(dict(tensors))])
        apart = float(np.abs(whole - windowed).max())
        if not apart < ROUNDING:
            raise ValueError(f"windows of it are {apart:.1e} from the whole")


def windows(frames: int, first: int, longest: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each window: `first` frames, then longer ones."""
    begin, size = 0, first
    while begin < frames:
        end = begin + size
        # A short rest is not worth a seam.
        end = frames if frames - end < size // 2 else end
        yield begin, end
        begin, size = end, min(longest, size * GROWTH)


@dataclass(frozen=True)
class _Stage:
    """A part of the network that can work on windows."""

    session: onnxruntime.InferenceSession
    inputs: tuple[str, ...]
    takes: str
    """The one of its inputs that it changes."""
    hop: int
    """Frames, or samples, that it makes of one frame."""
    before: int
    """Earlier frames that one of its frames depends on."""
    after: int
    """Later ones."""

    @classmethod
    def tried(cls, session: onnxruntime.InferenceSession, takes: str, tensors: Tensors) -> "_Stage":
        """Find out how far it sees: what changes with the frame in the middle of `tensors`?"""
        inputs = tuple(tensor.name for tensor in session.get_inputs())
        given = {name: tensors[name] for name in inputs}
        frames = given[takes].shape[-1]
        middle = frames // 2
        other = given[takes].copy()
        other[..., middle] += 1
        made = session.run(None, given)[0]
        differs = made != session.run(None, {**given, takes: other})[0]
        hop, rest = divmod(made.shape[-1], frames)
        changed = np.flatnonzero(differs.reshape(-1, made.shape[-1]).any(axis=0)) // max(1, hop)
        if rest or changed.size == 0 or changed[0] == 0 or changed[-1] == frames - 1:
            raise ValueError(f"a frame of it depends on all {frames}")
        return cls(session, inputs, takes, hop, int(changed[-1]) - middle, middle - int(changed[0]))

    def run(self, tensors: Tensors, begin: int, end: int) -> Audio:
        """What becomes of the frames from `begin` to `end`."""
        frames = tensors[self.takes].shape[-1]
        low, high = max(0, begin - self.before), min(frames, end + self.after)
        window = {
            name: tensor[..., low:high] if tensor.shape[-1] == frames else tensor
            for name, tensor in ((name, tensors[name]) for name in self.inputs)
        }
        made: Audio = self.session.run(None, window)[0]
        return made[..., (begin - low) * self.hop : (end - low) * self.hop]


def _cuts(graph: Graph) -> tuple[str, str]:
    """Tensors before the flow and before the decoder's first rise of the rate."""
    rises = [index for index, node in enumerate(graph.nodes) if node.op_type == "ConvTranspose"]
    if not rises:
        raise ValueError("it has no HiFi-GAN decoder")
    latent = graph.nodes[rises[0]].inputs[0]
    noises = [node for node in graph.nodes[: rises[0]] if node.op_type == "RandomNormalLike"]
    prior = noises[-1].outputs[0] if noises else ""
    # Scaled by the deviation and `noise_scale`, and put on the mean.
    for _ in range(3):
        users = [node for node in graph.nodes if prior in node.inputs]
        if len(users) != 1 or users[0].op_type not in ("Mul", "Add"):
            break
        prior = users[0].outputs[0]
        if users[0].op_type == "Add":
            return prior, latent
    raise ValueError("it has no VITS flow")


def _session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )


def _part(model: bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    # By way of a file: bytes would be kept beside the session for as long as that lives.
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model)
        file.flush()
        return _session(Path(file.name), options)
