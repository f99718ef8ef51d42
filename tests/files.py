"""What files hold, byte by byte."""

import json
from pathlib import Path


def holding(folder: Path, *needles: str) -> list[tuple[str, str]]:
    """The files below a folder that hold one of the texts, in any of the usual encodings."""
    return [
        (str(path.relative_to(folder)), needle)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for needle in needles
        for form in {needle.encode(), needle.encode("utf-16-le"), json.dumps(needle)[1:-1].encode()}
        if form in path.read_bytes()
    ]
