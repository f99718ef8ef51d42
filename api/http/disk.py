"""The folders that the settings name, and whether they take what is written to them."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from api.settings import Settings

MEGABYTE: Final = 1_000_000
#: Of the file that is written to see whether it can be.
_PROBE: Final = bytes(65_536)


def folders(settings: Settings) -> Mapping[str, tuple[Path, str]]:
    """What is kept on disk, to its folder and the setting that names it."""
    # Needed where `recordings.enabled` is false, too: an agent or a call may say otherwise.
    found = {"recordings": (settings.recordings.dir, "recordings.dir")}
    if settings.store.url is None:
        found["store"] = (settings.store.path.parent, "store.path")
    return found


def free_bytes(folder: Path) -> int:
    """Write a small file without a name to the folder, or to where it is going to be made; gives
    the space that is left without it. Raises OSError."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(_PROBE)
        probe.flush()
        os.fsync(probe.fileno())
    return shutil.disk_usage(folder).free
