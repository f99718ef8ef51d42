"""Lists as CSV (RFC 4180): reading what people's spreadsheets write, and writing it back.

What a spreadsheet would take for a formula is written behind an apostrophe, which reading takes off
again. A whole number, such as one to call, is none.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from api.base.problems import FieldError, Problem, invalid

T = TypeVar("T")

MEDIA_TYPE: Final = "text/csv"
#: Wrong lines that are told of one by one.
MAX_LISTED: Final = 100

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Where a spreadsheet would see a formula begin: at the start of a cell, or of what becomes a cell
#: where semicolons or tabs separate them, behind whatever it passes over.
_FORMULA = r"(?=[\s\"'\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060-\u2064\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫])"
_CELL = r"(?:^|(?<=[;\t\r\n]))"
_UNMARKED = re.compile(_CELL + _FORMULA)
_MARKED = re.compile(f"{_CELL}'{_FORMULA}")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]*")


@dataclass(frozen=True)
class LineError:
    """A line that cannot be taken."""

    line: int
    """1 for the first of the file, also where that names the columns."""
    detail: str


@dataclass(frozen=True)
class Read(Generic[T]):
    """What a file holds."""

    items: tuple[T, ...]
    errors: tuple[LineError, ...]


def read_csv(
    body: bytes,
    columns: Sequence[str],
    take: Callable[[Mapping[str, str]], T],
    aliases: Mapping[str, str] | None = None,
) -> Read[T]:
    """Read a file in UTF-8 with commas, or with semicolons if its first line has no comma.

    Args:
        body: the file.
        columns: those of a file whose first line names none, in order.
        take: makes an item of a line's filled cells by column; its ValueError says what is wrong.
        aliases: other names of columns.

    Raises Problem 422 for what is no such file, or has an unknown column.
    """
    items: list[T] = []
    errors: list[LineError] = []
    names: Sequence[str] | None = None
    for line, cells in _lines(body):
        if names is None:
            names = _header(cells, columns, aliases or {})
            if names is not None:
                continue
            names = columns
        try:
            items.append(take(_by_column(cells, names)))
        except ValueError as error:
            errors.append(LineError(line, str(error)))
    return Read(tuple(items), tuple(errors))


def read_table(body: bytes, take: Callable[[Mapping[str, str]], T]) -> Read[T]:
    """Read a file whose first line names its columns, whatever they are.

    Args:
        body: the file.
        take: makes an item of a line's filled cells by column; its ValueError says what is wrong.

    Raises Problem 422 for what is no such file.
    """
    items: list[T] = []
    errors: list[LineError] = []
    lines = _lines(body)
    _, names = next(lines, (1, []))
    if not names or len(set(names)) < len(names) or not all(names):
        raise _malformed("line 1: must name each column, by a name of its own")
    for line, cells in lines:
        try:
            items.append(take(_by_column(cells, names)))
        except ValueError as error:
            errors.append(LineError(line, str(error)))
    return Read(tuple(items), tuple(errors))


def refuse(errors: Sequence[LineError]) -> Problem:
    """422 for a file with wrong lines."""
    listed = [FieldError(f"line {error.line}: {error.detail}") for error in errors[:MAX_LISTED]]
    if more := len(errors) - len(listed):
        listed.append(FieldError(f"wrong lines beyond these: {more}"))
    return invalid(listed)


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows as they stand in a file; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _lines(body: bytes) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from error
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, [_MARKED.sub("", cell.strip()) for cell in cells]
            begins = reader.line_num + 1
    except csv.Error as error:
        raise _malformed(f"line {begins}: {error}") from error


def _header(
    cells: Sequence[str], columns: Sequence[str], aliases: Mapping[str, str]
) -> Sequence[str] | None:
    """The columns that the first line names; None: it is a line like the others."""
    named = [aliases.get(cell.lower(), cell.lower()) for cell in cells]
    if not set(named) & set(columns):
        return None
    for cell, name in zip(cells, named, strict=True):
        if name not in columns:
            known = ", ".join(columns)
            raise _malformed(f"there is no column {cell[:40]!r}; the columns are {known}")
    if len(set(named)) < len(named):
        raise _malformed("a column is named twice")
    return named


def _by_column(cells: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    if len(cells) > len(names):
        raise ValueError(f"has {len(cells)} cells for {len(names)} columns")
    found = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    for name, cell in found.items():
        if wrong := _CONTROL.search(cell):
            raise ValueError(f"{name} must not hold the control character U+{ord(wrong[0]):04X}")
    return found


def _harmless(cell: object) -> object:
    if isinstance(cell, str) and not _PLAIN_NUMBER.fullmatch(cell):
        return _UNMARKED.sub("'", cell)
    return cell


def _malformed(detail: str) -> Problem:
    return invalid([FieldError(detail)], "malformed_csv")
