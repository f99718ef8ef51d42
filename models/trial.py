"""The engines' first load on a machine, in a process of its own.

A native library that meets a CPU which it was not made for ends its whole process with a signal.
Here that process is a child, and the server says what crashed and how to mend it. A machine, the
libraries and the models that went well together are remembered, and not tried again.

    python -m models.trial        reads an EngineConfig as JSON, loads, and tells in JSON lines
"""

import hashlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from models.cpu_variant import installed_variants
from models.load import EngineConfig, Progress, load_engines, resolve
from voice_loop.ports import EngineError

#: Seconds for the load: weights of many gigabytes may come from a slow disk.
TIMEOUT_S: Final = 900.0
_NATIVE: Final = ("llama-cpp-python", "ctranslate2", "onnxruntime", "piper-tts", "numpy")
_MEANING: Final = {
    signal.SIGILL: "it met an instruction that this CPU does not know",
    signal.SIGKILL: "it was killed, as the system does when memory runs out",
}


def try_engines(
    config: EngineConfig,
    remembered: Path | None = None,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Load and warm the engines in a child process, unless they are known to load here. Blocks.

    Args:
        config: as for `load_engines`.
        remembered: file that keeps what went well; None tries every time.
        progress: told in a few words that the trial begins.
        timeout_s: after which the child is ended.

    Raises EngineError: what the child raised; or what it was doing when it crashed, and the mend.
    """
    fingerprint = None if remembered is None else _fingerprint(config)
    if remembered is not None and _read(remembered) == fingerprint:
        return
    if progress is not None:
        progress("first load on this machine: trying the engines in a process of their own")
    _try(config, timeout_s)
    if remembered is not None:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        remembered.write_text(f"{fingerprint}\n")


def _read(remembered: Path) -> str:
    try:
        return remembered.read_text().strip()
    except (OSError, ValueError):
        return ""


def _fingerprint(config: EngineConfig) -> str:
    """A hash of all that decides whether the engines load: CPU, libraries, settings, files."""
    directory = resolve(config).directory
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    facts = [
        platform.machine(),
        platform.release(),
        _cpu_flags(),
        sys.version,
        *(f"{name} {version(name)}" for name in _NATIVE),
        *installed_variants(),
        _to_json(config),
        *(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _cpu_flags() -> str:
    try:
        cpu = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpu, re.MULTILINE)
    return found[1] if found else ""


def _try(config: EngineConfig, timeout_s: float) -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "models.trial"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": _import_path()},
    )
    overdue = threading.Timer(timeout_s, child.kill)
    overdue.start()
    told: dict[str, str] = {}
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        with child.stdin as stdin:
            stdin.write(_to_json(config))
        for line in child.stdout:
            told |= _told(line)
        code = child.wait()
        late = not overdue.is_alive()
    finally:
        overdue.cancel()
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    if "error" in told:
        raise EngineError(told["error"])
    if late:
        raise EngineError(
            f"the engines did not load within {timeout_s:g} s ({told.get('loading', 'imports')}): "
            "choose a smaller `models.set`"
        )
    if code != 0:
        raise EngineError(_crash(code, told))


def _import_path() -> str:
    here = str(Path(__file__).parent.parent)
    return os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))


def _told(line: str) -> Mapping[str, str]:
    """What a line of the child says; libraries may print lines of their own."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _crash(code: int, told: Mapping[str, str]) -> str:
    loading = told.get("loading", "the libraries")
    if code < 0:
        name = signal.Signals(-code).name
        how = _MEANING.get(signal.Signals(-code), "a fault of a native library")
    else:
        name, how = f"exit code {code}", "see what it wrote above"
    if code == -signal.SIGKILL:
        mend = "choose a smaller `models.set`, or give the machine more memory"
    elif loading.startswith("language model") and (variants := installed_variants()):
        mend = f"set `models.cpu_variant` to a plainer one: {', '.join(variants)}"
    elif loading.startswith("language model"):
        mend = "build llama.cpp as `make setup` does: it then runs on every CPU"
    elif loading.startswith("speech recognition"):
        mend = "start Offhook with CT2_FORCE_CPU_ISA=GENERIC in its environment"
    else:
        mend = "run `make setup` on this machine, so that its libraries are installed for it"
    return f"the engines crash on this machine, while loading {loading}: {name} ({how}); {mend}"


def _to_json(config: EngineConfig) -> str:
    return json.dumps(asdict(config) | {"directory": str(config.directory)}, sort_keys=True)


def _from_json(text: str) -> EngineConfig:
    fields: dict[str, Any] = json.loads(text)
    return EngineConfig(**fields | {"directory": Path(fields["directory"])})


def _tell(**what: str) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Be the child."""
    config = _from_json(sys.stdin.read())

    def progress(text: str) -> None:
        _tell(loading=text)

    try:
        engines = load_engines(config, progress)
    except EngineError as error:
        _tell(error=str(error))
        raise SystemExit(1) from None
    engines.close()


if __name__ == "__main__":
    main()
