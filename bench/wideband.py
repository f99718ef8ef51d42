"""What 16 kHz is worth to a recogniser: the same speech over G.722 and over G.711.

    python -m bench.wideband --whisper DIR --voice DIR [--prompts DIR --texts FILE] [--snr 10]

The voice (Piper, 16 kHz or more) reads sentences with names, letters and figures, in which sounds
above 4 kHz tell one word from another. `--prompts` are recordings of a person in G.722, as Debian's
`asterisk-core-sounds-en-g722` has them, with the list of what they say (`name: text`). Each goes
through the coder of a call, frame by frame, and to the recogniser at the call's rate. `--snr` adds
white noise (dB below the speech) before. Also told: the CPU time that a call's coder takes.
"""

import argparse
import asyncio
import gzip
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from models.piper import Piper
from models.training.whisper_data import word_errors
from models.whisper import FasterWhisper
from pbx.codecs import G722, PCMU, Codec
from voice_loop.audio import Samples, frame_samples, resample
from voice_loop.phrases import plain_words

_SENTENCES: Final = 60
_LEAST_WORDS: Final = 5
_NAMES: Final = (
    *("Smith", "Fisk", "Thatcher", "Fitch", "Sachs", "Pfaff", "Heath", "Voss", "Moss", "Foss"),
    *(
        "Sheffield",
        "Chess",
        "Seth",
        "Faith",
        "Fiske",
        "Seaforth",
        "Zeiss",
        "Finch",
        "Hess",
        "Keith",
    ),
)
_FORMS: Final = (
    "My name is {name}, that is {a}, {b}, {c}.",
    "This is {name} from {other}, flat {number}, {c} as in {name}.",
    "Please write to {other} and {name}, at {number} {other} Street.",
    "The code is {a} {b} {number} {c}.",
)
_LETTERS: Final = "FSXCVZTPBDEGMN"


class Spoken(NamedTuple):
    """Something said, at 16 kHz."""

    text: str
    samples: Samples


def sentences(voice: Piper) -> Iterator[Spoken]:
    """Read aloud, the same ones in every run."""
    chance = random.Random(7)
    for index in range(_SENTENCES):
        a, b, c = chance.sample(_LETTERS, 3)
        name, other = chance.sample(_NAMES, 2)
        text = _FORMS[index % len(_FORMS)].format(
            name=name, other=other, a=a, b=b, c=c, number=chance.randint(2, 9)
        )
        said = asyncio.run(_read(voice, text))
        yield Spoken(text, resample(said, voice.rate, G722.rate))


async def _read(voice: Piper, text: str) -> Samples:
    return np.concatenate([chunk async for chunk in voice.stream(text)])


def prompts(folder: Path, texts: Path) -> Iterator[Spoken]:
    """Recordings of sentences, as they are."""
    raw = texts.read_bytes()
    listed = (gzip.decompress(raw) if texts.suffix == ".gz" else raw).decode()
    for name, text in re.findall(r"^([\w/-]+):\s*(.+)$", listed, re.MULTILINE):
        file = folder / f"{name}.g722"
        if file.exists() and len(plain_words(text).split()) >= _LEAST_WORDS:
            yield Spoken(text, G722.decode(file.read_bytes()))


def over(codec: Codec, speech: Samples) -> tuple[Samples, float]:
    """What is heard of speech at 16 kHz over a call of that codec, and the CPU seconds of its
    coder, both ways."""
    sent = resample(speech, G722.rate, codec.rate)
    size = frame_samples(codec.rate)
    frames = sent[: sent.size // size * size].reshape(-1, size)
    ours, theirs = codec.coder(), codec.coder()
    begun = time.process_time()
    heard = [ours.decode(theirs.encode(frame)) for frame in frames]
    return np.concatenate(heard), time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--whisper", type=Path, required=True, help="a CTranslate2 model")
    parser.add_argument("--voice", type=Path, help="a Piper voice (.onnx)")
    parser.add_argument("--prompts", type=Path, help="a folder of .g722 files")
    parser.add_argument("--texts", type=Path, help="what they say")
    parser.add_argument("--snr", type=float, help="dB")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    spoken: dict[str, Sequence[Spoken]] = {}
    if options.voice:
        voice = Piper(options.voice)
        spoken["a voice"] = list(sentences(voice))
        voice.close()
    if options.prompts:
        spoken["a person"] = list(prompts(options.prompts, options.texts))
    engine = FasterWhisper(options.whisper, threads=options.threads)
    engine.warm_up()
    noise = np.random.default_rng(1)
    for source, said in spoken.items():
        for codec in (PCMU, G722):
            wrong = words = 0
            coding = seconds = 0.0
            for one in said:
                speech = one.samples
                if options.snr is not None:
                    level = np.sqrt(np.mean(np.square(speech.astype(np.float64))))
                    added = noise.normal(0, level / 10 ** (options.snr / 20), speech.size)
                    speech = np.clip(speech + added, -32768, 32767).astype(np.int16)
                heard, took = over(codec, speech)
                text = asyncio.run(engine.transcribe(heard, codec.rate, "en")).text
                right = plain_words(one.text).split()
                wrong += word_errors(right, plain_words(text).split())
                words += len(right)
                coding += took
                seconds += heard.size / codec.rate
            sys.stdout.write(
                f"{source}, {len(said)} sentences, {codec.name} at {codec.rate} Hz: "
                f"{wrong} of {words} words wrong ({wrong / words:.1%}); "
                f"coder {1000 * coding / seconds:.2f} ms CPU a second of call\n"
            )
            sys.stdout.flush()
    engine.close()


if __name__ == "__main__":
    main()
