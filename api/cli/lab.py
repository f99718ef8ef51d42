"""`offhook lab`: scripted callers made of recordings of people, over real RTP, and their figures.

As for `offhook demo`, two Asterisks come up on loopback; the callers are telephones of the
carrier's, and the server between runs as it would anywhere.
"""

from pathlib import Path
from typing import Literal

import click

from api.cli.console import EXIT_FAILED, EXIT_USAGE, LOG_LEVELS, fail, log_to_stderr, run
from api.client import OffhookError
from pbx.testbed import TestBedError


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
    type=click.Choice(["tune", "closed"]),
    help="Which part of the recordings: what is tuned on `tune` is judged on `closed`.",
)
@click.option(
    "--models",
    "model_set",
    default="stub",
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
    part: Literal["tune", "closed"],
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
    from api.cli import lab_run  # the libraries of engines and audio take seconds to import
    from api.lab.library import Library, LibraryError
    from api.lab.scenario import ScenarioError

    log_to_stderr(log_level)
    if listed:
        lab_run.list_scenarios()
        return
    try:
        library = Library(part, audio)
        agents = run(lab_run.called_agents(agent, vary))
        wanted = lab_run.wanted_calls(scenarios, library, agents, calls, seed)
        quiet = json_file == Path("-")
        traces = run(lab_run.make_calls(wanted, library, model_set, at_once, codec, quiet=quiet))
        facts = {
            "models": model_set,
            "part": part,
            "codec": codec,
            "seed": seed,
            "at_once": at_once,
        }
        lab_run.tell(facts, traces, json_file)
        lab_run.keep(traces, picture, out_dir)
    except (ScenarioError, LibraryError) as error:
        fail(str(error), EXIT_USAGE)
    except (OffhookError, TestBedError, OSError) as error:
        fail(str(error))
    if any(trace.status != "completed" for trace in traces):
        raise SystemExit(EXIT_FAILED)
