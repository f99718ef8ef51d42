"""Speech recognition: faster-whisper's model, driven for short telephone utterances.

`WhisperModel.transcribe()` pads every utterance to 30 s and pays for all of it. Telephone turns
last a second or two, so the parts underneath (features, encoder, decoder, tokenizer) are called
here on a window that fits what was said: greedy, without timestamps, without previous text.
"""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ctranslate2 import StorageView
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from models.annotations import spoken
from models.languages import language_of
from models.token_rates import MOST_TOKENS, most_tokens
from models.workers import Workers
from voice_loop.audio import FULL_SCALE, Samples, resample
from voice_loop.ports import EngineError, Transcript

#: Whisper hears at this rate, Hz, and one feature frame is 10 ms.
RATE: Final = 16000
FRAMES_PER_SECOND: Final = 100
#: Positions of OpenAI's models, in feature frames: 30 s.
FULL_WINDOW: Final = 3000
#: OpenAI's models were trained on 30 s windows and are known to hold up from 10 s with 2 s of
#: padding after the speech; models with a shorter window say so and were trained to fit.
SHORTEST_WINDOW: Final = 1000
MARGIN: Final = 200
MARGIN_OF_SHORT_MODELS: Final = 50
#: Below this average log-probability, or above this compression ratio (repetition), a short
#: window is tried again at 30 s (the thresholds of OpenAI's own fallback).
WORST_LOG_PROBABILITY: Final = -1.0
WORST_COMPRESSION: Final = 2.4
#: No speech, when the model itself says so with this probability and is not sure of its words.
NO_SPEECH: Final = 0.6
SURE_LOG_PROBABILITY: Final = -0.3
#: Quieter than this is silence on any line, as a share of full scale: -65 dBFS.
SILENCE: Final = 10 ** (-65 / 20)
#: Speech that takes more tokens than one window may have is heard in halves, down to this, seconds.
SHORTEST_HALF: Final = 2

Features = NDArray[np.float32]


@dataclass(frozen=True)
class _Decoded:
    text: str
    log_probability: float
    tokens: int
    no_speech: float

    @property
    def repeats(self) -> bool:
        return compression(self.text) > WORST_COMPRESSION

    @property
    def doubtful(self) -> bool:
        return self.log_probability < WORST_LOG_PROBABILITY or self.repeats


class FasterWhisper:
    """A CTranslate2 Whisper model, shared by all calls (`voice_loop.ports.SpeechToText`).

    Args:
        path: the model's directory (`model.bin`, `config.json`, `tokenizer.json`).
        device: `cpu`, `cuda` or `auto`.
        compute_type: CTranslate2's name, such as `int8` or `float16`.
        threads: CPU threads per utterance; 0 leaves it to CTranslate2.
        workers: utterances transcribed at the same time.
        waiting: utterances that may wait; one more raises EngineError.
        timeout_s: seconds that one utterance may take, its wait included.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 0,
        workers: int = 1,
        waiting: int = 32,
        timeout_s: float = 20.0,
    ) -> None:
        for name in ("model.bin", "config.json", "tokenizer.json"):
            if not (path / name).is_file():
                raise EngineError(f"the Whisper model at {path} has no {name}")
        try:
            self._model = WhisperModel(
                str(path),
                device=device,
                compute_type=compute_type,
                cpu_threads=threads,
                num_workers=workers,
                local_files_only=True,
            )
        # What CTranslate2 raises on a damaged file is RuntimeError, ValueError or MemoryError;
        # the tokenizers library raises a bare Exception.
        except Exception as error:
            raise EngineError(f"cannot load the Whisper model at {path}: {error}") from error
        self.languages: tuple[str, ...] = tuple(self._model.supported_languages)
        """ISO 639-1 codes that it can be asked for."""
        self._multilingual = bool(self._model.model.is_multilingual)
        self._window = int(self._model.feature_extractor.nb_max_frames)
        self._workers = Workers("speech recognition", workers, waiting, timeout_s)

    def warm_up(self) -> None:
        """Run once, so that the first caller does not pay for allocations. Blocks."""
        self._decode(np.zeros(RATE, np.float32), self.languages[0])

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        """Transcribe one utterance, of any length; see the port."""
        language = language_of(language)
        if language not in self.languages:
            raise EngineError(
                f"this speech recognition model does not know the language {language!r}, "
                f"only {', '.join(self.languages)}: choose another `models.set`"
            )
        return await self._workers.run(lambda: self._transcribe(speech, rate, language))

    def close(self) -> None:
        """Stop the threads and free the model."""
        self._workers.close()
        self._model.model.unload_model()

    def _transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        try:
            audio = resample(speech, rate, RATE).astype(np.float32) / FULL_SCALE
            longest = (self._window - MARGIN_OF_SHORT_MODELS) * RATE // FRAMES_PER_SECOND
            parts = [
                decoded
                for part in windows(audio, longest)
                for decoded in self._hear(sounding(part), language)
            ]
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineError(f"speech recognition failed: {error}") from error
        tokens = sum(part.tokens for part in parts)
        log_probability = sum(part.log_probability * part.tokens for part in parts) / max(tokens, 1)
        text = spoken(" ".join(part.text for part in parts if part.text))
        return Transcript(text, math.exp(log_probability) if text else 0.0)

    def _hear(self, audio: Features, language: str) -> list[_Decoded]:
        """Decodes float samples at 16 kHz that fit a window: none, whole, or in halves."""
        if not audio.size:
            return []
        decoded = self._decode(audio, language)
        if (
            decoded.tokens <= MOST_TOKENS
            or decoded.repeats
            or audio.size < 2 * SHORTEST_HALF * RATE
        ):
            return [decoded]
        halves = windows(audio, audio.size // 2 + RATE)
        return [part for half in halves for part in self._hear(sounding(half), language)]

    def _decode(self, audio: Features, language: str) -> _Decoded:
        """Decodes one window of float samples at 16 kHz."""
        features = self._model.feature_extractor(audio)
        for frames in attempts(features.shape[-1], self._window):
            decoded = self._generate(features, frames, language)
            if not decoded.doubtful:
                break
        unsure = decoded.log_probability < SURE_LOG_PROBABILITY
        if decoded.no_speech > NO_SPEECH and unsure:
            return _Decoded("", decoded.log_probability, decoded.tokens, decoded.no_speech)
        return decoded

    def _generate(self, features: Features, frames: int, language: str) -> _Decoded:
        # The encoder halves the frame rate: an even number of frames. Zeros, as faster-whisper
        # itself pads.
        frames += frames % 2
        if frames == 2 * features.shape[0]:
            # With as many positions as mel bands, CTranslate2 takes the encoder's output for
            # features and encodes it again.
            frames += 2
        window = np.zeros((1, features.shape[0], frames), np.float32)
        kept = min(frames, features.shape[-1])
        window[0, :, :kept] = features[:, :kept]
        tokenizer = Tokenizer(self._model.hf_tokenizer, self._multilingual, "transcribe", language)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        most = most_tokens(features.shape[-1] / FRAMES_PER_SECOND, language)
        result: Any = self._model.model.generate(
            self._model.model.encode(StorageView.from_array(window)),
            [prompt],
            beam_size=1,
            # CTranslate2 writes half of what this says.
            max_length=2 * most,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens: list[int] = result.sequences_ids[0]
        # CTranslate2 divides by the length; Whisper's own average counts the end token too.
        log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1)
        text = str(tokenizer.decode(tokens)).strip()
        return _Decoded(text, log_probability, len(tokens) + 1, result.no_speech_prob)


def compression(text: str) -> float:
    """How many times smaller a text gets by packing, as OpenAI's fallback measures repetition.

    Each letter counts as one byte, of whatever script: three bytes that begin alike, as of Tamil,
    are no repetition.
    """
    codes = {letter: code for code, letter in enumerate(dict.fromkeys(text))}
    plain = bytes(codes[letter] % 256 for letter in text)
    return len(plain) / len(zlib.compress(plain))


def attempts(content: int, window: int) -> tuple[int, ...]:
    """The windows to try, in feature frames, each when the one before gave a doubtful text.

    Args:
        content: frames of what was said.
        window: the most frames that the model takes.
    """
    if window < FULL_WINDOW:
        return (min(content + MARGIN_OF_SHORT_MODELS, window),)
    short = max(content + MARGIN, SHORTEST_WINDOW)
    return (short, FULL_WINDOW) if short < FULL_WINDOW else (FULL_WINDOW,)


def windows(audio: Features, longest: int) -> list[Features]:
    """Cut float samples at 16 kHz into parts of at most `longest` samples (over 2 s).

    The cut is made at the quietest 20 ms of a part's last two seconds, so that no word is halved.
    """
    hop = RATE // 50
    parts = []
    while audio.size > longest:
        tail = audio[longest - 2 * RATE : longest].reshape(-1, hop)
        cut = longest - 2 * RATE + int(np.argmin(np.square(tail).sum(axis=1))) * hop
        parts.append(audio[:cut])
        audio = audio[cut:]
    return [*parts, audio]


def sounding(audio: Features) -> Features:
    """Float samples at 16 kHz without the silence before and after, but for a tenth of a second."""
    hop = RATE // 50
    frames = audio[: audio.size // hop * hop].reshape(-1, hop)
    loud = np.flatnonzero(np.sqrt(np.square(frames).mean(axis=1)) > SILENCE)
    if loud.size == 0:
        return audio[:0]
    return audio[max(0, loud[0] - 5) * hop : (loud[-1] + 6) * hop]
