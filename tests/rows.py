"""Which test shows which row of the hosted services' documents.

`rows.csv` lists the rows: CB of CallingBox, RV of Revox, OI of OneInbox, X of what else they
publish. A test cites rows in its marks: `@pytest.mark.rows("CB-9", "RV-48…51")` for what works,
`@pytest.mark.refused(…)` for what is answered by a documented error, `@pytest.mark.partial(…)` for
what works in part. Its docstring and its module's may cite what works too. `python -m tests.rows`
writes the table of `tests/coverage.md`.
"""

import ast
import csv
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

TESTS: Final = Path(__file__).parent
PAGE: Final = TESTS / "coverage.md"

State = Literal["works", "partial", "refused"]
STATES: Final = (*get_args(State), "open")

_MARKS: Final[Mapping[str, State]] = {"rows": "works", "partial": "partial", "refused": "refused"}

_SERVICE = r"(?:X-)?(?:CB|RV|OI)-"
_TO = r"(?:…|\.\.\.?)"
_CITED = re.compile(rf"\b({_SERVICE})(\d+)(?:{_TO}(?:{_SERVICE})?(\d+))?")
_MORE = re.compile(rf",\s*(\d+)(?:{_TO}(\d+))?")


@dataclass(frozen=True)
class Row:
    """One field, value or sentence of the documents."""

    number: str
    kind: str
    item: str


@dataclass
class Shown:
    """What tests say of one row."""

    tests: list[str] = field(default_factory=list)
    states: set[State] = field(default_factory=set)

    @property
    def state(self) -> State:
        """What works here and is refused there is partial, as is what any test says to be so."""
        one, *others = self.states
        return "partial" if others else one


def rows() -> list[Row]:
    """Every row, in order."""
    with (TESTS / "rows.csv").open(encoding="utf-8", newline="") as file:
        return [Row(*line) for line in list(csv.reader(file))[1:]]


def numbers_in(text: str) -> Iterator[str]:
    """The rows that a text cites: `CB-9`, `RV-48…51`, `RV-101, 103`."""
    for match in _CITED.finditer(text):
        prefix, first, last = match.groups()
        yield from _range(prefix, first, last)
        end = match.end()
        while (more := _MORE.match(text, end)) is not None:
            yield from _range(prefix, *more.groups())
            end = more.end()


def _range(prefix: str, first: str, last: str | None) -> Iterator[str]:
    for number in range(int(first), int(last or first) + 1):
        yield f"{prefix}{number}"


@cache
def shown() -> Mapping[str, Shown]:
    """What the tests say, by row."""
    found: dict[str, Shown] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        place = str(file.relative_to(TESTS.parent))
        module = ast.parse(file.read_text(encoding="utf-8"))
        for name, number, state in _citations(module):
            row = found.setdefault(number, Shown())
            test = place if name is None else f"{place}::{name}"
            if test not in row.tests:
                row.tests.append(test)
            row.states.add(state)
    return found


def _citations(module: ast.Module) -> Iterator[tuple[str | None, str, State]]:
    """(test, row, its state) of one module; the test is None for the whole module."""
    for number in numbers_in(ast.get_docstring(module) or ""):
        yield None, number, "works"
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            for number in numbers_in(ast.get_docstring(node) or ""):
                yield node.name, number, "works"
        name = getattr(node, "name", None)
        for call in ast.walk(node):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            state = _MARKS.get(call.func.attr)
            if state is None or ast.unparse(call.func.value) != "pytest.mark":
                continue
            for argument in call.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    for number in numbers_in(argument.value):
                        yield name, number, state


_HEAD: Final = """\
# What the hosted services' clients find here

Each field, value and sentence of the documents of CallingBox (CB), Revox (RV) and OneInbox (OI),
with the test that shows it; X rows are from what else they publish. *works*: as there. *partial*:
taken, kept and told as there, but what would bring a part of it about is not there yet, or is
refused. *refused*: it cannot be had on one's own premises, or not yet, and is answered by an error
that says so. *open*: no test shows it. Made by `python -m tests.rows > tests/coverage.md`.

"""


def page() -> str:
    """The table, in Markdown."""
    found = shown()
    listed = rows()
    states = [found[row.number].state if row.number in found else "open" for row in listed]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATES)
    lines = [
        f"{len(listed)} rows: {counts}.\n",
        "| row | item | state | test |",
        "|---|---|---|---|",
    ]
    for row, state in zip(listed, states, strict=True):
        tests = found[row.number].tests if row.number in found else []
        more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        test = f"`{tests[0].removeprefix('tests/')}`{more}" if tests else ""
        item = row.item.replace("|", "\\|")
        lines.append(f"| {row.number} | {item} | {state} | {test} |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
