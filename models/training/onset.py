"""Trains the net that tells takers of the floor by their first sounds.

    python -m models.training.onset --audio DIR [--words FILE] --out models/onset/onset.onnx

`DIR` has recordings of people and a `manifest.csv` (`models.recordings`); only their `tune` part
is learned from, and of that only what may train weights that are given away. Backchannels are
rare in it ("yes", "right", "wow"), so espeak-ng says the others, in many voices. So that the net
learns sounds of people all the same, it is also taught which phonemes a word begins with, and for
that any word of anybody will do: `FILE` has the words of the orders with their times, as
`--align WHISPER` writes it.

`--judge` prints, of both parts, how many are told apart, and when.
"""

import argparse
import json
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.onset import BANDS, FRAMES, HOP, RATE, SAMPLES, WINDOW, mel_frames, net_input
from models.recordings import PARTS, Part, Recording, recordings
from models.training.speech import (
    TRAINING_VARIANTS,
    Espeak,
    Floats,
    mulaw_round_trip,
    noise,
    random_speaker,
    resample,
)
from voice_loop.audio import FULL_SCALE
from voice_loop.ports import ONSET_PADDING_MS

_LISTENED = (
    "mm hmm | mhm | uh huh | mm | hmm | okay | okay okay | ok | yeah | yeah yeah | yep | yes | "
    "yes yes | right | right right | sure | i see | all right | um | uh | oh | ah | wow | oh "
    "wow | great | good | nice | got it | cool | aha | ha ha ha | of course"
)
_TAKEN = (
    "stop | stop it | stop please | no | no no | no thanks | no wait | nope | not that | wait | "
    "wait a minute | hold on | hang on | hello | hello? | sorry | sorry what | excuse me | hey "
    "| what | what time | what is that | but | actually | listen | one moment | one second | go "
    "back | go on | can i ask | can you repeat that | could you | do you have | how much is it "
    "| how about | where is that | when | who is this | why | i want to | i would like | i'd "
    "like | i have a question | i need | i don't | i can't | is it | is there | let me | my "
    "name is | give me | get me | that's wrong | that is not | please | repeat that | tell me | "
    "never mind | pardon | well | we need | you said | because | the other | and then | monday "
    "| tuesday | thursday | next week | tomorrow | ten | two | three | four | five | seven | "
    "nine | may i | make it | brew me | cancel | change it | thank you goodbye | bye | help | "
    "operator | start over"
)
#: Said while one listens, and to take the floor.
LISTENED: Final = tuple(map(str.strip, _LISTENED.split("|")))
TAKEN: Final = tuple(map(str.strip, _TAKEN.split("|")))
#: Takers of one short word: what matters most.
SHORT: Final = frozenset({"no", "stop", "go"})
#: Words of the recordings that people say while they listen; the others are takers.
LISTENED_IN_SETS: Final = frozenset({"yes", "right", "wow"})

_LEAD: Final = int(0.24 * RATE)
_CLIP: Final = _LEAD + SAMPLES
_PADDING: Final = ONSET_PADDING_MS * RATE // 1000
#: So much before the onset, or after it, a speech detector may begin.
_EARLY: Final = int(0.12 * RATE)
_LATE: Final = int(0.06 * RATE)
#: Phonemes that count as a word's beginning.
_BEGINNING: Final = 3


@dataclass(frozen=True)
class Clip:
    """Speech from just before its onset.

    Attributes:
        audio: `_LEAD` samples before the onset, 0.8 s after it or less.
        taker: whether the speaker takes the floor; None where that is not known.
        said: its first word or words; empty for noise.
        speaker: whose, or of what kind.
        weight: how often it is learned from.
    """

    audio: Floats
    taker: bool | None
    said: str
    speaker: str
    weight: float = 1.0


def speech_onset(audio: Floats) -> int:
    """The first sample of speech: where the level stays near that of the loudest part."""
    hop = RATE // 100
    frames = np.array([np.mean(audio[i : i + hop] ** 2) for i in range(0, len(audio) - hop, hop)])
    levels = 10 * np.log10(frames + 1e-10)
    floor = max(np.percentile(levels, 10) + 8, levels.max() - 28)
    voiced = levels > floor
    steady = np.convolve(voiced, np.ones(6), "full")[5:] >= 4
    found = np.flatnonzero(steady & voiced)
    return int(found[0]) * hop if len(found) else 0


def cut(audio: Floats, onset: int, end: int | None = None) -> Floats:
    """From before the onset on; what is missing is silence."""
    clip = np.zeros(_CLIP, np.float32)
    begin = onset - _LEAD
    piece = audio[max(0, begin) : min(len(audio) if end is None else end, begin + _CLIP)]
    at = max(0, -begin)
    clip[at : at + len(piece)] = piece
    return clip


def _samples(recording: Recording) -> Floats:
    return recording.samples().astype(np.float32) / np.float32(FULL_SCALE)


def human_words(folder: Path, part: Part) -> Iterator[Clip]:
    """Words of a second, said by many."""
    for one in recordings(folder, ["words"], part):
        audio = _samples(one)
        yield Clip(
            cut(audio, speech_onset(audio)),
            one.text not in LISTENED_IN_SETS,
            one.text,
            one.speaker,
            weight=12 if one.text in LISTENED_IN_SETS else 8 if one.text in SHORT else 3,
        )


def human_starts(folder: Path, part: Part) -> Iterator[Clip]:
    """The first sounds of orders and of what people read in many languages."""
    for one in recordings(folder, ["orders", "watson"], part):
        audio = _samples(one)
        yield Clip(cut(audio, speech_onset(audio)), True, "", one.set, weight=1.0)
        for begin in _after_pauses(audio):
            yield Clip(cut(audio, begin), True, "", one.set, weight=0.5)


def _after_pauses(audio: Floats) -> Iterator[int]:
    """Where speech goes on after 250 ms and more of quiet."""
    hop = RATE // 100
    levels = np.array(
        [10 * np.log10(np.mean(audio[i : i + hop] ** 2) + 1e-10) for i in range(0, len(audio), hop)]
    )
    voiced = levels > max(np.percentile(levels, 10) + 8, levels.max() - 30)
    quiet = 100
    for index in range(len(voiced) - 8):
        if voiced[index] and quiet >= 25 and index > 30 and voiced[index : index + 8].sum() >= 6:
            yield index * hop
        quiet = 0 if voiced[index] else quiet + 1


def human_beginnings(folder: Path, words: Path, part: Part) -> Iterator[Clip]:
    """Words from within orders, by their times: for what they sound like, not for the floor."""
    of_file = json.loads(words.read_text(encoding="utf-8"))
    for one in recordings(folder, ["orders"], part):
        audio = _samples(one)
        for text, begin, end, probability in of_file.get(one.name, []):
            word = "".join(re.findall("[a-z']+", text.lower()))
            if probability > 0.6 and word and end - begin > 0.12:
                clip = cut(audio, int(begin * RATE), int((end + 0.1) * RATE))
                clip[: _LEAD - RATE // 20] = 0
                yield Clip(clip, None, word, one.name)


def noises(folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Noise of the first half of each recording, and bangs: none of them wants the floor."""
    for one in recordings(folder, ["noise"]):
        audio = _samples(one)
        audio = audio[: len(audio) // 2]
        for begin in rng.integers(_LEAD, max(_LEAD + 1, len(audio) - SAMPLES), 25):
            piece = cut(audio, int(begin))
            onset = _LEAD + speech_onset(piece[_LEAD:])
            yield Clip(cut(piece, onset), False, "", "noise")
    for _ in range(150):
        length = int(rng.uniform(0.05, 0.5) * RATE)
        burst = noise(rng, length) * np.exp(-np.arange(length) / (rng.uniform(0.02, 0.2) * RATE))
        clip = np.zeros(_CLIP, np.float32)
        clip[_LEAD : _LEAD + length] = burst * 0.2
        yield Clip(clip, False, "", "bang")


def synthetic(rng: np.random.Generator, each: int) -> Iterator[Clip]:
    """What few recordings have, in many voices of espeak-ng."""
    espeak = Espeak()
    for lines, taker in ((LISTENED, False), (TAKEN, True)):
        for line in lines:
            for _ in range(each if taker else 2 * each):
                speaker = random_speaker(rng, TRAINING_VARIANTS)
                speech = espeak.say(line.split(), speaker)
                audio = resample(speech.samples, speech.rate, RATE)
                yield Clip(cut(audio, speech_onset(audio)), taker, line, "espeak")


class Phonemes:
    """Which phonemes a text begins with, as espeak-ng says it."""

    def __init__(self, texts: Sequence[str]) -> None:
        espeak, rng = Espeak(), np.random.default_rng(1)
        speaker = random_speaker(rng, ("",))
        self._of: dict[str, list[str]] = {}
        for text in sorted(set(texts) - {""}):
            names = [
                re.sub("[ˈˌː]", "", name) for _, name in espeak.say(text.split(), speaker).phonemes
            ]
            self._of[text] = [name for name in names if name][:_BEGINNING]
        self.names = sorted({name for names in self._of.values() for name in names})

    def __call__(self, text: str) -> Floats:
        """One for each that it begins with."""
        found = np.zeros(len(self.names), np.float32)
        for name in self._of.get(text, []):
            found[self.names.index(name)] = 1
        return found


def on_a_line(rng: np.random.Generator, clip: Floats) -> Floats:
    """The same as another speaker on another telephone might have said it; _LEAD stays before."""
    speed = rng.uniform(0.86, 1.16)
    line = resample(clip, RATE * speed, RATE)
    onset = int(_LEAD / speed)
    line = np.pad(line, (_LEAD, _CLIP))[onset:][:_CLIP]
    if rng.random() < 0.5:
        line[1:] += np.float32(rng.uniform(-0.6, 0.6)) * line[:-1]
    line = line * (10 ** (rng.uniform(-32, -14) / 20) / (np.sqrt(np.mean(line**2)) + 1e-6))
    below = rng.uniform(12, 60)
    line = line + noise(rng, len(line)) * 10 ** (-(below + 22) / 20)
    return mulaw_round_trip(line.astype(np.float32))


def frames_of(rng: np.random.Generator, clip: Clip) -> Floats:
    """The log-mel frames of one rendering."""
    line = on_a_line(rng, clip.audio)
    begin = _LEAD - _PADDING + int(rng.triangular(-_EARLY, 0, _LATE))
    heard = line[begin : begin + SAMPLES]
    heard = np.pad(heard, (0, SAMPLES - len(heard)))
    return mel_frames((heard * (FULL_SCALE - 1)).astype(np.int16))


class OnsetModule(nn.Module):  # type: ignore[misc, unused-ignore]
    """Three convolutions over time, and two answers: takes the floor, begins with phonemes."""

    def __init__(self, phonemes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(BANDS + 1, 48, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(48, 48, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(48, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.4),
            nn.Linear(32 * ((FRAMES + 3) // 4), 48),
            nn.ReLU(),
            nn.Dropout(0.3),
        )
        self.taker = nn.Linear(48, 1)
        self.phonemes = nn.Linear(48, phonemes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(frames)
        return self.taker(seen)[:, 0], self.phonemes(seen)


class Answer(nn.Module):  # type: ignore[misc, unused-ignore]
    """The probability that the speaker takes the floor; what the net takes for `threshold` becomes
    a half."""

    def __init__(self, module: OnsetModule, threshold: float = 0.5) -> None:
        super().__init__()
        self.module = module
        self.shift = float(np.log(threshold / (1 - threshold)))

    def forward(self, frames: Tensor) -> Tensor:
        return torch.sigmoid(self.module(frames)[0] - self.shift)


def batch_input(frames: Tensor, known: Tensor) -> Tensor:
    """`models.onset.net_input` of many: frames (n, FRAMES, BANDS), of which `known` are known."""
    mask = torch.arange(FRAMES)[None, :] < known[:, None]
    loudest = frames.masked_fill(~mask[:, :, None], -1e9).amax((1, 2))
    loud = functional.relu(1 + (frames - loudest[:, None, None]) / 50.0) * mask[:, :, None]
    return torch.cat([loud.transpose(1, 2), mask[:, None, :].float()], 1)


def train(
    clips: Sequence[Clip], phonemes: Phonemes, *, epochs: int, copies: int, seed: int = 1
) -> OnsetModule:
    """Train a net on clips."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    rendered, index_of = [], []
    for index, clip in enumerate(clips):
        for _ in range(max(1, round(copies * clip.weight))):
            rendered.append(frames_of(rng, clip))
            index_of.append(index)
    frames = torch.from_numpy(np.stack(rendered))
    taker = torch.tensor(
        [-1.0 if clips[i].taker is None else float(bool(clips[i].taker)) for i in index_of]
    )
    begins = torch.from_numpy(np.stack([phonemes(clips[i].said) for i in index_of]))
    worded = torch.tensor([float(bool(clips[i].said)) for i in index_of])
    takers, listeners = int((taker == 1).sum()), int((taker == 0).sum())
    print(f"{len(clips)} clips, {len(frames)} renderings: {takers} takers, {listeners} listeners")
    module = OnsetModule(begins.shape[1])
    optimiser = torch.optim.AdamW(module.parameters(), lr=2e-3, weight_decay=0.02)
    size = 128
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 3e-3, total_steps=epochs * (len(frames) // size + 1)
    )
    began = time.monotonic()
    for epoch in range(epochs):
        module.train()
        order = torch.randperm(len(frames))
        total = 0.0
        for at in range(0, len(order), size):
            chosen = order[at : at + size]
            known = torch.randint(16, 42, (len(chosen),))
            late = torch.rand(len(chosen)) < 0.15
            known[late] = torch.randint(50, FRAMES + 1, (int(late.sum()),))
            given = batch_input(frames[chosen], known)
            band = torch.randint(0, BANDS - 4, (len(chosen),))
            hidden = (torch.arange(BANDS + 1)[None] >= band[:, None]) & (
                torch.arange(BANDS + 1)[None] < band[:, None] + 3
            )
            given = given * (1 - hidden.float())[:, :, None]
            logits, sounds = module(given)
            label = taker[chosen]
            weight = torch.where(label == 1, 0.5 / takers, 0.5 / max(1, listeners)) * (label >= 0)
            weight = weight * (takers + listeners)
            # What is hardly heard yet can hardly be known.
            loss = (
                functional.binary_cross_entropy_with_logits(
                    logits, label.clamp(0, 1) * 0.94 + 0.03, reduction="none"
                )
                * weight
            ).mean()
            told = functional.binary_cross_entropy_with_logits(
                sounds, begins[chosen], reduction="none"
            )
            loss = loss + 4.0 * (told.mean(1) * worded[chosen]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(
            f"epoch {epoch} loss {total / len(order):.4f} {time.monotonic() - began:.0f} s",
            flush=True,
        )
    module.eval()
    return module


def probabilities(answer: Answer, clip: Clip, jitter: int = 0) -> Floats:
    """The probability after each number of frames, of the clip as it is."""
    begin = _LEAD - _PADDING + jitter
    heard = np.pad(clip.audio[begin : begin + SAMPLES], (0, max(0, begin + SAMPLES - _CLIP)))
    scale = 0.1 / (np.sqrt(np.mean(heard**2)) + 1e-6)
    frames = mel_frames((np.clip(heard * scale, -1, 1) * (FULL_SCALE - 1)).astype(np.int16))
    given = np.stack([net_input(frames[:count]) for count in range(1, FRAMES + 1)])
    with torch.no_grad():
        found: Floats = answer(torch.from_numpy(given)).numpy()
    return found


def frames_at(ms: float) -> int:
    """How many frames are known so long after the onset."""
    return int((ms / 1000 * RATE + _PADDING - WINDOW) // HOP + 1)


def judge(answer: Answer, clips: Sequence[Clip]) -> None:
    """Print how many listeners are kept and takers are silenced, by threshold and time."""
    courses = {id(clip): probabilities(answer, clip) for clip in clips}
    for ms in (160, 200, 240, 320):
        at = frames_at(ms) - 1
        pairs = [
            courses[id(one)][at] < courses[id(other)][at]
            for one in clips
            for other in clips
            if not one.taker and other.taker
        ]
        print(f"  at {ms} ms: area {np.mean(pairs):.3f}")
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        row = []
        for latest in (220, 260, 320, 400, 560):
            span = slice(frames_at(160) - 1, frames_at(latest))
            took = {id(c): bool((courses[id(c)][span] >= threshold).any()) for c in clips}
            kept = [not took[id(c)] for c in clips if not c.taker]
            silenced = [took[id(c)] for c in clips if c.taker]
            strong = [took[id(c)] for c in clips if c.said in SHORT]
            row.append(
                f"{np.mean(kept):.2f}/{np.mean(silenced):.2f}/{np.mean(strong or [False]):.2f}"
            )
        print(f"  p >= {threshold}: {'  '.join(row)}")


def export(answer: Answer, path: Path) -> None:
    """Write the net for `models.onset`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The tracing exporter, which needs no further package, announces its end.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            answer.eval(),
            (torch.zeros(1, BANDS + 1, FRAMES),),
            str(path),
            input_names=["frames"],
            output_names=["taker"],
            opset_version=17,
            dynamo=False,
        )


def align(folder: Path, whisper: Path) -> dict[str, list[tuple[str, float, float, float]]]:
    """The words of the orders that may be learned from, with their times and probabilities."""
    from faster_whisper import WhisperModel  # noqa: PLC0415 - training needs it not

    model = WhisperModel(str(whisper), device="cpu", compute_type="int8", cpu_threads=1)
    found = {}
    for one in recordings(folder, ["orders"], "tune"):
        segments, _ = model.transcribe(
            resample(_samples(one), RATE, 16_000), language="en", beam_size=1, word_timestamps=True
        )
        found[one.name] = [
            (word.word.strip(), word.start, word.end, word.probability)
            for segment in segments
            for word in segment.words
        ]
    return found


def learned(folder: Path, words: Path | None, each: int) -> list[Clip]:
    """All that the net is trained on."""
    rng = np.random.default_rng(7)
    clips = [
        *human_words(folder, "tune"),
        *human_starts(folder, "tune"),
        *noises(folder, rng),
        *synthetic(rng, each),
    ]
    if words is not None:
        clips += human_beginnings(folder, words, "tune")
    return clips


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--words", type=Path, help="words of the orders with their times")
    parser.add_argument("--align", type=Path, help="a Whisper: write --words, and no more")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--each", type=int, default=14, help="renderings of a synthetic line")
    parser.add_argument("--threshold", type=float, default=0.8, help="becomes a half")
    parser.add_argument(
        "--folds", type=int, default=0, help="judge by speakers of both parts left out, and no more"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.align:
        options.words.write_text(json.dumps(align(options.audio, options.align)))
        return
    clips = learned(options.audio, options.words, options.each)
    phonemes = Phonemes([clip.said for clip in clips])

    def trained(on: Sequence[Clip]) -> OnsetModule:
        return train(on, phonemes, epochs=options.epochs, copies=options.copies)

    if options.folds:
        own = [one for part in PARTS for one in human_words(options.audio, part)]
        everything = clips + list(human_words(options.audio, "closed"))
        for fold in range(options.folds):
            speakers = sorted({clip.speaker for clip in own})[fold :: options.folds]
            module = trained([clip for clip in everything if clip.speaker not in speakers])
            print(f"fold {fold}, speakers left out:")
            judge(Answer(module), [clip for clip in own if clip.speaker in speakers])
        return
    module = trained(clips)
    print("closed part:")
    judge(Answer(module), list(human_words(options.audio, "closed")))
    if options.out:
        export(Answer(module, options.threshold), options.out)


if __name__ == "__main__":
    main()
