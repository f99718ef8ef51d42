"""Databases as releases left them: every later release brings each of them up to date."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
#: What the secrets in them are sealed with.
SEAL_KEY: Final = "b2ZmaG9vay1yZWxlYXNlcy1zZWFsLWtleS0wMTIzNDU="


def kept(kind: str) -> list[Path]:
    """The SQL of the databases of that kind, `sqlite` or `postgresql`."""
    return sorted(FOLDER.glob(f"*.{kind}.sql"))
