"""Speech synthesis: Piper voices, one clause at a time.

Piper's own loader gives onnxruntime every core and its own loudness rule (each sentence to full
scale). Here threads are limited, and one gain per voice, measured once, puts speech at telephone
level without jumps from clause to clause.
"""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from copy import copy
from functools import partial
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, Final, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from piper import PiperVoice
from piper.config import PiperConfig

from models import vits
from models.languages import language_of
from models.vits import Audio, Tensors
from models.workers import Workers
from voice_loop.audio import FULL_SCALE, Samples
from voice_loop.ports import EngineError

#: The level of speech that callers get, dBFS RMS while speaking (ITU-T P.56 active level, about).
SPEECH_DBFS: Final = -20.0
#: Above this share of full scale the limiter bends the signal instead of clipping it.
KNEE: Final = 0.7
#: What the gain is measured on: all vowels and a few plosives, in any voice's own phonemes.
CALIBRATION: Final = "Hello, this is a short test of the voice. One, two, three, four, five."
FLOAT_PEAK: Final = FULL_SCALE - 1
#: What Piper can pronounce with what it brings. For the other scripts it wants packages that
#: Offhook does not have, and data that it downloads when it first speaks.
PHONEMES: Final = ("espeak", "text", "hebrew")

#: The letter, which eSpeak NG takes for the article; `A-` is said as it is meant.
_LETTER_A: Final = re.compile(r"(?:(?<=[^.!?…\s] )A(?! [A-Z][a-z])|\bA(?= [A-Z]\b))(?![\w'’.-])")
_NEVER_TO_PIPER: Final = re.compile(r"\[\[|\]\]|\0")

_Line = tuple[str, float, float]


class Piper:
    """A Piper voice, shared by all calls (`voice_loop.ports.TextToSpeech`).

    Args:
        path: the voice's `.onnx`, with its settings in `.onnx.json` beside it.
        length_scale: slower above 1, faster below; None for the voice's own.
        threads: onnxruntime's threads per sentence.
        workers: sentences spoken at the same time.
        waiting: sentences that may wait; one more raises EngineError.
        timeout_s: seconds that one sentence may take, its wait included.
        cache_bytes: how much finished speech is kept, so that fixed lines cost nothing.
        in_windows: whether sentences may come in pieces; it costs a tenth or two more CPU.
    """

    def __init__(
        self,
        path: Path,
        *,
        length_scale: float | None = None,
        threads: int = 1,
        workers: int = 1,
        waiting: int = 64,
        timeout_s: float = 20.0,
        cache_bytes: int = 16 * 1024 * 1024,
        in_windows: bool = True,
    ) -> None:
        settings = path.with_name(path.name + ".json")
        for file in (path, settings):
            if not file.is_file():
                raise EngineError(f"the Piper voice {path} is not complete: {file} is missing")
        try:
            self._config = PiperConfig.from_dict(json.loads(settings.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(f"cannot load the Piper voice {path}: {error!r}") from error
        if self._config.phoneme_type not in PHONEMES:
            raise EngineError(
                f"for the Piper voice {path}, of `phoneme_type` {self._config.phoneme_type.value}, "
                "Piper fetches more at run time, which Offhook does not allow: choose another voice"
            )
        #: It gives phonemes only, and needs no network for that.
        self._voice = PiperVoice(session=cast(Any, None), config=self._config)
        self._length_scale = self._config.length_scale if length_scale is None else length_scale
        self._variation = 1.0
        """Of the voice's own, in sound and in rhythm."""
        self._cache = SpeechCache(cache_bytes)
        self._workers = Workers("speech synthesis", workers, waiting, timeout_s)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        test = self._phonemize(CALIBRATION)
        trial = self._tensors(list(chain.from_iterable(test)))
        space = next(iter(self._config.phoneme_id_map.get(" ", ())), None)
        try:
            self._network = (
                vits.load(path, options, self.rate, trial=trial, space=space)
                if in_windows
                else vits.Whole(path, options)
            )
        except Exception as error:  # onnxruntime's exceptions share no other base
            raise EngineError(f"cannot load the Piper voice {path}: {error}") from error
        self._gain = self._calibrated(path, test)

    @property
    def rate(self) -> int:
        """Samples per second of what it speaks."""
        return int(self._config.sample_rate)

    @property
    def language(self) -> str:
        """ISO 639-1 code of the language that it speaks."""
        return language_of(self._config.espeak_voice)

    def steadied(self, stability: float) -> "Piper":
        """As `voice_loop.ports.VaryingVoice`; model, threads and cache are shared."""
        voice = copy(self)
        voice._variation = 2 - 2 * stability
        return voice

    async def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        """Speak one clause, in windows where the network can; see the port."""
        line = text, speed, self._variation
        cached = self._cache.get(line)
        if cached is not None:
            yield cached
            return
        spoken: list[Samples] = []
        # One piece of work each: calls that speak at the same time take turns, and what nobody
        # waits for any more is not made.
        pieces = self._speak(text, speed)
        due, last = None, False
        while not last:
            piece = await self._workers.run(partial(next, pieces, None), due)
            if piece is None:
                return
            chunk, last = piece
            spoken.append(chunk)
            # The next piece is not needed before this one has been played.
            due = (due or monotonic()) + chunk.size / self.rate
            yield chunk
        self._cache.put(line, np.concatenate(spoken))

    async def render(self, text: str, speed: float = 1.0) -> Samples:
        """Speak ahead of need: the whole text at once, kept in the cache (greetings)."""
        async with aclosing(self.stream(text, speed)) as chunks:
            spoken = [chunk async for chunk in chunks]
        return np.concatenate(spoken) if spoken else np.zeros(0, np.int16)

    def close(self) -> None:
        """Stop the threads."""
        self._workers.close()

    def _phonemize(self, text: str) -> list[list[int]]:
        # Piper holds its own lock around espeak-ng, which has one state per process. Double
        # brackets would be raw phonemes to Piper: text from outside must not reach that; and it
        # takes no NUL.
        plain = _NEVER_TO_PIPER.sub(" ", text).encode(errors="replace").decode()
        if self.language == "en":
            plain = _LETTER_A.sub("A-", plain)
        try:
            sentences = self._voice.phonemize(plain)
            return [self._voice.phonemes_to_ids(s) for s in sentences if s]
        except (RuntimeError, ValueError, KeyError) as error:
            raise EngineError(f"speech synthesis cannot pronounce the text: {error}") from error

    def _speak(self, text: str, speed: float) -> Iterator[tuple[Samples, bool]]:
        sentences = self._phonemize(text)
        for count, phoneme_ids in enumerate(sentences, 1):
            for audio, last in self._sound(phoneme_ids, speed):
                loud = limited(audio * np.float32(self._gain))
                whole = last and count == len(sentences)
                yield np.round(loud * FLOAT_PEAK).astype(np.int16), whole

    def _sound(self, phoneme_ids: list[int], speed: float = 1.0) -> Iterator[tuple[Audio, bool]]:
        try:
            yield from self._network.speak(self._tensors(phoneme_ids, speed))
        except Exception as error:  # onnxruntime's exceptions share no other base
            raise EngineError(f"speech synthesis failed: {error}") from error

    def _tensors(self, phoneme_ids: list[int], speed: float = 1.0) -> Tensors:
        own = self._config
        noise, rhythm = own.noise_scale * self._variation, own.noise_w_scale * self._variation
        tensors: dict[str, NDArray[Any]] = {
            "input": np.array([phoneme_ids], np.int64),
            "input_lengths": np.array([len(phoneme_ids)], np.int64),
            "scales": np.array([noise, self._length_scale / speed, rhythm], np.float32),
        }
        if own.num_speakers > 1:
            tensors["sid"] = np.array([own.default_speaker_id or 0], np.int64)
        return tensors

    def _calibrated(self, path: Path, test: list[list[int]]) -> float:
        """The gain that brings the voice to its level; measuring it warms the voice up."""
        spoken = [audio for ids in test for audio, _ in self._sound(ids)]
        level = active_level(np.concatenate(spoken), self.rate) if spoken else 0.0
        if not np.isfinite(level) or level <= 0.0:
            raise EngineError(f"the Piper voice {path} makes no sound; is the file damaged?")
        return float(10 ** (SPEECH_DBFS / 20) / level)


def active_level(audio: Audio, rate: int) -> float:
    """RMS (share of full scale) over the 20 ms frames that are within 20 dB of the loudest."""
    frame = rate // 50
    whole = audio[: audio.size // frame * frame].reshape(-1, frame)
    if whole.size == 0:
        return 0.0
    power = np.mean(np.square(whole, dtype=np.float64), axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() / 100])))


def limited(audio: Audio) -> Audio:
    """Leaves samples below the knee alone and bends the rest smoothly below full scale."""
    size = np.abs(audio)
    bent = KNEE + (1 - KNEE) * np.tanh((size - KNEE) / (1 - KNEE))
    return np.where(size <= KNEE, audio, np.copysign(bent, audio)).astype(np.float32)


class SpeechCache:
    """Finished speech by text, speed and variation, bounded by bytes; the least recently used goes
    first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Line, Samples] = OrderedDict()

    def get(self, line: _Line) -> Samples | None:
        with self._lock:
            speech = self._kept.get(line)
            if speech is not None:
                self._kept.move_to_end(line)
            return speech

    def put(self, line: _Line, speech: Samples) -> None:
        if speech.nbytes > self._most_bytes // 4:
            return
        speech.flags.writeable = False
        with self._lock:
            old = self._kept.pop(line, None)
            self._bytes += speech.nbytes - (0 if old is None else old.nbytes)
            self._kept[line] = speech
            while self._bytes > self._most_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.nbytes
