"""What the starter Whisper is trained on: sentences, their speech, features and frame targets.

Half of the sentences are the domain's own. The others are spliced, damaged or random word
sequences, so that the decoder has to listen and cannot recite.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from faster_whisper.feature_extractor import FeatureExtractor

from models.training import domain
from models.training.speech import (
    HELDOUT_VARIANTS,
    MODEL_RATE,
    TELEPHONE_RATE,
    TRAINING_VARIANTS,
    Espeak,
    Floats,
    Speech,
    noise,
    random_speaker,
    resample,
    through_phone,
    trim,
)

Ints = npt.NDArray[np.int64]

#: Longest input in encoder positions (20 ms each); `max_source_positions` of the shipped model.
POSITIONS: Final = 500
#: The encoder is trained with this many feature frames (10 ms) of zeros after the content.
MARGIN: Final = (20, 80)
IGNORE: Final = -100
MAX_WORDS: Final = 24

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
_NUMBERS: Final = tuple(_NUMBER_WORDS.split())
_DIGITS: Final = _NUMBERS[:10]
_CALL_WORDS = (
    "hello yes no okay maybe stop help tomorrow today morning afternoon evening tonight later "
    "name number phone call back please thanks half quarter past to noon p a m hundred south"
)


def vocabulary() -> list[str]:
    """The words that the starter Whisper can write, sorted.

    Every word that a caller says in the domain, the agent's words except names (they are made up
    and so each of them is rare), numbers, and a few words that any call needs.
    """
    words = {*_NUMBERS, *_CALL_WORDS.split()}
    for split in ("train", "heldout"):
        for sentence in domain.person_sentences(1, 20_000, split):
            words.update(sentence.split())
    agent: Counter[str] = Counter()
    total = 20_000
    for sentence in domain.agent_sentences(1, total, "train"):
        agent.update(set(sentence.split()))
    words.update(word for word, count in agent.items() if count > total / 400)
    return sorted(words)


def in_vocabulary(sentence: str, words: frozenset[str]) -> bool:
    return words.issuperset(sentence.split())


def word_errors(said: Sequence[object], heard: Sequence[object]) -> int:
    """Word edits (substitutions, deletions, insertions) from `said` to `heard`."""
    costs = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        before, costs[0] = costs[0], i
        for j, other in enumerate(heard, 1):
            cost = min(costs[j] + 1, costs[j - 1] + 1, before + (one != other))
            before, costs[j] = costs[j], cost
    return costs[-1]


class SentenceSource:
    """An endless seeded mixture of training sentences, each a list of words."""

    def __init__(self, seed: int, words: Sequence[str]) -> None:
        self._rng = np.random.default_rng(seed)
        self._words = list(words)
        known = frozenset(words)
        self._digits = [w for w in _DIGITS if w in known] or self._words
        self._numbers = [w for w in _NUMBERS if w in known] or self._words
        self._person = [
            s.split()
            for s in domain.person_sentences(seed, 20_000, "train")
            if in_vocabulary(s, known)
        ]
        self._agent = [
            s.split()[:MAX_WORDS]
            for s in domain.agent_sentences(seed, 20_000, "train")
            if in_vocabulary(s, known)
        ]
        heard = Counter(word for s in self._person for word in s)
        # Words that callers say often matter more, but each word must be learned.
        weights = np.array([3.0 + min(heard[word], 400) ** 0.5 for word in self._words])
        self._weights = weights / weights.sum()

    def _pick(self, sentences: list[list[str]]) -> list[str]:
        return list(sentences[int(self._rng.integers(len(sentences)))])

    def _random(self, count: int) -> list[str]:
        return [str(w) for w in self._rng.choice(self._words, count, p=self._weights)]

    def next(self, longest: int) -> list[str]:
        """One sentence of at most `longest` words."""
        rng, draw = self._rng, self._rng.random()
        if draw < 0.30:
            words = self._pick(self._person)
        elif draw < 0.50:
            words = self._pick(self._agent)
            if len(words) > longest:
                start = int(rng.integers(0, len(words) - longest + 1))
                words = words[start : start + longest]
        elif draw < 0.64:  # splices of two sentences
            first, second = self._pick(self._person), self._pick(self._person)
            words = first[: int(rng.integers(0, len(first) + 1))]
            words += second[int(rng.integers(0, len(second))) :]
        elif draw < 0.74:  # one word replaced, left out or put in
            words = self._pick(self._person)
            at = int(rng.integers(len(words)))
            words[at : at + int(rng.integers(0, 2))] = self._random(int(rng.integers(0, 2)))
        elif draw < 0.92:
            words = self._random(int(rng.integers(1, 8)))
        else:  # digits and numbers
            pool = self._digits if rng.random() < 0.6 else self._numbers
            words = [str(w) for w in rng.choice(pool, int(rng.integers(1, 7)))]
        return words[:longest] or ["yes"]


@dataclass(frozen=True)
class Example:
    """One utterance, ready for the network.

    Attributes:
        features: log-mel, shape (80, frames), 10 ms a frame.
        words: what was said; empty for noise.
        phonemes: per encoder position (20 ms) a phoneme index, 0 for silence.
        word_at: per encoder position the index of the word in `words`, -1 outside of speech.
    """

    features: Floats
    words: tuple[str, ...]
    phonemes: Ints
    word_at: Ints


class PhonemeTable:
    """IPA names to small integers, fixed by the file beside this one."""

    def __init__(self) -> None:
        names = json.loads((Path(__file__).with_name("speech_phonemes.json")).read_text("utf-8"))
        self._index = {name: i + 1 for i, name in enumerate(names)}
        self.size = len(names) + 1

    def __getitem__(self, name: str) -> int:
        plain = name.replace("ˈ", "").replace("ˌ", "")
        return self._index.get(plain, 0) if plain else 0


class ExampleMaker:
    """Turns words into an `Example` with a random speaker and a random telephone line."""

    def __init__(self, seed: int, *, heldout: bool = False) -> None:
        self._rng = np.random.default_rng(seed)
        self._espeak = Espeak()
        self._phonemes = PhonemeTable()
        self._variants = HELDOUT_VARIANTS if heldout else TRAINING_VARIANTS
        self._heldout = heldout
        self._extract = FeatureExtractor()

    def features(self, audio: Floats) -> Floats:
        """Log-mel of 16 kHz audio exactly as `WhisperModel.transcribe` makes it."""
        return np.asarray(self._extract(audio), np.float32)

    def audio(self, words: Sequence[str]) -> tuple[Floats, Speech, float]:
        """16 kHz telephone audio of the words, the speech, and the speech's time offset in it.

        The time axis of `Speech` is already corrected for the vocal-tract stretch.
        """
        rng = self._rng
        spoken = list(words)
        for index, word in enumerate(words[:-1]):  # the letter's name, not the article
            if word == "a" and words[index + 1] == "m" and rng.random() < 0.6:
                spoken[index] = "ay"
        pauses = tuple(i for i in range(len(words) - 1) if rng.random() < 0.04)
        speech = self._espeak.say(spoken, random_speaker(rng, self._variants), pauses)
        stretch = 1.0 if self._heldout else float(rng.uniform(0.88, 1.13))
        samples = resample(speech.samples, speech.rate * stretch, TELEPHONE_RATE)
        start, end = trim(samples, TELEPHONE_RATE)
        if rng.random() < 0.2:  # the voice detector was late
            start += int(rng.uniform(0.0, 0.05) * TELEPHONE_RATE)
        if rng.random() < 0.2:
            end -= int(rng.uniform(0.0, 0.04) * TELEPHONE_RATE)
        lead, trail = float(rng.uniform(0.04, 0.35)), float(rng.uniform(0.08, 0.6))
        clean = bool(rng.random() < 0.12)
        audio = through_phone(rng, samples[start:end], lead, trail, clean=clean)
        offset = lead - start / TELEPHONE_RATE
        shifted = Speech(
            samples=speech.samples,
            rate=speech.rate,
            words=tuple((a / stretch + offset, b / stretch + offset) for a, b in speech.words),
            phonemes=tuple((t / stretch + offset, name) for t, name in speech.phonemes),
        )
        return audio, shifted, lead + (end - start) / TELEPHONE_RATE

    def noise_audio(self) -> Floats:
        """16 kHz audio without speech: a quiet line, noise, clicks or a tone."""
        rng = self._rng
        count = int(rng.uniform(0.3, 3.0) * TELEPHONE_RATE)
        level = 10.0 ** (rng.uniform(-75.0, -22.0) / 20.0)
        sound = np.float32(level) * noise(rng, count)
        kind = rng.random()
        if kind < 0.25:
            at = np.arange(count, dtype=np.float32) / TELEPHONE_RATE
            tone = np.sin(2 * np.pi * rng.uniform(200, 1800) * at)
            tone *= (at % rng.uniform(0.2, 1.0)) < rng.uniform(0.05, 0.5)
            sound = sound + np.float32(rng.uniform(0.02, 0.3)) * tone.astype(np.float32)
        elif kind < 0.45:
            sound = sound.copy()
            for place in rng.integers(0, count - 200, int(rng.integers(1, 6))):
                width = int(rng.integers(8, 200))
                fade = np.exp(-np.arange(width) / (width / 4)).astype(np.float32)
                sound[place : place + width] += (
                    np.float32(rng.uniform(0.03, 0.4)) * fade * noise(rng, width)
                )
        return through_phone(rng, sound, 0.0, 0.0)

    def noise_example(self) -> Example:
        features = self.features(self.noise_audio())[:, : 2 * POSITIONS]
        length = (features.shape[1] + 1) // 2
        return Example(features, (), np.zeros(length, np.int64), np.full(length, -1, np.int64))

    def example(self, words: Sequence[str]) -> Example | None:
        """Speech of the words; None where it is longer than the model's window."""
        audio, speech, speech_end = self.audio(words)
        if len(audio) > (POSITIONS * 2 - MARGIN[1]) * MODEL_RATE // 100:
            return None
        features = self.features(audio)
        length = (features.shape[1] + 1) // 2
        phonemes = np.zeros(length, np.int64)
        for (start, name), following in zip(
            speech.phonemes, [t for t, _ in speech.phonemes[1:]] + [speech_end], strict=True
        ):
            phonemes[_position(start) : _position(min(following, speech_end))] = self._phonemes[
                name
            ]
        word_at = np.full(length, -1, np.int64)
        for index, (start, end) in enumerate(speech.words):
            begin = _position(start)
            word_at[begin : max(begin + 1, _position(min(end, speech_end)))] = index
        return Example(features, tuple(words), phonemes, word_at)


def _position(seconds: float) -> int:
    """The encoder position (20 ms) of a time."""
    return max(0, round(seconds * 50))


def examples(seed: int, words: Sequence[str], longest: int) -> Iterator[Example]:
    """An endless stream of training examples; 4 % are noise with no words."""
    source, maker = SentenceSource(seed, words), ExampleMaker(seed)
    rng = np.random.default_rng(seed + 1)
    while True:
        if rng.random() < 0.04:
            yield maker.noise_example()
        elif (made := maker.example(source.next(longest))) is not None:
            yield made


@dataclass(frozen=True)
class Batch:
    """Examples of like length, padded.

    Attributes:
        features: (batch, 80, frames); zeros after the content, as `pad_or_trim` leaves them.
        phonemes, word_at, word_ids: (batch, positions); `IGNORE` where nothing is known, and in
            `word_ids` the vocabulary index of the word spoken there, 0 for none.
        text: (batch, tokens) vocabulary index of each word, `IGNORE` after the last.
        lengths: (batch,) number of words.
    """

    features: Floats
    phonemes: Ints
    word_at: Ints
    word_ids: Ints
    text: Ints
    lengths: Ints


def collate(made: Sequence[Example], index: dict[str, int], margin: int) -> Batch:
    """Pads examples; `index` gives a word's number, from 1."""
    frames = min(max(e.features.shape[1] for e in made) + margin, 2 * POSITIONS)
    frames += frames % 2
    longest = max([1, *(len(e.words) for e in made)])
    size = len(made)
    features = np.zeros((size, 80, frames), np.float32)
    phonemes = np.zeros((size, frames // 2), np.int64)
    word_at = np.full((size, frames // 2), -1, np.int64)
    text = np.full((size, longest), IGNORE, np.int64)
    word_ids = np.zeros((size, frames // 2), np.int64)
    for row, one in enumerate(made):
        features[row, :, : one.features.shape[1]] = one.features
        phonemes[row, : len(one.phonemes)] = one.phonemes
        word_at[row, : len(one.word_at)] = one.word_at
        ids = np.array([index[w] for w in one.words] + [0], np.int64)
        text[row, : len(one.words)] = ids[:-1]
        word_ids[row, : len(one.word_at)] = ids[one.word_at]  # -1 takes the 0 at the end
    lengths = np.array([len(e.words) for e in made], np.int64)
    return Batch(features, phonemes, word_at, word_ids, text, lengths)


def batches(
    seed: int, words: Sequence[str], longest: int, positions: int = 6400, pool: int = 320
) -> Iterator[Batch]:
    """An endless stream of batches of about `positions` encoder positions each."""
    index = {word: i + 1 for i, word in enumerate(words)}
    rng = np.random.default_rng(seed + 2)
    stream = examples(seed, words, longest)
    while True:
        made = sorted((next(stream) for _ in range(pool)), key=lambda e: e.features.shape[1])
        groups: list[list[Example]] = []
        group: list[Example] = []
        for one in made:
            if group and (len(group) + 1) * (one.features.shape[1] // 2 + 25) > positions:
                groups.append(group)
                group = []
            group.append(one)
        groups.append(group)
        for at in rng.permutation(len(groups)):
            yield collate(groups[at], index, int(rng.integers(*MARGIN)))
