"""From a model set's name to engines that are loaded, warm and ready for calls.

A set is a directory:

    whisper/            a CTranslate2 Whisper model
    llama.gguf          a chat model
    voice.onnx          a Piper voice (with voice.onnx.json), or
    voices/<name>.onnx  Piper voices; the one that is named by the ISO 639-1 code of a language
                        is its default
    set.json            optional: {"min_confidence": 0.4}, below which its speech recognition
                        is not to be trusted
    turn.onnx           optional: a model of turn ends (see `models.turn_end`) instead of Offhook's
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from models.cpu_variant import BEST, load_variant
from models.languages import language_of
from models.line_detector import LineDetectors
from models.llama import LlamaCpp
from models.onset import OnsetNet
from models.piper import Piper
from models.registry import MIN_CONFIDENCE
from models.silero import ASSET
from models.turn_end import SHIPPED as TURN_END
from models.turn_end import TurnEnd
from models.vad import warm_up
from models.whisper import FasterWhisper
from voice_loop.ports import EngineError, SpeechDetector

#: The set that comes with Offhook: tiny, English only, for the demo and the tests.
STARTER: Final = "starter"
STARTER_DIR: Final = Path(__file__).with_name(STARTER)

#: A model smaller than this is fastest on one thread: its steps are shorter than waking a second
#: one, and on a busy machine threads that wait for each other cost twenty times the work.
SMALL_MODEL_BYTES: Final = 32 * 1024 * 1024

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ModelSet:
    """Where one set's files are."""

    name: str
    directory: Path
    whisper: Path
    llama: Path
    voices: Mapping[str, Path]
    """Name to `.onnx` file; never empty."""
    min_confidence: float
    """A transcript below this is asked for again."""
    turn_end: Path = TURN_END
    """The model of turn ends."""


@dataclass(frozen=True)
class EngineConfig:
    """How to load the engines; the settings of `[models]`."""

    set_name: str = STARTER
    """The set to load: `starter`, or one that `offhook models pull` fetched."""
    directory: Path = Path("models")
    """Where pulled sets are, one directory each; or a directory that is a set itself."""
    device: str = "cpu"
    """`cpu`, `cuda` or `auto`, for speech recognition; the others run on the CPU."""
    compute_type: str = "int8"
    """CTranslate2's number format for speech recognition."""
    threads: int = 0
    """CPU threads per engine; 0 chooses by machine and model."""
    stt_workers: int = 1
    """Utterances transcribed at the same time."""
    tts_workers: int = 1
    """Sentences spoken at the same time."""
    context_tokens: int = 4096
    """The longest conversation that the language model sees at once, tokens."""
    max_sequences: int = 4
    """Language model replies made at the same time."""
    gpu_layers: int = 0
    """Language model layers on a GPU, where llama.cpp was built for one."""
    cpu_variant: str = BEST
    """Which of llama.cpp's variants of CPU code to run; `auto` for the machine's best."""
    length_scale: float | None = None
    """Speaking pace: above 1 is slower; None for the voice's own."""
    timeout_s: float = 15.0
    """Seconds after which one engine request is given up."""


def resolve(config: EngineConfig) -> ModelSet:
    """Find the configured set's files.

    Raises EngineError that names the missing file, the setting and the fix.
    """
    directory = _directory_of(config)
    voices = _voices_in(directory, config)
    own_turn_end = directory / "turn.onnx"
    model_set = ModelSet(
        name=config.set_name,
        directory=directory,
        whisper=directory / "whisper",
        llama=directory / "llama.gguf",
        voices=MappingProxyType(voices),
        min_confidence=_min_confidence(directory / "set.json"),
        turn_end=own_turn_end if own_turn_end.is_file() else TURN_END,
    )
    needed = [
        model_set.whisper / "model.bin",
        model_set.whisper / "config.json",
        model_set.whisper / "tokenizer.json",
        model_set.llama,
        *(_settings_of(voice) for voice in voices.values()),
    ]
    for file in needed:
        if not file.is_file():
            raise _missing(file, config)
    return model_set


def _directory_of(config: EngineConfig) -> Path:
    if config.set_name == STARTER:
        return STARTER_DIR
    named = config.directory / config.set_name
    if named.is_dir() or not (config.directory / "llama.gguf").is_file():
        return named
    return config.directory


def _voices_in(directory: Path, config: EngineConfig) -> dict[str, Path]:
    voices = {file.stem: file for file in sorted(directory.glob("voices/*.onnx"))}
    single = directory / "voice.onnx"
    if single.is_file():
        settings = _settings_of(single)
        if not settings.is_file():
            raise _missing(settings, config)
        try:
            spoken = json.loads(settings.read_text(encoding="utf-8"))["espeak"]["voice"]
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(f"{settings} is no Piper voice's settings: {error!r}") from error
        voices.setdefault(language_of(str(spoken)), single)
    if not voices:
        raise _missing(single, config)
    return voices


def _min_confidence(file: Path) -> float:
    if not file.is_file():
        return MIN_CONFIDENCE
    try:
        return float(json.loads(file.read_text(encoding="utf-8"))["min_confidence"])
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{file} does not tell a `min_confidence`: {error!r}") from error


def _settings_of(voice: Path) -> Path:
    return voice.with_name(voice.name + ".json")


def _missing(file: Path, config: EngineConfig) -> EngineError:
    if config.set_name == STARTER:
        fix = "the starter models come with Offhook: install it again"
    else:
        fix = f"run `offhook models pull {config.set_name}`, or correct the setting"
    return EngineError(
        f"the model file {file} is missing (`models.set` is {config.set_name!r}, `models.dir` is "
        f"{str(config.directory)!r}): {fix}"
    )


class LoadedEngines:
    """All engines of one set, shared by all calls. Made by `load_engines`."""

    def __init__(
        self,
        model_set: ModelSet,
        stt: FasterWhisper,
        llm: LlamaCpp,
        voices: Mapping[str, Piper],
        turn_end: TurnEnd,
        *,
        cpu_variant: str,
    ) -> None:
        self.model_set = model_set
        self.stt = stt
        self.llm = llm
        self.voices = voices
        self.turn_end = turn_end
        self.cpu_variant = cpu_variant
        """Which of llama.cpp's variants of CPU code runs."""
        self.new_detector: Callable[[int], SpeechDetector] = LineDetectors().detector
        """Makes one call's speech detector."""
        self.onset = OnsetNet()
        """Decides on interruptions by their sound."""

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes of the languages that calls can be held in."""
        spoken = {self.spoken_by(name) for name in self.voices}
        return tuple(sorted(spoken.intersection(self.stt.languages)))

    def spoken_by(self, voice: str) -> str:
        """ISO 639-1 code of what a voice speaks: of its name, where that begins with one (`es`,
        `es-maria`), else of its settings."""
        code = language_of(voice)
        return code if len(code) == 2 else self.voices[voice].language

    def close(self) -> None:
        """Free everything. Blocks until work in progress has ended."""
        self.turn_end.close()
        self.llm.close()
        self.stt.close()
        for voice in self.voices.values():
            voice.close()


def load_engines(config: EngineConfig, progress: Progress | None = None) -> LoadedEngines:
    """Load and warm all engines of the configured set. Blocks: seconds for real models.

    Args:
        config: which set, and how.
        progress: told in a few words what is being loaded.

    Raises EngineError; nothing is left loaded then.
    """
    tell = progress or (lambda _text: None)
    model_set = resolve(config)
    tell(f"speech detection: {ASSET}")
    warm_up()
    with ExitStack() as loaded:
        turn_end = TurnEnd(model_set.turn_end)
        loaded.callback(turn_end.close)
        tell(f"speech recognition: {model_set.whisper}")
        stt = FasterWhisper(
            model_set.whisper,
            device=config.device,
            compute_type=config.compute_type,
            threads=config.threads or _threads(model_set.whisper / "model.bin"),
            workers=config.stt_workers,
            timeout_s=config.timeout_s,
        )
        loaded.callback(stt.close)
        stt.warm_up()
        tell(f"language model: {model_set.llama}")
        variant = load_variant(config.cpu_variant)
        tell(f"language model: on llama.cpp's code for {variant}")
        llm = LlamaCpp(
            model_set.llama,
            context_tokens=config.context_tokens,
            max_sequences=config.max_sequences,
            threads=config.threads or _threads(model_set.llama),
            gpu_layers=config.gpu_layers,
            admission_timeout_s=config.timeout_s,
            stall_timeout_s=config.timeout_s,
        )
        loaded.callback(llm.close)
        llm.warm_up()
        voices: dict[str, Piper] = {}
        for name, path in model_set.voices.items():
            tell(f"voice ({name}): {path}")
            voices[name] = Piper(
                path,
                length_scale=config.length_scale,
                threads=config.threads or min(2, _threads(path)),
                workers=config.tts_workers,
                timeout_s=config.timeout_s,
            )
            loaded.callback(voices[name].close)
        loaded.pop_all()
    return LoadedEngines(
        model_set,
        stt,
        llm,
        MappingProxyType(voices),
        turn_end,
        cpu_variant=variant,
    )


def _threads(model: Path) -> int:
    """How many threads suit a model: one core is left to the calls' audio, eight are enough."""
    if model.stat().st_size < SMALL_MODEL_BYTES:
        return 1
    return max(1, min(8, len(os.sched_getaffinity(0)) - 1))
