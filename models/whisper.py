"""Speech recognition: faster-whisper's model, driven for short telephone utterances.

`WhisperModel.transcribe()` pads every utterance to 30 s and pays for all of it. Telephone turns
last a second or two, so the parts underneath (features, encoder, decoder, tokenizer) are called
here on a window that fits what was said, without timestamps, without previous text; greedy, but
for the shortest ones, where several hypotheses tell how sure the best one is (`models.hypotheses`).
"""

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from ctranslate2 import StorageView
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from models.hypotheses import Heard, Hypothesis, Look, together, weigh
from models.languages import language_of
from models.token_rates import MOST_TOKENS, most_tokens
from models.workers import Workers
from voice_loop.audio import FULL_SCALE, Samples, resample
from voice_loop.ports import EngineError, Transcript

#: Whisper hears at this rate, Hz, and one feature frame is 10 ms.
RATE: Final = 16000
FRAMES_PER_SECOND: Final = 100
#: Samples of 20 ms.
HOP: Final = RATE // 50
#: Positions of OpenAI's models, in feature frames: 30 s.
FULL_WINDOW: Final = 3000
#: OpenAI's models were trained on 30 s windows and are known to hold up from 10 s with 2 s of
#: padding after the speech; models with a shorter window say so and were trained to fit.
SHORTEST_WINDOW: Final = 1000
MARGIN: Final = 200
#: A single word that comes out several times comes out once from here, nine times of eleven, for
#: half the time that 30 s take.
AMPLE_WINDOW: Final = 2000
MARGIN_OF_SHORT_MODELS: Final = 50
#: Up to this, in feature frames, all likely ways to write the words are weighed against each other.
SHORT: Final = 250
WAYS: Final = 5
#: A word that fills its recording, up to this, often is no speech to Whisper: it gets silence
#: before and after. Both in samples.
TIGHT: Final = 6 * RATE // 10
EDGE: Final = 3 * RATE // 10
#: Quieter than this is silence on any line, as a share of full scale: -65 dBFS.
SILENCE: Final = 10 ** (-65 / 20)
#: Vowels, as a share of the loudest 20 ms: -15 dB.
VOICED: Final = 10 ** (-15 / 20)
#: What is shorter ends a consonant ("left"), in 20 ms.
VOWEL: Final = 3
#: The signs of annotations; a note is several tokens, none of which is a character.
ANNOTATING: Final = frozenset("()[]_*♩♪♫♬\N{REPLACEMENT CHARACTER}")
#: Speech that takes more tokens than one window may have is heard in halves, down to this, seconds.
SHORTEST_HALF: Final = 2

Features = NDArray[np.float32]


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
        # Annotations may be written: where nobody speaks, Whisper finds nothing likelier. Asked for
        # words alone it makes some up.
        unwanted = json.loads((path / "config.json").read_text("utf-8")).get("suppress_ids", ())
        decode = self._model.hf_tokenizer.decode
        self._suppressed = [one for one in unwanted if not ANNOTATING.intersection(decode([one]))]
        self._multilingual = bool(self._model.model.is_multilingual)
        self._window = int(self._model.feature_extractor.nb_max_frames)
        self._workers = Workers("speech recognition", workers, waiting, timeout_s)

    def warm_up(self) -> None:
        """Run once, so that the first caller does not pay for allocations. Blocks."""
        self._listen(np.zeros(RATE, np.float32), self.languages[0])

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
                heard
                for part in windows(audio, longest)
                for heard in self._hear(sounding(part), language)
            ]
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineError(f"speech recognition failed: {error}") from error
        return together(parts)

    def _hear(self, audio: Features, language: str) -> list[Heard]:
        """Hears float samples at 16 kHz that fit a window: not at all, whole, or in halves."""
        if not audio.size:
            return []
        heard = self._listen(audio, language)
        if (
            heard.tokens <= MOST_TOKENS
            or audio.size < 2 * SHORTEST_HALF * RATE
            or heard.log_probability == -math.inf
        ):
            return [heard]
        halves = windows(audio, audio.size // 2 + RATE)
        return [part for half in halves for part in self._hear(sounding(half), language)]

    def _listen(self, audio: Features, language: str) -> Heard:
        """Hears one window of float samples at 16 kHz."""
        if self._window == FULL_WINDOW and audio.size < TIGHT:
            audio = np.pad(audio, EDGE)
        content = audio.size * FRAMES_PER_SECOND // RATE
        for frames in attempts(content, self._window):
            heard = weigh(self.look(audio, frames, language))
            if not heard.doubtful:
                break
        return heard

    def look(self, audio: Features, frames: int, language: str) -> Look:
        """Decode what was said, in one window. Blocks.

        Args:
            audio: float samples at 16 kHz, no more than the model's window has.
            frames: the window's length, in feature frames.
            language: its ISO 639-1 code.
        """
        features = self._model.feature_extractor(audio)
        content = features.shape[-1]
        # The encoder halves the frame rate: an even number of frames. Zeros, as faster-whisper
        # itself pads.
        frames += frames % 2
        if frames == 2 * features.shape[0]:
            # With as many positions as mel bands, CTranslate2 takes the encoder's output for
            # features and encodes it again.
            frames += 2
        window = np.zeros((1, features.shape[0], frames), np.float32)
        kept = min(frames, content)
        window[0, :, :kept] = features[:, :kept]
        tokenizer = Tokenizer(self._model.hf_tokenizer, self._multilingual, "transcribe", language)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        ways = WAYS if self._window == FULL_WINDOW and content <= SHORT else 1
        result: Any = self._model.model.generate(
            self._model.model.encode(StorageView.from_array(window)),
            [prompt],
            beam_size=ways,
            num_hypotheses=ways,
            # CTranslate2 writes half of what this says.
            max_length=2 * most_tokens(content / FRAMES_PER_SECOND, language),
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        return Look(
            [
                # CTranslate2 divides by the length without the end token.
                Hypothesis(str(tokenizer.decode(ids)).strip(), score * len(ids), len(ids) + 1)
                for ids, score in zip(result.sequences_ids, result.scores, strict=True)
            ],
            result.no_speech_prob,
            vowels_s(audio),
        )


def attempts(content: int, window: int) -> tuple[int, ...]:
    """The windows to try, in feature frames, each when the one before gave a doubtful text.

    Args:
        content: frames of what was said.
        window: the most frames that the model takes.
    """
    if window < FULL_WINDOW:
        return (min(content + MARGIN_OF_SHORT_MODELS, window),)
    if content <= SHORT:
        return (SHORTEST_WINDOW, AMPLE_WINDOW)
    short = max(content + MARGIN, SHORTEST_WINDOW)
    return (short, FULL_WINDOW) if short < FULL_WINDOW else (FULL_WINDOW,)


def windows(audio: Features, longest: int) -> list[Features]:
    """Cut float samples at 16 kHz into parts of at most `longest` samples (over 2 s).

    The cut is made at the quietest 20 ms of a part's last two seconds, so that no word is halved.
    """
    parts = []
    while audio.size > longest:
        tail = audio[longest - 2 * RATE : longest].reshape(-1, HOP)
        cut = longest - 2 * RATE + int(np.argmin(np.square(tail).sum(axis=1))) * HOP
        parts.append(audio[:cut])
        audio = audio[cut:]
    return [*parts, audio]


def sounding(audio: Features) -> Features:
    """Float samples at 16 kHz without the silence before and after, but for a tenth of a second."""
    loud = np.flatnonzero(_levels(audio) > SILENCE)
    if loud.size == 0:
        return audio[:0]
    return audio[max(0, loud[0] - 5) * HOP : (loud[-1] + 6) * HOP]


def vowels_s(audio: Features) -> list[tuple[float, float]]:
    """When 16 kHz float samples begin and end to be about as loud as at their loudest, seconds."""
    levels = _levels(audio)
    voiced = levels > levels.max(initial=0.0) * VOICED
    edges = np.flatnonzero(np.diff(voiced, prepend=False, append=False))
    return [
        (begin * HOP / RATE, end * HOP / RATE)
        for begin, end in edges.reshape(-1, 2).tolist()
        if end - begin >= VOWEL
    ]


def _levels(audio: Features) -> Features:
    """RMS of each 20 ms."""
    frames = audio[: audio.size // HOP * HOP].reshape(-1, HOP)
    levels: Features = np.sqrt(np.square(frames).mean(axis=1))
    return levels
