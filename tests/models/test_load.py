"""Model sets on disk: found, loaded, and what is said when they are not whole."""

import json
import shutil
from pathlib import Path

import pytest

from models.assembly import registry_of
from models.doctor import check
from models.load import EngineConfig, load_engines, resolve
from models.registry import MIN_CONFIDENCE, Wanted
from models.turn_end import SHIPPED
from voice_loop.audio import silence
from voice_loop.ports import EngineError


@pytest.fixture
def pulled(model_dir: Path, tmp_path: Path) -> Path:
    """A set `mine` laid out as `pull` does, with voices for two languages; its parent."""
    directory = tmp_path / "mine"
    shutil.copytree(model_dir / "whisper", directory / "whisper")
    shutil.copy(model_dir / "llama.gguf", directory / "llama.gguf")
    (directory / "voices").mkdir()
    for language in ("en", "es"):
        for suffix in (".onnx", ".onnx.json"):
            shutil.copy(model_dir / f"voice{suffix}", directory / f"voices/{language}{suffix}")
    return tmp_path


def config(directory: Path, name: str = "mine") -> EngineConfig:
    return EngineConfig(set_name=name, directory=directory, max_sequences=2, context_tokens=512)


def test_a_set_is_found_by_its_name(pulled: Path) -> None:
    found = resolve(config(pulled))
    assert found.directory == pulled / "mine"
    assert sorted(found.voices) == ["en", "es"]
    assert found.min_confidence == MIN_CONFIDENCE


def test_a_directory_may_be_a_set_itself(pulled: Path) -> None:
    assert resolve(config(pulled / "mine", "whatever")).directory == pulled / "mine"


def test_a_set_tells_when_its_recogniser_is_not_sure(pulled: Path) -> None:
    (pulled / "mine/set.json").write_text(json.dumps({"min_confidence": 0.82}))
    assert resolve(config(pulled)).min_confidence == 0.82
    (pulled / "mine/set.json").write_text("{}")
    with pytest.raises(EngineError, match=r"set\.json does not tell a `min_confidence`"):
        resolve(config(pulled))


def test_a_set_may_bring_a_model_of_turn_ends(pulled: Path) -> None:
    assert resolve(config(pulled)).turn_end == SHIPPED
    own = pulled / "mine/turn.onnx"
    own.write_bytes(SHIPPED.read_bytes()[:1000])
    assert resolve(config(pulled)).turn_end == own
    with pytest.raises(EngineError, match=r"cannot load the model of turn ends .*mine/turn\.onnx"):
        load_engines(config(pulled))


@pytest.mark.parametrize(
    "name",
    ["whisper/model.bin", "whisper/tokenizer.json", "llama.gguf", "voices/es.onnx.json"],
)
def test_a_missing_file_is_told_with_the_setting_and_the_fix(pulled: Path, name: str) -> None:
    (pulled / "mine" / name).unlink()
    with pytest.raises(EngineError) as told:
        resolve(config(pulled))
    message = str(told.value)
    assert str(pulled / "mine" / name) in message
    assert "`models.set` is 'mine'" in message
    assert "offhook models pull mine" in message


def test_a_set_that_was_never_pulled_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="offhook models pull small"):
        resolve(config(tmp_path, "small"))


def test_engines_are_loaded_per_language(pulled: Path) -> None:
    said: list[str] = []
    engines = load_engines(config(pulled), said.append)
    try:
        assert len(said) == 6
        assert "speech detection" in said[0]
        assert f"llama.cpp's code for {engines.cpu_variant}" in said[3]
        # The starter Whisper hears English only, so the Spanish voice is of no use with it.
        assert engines.languages == ("en",)
        registry = registry_of(engines)
        assert registry.languages == {"en"}
        one = registry.engines(Wanted("en-US"))
        assert one.tts is engines.voices["en"]
        assert one.min_confidence == MIN_CONFIDENCE
        assert not one.new_detector(8000).is_speech(silence(8000))
        assert one.turn_end is engines.turn_end
        assert registry.problem("llm", "mine") is None
        with pytest.raises(EngineError, match="no speech recognition for 'es'; there are: local"):
            registry.engines(Wanted("es"))
    finally:
        engines.close()


@pytest.mark.rows("CB-33")
def test_a_voice_is_called_like_its_file(pulled: Path) -> None:
    for suffix in (".onnx", ".onnx.json"):
        shutil.copy(pulled / f"mine/voices/en{suffix}", pulled / f"mine/voices/ada{suffix}")
    engines = load_engines(config(pulled))
    try:
        registry = registry_of(engines)
        names = {one.name: one.languages for one in registry.voices}
        assert names == {"ada": ("en",), "en": ("en",), "es": ("es",)}
        assert registry.engines(Wanted("en", voice="ada")).tts is engines.voices["ada"]
        assert registry.engines(Wanted("en")).tts is engines.voices["en"]
    finally:
        engines.close()


def test_a_damaged_file_leaves_nothing_loaded(pulled: Path) -> None:
    (pulled / "mine/voices/es.onnx").write_bytes(b"damaged")
    with pytest.raises(EngineError, match="cannot load the Piper voice"):
        load_engines(config(pulled))


def test_the_doctor_sees_whole_missing_and_damaged_sets(pulled: Path) -> None:
    assert [finding.ok for finding in check(config(pulled))] == [True, True]
    (pulled / "mine/llama.gguf").write_bytes(b"GGUF and no more")
    assert [finding.ok for finding in check(config(pulled))] == [True, False]
    (pulled / "mine/llama.gguf").unlink()
    (finding,) = check(config(pulled))
    assert not finding.ok
    assert "llama.gguf is missing" in finding.detail
