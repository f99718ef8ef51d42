"""`offhook dnc`: the do-not-call list as a file."""

import sys
from pathlib import Path

import click

from api.base.problems import Problem
from api.cli.console import (
    config_option,
    err,
    fail,
    opened_store,
    out,
    print_json,
    run,
    settings_or_fail,
)

#: Numbers written by one transaction; a server that runs meanwhile gets its turn in between.
_AT_A_TIME = 10_000


@click.group()
def dnc() -> None:
    """The do-not-call list: import, export."""


@dnc.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--partial", is_flag=True, help="Take the good lines of a file with wrong ones.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def dnc_import(file: Path, partial: bool, config: Path | None, as_json: bool) -> None:
    """Put the numbers of a CSV file on the list: columns number and reason.

    With a wrong line nothing is taken, unless --partial is given.
    """
    from api.resources.do_not_call import read_do_not_call

    settings = settings_or_fail(config)
    try:
        found = read_do_not_call(file.read_bytes())
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except Problem as problem:
        fail(f"{file}: {problem.errors[0].detail}")
    for wrong in found.errors:
        err.print(f"line {wrong.line}: {wrong.detail}", markup=False, highlight=False)
    if found.errors and not partial:
        fail(f"{file}: nothing was taken; mend these lines, or leave them out with --partial")

    async def work() -> None:
        added = 0
        async with opened_store(settings) as store:
            for start in range(0, len(found.items), _AT_A_TIME):
                added += await store.do_not_call.add_many(found.items[start : start + _AT_A_TIME])
        known, refused = len(found.items) - added, len(found.errors)
        if as_json:
            errors = [vars(wrong) for wrong in found.errors]
            print_json({"added": added, "known": known, "refused": refused, "errors": errors})
        else:
            out.print(f"{added} added, {known} known, {refused} refused")

    run(work())


@dnc.command("export")
@config_option
@click.option("--json", "as_json", is_flag=True, help="JSON in place of CSV.")
def dnc_export(config: Path | None, as_json: bool) -> None:
    """Write the list to stdout as CSV."""
    from api.base.csv_files import csv_lines
    from api.resources.do_not_call import COLUMNS, DoNotCallObject, do_not_call_csv

    settings = settings_or_fail(config)

    async def work() -> None:
        async with opened_store(settings) as store:
            if as_json:
                parts = [part async for part in store.do_not_call.every()]
                print_json([DoNotCallObject.of(one).model_dump() for part in parts for one in part])
                return
            sys.stdout.write(csv_lines([COLUMNS]))
            async for part in store.do_not_call.every():
                sys.stdout.write(do_not_call_csv(part))

    run(work())
