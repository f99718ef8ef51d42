"""`offhook models`: which weights there are, and fetching them."""

from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from api.cli.console import (
    EXIT_USAGE,
    config_option,
    err,
    fail,
    out,
    print_json,
    settings_or_fail,
    table,
)
from models.catalogue import CATALOGUE, HUB_URL, CatalogueSet
from models.pull import PullError, PullProgress, pull


@click.group()
def models() -> None:
    """Model weights: list the sets, pull one."""


@models.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def models_list(config: Path | None, as_json: bool) -> None:
    """Show the sets with their sizes, languages and licences."""
    from api.main import models_directory

    directory = models_directory(settings_or_fail(config))
    sets = [_described(one, directory) for one in CATALOGUE.values()]
    sets.insert(0, _STARTER)
    if as_json:
        print_json(sets)
        return
    for one in sets:
        state = "here" if one["pulled"] else f"{one['bytes'] / 1e9:.1f} GB to pull"
        out.print(f"[bold]{one['name']}[/]  {', '.join(one['languages'])}  ({state})", end="  ")
        out.print(one["summary"], markup=False, highlight=False, soft_wrap=True)
        out.print(
            table(
                ("  for", "model", "licence"),
                [(f"  {part['role']}", part["name"], part["licence"]) for part in one["parts"]],
            )
        )


@models.command("pull")
@click.argument("name")
@config_option
@click.option(
    "--hub-url",
    envvar="OFFHOOK_HUB_URL",
    default=HUB_URL,
    show_default=True,
    help="The hub, or a mirror with the same paths (OFFHOOK_HUB_URL).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def models_pull(name: str, config: Path | None, hub_url: str, as_json: bool) -> None:
    """Fetch the set NAME: pinned, checked, continued where it stopped."""
    from api.main import models_directory

    if name not in CATALOGUE:
        fail(f"there is no set {name!r} to pull; there are {', '.join(CATALOGUE)}", EXIT_USAGE)
    directory = models_directory(settings_or_fail(config))
    try:
        if as_json:
            where = pull(CATALOGUE[name], directory, hub_url=hub_url)
        else:
            with Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=err,
            ) as bars:
                where = _pull_with_bars(CATALOGUE[name], directory, hub_url, bars)
    except PullError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("stopped; pull again and it continues", 130)
    if as_json:
        print_json({"name": name, "directory": str(where)})
    else:
        out.print(f'Ready. Use it with set = "{name}" under [models] in offhook.toml.')


_STARTER: dict[str, Any] = {
    "name": "starter",
    "summary": "comes with Offhook, for the demo and the tests: a few hundred words, no real calls",
    "languages": ["en"],
    "bytes": 0,
    "pulled": True,
    "parts": [
        {"role": role, "name": f"Offhook starter {what}", "licence": "GPL-3.0-or-later"}
        for role, what in (
            ("speech recognition", "Whisper"),
            ("language model", "llama"),
            ("voice", "voice"),
        )
    ],
}


def _described(one: CatalogueSet, directory: Path) -> dict[str, Any]:
    return {
        "name": one.name,
        "summary": one.summary,
        "languages": list(one.languages),
        "bytes": one.size,
        "pulled": all((directory / one.name / file.target).is_file() for file in one.files),
        "parts": [
            {"role": part.role, "name": part.name, "licence": part.licence} for part in one.parts
        ],
    }


def _pull_with_bars(one: CatalogueSet, directory: Path, hub_url: str, bars: Progress) -> Path:
    whole = bars.add_task(f"set {one.name}", total=one.size)
    tasks = {file.target: bars.add_task(file.target, total=file.size) for file in one.files}

    def tell(progress: PullProgress) -> None:
        bars.update(whole, completed=progress.set_done)
        bars.update(tasks[progress.file], completed=progress.file_done)

    return pull(one, directory, hub_url=hub_url, progress=tell)
