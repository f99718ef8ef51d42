"""`offhook blackbox` and `offhook replay`: what went into a call, and the call once more."""

import asyncio
import difflib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from api.cli.console import (
    EXIT_FAILED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    config_option,
    err,
    fail,
    out,
    print_json,
    run,
    settings_or_fail,
    table,
)
from api.client import OffhookClient, OffhookError, UnreachableError

if TYPE_CHECKING:
    from api.blackbox.archive import Box
    from api.replay.replaying import Replayed
    from voice_loop.config import ConversationConfig

#: What is compared, and as what it is told.
_ROWS: Final[Mapping[str, str]] = {
    "decisions": "decisions",
    "turn_ends": "person's turns ended",
    "cut_off": "of them cut off",
    "interruptions": "agent interrupted",
    "wire_ms": "latency, median ms",
    "wire_ms_max": "latency, greatest ms",
}


@click.command()
@click.argument("call_id")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default CALL_ID.zip.")
@click.option("--attempt", type=click.IntRange(min=1), help="Which attempt's; default the last.")
@click.option(
    "--url", envvar="OFFHOOK_URL", default="http://127.0.0.1:8080", show_default=True,
    help="The server (OFFHOOK_URL).",
)  # fmt: skip
@click.option("--key", envvar="OFFHOOK_API_KEY", required=True, help="API key (OFFHOOK_API_KEY).")
def blackbox(call_id: str, output: Path | None, attempt: int | None, url: str, key: str) -> None:
    """Fetch the black box of the call CALL_ID, for `offhook replay`."""
    # The id is what somebody typed, and no path.
    file = output or Path(f"{Path(call_id).name}.zip")

    async def work() -> None:
        async with OffhookClient(url, key) as client:
            await client.get_black_box(call_id, file, attempt=attempt)

    try:
        run(work())
    except UnreachableError as error:
        fail(str(error), EXIT_UNREACHABLE)
    except OffhookError as error:
        fail(str(error))
    out.print(str(file), markup=False, highlight=False)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--set", "changes", multiple=True, metavar="voice.KEY=VALUE", help="Try another setting."
)
@click.option("--live", is_flag=True, help="Let the loaded engines answer; takes the call's time.")
@click.option(
    "--detectors",
    type=click.Choice(["recorded", "today"]),
    default="recorded",
    show_default=True,
    help="Whose judgement of what is speech holds.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def replay(  # noqa: PLR0917 - click gives them by name
    file: Path,
    changes: tuple[str, ...],
    live: bool,
    detectors: str,
    config: Path | None,
    as_json: bool,
) -> None:
    """Hold the call of the black box FILE once more, and say what is different; exits 1 if
    anything is."""
    from api.blackbox.archive import BoxError, unpack
    from api.replay.changes import ChangeError, differing, held_again
    from api.replay.comparison import report

    try:
        box = unpack(file)
        held = held_again(box, changes)
        replayed = _live(box, held, config) if live else _in_virtual_time(box, held, detectors)
        told = report(box, replayed, differing(held, box))
    except BoxError as error:
        fail(str(error))
    except ChangeError as error:
        fail(str(error), EXIT_USAGE)
    if as_json:
        print_json(told)
    else:
        _show(told)
    if not told["identical"]:
        raise SystemExit(EXIT_FAILED)


def _in_virtual_time(box: "Box", held: "ConversationConfig", detectors: str) -> "Replayed":
    from api.replay.replaying import Replay, VirtualPace
    from api.replay.today import detecting_engines
    from api.replay.virtual_time import StuckError
    from api.replay.virtual_time import run as run_in_virtual_time

    async def work() -> "Replayed":
        today = detectors == "today"
        engines = detecting_engines()
        replay = Replay(box, held, engines, VirtualPace(), detectors_today=today)
        return await replay.run()

    try:
        return run_in_virtual_time(work())
    except StuckError as error:
        fail(f"the black box cannot be replayed: {error}")


def _live(box: "Box", held: "ConversationConfig", config: Path | None) -> "Replayed":
    from api.calls.engines import engine_registry
    from api.main import engine_config
    from api.replay.replaying import RealPace, Replay
    from models.load import load_engines
    from models.registry import Wanted
    from voice_loop.ports import EngineError

    settings = settings_or_fail(config)

    async def work() -> "Replayed":
        say = partial(err.print, markup=False, soft_wrap=True)
        loaded = await asyncio.to_thread(load_engines, engine_config(settings), say)
        try:
            async with engine_registry(settings, loaded) as registry:
                engines = registry.engines(Wanted(held.language))
                return await Replay(box, held, engines, RealPace(), live=True).run()
        finally:
            await asyncio.to_thread(loaded.close)

    try:
        return run(work())
    except EngineError as error:
        fail(str(error))


def _show(told: dict[str, Any]) -> None:
    recorded, replayed = told["recorded"], told["replayed"]
    rows = [
        (name, *("–" if one[key] is None else f"{one[key]:g}" for one in (recorded, replayed)))
        for key, name in _ROWS.items()
    ]
    out.print(table(("", "recorded", "replayed"), rows))
    for name in told["changed"]:
        out.print(f"held otherwise: {name}", markup=False, highlight=False)
    _show_words(recorded["words"], replayed["words"])
    first = told["first_difference"]
    if first is None:
        out.print("The decisions are identical.", highlight=False)
    else:
        said = {name: _told(first[name]) for name in ("recorded", "replayed")}
        out.print(f"First different at {first['at_ms'] / 1000:.2f} s:", highlight=False)
        for name, what in said.items():
            out.print(f"  {name}: {what}", markup=False, highlight=False)
    _warn(told)


def _show_words(recorded: list[str], replayed: list[str]) -> None:
    names = ("recorded", "replayed")
    for line in difflib.unified_diff(recorded, replayed, *names, lineterm=""):
        out.print(line, markup=False, highlight=False)


def _told(decision: Mapping[str, Any] | None) -> str:
    if decision is None:
        return "nothing is decided"
    on = decision["on"]
    commands = decision["commands"] or ()
    done = ", ".join(one["is"] for one in commands)
    return f"{on if isinstance(on, str) else on['is']} → {done or 'nothing'}"


def _warn(told: Mapping[str, Any]) -> None:
    for engine, count in told["unrecorded_requests"].items():
        err.print(f"{count} requests to {engine} are not in the recording", markup=False)
    detector = told["detector"]
    if detector["different"]:
        err.print(
            f"today's detector judges {detector['different']} of {detector['frames']} frames "
            f"otherwise, frame {detector['first']} first (--detectors today obeys it)"
        )
    if told["frames_without_audio"]:
        err.print(
            f"{told['frames_without_audio']} frames have no audio, as they were not recorded: "
            "what hangs on their sound may differ"
        )
    for why in told["cut_short"]:
        err.print(f"the recording ends early: {why}", markup=False)
