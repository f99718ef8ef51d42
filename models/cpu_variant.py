"""Which of llama.cpp's variants of CPU code runs here.

`docker/llama-cpp` compiles llama.cpp once for several generations of CPUs. llama.cpp itself scores
each variant by what the machine can do, and loads the best. A llama-cpp-python that was built
otherwise (for a GPU, or for this machine alone) brings its one variant along.
"""

import ctypes
import re
import threading
from pathlib import Path
from typing import Final

import llama_cpp

from voice_loop.ports import EngineError

BEST: Final = "auto"
BUILT_IN: Final = "built in"
_PREFIX: Final = "libggml-cpu-"
_LIBRARY: Final = re.compile(rf"/{_PREFIX}([^/]+)\.so")

#: Where llama-cpp-python loads its libraries from; it has no public name for it.
_folder = Path(llama_cpp.llama_cpp._base_path).resolve()
_lock = threading.Lock()

#: The linker has loaded it already, with llama.cpp.
_libggml = ctypes.CDLL(str(_folder / "libggml.so"))
_libggml.ggml_backend_reg_by_name.argtypes = [ctypes.c_char_p]
_libggml.ggml_backend_reg_by_name.restype = ctypes.c_void_p
_libggml.ggml_backend_load.argtypes = [ctypes.c_char_p]
_libggml.ggml_backend_load.restype = ctypes.c_void_p
_libggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
_libggml.ggml_backend_load_all_from_path.restype = None


def installed_variants() -> tuple[str, ...]:
    """The variants that llama.cpp was compiled in; none where it has one built in."""
    names = (file.stem.removeprefix(_PREFIX) for file in _folder.glob(f"{_PREFIX}*.so"))
    return tuple(sorted(names))


def load_variant(wanted: str = BEST) -> str:
    """Load llama.cpp's CPU code into this process, which is done once, and tell its name.

    Args:
        wanted: one of `installed_variants()`, or `auto` for the best that the machine can run.

    Raises EngineError: there is no such variant, none that this CPU can run, or this process has
    loaded another one.
    """
    with _lock:
        if not _libggml.ggml_backend_reg_by_name(b"CPU"):
            _load(wanted)
        loaded = _loaded()
    if wanted not in {BEST, loaded}:
        raise EngineError(
            f"`models.cpu_variant` is {wanted!r}, but llama.cpp runs its variant {loaded!r} here; "
            f"there are: {', '.join((BEST, *installed_variants()))}"
        )
    return loaded


def _load(wanted: str) -> None:
    if wanted == BEST:
        _libggml.ggml_backend_load_all_from_path(str(_folder).encode())
    elif wanted in installed_variants():
        _libggml.ggml_backend_load(str(_folder / f"{_PREFIX}{wanted}.so").encode())
    else:
        names = ", ".join((BEST, *installed_variants()))
        raise EngineError(f"`models.cpu_variant` is {wanted!r}; llama.cpp here has: {names}")
    if not _libggml.ggml_backend_reg_by_name(b"CPU"):
        raise EngineError(
            f"llama.cpp has no CPU code that runs on this machine (`models.cpu_variant` is "
            f"{wanted!r}; installed in {_folder}: {', '.join(installed_variants()) or 'none'})"
        )


def _loaded() -> str:
    """The variant that the system's linker has mapped into this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if (library := _LIBRARY.search(line)) and str(_folder) in line:
            return library[1]
    return BUILT_IN
