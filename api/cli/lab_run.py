"""What `offhook lab` does: the calls looked at, made, and told of."""

import contextlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from api.base.refusals import NotFound
from api.cli.console import (
    err,
    opened_store,
    out,
    print_json,
    settings_or_fail,
    started,
    table,
)
from api.cli.example import demo_settings
from api.client import OffhookClient
from api.lab.laboratory import Laboratory, Stubs, Wanted
from api.lab.library import Library
from api.lab.report import by_scenario, document, keep_audio, keep_picture, rows
from api.lab.scenario import ScenarioError, built_in, load_scenario, scenario_of
from api.lab.script import script_of
from api.lab.trace import CallTrace
from api.main import serving
from api.settings import Settings
from models.load import STARTER
from pbx.codecs import CODECS
from pbx.testbed import TestBed

#: `--models` for engines of a known pace in place of a set's.
STUB: Final = "stub"
#: Of the table of figures.
_TITLE_WIDTH: Final = 20
_COLUMN_WIDTH: Final = 18
_ANY_STEPS: Final = [{"listen": True}]


def list_scenarios() -> None:
    """Say which are built in."""
    for name in built_in():
        out.print(f"{name:<20} {load_scenario(name).about}", markup=False, highlight=False)


def wanted_calls(
    names: Sequence[str],
    library: Library,
    agents: Mapping[str, dict[str, Any]],
    calls: int,
    seed: int,
) -> list[Wanted]:
    """The calls to be made, each looked at before any is made.

    Args:
        names: of the scenarios.
        library: has what they say.
        agents: those who are called, by what they are told under.
        calls: of each scenario to each agent.
        seed: of the first.

    Raises ScenarioError, LibraryError.
    """
    scenarios = [load_scenario(name) for name in names or built_in()]
    for one in scenarios:
        script_of(one, library, seed)
    return [
        Wanted(" ".join(filter(None, (one.name, told))), one, seed + index, fields)
        for one in scenarios
        for told, fields in agents.items()
        for index in range(calls)
    ]


async def called_agents(agent: str | None, vary: str | None) -> dict[str, dict[str, Any]]:
    """The fields of those who are called, by what they are told under. Raises ScenarioError.

    Args:
        agent: a file of them, or the id of a stored agent.
        vary: `field=value,value`; one of them for each value.
    """
    fields = {} if agent is None else _in_file(Path(agent))
    if fields is None:
        fields = await _stored(str(agent))
    if vary is None:
        return {"": fields}
    field, _, values = vary.partition("=")
    agents = {}
    for value in values.split(","):
        told = f"{field}={value}"
        agents[value] = fields | {field: _json_or_text(value)}
        scenario_of({"name": told, "agent": agents[value], "steps": _ANY_STEPS}, f"--vary {told}")
    return agents


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _in_file(path: Path) -> dict[str, Any] | None:
    """An agent's fields; None where there is no such file. Raises ScenarioError."""
    if not path.exists():
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path}: no JSON object of an agent's fields ({error})") from error
    if not isinstance(fields, dict):
        raise ScenarioError(f"{path}: no JSON object of an agent's fields")
    for own in ("name", "type", "number_ids", "primary_number_id"):  # of a stored agent only
        fields.pop(own, None)
    scenario_of({"name": path.name, "agent": fields, "steps": _ANY_STEPS}, str(path))
    return fields


async def _stored(agent_id: str) -> dict[str, Any]:
    async with opened_store(settings_or_fail(None)) as store:
        try:
            return dict((await store.agents.get(agent_id)).config)
        except NotFound:
            raise ScenarioError(
                f"--agent {agent_id}: neither a file nor the id of a stored agent"
            ) from None


async def make_calls(
    wanted: Sequence[Wanted],
    library: Library,
    model_set: str,
    at_once: int,
    codec: str,
    *,
    quiet: bool,
) -> list[CallTrace]:
    def say(line: str) -> None:
        if not quiet:
            err.print(f"· {line}", markup=False, highlight=False)

    stubs = Stubs(wanted) if model_set == STUB else None
    async with contextlib.AsyncExitStack() as stack:
        bed = await stack.enter_async_context(TestBed(say=say, codecs=codec))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offhook-lab-")))
        settings = _settings(bed, folder, STARTER if stubs else model_set, at_once)
        server = await stack.enter_async_context(
            started(serving(settings, say, stubs.bring) if stubs else serving(settings, say))
        )
        if stubs is not None:
            await stubs.warm_up()
        _, key = await server.store.keys.create("lab", rate_limit_per_minute=0)
        client = await stack.enter_async_context(OffhookClient(server.url, key))
        laboratory = Laboratory(server.store, client, bed.carrier, library, CODECS[codec])
        return await laboratory.run(wanted, [] if stubs is None else stubs.sets, at_once, say)


def _settings(bed: TestBed, folder: Path, model_set: str, at_once: int) -> Settings:
    """As for the demo, with the operator's own conversation, and nothing but the conversation."""
    settings = demo_settings(bed, folder, model_set)
    calls = {"max_concurrent": at_once, "analysis": False}
    return settings.model_copy(
        update={
            "voice": settings_or_fail(None).voice,
            "calls": settings.calls.model_copy(update=calls),
        }
    )


def tell(facts: dict[str, Any], traces: Sequence[CallTrace], json_file: Path | None) -> None:
    if json_file == Path("-"):
        print_json(document(facts, traces))
        return
    figures = by_scenario(traces)
    names, most = list(figures), max(1, (out.width - _TITLE_WIDTH) // _COLUMN_WIDTH)
    for start in range(0, len(names), most):
        shown = {name: figures[name] for name in names[start : start + most]}
        out.print(table(("", *shown), list(rows(shown))))
        out.print()
    if json_file is not None:
        json_file.write_text(json.dumps(document(facts, traces), indent=2), encoding="utf-8")


def keep(traces: Sequence[CallTrace], picture: Path | None, out_dir: Path | None) -> None:
    """Write pictures and recordings, where they are wanted. Raises OSError."""
    for index, trace in enumerate(traces):
        name = f"{index:03}-{trace.scenario}"
        if picture is not None:
            keep_picture(trace, picture, name)
        if out_dir is not None:
            keep_audio(trace, out_dir, name)
