"""Scores the starter Whisper and voice: `python -m models.training.speech_score`.

Speakers and sentences are held out of training, and everything goes through the engine that
calls use (`models.whisper`, `piper.PiperVoice`). The last figure is the confidence below which a
caller is better asked to say it again.
"""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from piper import PiperVoice
from tokenizers import Tokenizer

from models.training import domain
from models.training.speech import MODEL_RATE, TELEPHONE_RATE, Floats, resample, through_phone
from models.training.whisper_data import ExampleMaker, in_vocabulary, word_errors
from models.whisper import FasterWhisper

STARTER: Final = Path(__file__).parent.parent / "starter"


@dataclass(frozen=True)
class Heard:
    """One utterance, what the recogniser made of it, and its confidence (0 to 1)."""

    said: str
    text: str
    confidence: float

    @property
    def errors(self) -> int:
        return word_errors(self.said.split(), self.text.split())


def error_rate(results: Sequence[Heard]) -> float:
    """Word errors for each word said."""
    return sum(r.errors for r in results) / max(1, sum(len(r.said.split()) for r in results))


def known_words(whisper: Path) -> frozenset[str]:
    """The words that the model at `whisper` has a token for."""
    vocabulary = Tokenizer.from_file(str(whisper / "tokenizer.json")).get_vocab()
    return frozenset(token[1:] for token in vocabulary if token.startswith("Ġ") and len(token) > 1)


def unseen(found: Iterable[str], trained: Iterable[str], known: frozenset[str]) -> list[str]:
    """Sentences in vocabulary that training does not have, each as often as it comes."""
    seen = set(trained)
    return [s for s in found if s not in seen and in_vocabulary(s, known)]


def hear(engine: FasterWhisper, said: str, audio: Floats) -> Heard:
    """Transcribes 16 kHz samples (-1 to 1), as the telephone gives them: 8 kHz, 16 bits."""
    narrow = resample(audio, MODEL_RATE, TELEPHONE_RATE)
    samples = np.asarray(np.clip(narrow, -1, 1) * 32767, np.int16)
    result = asyncio.run(engine.transcribe(samples, TELEPHONE_RATE, "en"))
    return Heard(said, result.text, result.confidence)


def score_callers(engine: FasterWhisper, sentences: Sequence[str]) -> list[Heard]:
    """Held-out speakers."""
    maker = ExampleMaker(4242, heldout=True)
    return [hear(engine, s, maker.audio(s.split())[0]) for s in sentences]


def score_voice(engine: FasterWhisper, voice: Path, sentences: Sequence[str]) -> list[Heard]:
    """The starter voice through the same line."""
    piper = PiperVoice.load(voice)
    rng = np.random.default_rng(7)
    results = []
    for sentence in sentences:
        chunks = [chunk.audio_float_array for chunk in piper.synthesize(sentence)]
        rate = piper.config.sample_rate
        speech = resample(np.concatenate(chunks), rate, TELEPHONE_RATE)
        results.append(hear(engine, sentence, through_phone(rng, speech, 0.15, 0.25)))
    return results


def score_noise(engine: FasterWhisper, count: int) -> list[Heard]:
    """Lines on which nobody speaks."""
    maker = ExampleMaker(777, heldout=True)
    return [hear(engine, "", maker.noise_audio()) for _ in range(count)]


def thresholds(results: Sequence[Heard]) -> list[tuple[float, float, float, float]]:
    """(confidence, share of wrong transcripts below it, share of right ones, precision)."""
    spoken = [r for r in results if r.text]
    wrong = np.array([r.confidence for r in spoken if r.errors])
    right = np.array([r.confidence for r in spoken if not r.errors])
    rows = []
    for level in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        caught, lost = int((wrong < level).sum()), int((right < level).sum())
        precision = caught / max(1, caught + lost)
        rows.append((level, caught / max(1, len(wrong)), lost / max(1, len(right)), precision))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whisper", type=Path, default=STARTER / "whisper")
    parser.add_argument("--voice", type=Path, default=STARTER / "voice.onnx")
    parser.add_argument("--count", type=int, default=300, help="utterances of each kind")
    parser.add_argument("--verbose", action="store_true", help="print what was misheard")
    arguments = parser.parse_args()
    count: int = arguments.count
    engine = FasterWhisper(arguments.whisper, threads=1)
    known = known_words(arguments.whisper)
    training = list(domain.person_sentences(1, 20_000, "train"))
    held = unseen(domain.person_sentences(77, 4 * count, "heldout"), training, known)[:count]
    callers = score_callers(engine, held)
    familiar = score_callers(engine, [s for s in training if in_vocabulary(s, known)][:count])
    agent = domain.agent_sentences(78, 2 * count, "heldout")
    spoken = [s for s in agent if in_vocabulary(s, known)][:count]
    voice = score_voice(engine, arguments.voice, spoken)
    noise = score_noise(engine, count)
    engine.close()
    print(f"held-out voices, held-out sentences: {error_rate(callers):.1%} word error, "
          f"{sum(not r.errors for r in callers)}/{len(callers)} exact")  # fmt: skip
    print(f"held-out voices, trained sentences:  {error_rate(familiar):.1%} word error, "
          f"{sum(not r.errors for r in familiar)}/{len(familiar)} exact")  # fmt: skip
    print(f"starter voice, agent sentences:      {error_rate(voice):.1%} word error, "
          f"{sum(not r.errors for r in voice)}/{len(voice)} exact")  # fmt: skip
    print(f"noise heard as nothing:              {sum(not r.text for r in noise)}/{len(noise)}")
    print("confidence  wrong below  right below  precision")
    for level, caught, lost, precision in thresholds([*callers, *familiar, *noise]):
        print(f"{level:10.2f} {caught:12.1%} {lost:12.1%} {precision:10.1%}")
    if arguments.verbose:
        for result in [*callers, *familiar, *voice, *noise]:
            if result.errors:
                print(f"{result.confidence:.2f} {result.said} -> {result.text}")


if __name__ == "__main__":
    main()
