"""Files that only the server's own user may read: they hold what was said, and what opens it."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private(path: Path) -> None:
    """Take from everybody else what they may do with a file, such as one that was restored; does
    nothing where there is none. Raises OSError."""
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def make_once(path: Path, text: str) -> None:
    """Make a file with this content, for its owner alone, whole and on disk. Of several processes
    that make it at one time, one does. Raises OSError."""
    whole = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    whole.touch(0o600, exist_ok=False)
    with whole.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(whole, path)
    whole.unlink()
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
