"""Draws the rooms of `api/` from its own imports: the part of `docs/architecture.md` between marks.

Written anew by `python -m tests.architecture`.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/architecture.md"
BEGIN: Final = "<!-- rooms: made by `python -m tests.architecture` -->\n"
END: Final = "<!-- /rooms -->"


def floors() -> list[list[str]]:
    """The rooms of each floor, the highest first, as the import linter holds them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (
        one["layers"] for one in contracts["contracts"] if one.get("containers") == ["api"]
    )
    return [floor.split(" | ") for floor in layers]


def modules(room: str) -> Iterator[Path]:
    """Its modules."""
    one = ROOT / "api" / f"{room}.py"
    return iter([one] if one.exists() else sorted((ROOT / "api" / room).rglob("*.py")))


def job(room: str) -> str:
    """What the first sentence of its docstring says."""
    first = next(modules(room))
    return " ".join(
        (ast.get_docstring(ast.parse(first.read_text())) or "").split("\n\n")[0].split()
    )


def known(room: str) -> set[str]:
    """Which rooms it imports."""
    rooms = set()
    for module in modules(room):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("api."):
                rooms.add(str(node.module).split(".")[1])
    return rooms - {room}


def arrows() -> list[tuple[str, str]]:
    """Who knows whom, less what is known by way of a room between."""
    knows = {room: known(room) for floor in floors() for room in floor}
    return [
        (room, below)
        for room, rooms in knows.items()
        for below in sorted(rooms, key=list(knows).index)
        if not any(below in _reached(other, knows) for other in rooms - {below})
    ]


def _reached(room: str, knows: dict[str, set[str]]) -> set[str]:
    return knows[room].union(*(_reached(below, knows) for below in knows[room]))


def drawn() -> str:
    """The diagram, and the table of rooms, the highest floor first."""
    lines = ["```mermaid", "graph TD", *(f"  {a} --> {b}" for a, b in arrows()), "```", ""]
    lines += ["| room | job |", "|---|---|"]
    lines += [f"| `{room}` | {job(room)} |" for floor in floors() for room in floor]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page as it should be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + BEGIN + drawn() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page())
