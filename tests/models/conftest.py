"""Real engines over real, tiny weights: what Offhook ships as its starter set."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.llama import LlamaCpp
from models.load import STARTER_DIR
from models.piper import Piper
from models.whisper import FasterWhisper


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """A complete set; `OFFHOOK_TEST_MODELS` names another one to test the engines over."""
    directory = Path(os.environ.get("OFFHOOK_TEST_MODELS", STARTER_DIR))
    missing = [
        name
        for name in ("whisper/model.bin", "llama.gguf", "voice.onnx")
        if not (directory / name).is_file()
    ]
    if missing:
        pytest.fail(f"no {', '.join(missing)} in {directory}")
    return directory


@pytest.fixture(scope="session")
def stt(model_dir: Path) -> Iterator[FasterWhisper]:
    engine = FasterWhisper(model_dir / "whisper", threads=1)
    engine.warm_up()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def llm(model_dir: Path) -> Iterator[LlamaCpp]:
    engine = LlamaCpp(
        model_dir / "llama.gguf", context_tokens=1024, max_sequences=8, threads=1, waiting=16
    )
    engine.warm_up()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def tts(model_dir: Path) -> Iterator[Piper]:
    engine = Piper(model_dir / "voice.onnx")
    yield engine
    engine.close()
