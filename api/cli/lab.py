"""`offhook lab`: scripted callers made of recordings of people, over real RTP, and their figures.

As for `offhook demo`, two Asterisks come up on loopback; the callers are telephones of the
carrier's, and the server between runs as it would anywhere.
"""

import contextlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from api.base.refusals import NotFound
from api.cli.console import (
    EXIT_FAILED,
    EXIT_USAGE,
    LOG_LEVELS,
    err,
    fail,
    log_to_stderr,
    opened_store,
    out,
    print_json,
    run,
    settings_or_fail,
    started,
    table,
)
from api.cli.example import demo_settings
from api.client import OffhookClient, OffhookError
from api.lab.library import Library, LibraryError
from api.lab.report import by_scenario, document, keep_audio, keep_picture, rows
from api.lab.scenario import ScenarioError, built_in, load_scenario, scenario_of
from api.lab.script import script_of
from api.lab.trace import CallTrace
from api.settings import Settings
from models.load import STARTER
from models.recordings import PARTS, Part
from pbx.codecs import CODECS
from pbx.testbed import TestBed, TestBedError

if TYPE_CHECKING:
    from api.lab.laboratory import Wanted

#: `--models` for engines of a known pace in place of a set's.
STUB: Final = "stub"
#: Of the table of figures.
_TITLE_WIDTH: Final = 20
_COLUMN_WIDTH: Final = 18
_ANY_STEPS: Final = [{"listen": True}]


@click.command()
@click.argument("scenarios", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Say which scenarios are built in, and end.")
@click.option(
    "--audio",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of more recordings, with a manifest.csv.",
)
@click.option(
    "--part",
    default="closed",
    show_default=True,
    type=click.Choice(PARTS),
    help="Which part of the recordings: what is tuned on `tune` is judged on `closed`.",
)
@click.option(
    "--models",
    "model_set",
    default=STUB,
    show_default=True,
    help="Model set of the agent; `stub`: engines of a known pace.",
)
@click.option(
    "--vary",
    metavar="FIELD=VALUE,…",
    help="Make every call once for each value of an agent's field, as "
    "`interruption_sensitivity=0.2,0.8`.",
)
@click.option("--agent", help="The agent: a JSON file of its fields, or the id of a stored one.")
@click.option(
    "--calls", default=1, show_default=True, type=click.IntRange(1, 1000), help="Of each scenario."
)
@click.option(
    "--at-once", default=4, show_default=True, type=click.IntRange(1, 100), help="Calls at a time."
)
@click.option("--seed", default=0, show_default=True, help="Another one picks other recordings.")
@click.option(
    "--codec",
    default="ulaw",
    show_default=True,
    type=click.Choice(["ulaw", "alaw"]),
    help="Of the trunk.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write all figures and calls there as JSON; - is stdout.",
)
@click.option("--picture", type=click.Path(path_type=Path), help="Folder for an SVG of each call.")
@click.option("--out", "out_dir", type=click.Path(path_type=Path), help="Folder for a WAV of each.")
@click.option("--log-level", default="error", show_default=True, type=LOG_LEVELS)
def lab(  # noqa: PLR0917 - click gives them by name
    scenarios: tuple[str, ...],
    listed: bool,
    audio: Path | None,
    part: Part,
    model_set: str,
    vary: str | None,
    agent: str | None,
    calls: int,
    at_once: int,
    seed: int,
    codec: Literal["ulaw", "alaw"],
    json_file: Path | None,
    picture: Path | None,
    out_dir: Path | None,
    log_level: str,
) -> None:
    """Have scripted callers call an agent, and measure how it takes turns.

    SCENARIOS are files, or names of built-in ones; none are all built-in ones.
    """
    log_to_stderr(log_level)
    if listed:
        _list()
        return
    try:
        library = Library(part, audio)
        wanted = _wanted(scenarios, library, _agents(agent, vary), calls, seed)
        traces = run(_run(wanted, library, model_set, at_once, codec, quiet=json_file == Path("-")))
    except (ScenarioError, LibraryError) as error:
        fail(str(error), EXIT_USAGE)
    except (OffhookError, TestBedError) as error:
        fail(str(error))
    facts = {"models": model_set, "part": part, "codec": codec, "seed": seed, "at_once": at_once}
    _tell(facts, traces, json_file)
    try:
        _keep(traces, picture, out_dir)
    except OSError as error:
        fail(str(error))
    if any(trace.status != "completed" for trace in traces):
        raise SystemExit(EXIT_FAILED)


def _list() -> None:
    for name in built_in():
        out.print(f"{name:<20} {load_scenario(name).about}", markup=False, highlight=False)


def _wanted(
    names: Sequence[str],
    library: Library,
    agents: Mapping[str, dict[str, Any]],
    calls: int,
    seed: int,
) -> list["Wanted"]:
    """The calls to be made, each looked at before any is made.

    Args:
        names: of the scenarios.
        library: has what they say.
        agents: those who are called, by what they are told under.
        calls: of each scenario to each agent.
        seed: of the first.

    Raises ScenarioError, LibraryError.
    """
    from api.lab.laboratory import Wanted

    scenarios = [load_scenario(name) for name in names or built_in()]
    for one in scenarios:
        script_of(one, library, seed)
    return [
        Wanted(" ".join(filter(None, (one.name, told))), one, seed + index, fields)
        for one in scenarios
        for told, fields in agents.items()
        for index in range(calls)
    ]


def _agents(agent: str | None, vary: str | None) -> dict[str, dict[str, Any]]:
    """The fields of those who are called. Raises ScenarioError."""
    fields = {} if agent is None else _agent(agent)
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


def _agent(named: str) -> dict[str, Any]:
    """An agent's fields, of a file or of the store. Raises ScenarioError."""
    path = Path(named)
    if not path.exists():
        return run(_stored(named))
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


async def _run(
    wanted: Sequence["Wanted"],
    library: Library,
    model_set: str,
    at_once: int,
    codec: str,
    *,
    quiet: bool,
) -> list[CallTrace]:
    from api.lab.laboratory import Laboratory, Stubs  # the engines' libraries take seconds
    from api.main import serving

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


def _tell(facts: dict[str, Any], traces: Sequence[CallTrace], json_file: Path | None) -> None:
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


def _keep(traces: Sequence[CallTrace], picture: Path | None, out_dir: Path | None) -> None:
    """Write pictures and recordings, where they are wanted. Raises OSError."""
    for index, trace in enumerate(traces):
        name = f"{index:03}-{trace.scenario}"
        if picture is not None:
            keep_picture(trace, picture, name)
        if out_dir is not None:
            keep_audio(trace, out_dir, name)
