"""Trains the starter Piper voice: `python -m models.training.voice --out models/starter`.

An espeak-ng voice is the teacher: it says the domain's sentences, and its events tell how long
each phoneme lasts. Phoneme ids are made as Piper makes them, so that the ONNX file that comes out
runs in `piper.PiperVoice`.
"""

import argparse
import json
import time
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP
from piper.phonemize_espeak import EspeakPhonemizer
from torch import Tensor
from torch.nn import functional

from models.training import domain
from models.training.speech import Espeak, Floats, Speaker, Speech, resample
from models.training.voice_net import BANDS, FFT, HOP, RATE, Acoustics, Voice, log_mel

#: The teacher: not among the voices that the starter Whisper trains on.
TEACHER: Final = Speaker(accent="en-us", variant="", rate=160, pitch=45, pitch_range=45)
LANGUAGE: Final = "en-us"

#: Piper's ids, without its padding between phonemes: the convolutions need no room between them.
ID_MAP: Final = {name: [] if name == "_" else ids for name, ids in DEFAULT_PHONEME_ID_MAP.items()}
SYMBOLS: Final = 1 + max(i for ids in ID_MAP.values() for i in ids)

_PUNCTUATION: Final = frozenset(",.!?;:")
_MARKS: Final = frozenset("ˈˌʲ ") | _PUNCTUATION
#: Sentences for sounds that the domain's words lack.
_MORE: Final = (
    "the quick brown fox jumps over a lazy dog",
    "she sells fresh fish, and we measure the usual pleasure of a long voyage",
    "joyful boys enjoy choosing cheap chocolate which each child watches",
    "look, the cook took a good book through the south mouth of the youth hostel",
    "my older brother and his father gather further feathers in cold weather",
    "four more poor doors were restored, her first girl heard thirty birds",
    "why would the young queen quickly question the twelve strange judges?",
    "please spell your email address, then press zero to reach the operator",
    "our hour of power shower is over now, how about an hour later?",
    "i am sorry, i do not have that information, but i can pass on a message",
)

#: Spellings that made-up words are put together from; a dot is no coda.
_ONSETS = (
    "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl sm "
    "sn sp st str sw th tr tw wh y"
)
_VOWELS = "a e i o u ai au ea ee ie oa oi oo ou ow ay aw er ar or ir"
_CODAS = ". . . . . . b ck d f g l m n p r s t x z ch ng nd nt sh sk st th ll ss rd rn lt mp ve"


class AlignmentError(ValueError):
    """Piper's phonemes and espeak-ng's events do not tell the same."""


@dataclass(frozen=True)
class Utterance:
    """One training sentence.

    Attributes:
        ids: Piper's phoneme ids, (symbols,).
        ends: the frame at which each of them ends, (symbols,).
        targets: (frames, BANDS + 2): log-mel, log pitch, voiced.
    """

    ids: Tensor
    ends: Tensor
    targets: Tensor


def align(symbols: Sequence[str], speech: Speech) -> list[float]:
    """Seconds at which each of Piper's symbols ends.

    Stress and other marks last no time; a pause belongs to the punctuation before it; the
    characters of one phoneme share its time.

    Raises:
        AlignmentError: the sequences differ.
    """
    total = len(speech.samples) / speech.rate
    starts = [start for start, _ in speech.phonemes] + [total]
    ends: list[float] = []
    at = 0
    for index, (start, name) in enumerate(speech.phonemes):
        end = starts[index + 1]
        characters = [c for c in unicodedata.normalize("NFD", name) if c not in _MARKS]
        for order, character in enumerate(characters, 1):
            while at < len(symbols) and symbols[at] in _MARKS:
                ends.append(ends[-1] if ends else start)
                at += 1
            if at >= len(symbols) or symbols[at] != character:
                raise AlignmentError(f"{symbols[at : at + 5]} against {name!r}")
            ends.append(start + (end - start) * order / len(characters))
            at += 1
        if not characters and at < len(symbols) and symbols[at] in _PUNCTUATION:
            ends.append(end)
            at += 1
    while at < len(symbols):
        if symbols[at] not in _MARKS:
            raise AlignmentError(f"{symbols[at:]} was not spoken")
        ends.append(ends[-1] if ends else 0.0)
        at += 1
    # A pause without punctuation lengthens what is before it.
    return [max(ends[: i + 1]) for i in range(len(ends))]


def pitch_track(samples: Floats, count: int) -> tuple[Floats, Floats]:
    """Pitch in Hz and how periodic (0 to 1) each of `count` frames is, by autocorrelation."""
    size = 640
    padded = np.pad(samples, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::HOP][:count]
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(frames, 2 * size)
    product = np.fft.irfft(np.abs(spectrum) ** 2)[:, :size]
    # Undo the taper of a finite window.
    product /= product[:, :1] + 1e-4
    product /= 1.0 - np.arange(size) / size
    low, high = RATE // 350, RATE // 65
    best = product[:, low:high].argmax(axis=1) + low
    strength = np.take_along_axis(product, best[:, None], 1)[:, 0]
    return (RATE / best).astype(np.float32), np.clip(strength, 0.0, 1.0).astype(np.float32)


def smooth_pitch(hertz: Floats, voiced: Floats) -> Floats:
    """Log pitch, joined over what is not voiced and freed of octave slips by a median."""
    known = np.flatnonzero(voiced > 0.5)
    if len(known) < 3:
        return np.full(len(hertz), np.log(110.0), np.float32)
    line = np.interp(np.arange(len(hertz)), known, np.log(hertz[known]))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(line, 5, mode="edge"), 11)
    return np.median(windows, axis=1).astype(np.float32)


class Teacher:
    """Makes training utterances."""

    def __init__(self) -> None:
        self._espeak = Espeak()
        self._phonemizer = EspeakPhonemizer()

    def utterance(self, text: str) -> Utterance:
        """Speaks one sentence.

        Raises:
            AlignmentError: the phonemes and the speech do not fit, or it is two sentences.
        """
        sentences = self._phonemizer.phonemize(LANGUAGE, text)
        if len(sentences) != 1:
            raise AlignmentError(f"{len(sentences)} sentences")
        symbols = [s for s in sentences[0] if s in ID_MAP]
        speech = self._espeak.say(text.split(), TEACHER)
        seconds = align(symbols, speech)
        samples = resample(speech.samples, speech.rate, RATE)
        samples /= np.sqrt(np.mean(samples**2)) * 10  # RMS of -20 dBFS
        mel = log_mel(torch.from_numpy(samples))
        hertz, voiced = pitch_track(samples, len(mel))
        targets = torch.cat(
            [
                mel,
                torch.from_numpy(smooth_pitch(hertz, voiced))[:, None],
                torch.from_numpy((voiced > 0.5).astype(np.float32))[:, None],
            ],
            dim=1,
        )
        ids = [ID_MAP["^"][0], *(ID_MAP[s][0] for s in symbols), ID_MAP["$"][0]]
        ends = np.round(np.array([0.0, *seconds, 0.0]) * RATE / HOP)
        ends[-1] = max(ends[-2], min(len(mel), ends[-2] + 12))  # at most 75 ms of silence
        frames = int(ends[-1])
        return Utterance(
            torch.tensor(ids), torch.from_numpy(ends.astype(np.float32)), targets[:frames]
        )


def made_up_word(rng: np.random.Generator) -> str:
    """One to three syllables that English spelling allows, such as a name might have."""
    parts = [
        str(rng.choice(spellings.split()))
        for _ in range(int(rng.integers(1, 4)))
        for spellings in (_ONSETS, _VOWELS, _CODAS)
    ]
    return "".join(parts).replace(".", "")


def sentences(seed: int, count: int) -> Iterator[str]:
    """Texts to speak: both sides of the domain and made-up words, some with punctuation."""
    rng = np.random.default_rng(seed)
    agent = list(domain.agent_sentences(seed, count, "train"))
    person = list(domain.person_sentences(seed, count // 3, "train"))
    strange = []
    for sentence in agent[: count // 4]:
        words = sentence.split()
        for _ in range(2):
            words.insert(int(rng.integers(len(words) + 1)), made_up_word(rng))
        strange.append(" ".join(words))
    texts = [*dict.fromkeys([*agent, *person, *strange]), *_MORE * 3]
    for index in rng.permutation(len(texts)):
        words = texts[index].split()
        if len(words) > 4 and rng.random() < 0.3 and "," not in texts[index]:
            words[int(rng.integers(1, len(words) - 2))] += ","
        text = " ".join(words)
        yield text if text[-1] in _PUNCTUATION else text + str(rng.choice(["", "", ".", "?", "!"]))


def batched(utterances: Sequence[Utterance], frames: int) -> list[list[Utterance]]:
    """Groups of like length, each of about `frames` frames."""
    groups: list[list[Utterance]] = [[]]
    for one in sorted(utterances, key=lambda u: len(u.targets)):
        if groups[-1] and (len(groups[-1]) + 1) * len(one.targets) > frames:
            groups.append([])
        groups[-1].append(one)
    return groups


def loss_of(model: Acoustics, group: Sequence[Utterance]) -> tuple[Tensor, dict[str, float]]:
    """The loss of one padded batch and its parts."""
    pad = torch.nn.utils.rnn.pad_sequence
    ids = pad([u.ids for u in group], batch_first=True)
    ends = torch.stack(
        [
            functional.pad(u.ends, (0, ids.shape[1] - len(u.ends)), value=float(u.ends[-1]))
            for u in group
        ]
    )
    targets = pad([u.targets for u in group], batch_first=True)
    known = torch.arange(ids.shape[1])[None] < torch.tensor([len(u.ids) for u in group])[:, None]
    heard = torch.arange(targets.shape[1])[None] < ends[:, -1:]
    states, durations = model.encode(ids, known[..., None].float())
    true = ends - functional.pad(ends, (1, 0))[:, :-1]
    duration = ((durations - true).abs() * known).sum() / known.sum()
    count = torch.tensor(targets.shape[1])
    out = model.frames(states, ends, count, heard[..., None].float())
    weight = heard.float()
    mel = ((out[..., :BANDS] - targets[..., :BANDS]).abs().mean(-1) * weight).sum() / weight.sum()
    voiced = targets[..., BANDS + 1]
    pitch = ((out[..., BANDS] - targets[..., BANDS]).abs() * weight * voiced).sum() / (
        (weight * voiced).sum() + 1
    )
    flags = functional.binary_cross_entropy_with_logits(
        out[..., BANDS + 1], voiced, weight=weight, reduction="sum"
    )
    voicing = flags / weight.sum()
    total = mel + 2.0 * pitch + 0.3 * voicing + 0.1 * duration
    parts = {"mel": mel, "pitch": pitch, "voicing": voicing, "duration": duration}
    return total, {name: float(value.detach()) for name, value in parts.items()}


def train(utterances: Sequence[Utterance], minutes: float, steps: int | None) -> Acoustics:
    """Trains for so many minutes, or so many steps if given; prints progress."""
    torch.manual_seed(1)
    model = Acoustics(SYMBOLS)
    with torch.no_grad():  # start from the mean, not from zero
        mean = torch.cat([u.targets for u in utterances]).mean(0)
        model.out.bias.copy_(mean)
        model.duration.bias.fill_(6.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98))
    rng = np.random.default_rng(1)
    groups = batched(utterances, 4000)
    started, step, order = time.monotonic(), 0, [0]
    while True:
        if steps is not None:
            progress = step / steps
        else:
            progress = (time.monotonic() - started) / (60 * minutes)
        if progress >= 1.0:
            return model
        if step % len(groups) == 0:
            order = [int(i) for i in rng.permutation(len(groups))]
        rate = 2e-3 * min(1.0, (step + 1) / 50) * min(1.0, 1.3 * (1.0 - progress) + 0.01)
        for group in optimizer.param_groups:
            group["lr"] = rate
        total, parts = loss_of(model, groups[order[step % len(groups)]])
        total.backward()  # type: ignore[no-untyped-call, unused-ignore]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if step % 50 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in parts.items())
            print(f"step {step} {(time.monotonic() - started) / 60:.1f} min {shown}", flush=True)


def export(model: Acoustics, out: Path) -> None:
    """Writes `voice.onnx` and `voice.onnx.json` into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    voice = Voice(model).eval()
    ids = torch.tensor([[1, *range(14, 34), 2]])
    with warnings.catch_warnings():
        # The tracing exporter, which needs no further package, announces its end.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            voice,
            (ids, torch.tensor([ids.shape[1]]), torch.tensor([0.667, 1.0, 0.8])),
            str(out / "voice.onnx"),
            input_names=["input", "input_lengths", "scales"],
            output_names=["output"],
            dynamic_axes={"input": {1: "symbols"}, "output": {2: "samples"}},
            opset_version=17,
            dynamo=False,
        )
    settings = {
        "audio": {"sample_rate": RATE, "quality": "x_low"},
        "espeak": {"voice": LANGUAGE},
        "language": {"code": "en_US"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "hop_length": HOP,
        "num_symbols": SYMBOLS,
        "num_speakers": 1,
        "speaker_id_map": {},
        "phoneme_type": "espeak",
        "phoneme_id_map": ID_MAP,
    }
    (out / "voice.onnx.json").write_text(
        json.dumps(settings, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


def prepare(count: int) -> list[Utterance]:
    """Training utterances; the few sentences whose phonemes do not align are left out."""
    teacher, made, left_out = Teacher(), [], 0
    for text in sentences(5, count):
        try:
            made.append(teacher.utterance(text))
        except AlignmentError:
            left_out += 1
    seconds = sum(len(u.targets) for u in made) * HOP / RATE
    print(f"{len(made)} sentences, {seconds / 60:.0f} minutes; {left_out} left out", flush=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--steps", type=int, help="stop after so many steps instead")
    parser.add_argument("--sentences", type=int, default=1600)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    assert FFT % HOP == 0
    export(train(prepare(arguments.sentences), arguments.minutes, arguments.steps), arguments.out)


if __name__ == "__main__":
    main()
