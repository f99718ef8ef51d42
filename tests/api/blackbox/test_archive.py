"""A black box may be anybody's file: what is wrong with it is told, and does no harm."""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.blackbox import archive
from api.blackbox.archive import BoxError, pack, unpack
from api.blackbox.entries import Entry, encoded
from tests.api.blackbox.boxed import BoxedCall, packed

HEADER = {"at": 0, "is": "header", "rate": 8000, "voice_rate": 8000, "call_id": "c"}
NAMES = ["entries.jsonl", "heard.wav", "voice.wav"]


def whole(folder: Path, *lines: bytes) -> dict[str, bytes]:
    """The files of a small box that is right."""
    kept = folder / "kept"
    kept.write_bytes(b"".join([json.dumps(HEADER).encode() + b"\n", *lines]))
    content = io.BytesIO()
    pack(kept, content)
    with zipfile.ZipFile(content) as packed_box:
        return {name: packed_box.read(name) for name in packed_box.namelist()}


def written(folder: Path, files: dict[str, bytes], **options: Any) -> Path:
    file = folder / "box.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as box:
        for name, content in files.items():
            box.writestr(name, content)
    return file


def resummed(files: dict[str, bytes], **changes: bytes) -> dict[str, bytes]:
    """The same with other contents, whose sums are right."""
    files = files | {name.replace("_", "."): content for name, content in changes.items()}
    manifest = json.loads(files["manifest.json"])
    for name in NAMES:
        manifest["files"][name]["sha256"] = hashlib.sha256(files[name]).hexdigest()
    return files | {"manifest.json": json.dumps(manifest).encode()}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    box = unpack(written(tmp_path, whole(tmp_path, b'{"at": 1.5, "is": "began"}\n')))
    assert box.entries == (Entry(1.5, "began", {}),)
    assert box.header["call_id"] == box.manifest["call_id"] == "c"


def test_what_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    began = b'{"at": 1.5, "is": "began"}\n'
    for half in (b'{"at": 1.6, "is": "ti', b'{"at": 1.6, "is": "tick", "pcm": 160}\nabc'):
        box = unpack(written(tmp_path, whole(tmp_path, began, half)))
        assert [entry.kind for entry in box.entries] == ["began"]


def test_what_json_lacks_becomes_null() -> None:
    line = encoded(Entry(0.0, "tick", {"arrived": float("-inf"), "deep": [{"x": float("nan")}]}))
    assert json.loads(line) == {"at": 0, "is": "tick", "arrived": None, "deep": [{"x": None}]}


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


Wrong = Callable[[dict[str, bytes]], dict[str, bytes]]


def _version(files: dict[str, bytes]) -> dict[str, bytes]:
    manifest = json.loads(files["manifest.json"]) | {"version": 99}
    return files | {"manifest.json": json.dumps(manifest).encode()}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda files: {}, "has 0 files"),
        (lambda files: files | {"../../etc/passwd": b"x"}, "has 5 files that are not"),
        (lambda files: {**files, "manifest.json": b"[]"}, "manifest.json cannot be read"),
        (lambda files: {**files, "manifest.json": b"[" * 100_000}, "manifest.json cannot be read"),
        (lambda files: {**files, "manifest.json": b" " * 2_000_000}, "is larger than"),
        (_version, "version 99; this release reads version 1"),
        (lambda files: {**files, "heard.wav": b"RIFF"}, "heard.wav is not what"),
        (lambda files: resummed(files, heard_wav=b"RIFF"), "is broken"),
        (lambda files: resummed(files, entries_jsonl=b"{"), "is broken"),
        (lambda files: resummed(files, entries_jsonl=b""), "does not begin with a header"),
        (lambda files: resummed(files, entries_jsonl=b'{"at": NaN, "is": "header"}'), "NaN"),
        (
            lambda files: resummed(files, entries_jsonl=b'{"at": 1e9, "is": "header"}'),
            "at: 1",
        ),
        (lambda files: resummed(files, entries_jsonl=b'["at"]'), "is broken"),
        (lambda files: resummed(files, entries_jsonl=b"[" * 200_000), "is broken"),
        (
            lambda files: resummed(files, entries_jsonl=b'{"at": 0, "is": "tick", "pcm": 160}'),
            "pcm: 160",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, wrong: Wrong, told: str) -> None:
    with pytest.raises(BoxError, match=told):
        unpack(written(tmp_path, wrong(whole(tmp_path))))


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    file = tmp_path / "box.zip"
    for content in (b"", b"PK", b"\x00" * 1000):
        file.write_bytes(content)
        with pytest.raises(BoxError, match="is no black box"):
            unpack(file)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its directory says of its size."""
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    file = written(tmp_path, whole(tmp_path) | {"entries.jsonl": b" " * 50_000_000})
    assert file.stat().st_size < 200_000
    with pytest.raises(BoxError, match="larger than any black box's"):
        unpack(file)
    honest = file.read_bytes()
    file.write_bytes(honest.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1000)))
    with pytest.raises(BoxError):
        unpack(file)


async def test_nothing_of_a_box_is_written_to_the_disk(tmp_path: Path) -> None:
    call = BoxedCall()
    box = call.box_in(tmp_path)
    await call.answer()
    await call.quiet(100)
    call.conversation.hung_up()
    await call.end()
    file = await packed(box, tmp_path)
    before = files_below(tmp_path)
    unpack(file)
    assert files_below(tmp_path) == before
