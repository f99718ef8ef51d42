"""A node's recordings folder: the files that are ours in it, and the name that the node goes by.

The name is kept in the folder, so it is the folder's: servers that share one are one node here, and
a node that moves takes its recordings' name along.
"""

import contextlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from api.base.private_files import make_once
from api.calls.recording_formats import FORMATS, Format

#: Says whose the folder is: `{"node": …, "store": …}`.
MARK: Final = ".offhook-node.json"
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
BOX_ENDING: Final = ".blackbox"
_ENDINGS: Final = tuple(kept_as.ending for kept_as in FORMATS.values())
_OURS: Final = re.compile(rf"{_UUID}(?:-\d+)?(?:{'|'.join(map(re.escape, _ENDINGS))})")
_BOX: Final = re.compile(rf"({_UUID})(?:-\d+)?{re.escape(BOX_ENDING)}")


def recording_name(call_id: str, attempt: int, ending: str = ".wav") -> str:
    """What the recording of an attempt is called."""
    return f"{call_id}{ending}" if attempt == 1 else f"{call_id}-{attempt}{ending}"


def box_name(call_id: str, attempt: int) -> str:
    """What the black box of an attempt is called."""
    return recording_name(call_id, attempt, BOX_ENDING)


def format_of(name: str) -> Format:
    """Of a recording of that name."""
    formats = {kept_as.ending: name for name, kept_as in FORMATS.items()}
    return formats[Path(name).suffix]


def recording_file(folder: Path, name: str) -> Path | None:
    """The recording `name` of `folder`; None where it would lie elsewhere."""
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder.resolve()) else None


class FolderError(Exception):
    """The recordings folder cannot be used; the message names the setting and the fix."""


@dataclass(frozen=True)
class RecordingFolder:
    """Where a node keeps its recordings."""

    path: Path
    node: str

    def is_there(self) -> bool:
        """Whether it is what lies at its path now: it is not unmounted, and nothing is in its
        place."""
        try:
            return bool(json.loads((self.path / MARK).read_bytes())["node"] == self.node)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def file(self, name: str) -> Path | None:
        """A recording that is there, else None."""
        path = recording_file(self.path, name)
        return path if path is not None and path.is_file() else None

    def names(self) -> list[str]:
        """Everything there that is named as our recordings are."""
        with os.scandir(self.path) as entries:
            return sorted(entry.name for entry in entries if _OURS.fullmatch(entry.name))

    def boxes(self) -> dict[str, str]:
        """Everything there that is named as our black boxes are, with the call's id."""
        with os.scandir(self.path) as entries:
            found = [_BOX.fullmatch(entry.name) for entry in entries]
        return {one[0]: one[1] for one in found if one is not None}

    def delete(self, names: Iterable[str]) -> None:
        """Delete files, those that are there. Raises OSError."""
        for name in names:
            path = recording_file(self.path, name)
            if path is not None:
                path.unlink(missing_ok=True)

    def delete_call(self, call_id: str, attempts: int) -> None:
        """Delete whatever was recorded of a call's attempts. Raises OSError."""
        numbers = range(1, max(1, attempts) + 1)
        endings = (*_ENDINGS, BOX_ENDING)
        self.delete(recording_name(call_id, *one) for one in product(numbers, endings))


def open_folder(path: Path, store_id: str) -> RecordingFolder:
    """The recordings folder at `path` of that store, made when absent, for the user's eyes only.

    Raises FolderError.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(PermissionError):  # somebody else's, lent to us
            path.chmod(0o700)
        kept = json.loads(_marked(path, store_id))
        folder, owner = RecordingFolder(path, kept["node"]), kept["store"]
    except OSError as error:
        raise FolderError(
            f"recordings.dir {path}: {error.strerror}; name a folder that this user can write"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise FolderError(
            f"recordings.dir {path}: {MARK} is broken; delete it to have it made anew"
        ) from error
    if owner != store_id:
        # What one store does not know is deleted; the other one's recordings would be.
        raise FolderError(
            f"recordings.dir {path} holds the recordings of another store; name another folder, "
            "or move this one away with all that is in it"
        )
    return folder


def owner_of(path: Path) -> str | None:
    """The store that the folder at `path` belongs to; None where no mark says so."""
    try:
        owner: str = json.loads((path / MARK).read_bytes())["store"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return owner


def _marked(path: Path, store_id: str) -> bytes:
    """The folder's mark. Of several processes that make it at one time, one does."""
    mark = path / MARK
    if not mark.exists():
        node = f"{socket.gethostname()[:48]}-{secrets.token_hex(4)}"
        make_once(mark, json.dumps({"node": node, "store": store_id}))
    return mark.read_bytes()
