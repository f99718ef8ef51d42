"""Files that only the server's own user may read: they hold what was said, and what opens it."""

import stat
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private(path: Path) -> None:
    """Take from everybody else what they may do with a file, such as one that was restored; does
    nothing where there is none. Raises OSError."""
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
