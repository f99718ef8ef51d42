"""What passed between Offhook and a real FreeSWITCH during one test, byte for byte.

A tape is an xz file of JSON lines, `[milliseconds, connection, mark, text]`, in the order of what
happened; bytes stand as Latin-1. The marks:

- `open`, `ours`, `theirs`: a connection is there; bytes to and from FreeSWITCH on it.
- `closed by us`, `closed by them`: its end.
- `do`: the test did something to the PBX (text: what), such as having the carrier ring it.
- `ask`, `answer`: the test asked the witness (text: what), and what it was told.

`stream_….xz` hold no more than what FreeSWITCH 1.11.2 said on one connection; the others are whole,
and named for the test that made them.

The password is replaced by `PASSWORD`; nothing else is left out or changed. New tapes are made by
running the contract tests where a FreeSWITCH is, in any of the ways that `conftest` knows:

    OFFHOOK_RECORD_ESL=tests/pbx/esl_tapes OFFHOOK_FREESWITCH=/path/to/freeswitch \
        .venv/bin/python -m pytest tests/pbx -k freeswitch
"""

import json
import lzma
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

PASSWORD = "the-password-of-the-tapes"
FOLDER = Path(__file__).with_name("esl_tapes")

Mark = Literal["open", "ours", "theirs", "closed by us", "closed by them", "do", "ask", "answer"]
_MARKS = get_args(Mark)


class Record(NamedTuple):
    """One thing that happened."""

    at_ms: float
    connection: int
    """Numbered from 0; -1 where it is none's."""
    mark: Mark
    text: str


def tape_name(test: str) -> str:
    """File name of a test's tape, from the test's own."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", test.removeprefix("test_")).strip("-")
    if len(plain) > 60:
        plain = f"{plain[:50]}-{zlib.crc32(test.encode()):08x}"
    return f"{plain}.xz"


def read_tape(path: Path) -> Sequence[Record]:
    """Every record of a tape. Raises FileNotFoundError, ValueError."""
    records = []
    for line in lzma.decompress(path.read_bytes()).decode("ascii").splitlines():
        at_ms, connection, mark, text = json.loads(line)
        if mark not in _MARKS:
            raise ValueError(f"{path.name}: no such mark: {mark!r}")
        records.append(Record(at_ms, connection, mark, text))
    return records


def streams(path: Path) -> Iterator[bytes]:
    """What FreeSWITCH sent, connection by connection."""
    records = read_tape(path)
    for connection in sorted({one.connection for one in records if one.mark == "open"}):
        yield "".join(
            one.text for one in records if one.connection == connection and one.mark == "theirs"
        ).encode("latin-1")


def recorded(name: str) -> bytes:
    """The stream of `stream_<name>.xz`."""
    (stream,) = streams(FOLDER / f"stream_{name}.xz")
    return stream


def recordings() -> list[str]:
    """The names of all that `recorded` takes."""
    return sorted(path.stem.removeprefix("stream_") for path in FOLDER.glob("stream_*.xz"))


class TapeWriter:
    """A `cable.Tap` that keeps everything.

    Args:
        password: what is not to be kept.
    """

    def __init__(self, password: str) -> None:
        self._password = password
        self._records: list[Record] = []
        self._start = time.monotonic()

    def opened(self, connection: int) -> None:
        self._add(connection, "open", "")

    def passed(self, connection: int, data: bytes, *, ours: bool) -> None:
        text = data.decode("latin-1")
        self._add(connection, "ours" if ours else "theirs", text.replace(self._password, PASSWORD))

    def closed(self, connection: int, *, ours: bool) -> None:
        self._add(connection, "closed by us" if ours else "closed by them", "")

    def note(self, mark: Literal["do", "ask", "answer"], text: str) -> None:
        """What the test did or learned meanwhile."""
        self._add(-1, mark, text)

    def save(self, path: Path) -> None:
        """Write the tape."""
        lines = (json.dumps(one, separators=(",", ":")) for one in self._records)
        text = "".join(f"{line}\n" for line in lines)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))

    def _add(self, connection: int, mark: Mark, text: str) -> None:
        at_ms = round((time.monotonic() - self._start) * 1000, 1)
        self._records.append(Record(at_ms, connection, mark, text))
