"""Scenario files: what a caller does, on what line, and who is called. `docs/lab.md` has them."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from api.resources.agent_fields import AgentFields
from api.settings.section import Section

BUILT_IN: Final = Path(__file__).with_name("scenarios")

Ms = Annotated[int, Field(ge=0, le=60_000)]
Named = Annotated[str, Field(min_length=1, max_length=200)]

Reply = Annotated[str, Field(min_length=1, max_length=2000)]

#: What may stand beside something that is said into the agent's words.
_INTO: Final = frozenset({"after_ms", "at_most_ms", "level_db"})
#: What a step may be, and what else may stand in it.
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "say": frozenset({"pauses_ms", "level_db"}),
    "dictate": frozenset({"gap_ms", "level_db"}),
    "interrupt": _INTO,
    "backchannel": _INTO,
    "tic": _INTO,
    "aside": _INTO,
    "pause_ms": frozenset(),
    "listen": frozenset({"silence_ms", "at_most_ms"}),
    "press": frozenset(),
    "hang_up": frozenset(),
}


class ScenarioError(Exception):
    """A scenario cannot be used; the message names the file, the field and the fix."""


class Step(Section):
    """One thing that the caller does."""

    say: Named | None = None
    dictate: Annotated[str, Field(pattern=r"^[0-9]{1,40}$")] | None = None
    interrupt: Named | None = None
    backchannel: Named | None = None
    tic: Named | None = None
    aside: Named | None = None
    pause_ms: Ms | None = None
    listen: Literal[True] | None = None
    press: Annotated[str, Field(pattern=r"^[0-9A-D*#]{1,40}$")] | None = None
    hang_up: Literal[True] | None = None

    level_db: Annotated[float, Field(ge=-40, le=20)] = 0.0
    pauses_ms: tuple[Ms, ...] = ()
    gap_ms: Ms = 300
    after_ms: Ms | None = None
    silence_ms: Ms = 900
    at_most_ms: Ms = 12_000

    @property
    def action(self) -> str:
        """Which of them it is."""
        return next(name for name in _OPTIONS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        actions = [name for name in _OPTIONS if getattr(self, name) is not None]
        if len(actions) != 1:
            raise ValueError(f"a step is exactly one of {', '.join(_OPTIONS)}")
        others = self.model_fields_set - {actions[0]} - _OPTIONS[actions[0]]
        if others:
            raise ValueError(f"`{actions[0]}` takes no {', '.join(sorted(others))}: leave it out")
        return self


class LineConditions(Section):
    """How the caller is heard."""

    level_dbfs: Annotated[float, Field(ge=-60, le=-6)] = -20.0
    noise: Named | None = None
    snr_db: Annotated[float, Field(ge=-10, le=60)] = 15.0
    background: Named | None = None
    background_db: Annotated[float, Field(ge=-60, le=0)] = -15.0
    echo_db: Annotated[float, Field(ge=-60, le=0)] | None = None
    echo_ms: Annotated[int, Field(ge=40, le=1000)] = 60
    loss: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    jitter_ms: Annotated[int, Field(ge=0, le=500)] = 0


class Stub(Section):
    """What the stub engines say and how long they take."""

    replies: Annotated[tuple[Reply, ...], Field(min_length=1)] = (
        "thank you, i have written that down for you and it will be ready in a few minutes. "
        "is there anything else that you would like to add to it today?",
    )
    transcript_ms: Ms = 100
    first_token_ms: Ms = 150
    word_ms: Ms = 20
    first_audio_ms: Ms = 80


class Scenario(Section):
    """One kind of call."""

    name: Named
    about: str = ""
    agent: Mapping[str, Any] = Field(default_factory=dict)
    line: LineConditions = LineConditions()
    stub: Stub = Stub()
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=200)]


def built_in() -> Mapping[str, Path]:
    """The scenarios that ship, by their files' names."""
    return {one.stem: one for one in sorted(BUILT_IN.glob("*.toml"))}


def load_scenario(wanted: str) -> Scenario:
    """The scenario of a file, or the built-in one of that name. Raises ScenarioError."""
    path = Path(wanted)
    if not path.exists():
        found = built_in().get(wanted)
        if found is None:
            known = ", ".join(built_in())
            raise ScenarioError(f"{wanted}: neither a file nor a built-in scenario ({known})")
        path = found
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path} is no valid TOML: {error}") from error
    return scenario_of({"name": path.stem, **tree}, str(path))


def scenario_of(tree: Mapping[str, Any], called: str) -> Scenario:
    """The scenario that a table is. Raises ScenarioError, which names all its faults."""
    problems: list[str] = []
    for model, part in ((Scenario, tree), (AgentFields, tree.get("agent", {}))):
        try:
            model.model_validate(part)
        except ValidationError as error:
            before = "agent." if model is AgentFields else ""
            problems += [before + one for one in _problems(error, model)]
    if problems:
        raise ScenarioError("\n".join(f"{called}: {one}" for one in problems))
    return Scenario.model_validate(tree)


def _problems(error: ValidationError, model: type[Any]) -> Iterator[str]:
    for item in error.errors():
        key = ".".join(str(one) for one in item["loc"])
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _fields(model, item["loc"]), 1)
            yield f"{key}: no such field" + (f"; did you mean {near[0]}?" if near else "")
        else:
            told = item["msg"].removeprefix("Value error, ")
            yield f"{key}: {told}" if key else told


def _fields(model: type[Any], loc: tuple[int | str, ...]) -> list[str]:
    """Names of the fields where a wrong one stands."""
    below: dict[str, type[Section]] = {"line": LineConditions, "stub": Stub, "steps": Step}
    inner = below.get(str(loc[0])) if model is Scenario and len(loc) > 1 else None
    return list((inner or model).model_fields)
