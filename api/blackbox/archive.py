"""A black box as it is handed out: a ZIP archive of a manifest with checksums, the entries and the
audio; and reading one that may be anybody's.

    manifest.json   the format's version, the call, and of each other file its size and SHA-256
    entries.jsonl   one entry a line, as `api.blackbox.entries` has them
    heard.wav       the frames from the line, one after the other, in the order of the ticks
    voice.wav       what the voice made, in the order of its answers
"""

import hashlib
import io
import json
import wave
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from api.blackbox.entries import VERSION, Entry
from voice_loop.audio import Samples

MANIFEST: Final = "manifest.json"
ENTRIES: Final = "entries.jsonl"
HEARD: Final = "heard.wav"
VOICE: Final = "voice.wav"
_FILES: Final = (ENTRIES, HEARD, VOICE)
_NAME: Final = "offhook-black-box"

#: What a reader takes of an archive, unpacked: a box has no more (`black_box.max_mb`).
MAX_BYTES: Final = 256 * 1024 * 1024
_MAX_MANIFEST: Final = 1024 * 1024
_DAY_S: Final = 86_400.0
#: What is kept about a call that is not replayed, but read.
_ABOUT: Final = ("call_id", "attempt", "build", "began_at")


class BoxError(Exception):
    """It is no black box, a broken one, or one of another version; the message says which."""


@dataclass(frozen=True)
class Box:
    """A black box that was read."""

    manifest: Mapping[str, Any]
    header: Mapping[str, Any]
    entries: tuple[Entry, ...]
    """All others, in order."""


def pack(kept: Path, archive: IO[bytes]) -> None:
    """Write the archive of what a call has left at `kept`; what a crash cut off is left out.

    Raises OSError, BoxError.
    """
    lines: list[bytes] = []
    heard: list[bytes] = []
    voice: list[bytes] = []
    header: Mapping[str, Any] = {}
    with kept.open("rb") as file:
        for line in file:
            try:
                fields = json.loads(line)
            except ValueError:
                break
            audio = file.read(2 * fields.get("pcm", 0))
            if len(audio) < 2 * fields.get("pcm", 0):
                break
            header = header or fields
            lines.append(line)
            (heard if fields["is"] == "tick" else voice).append(audio)
    if not header:
        raise BoxError("there is nothing in it")
    contents = {
        ENTRIES: b"".join(lines),
        HEARD: _wav(b"".join(heard), header["rate"]),
        VOICE: _wav(b"".join(voice), header["voice_rate"]),
    }
    manifest = {
        "format": _NAME,
        "version": VERSION,
        **{name: header.get(name) for name in _ABOUT},
        "files": {
            name: {"bytes": len(one), "sha256": hashlib.sha256(one).hexdigest()}
            for name, one in contents.items()
        },
    }
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr(MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
        for name, one in contents.items():
            packed.writestr(name, one)


def unpack(file: Path) -> Box:
    """Read an archive, whoever made it: nothing of it is written anywhere, and none of its names
    is used. Raises BoxError."""
    try:
        with zipfile.ZipFile(file) as packed:
            contents = _contents(packed)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise BoxError(f"{file.name} is no black box: {error}") from error
    manifest = contents.pop(MANIFEST)
    try:
        entries = _entries(contents)
    except (KeyError, TypeError, ValueError, RecursionError, EOFError, wave.Error) as error:
        raise BoxError(f"{file.name} is broken: {error!r}") from error
    if not entries or entries[0].kind != "header":
        raise BoxError(f"{file.name} is broken: it does not begin with a header")
    return Box(manifest, entries[0].fields, tuple(entries[1:]))


def _contents(packed: zipfile.ZipFile) -> dict[str, Any]:
    """The manifest, and what it names, whole."""
    names = packed.namelist()
    if sorted(names) != sorted((MANIFEST, *_FILES)):
        raise BoxError(f"it has {len(names)} files that are not {', '.join((MANIFEST, *_FILES))}")
    told = _read(packed, MANIFEST, _MAX_MANIFEST)
    try:
        manifest = json.loads(told)
        made_by, version = manifest["format"], manifest["version"]
        sums = {name: str(manifest["files"][name]["sha256"]) for name in _FILES}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BoxError(f"its {MANIFEST} cannot be read: {error!r}") from error
    if made_by != _NAME:
        raise BoxError(f"its {MANIFEST} is not that of a black box")
    if version != VERSION:
        raise BoxError(f"it is of version {version!r}; this release reads version {VERSION}")
    left = MAX_BYTES
    contents: dict[str, Any] = {MANIFEST: manifest}
    for name in _FILES:
        contents[name] = one = _read(packed, name, left)
        left -= len(one)
        if hashlib.sha256(one).hexdigest() != sums[name]:
            raise BoxError(f"its {name} is not what {MANIFEST} says: it was changed, or cut short")
    return contents


def _read(packed: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """What it says of its size is not believed."""
    with packed.open(name) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BoxError(f"its {name} is larger than any black box's")
    return content


def _entries(contents: Mapping[str, bytes]) -> list[Entry]:
    heard, voice = _samples(contents[HEARD]), _samples(contents[VOICE])
    entries = []
    for line in contents[ENTRIES].splitlines():
        fields = json.loads(line, parse_constant=_refuse)
        at, kind = float(fields.pop("at")), str(fields.pop("is"))
        if not 0 <= at < _DAY_S:
            raise ValueError(f"at: {at}")
        pcm = None
        if (size := fields.pop("pcm", None)) is not None:
            source = heard if kind == "tick" else voice
            pcm = source.read(size)
        entries.append(Entry(at, kind, fields, pcm))
    return entries


class _Reel:
    """Audio that is taken piece by piece."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._at = 0

    def read(self, size: int) -> Samples:
        """Raises ValueError where there is less."""
        piece = self._samples[self._at : self._at + size]
        if not isinstance(size, int) or size < 0 or piece.size < size:
            raise ValueError(f"pcm: {size}")
        self._at += size
        return piece


def _samples(content: bytes) -> _Reel:
    with wave.open(io.BytesIO(content)) as sound:
        if (sound.getnchannels(), sound.getsampwidth()) != (1, 2):
            raise ValueError("audio that is not mono of 16 bits")
        return _Reel(np.frombuffer(sound.readframes(sound.getnframes()), "<i2"))


def _wav(pcm: bytes, rate: int) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(pcm)
    return content.getvalue()


def _refuse(constant: str) -> float:
    raise ValueError(constant)
