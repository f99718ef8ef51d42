"""The carrier's people: recorded sentences for the test bed, by a voice that training never hears.

`python -m models.training.personas --out pbx/testbed/sounds` writes one 8 kHz mono 16-bit WAV
for each sentence of `sentences.json` there. The wording stays inside the starter domain, so that
the starter models can follow; only the announcement is a network's.
"""

import argparse
import json
import wave
from pathlib import Path
from typing import Final

import numpy as np

from models.training.speech import (
    TELEPHONE_RATE,
    Espeak,
    Samples,
    Speaker,
    resample,
    trim,
)

#: A held-out variant, spoken a little slower than espeak-ng's default.
PERSONA: Final = Speaker(accent="en-us", variant="Andy", rate=155, pitch=45)
ANNOUNCER: Final = Speaker(accent="en-us", variant="linda", rate=150, pitch=55)
LEVEL_DBFS: Final = -20.0
_EDGE = TELEPHONE_RATE // 50


def record(espeak: Espeak, sentence: str, speaker: Speaker) -> Samples:
    """The sentence at 8 kHz with an RMS of -20 dBFS and 20 ms of silence around it."""
    spoken = espeak.say(sentence.split(), speaker)
    samples = resample(spoken.samples, spoken.rate, TELEPHONE_RATE)
    start, end = trim(samples, TELEPHONE_RATE)
    voice = samples[start:end]
    voice = voice * (10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(voice**2)))
    return np.asarray(np.pad(np.clip(voice, -0.99, 0.99), _EDGE) * 32767, np.int16)


def write_wav(path: Path, samples: Samples, rate: int) -> None:
    """A mono 16-bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="directory of sentences.json, and of the recordings"
    )
    out: Path = parser.parse_args().out
    espeak = Espeak()
    for name, sentence in json.loads((out / "sentences.json").read_text()).items():
        speaker = ANNOUNCER if name == "not_in_service" else PERSONA
        write_wav(out / f"{name}.wav", record(espeak, sentence, speaker), TELEPHONE_RATE)
        print(f"{name}: {sentence}")


if __name__ == "__main__":
    main()
