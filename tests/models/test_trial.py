"""The first load, in a process of its own: what crashes there is an error here, with its mend."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import llama_cpp
import pytest

from models.cpu_variant import installed_variants
from models.load import EngineConfig
from models.trial import try_engines
from tests.e2e.conftest import command
from voice_loop.ports import EngineError

pytestmark = pytest.mark.bed  # an engine of its own

LIBRARIES = Path(llama_cpp.__file__).with_name("lib")
SMALL = EngineConfig(context_tokens=1024, max_sequences=2)

#: A variant of llama.cpp's CPU code that promises the most and keeps nothing.
BROKEN = """
#include <unistd.h>
int ggml_backend_score(void) { %s return 1 << 20; }
void *ggml_backend_init(void) { return *(void *volatile *)0; }
"""


def with_variant(folder: Path, scoring: str = "") -> str:
    """Copy llama.cpp's libraries into a folder, the broken one beside them."""
    shutil.copytree(LIBRARIES, folder)
    source = folder / "broken.c"
    source.write_text(BROKEN % scoring)
    library = folder / "libggml-cpu-broken.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return str(folder)


def test_llama_cpp_was_compiled_for_machines_of_several_generations() -> None:
    assert len(installed_variants()) >= 3


def test_crash_of_a_native_library_is_an_error_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", with_variant(tmp_path / "lib"))
    remembered = tmp_path / "engines.tried"
    with pytest.raises(EngineError) as caught:
        try_engines(SMALL, remembered)
    told = str(caught.value)
    assert "language model" in told
    assert "SIGSEGV" in told
    assert "models.cpu_variant" in told
    assert not remembered.exists()

    plainer = min(name for name in installed_variants() if name in {"x64", "armv8.0_1"})
    assert plainer in told
    try_engines(replace(SMALL, cpu_variant=plainer), remembered)


def test_load_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", with_variant(tmp_path / "lib", "pause();"))
    with pytest.raises(EngineError, match=r"within 20 s .*language model"):
        try_engines(SMALL, timeout_s=20)


def test_what_went_well_is_not_tried_again(tmp_path: Path) -> None:
    remembered = tmp_path / "data" / "engines.tried"
    tries: list[str] = []
    try_engines(SMALL, remembered, tries.append)
    try_engines(SMALL, remembered, tries.append)
    assert len(tries) == 1
    try_engines(replace(SMALL, threads=1), remembered, tries.append)
    assert len(tries) == 2


def test_error_of_the_engines_is_told_as_it_is() -> None:
    with pytest.raises(EngineError, match=r"models\.cpu_variant.*'amx'"):
        try_engines(EngineConfig(cpu_variant="amx"))


async def test_doctor_tells_of_a_crash_and_goes_on(tmp_path: Path) -> None:
    libraries = with_variant(tmp_path / "lib")
    code, out, err = await command(
        "doctor",
        LLAMA_CPP_LIB_PATH=libraries,
        OFFHOOK_STORE__PATH=str(tmp_path / "offhook.db"),
        OFFHOOK_RECORDINGS__DIR=str(tmp_path / "recordings"),
    )
    assert code == 1, err
    assert "SIGSEGV" in out
    assert "models.cpu_variant" in out
    assert "recordings" in out  # the other checks were made
