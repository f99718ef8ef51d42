"""What `offhook doctor` says about the models."""

from dataclasses import dataclass

from models.load import EngineConfig, load_engines, resolve
from models.trial import try_engines
from voice_loop.ports import EngineError


@dataclass(frozen=True)
class Finding:
    """One thing that `offhook doctor` looked at."""

    ok: bool
    what: str
    detail: str
    """What was found, or what is wrong and how to mend it."""


def check(config: EngineConfig) -> list[Finding]:
    """Look at the configured set: its files, then each engine, first in a process of its own."""
    try:
        model_set = resolve(config)
    except EngineError as error:
        return [Finding(False, "model files", str(error))]
    found = [Finding(True, "model files", f"set {model_set.name!r} in {model_set.directory}")]
    try:
        try_engines(config)
        engines = load_engines(config)
    except EngineError as error:
        return [*found, Finding(False, "engines", str(error))]
    try:
        spoken = ", ".join(engines.languages)
        if not spoken:
            heard = ", ".join(engines.stt.languages)
            return [*found, Finding(False, "languages", f"it hears {heard} but has no such voice")]
        ready = f"loaded and warm; languages: {spoken}; llama.cpp runs its code for "
        return [*found, Finding(True, "engines", ready + engines.cpu_variant)]
    finally:
        engines.close()
