"""Piper's network (VITS, Kim et al. 2021), run so that its first sound does not wait for the last.

Three stages in a row: phonemes become a latent, a frame for every 12 ms or so; the flow changes the
latent; the decoder (HiFi-GAN) makes sound of it, and takes most of the time. Flow and decoder are
convolutions: a frame of what they give depends on a few dozen frames of what they take. So they
work on windows, and see as many frames more on both sides: what comes out is what would have come
out of the whole, to within rounding. Only of a sentence of more than some seconds the phonemes,
too, are read in windows, from word to word and with words around: that is another reading of it.
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
#: Frames that the flow makes at a time, but for its first window: it sees further than the decoder,
#: so a seam costs more.
FLOW_FRAMES: Final = 256
#: Phoneme ids that are read at a time, first and then, and what is read with them on both sides:
#: some words, as a word is spoken by what stands around it.
FIRST_IDS, MORE_IDS, AROUND_IDS = 160, 320, 40
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


def load(
    path: Path,
    options: onnxruntime.SessionOptions,
    rate: int,
    *,
    trial: Tensors,
    space: int | None,
) -> Network:
    """Load a voice's network; the log tells of one that speaks sentences whole only.

    Args:
        path: its `.onnx`.
        options: of onnxruntime's sessions.
        rate: Hz of its sound.
        trial: some seconds of speech to try it on.
        space: the id of the phoneme between words; None where there is none.

    Raises what onnxruntime raises where it cannot load the network.
    """
    try:
        return Streaming(path, options, rate, trial, space)
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
        self,
        path: Path,
        options: onnxruntime.SessionOptions,
        rate: int,
        trial: Tensors,
        space: int | None,
    ) -> None:
        graph = Graph(path.read_bytes())
        self._prior, self._latent = _cuts(graph)
        flow = _part(graph.between(self._prior, self._latent), options)
        decoder = _part(graph.between(self._latent, graph.outputs[0]), options)
        taken = [tensor.name for tensor in (*flow.get_inputs(), *decoder.get_inputs())]
        given = [name for name in dict.fromkeys(taken) if name != self._latent]
        # Durations are whole numbers of frames, so they were rounded up.
        rounded = [node.outputs[0] for node in graph.nodes if node.op_type == "Ceil"]
        durations = rounded if len(rounded) == 1 and space is not None else []
        text = _part(graph.before([*given, *durations]), options)
        self._text = _Text(text, self._prior, tuple(given), tuple(durations), space)

        tensors = _clipped(self._text.read(trial), self._prior, 0, TRIAL_FRAMES)
        self._flow = _Stage.tried(flow, self._prior, tensors)
        tensors[self._latent] = self._flow.run(tensors, 0, tensors[self._prior].shape[-1])
        self._decoder = _Stage.tried(decoder, self._latent, tensors)
        frames_per_s = rate / self._decoder.hop
        self._first = max(1, round(FIRST_S * frames_per_s))
        self._longest = max(1, round(LONGEST_S * frames_per_s))
        self._timed = self._flow.timed | self._decoder.timed
        self._compare(tensors)

    def speak(self, sentence: Tensors) -> Iterator[tuple[Audio, bool]]:
        return self._sound(self._text.windows(sentence))

    def _sound(self, texts: Iterator[tuple[Tensors, bool]]) -> Iterator[tuple[Audio, bool]]:
        read: dict[str, NDArray[Any]] = {}
        frames, whole = 0, False
        latent = np.zeros((1, 0, 0), np.float32)
        begin, size = 0, self._first
        while not whole or begin < frames:
            while not whole and frames < begin + 2 * size + self._flow.after + self._decoder.after:
                more, whole = next(texts)
                read = {
                    name: np.concatenate([read[name], tensor], axis=-1)
                    if read and name in self._timed
                    else tensor
                    for name, tensor in more.items()
                }
                frames = read[self._prior].shape[-1]
            # A short rest is not worth a seam.
            end = frames if frames - begin < size + size // 2 else begin + size
            made = latent.shape[-1]
            known = frames if whole else frames - self._flow.after
            needed = min(frames, end + self._decoder.after)
            if needed > made:
                until = min(known, max(needed, made + FLOW_FRAMES)) if made else needed
                if whole and frames - until < FLOW_FRAMES // 2:
                    until = frames
                piece = self._flow.run(read, made, until)
                latent = np.concatenate([latent.reshape(1, piece.shape[1], made), piece], axis=2)
            tensors = {**read, self._latent: latent}
            yield self._decoder.run(tensors, begin, end).reshape(-1), end == frames and whole
            begin, size = end, min(self._longest, size * GROWTH)

    def _compare(self, tensors: dict[str, NDArray[Any]]) -> None:
        """Raises ValueError where windows do not sound like the whole."""
        frames = tensors[self._prior].shape[-1]
        whole = self._decoder.run(tensors, 0, frames).reshape(-1)
        windowed = np.concatenate([piece for piece, _ in self._sound(iter([(tensors, True)]))])
        apart = float(np.abs(whole - windowed).max())
        if not apart < ROUNDING:
            raise ValueError(f"windows of it are {apart:.1e} from the whole")


@dataclass(frozen=True)
class _Text:
    """The part of the network that reads phonemes."""

    session: onnxruntime.InferenceSession
    prior: str
    """What it gives: the latent before the flow."""
    given: tuple[str, ...]
    """That, and what else the later parts take."""
    durations: tuple[str, ...]
    """Frames of each phoneme, where it tells that."""
    space: int | None
    """The phoneme between words."""

    def read(self, sentence: Tensors) -> dict[str, NDArray[Any]]:
        return dict(zip(self.given, self.session.run(self.given, sentence), strict=True))

    def windows(self, sentence: Tensors) -> Iterator[tuple[Tensors, bool]]:
        """What becomes of the sentence, in order; each with whether it is the last."""
        ids = sentence["input"][0]
        for begin, end in self._cut(ids):
            if (begin, end) == (0, ids.size):
                yield self.read(sentence), True
                return
            spaces = np.flatnonzero(ids == self.space)
            low = max((at for at in spaces if at <= begin - AROUND_IDS), default=0)
            high = min((at for at in spaces if at >= end + AROUND_IDS), default=ids.size)
            # It begins and ends as every sentence does.
            head, tail = ids[: 2 if low else 0], ids[high:][-1:]
            window = np.concatenate([head, ids[low:high], tail])
            tensors = {
                **sentence,
                "input": window[None],
                "input_lengths": np.array([window.size], np.int64),
            }
            *made, durations = self.session.run([*self.given, *self.durations], tensors)
            frames = np.cumsum(np.append(0, durations)).astype(int)
            skipped = head.size - low
            yield (
                _clipped(
                    dict(zip(self.given, made, strict=True)),
                    self.prior,
                    frames[begin + skipped],
                    frames[end + skipped],
                ),
                end == ids.size,
            )

    def _cut(self, ids: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        begin, size = 0, FIRST_IDS
        while self.durations and ids.size - begin > size * 7 // 4:
            spaces = np.flatnonzero(ids[begin + 1 : begin + size] == self.space)
            if not spaces.size:
                break
            end = begin + 1 + int(spaces[-1])
            yield begin, end
            begin, size = end, MORE_IDS
        yield begin, ids.size


def _clipped(tensors: Tensors, by: str, begin: int, end: int) -> dict[str, NDArray[Any]]:
    """The frames from `begin` to `end` of `by` and of what is as long."""
    frames = tensors[by].shape[-1]
    return {
        name: tensor[..., begin:end] if tensor.shape[-1] == frames else tensor
        for name, tensor in tensors.items()
    }


@dataclass(frozen=True)
class _Stage:
    """A part of the network that can work on windows."""

    session: onnxruntime.InferenceSession
    inputs: tuple[str, ...]
    takes: str
    """The one of its inputs that it changes."""
    timed: frozenset[str]
    """Inputs with a place for each frame."""
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
        timed = frozenset(name for name in inputs if given[name].shape[-1] == frames)
        middle = frames // 2
        other = given[takes].copy()
        other[..., middle] += 1
        made = session.run(None, given)[0]
        differs = made != session.run(None, {**given, takes: other})[0]
        hop, rest = divmod(made.shape[-1], frames)
        changed = np.flatnonzero(differs.reshape(-1, made.shape[-1]).any(axis=0)) // max(1, hop)
        if rest or changed.size == 0 or changed[0] == 0 or changed[-1] == frames - 1:
            raise ValueError(f"a frame of it depends on all {frames}")
        before, after = int(changed[-1]) - middle, middle - int(changed[0])
        return cls(session, inputs, takes, timed, hop, before, after)

    def run(self, tensors: Tensors, begin: int, end: int) -> Audio:
        """What becomes of the frames from `begin` to `end`."""
        low = max(0, begin - self.before)
        high = min(tensors[self.takes].shape[-1], end + self.after)
        window = {
            name: tensors[name][..., low:high] if name in self.timed else tensors[name]
            for name in self.inputs
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
