"""The command `offhook`."""

import asyncio
import contextlib
import os
import subprocess
import sys
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from api.cli.call import call
from api.cli.console import (
    LOG_LEVELS,
    config_option,
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
from api.cli.demo import demo
from api.cli.dialplan import dialplan
from api.cli.dnc import dnc
from api.cli.doctor import doctor
from api.cli.lab import lab
from api.cli.models import models
from api.cli.replay import blackbox, replay
from api.cli.store import backup, purge, restore, webhooks
from api.resources.caps import KeyCaps
from api.resources.dialect import Dialect
from api.resources.key import MAX_RATE_LIMIT, SCOPES, ApiKey, KeyScope
from api.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="offhook")
def main() -> None:
    """Self-hosted AI phone calls on your own PBX and trunk."""


@main.command()
@config_option
@click.option("--log-level", default="info", show_default=True, type=LOG_LEVELS)
def serve(config: Path | None, log_level: str) -> None:
    """Run the server: API, dialer, voice loop."""
    os.umask(0o077)  # nobody else is to read what is said, whatever writes it
    settings = settings_or_fail(config)
    log_to_stderr(log_level, settings.server.log_format)
    os.umask(0o077)  # whatever is written down is for this user alone
    run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from api.main import serving  # the engines' libraries take seconds to import

    async with started(serving(settings, lambda line: err.print(line, markup=False))):
        # SIGTERM and Ctrl-C are how a server is stopped: no failure.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


@main.group()
def keys() -> None:
    """API keys: create, list, revoke."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    default="admin",
    show_default=True,
    type=click.Choice(SCOPES),
    help="read: read; call: place and end calls too; admin: configure too.",
)
@click.option(
    "--rate-limit",
    type=click.IntRange(0, MAX_RATE_LIMIT),
    help="Requests per minute, 0 for no limit; default server.rate_limit_per_minute.",
)
@click.option(
    "--dialect",
    type=click.Choice(get_args(Dialect)),
    help="For a client of that service whose base URL has a fixed path: requests under /v1 (and "
    "on Revox's paths without /api) are that service's.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def keys_create(  # noqa: PLR0917 - click gives them by name
    name: str,
    scope: KeyScope,
    rate_limit: int | None,
    dialect: Dialect | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Make an API key called NAME; it is shown this once."""
    settings = settings_or_fail(config)

    async def work() -> None:
        async with opened_store(settings) as store:
            key, secret = await store.keys.create(name, scope, rate_limit, dialect=dialect)
        if as_json:
            told = {"id": key.id, "name": key.name, "scope": key.scope, "dialect": key.dialect}
            print_json(told | {"key": secret})
        else:
            out.print(secret, markup=False, highlight=False)
            err.print("Keep it: only its hash is stored.", style="dim")

    run(work())


@keys.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def keys_list(config: Path | None, as_json: bool) -> None:
    """Show the API keys."""
    settings = settings_or_fail(config)

    async def work() -> None:
        async with opened_store(settings) as store:
            found = await store.keys.list()
        if as_json:
            print_json([_listed(key) for key in found])
            return
        rows = [
            (
                key.id,
                key.name,
                key.prefix + "…",
                key.scope,
                "" if key.rate_limit_per_minute is None else str(key.rate_limit_per_minute),
                key.dialect or "",
                _day(key.created_at),
                _day(key.revoked_at),
            )
            for key in found
        ]
        named = ("id", "name", "key", "scope", "rate limit", "dialect", "created", "revoked")
        out.print(table(named, rows))

    run(work())


def _listed(key: ApiKey) -> dict[str, Any]:
    """A key as programs know it: with its own caps in one object."""
    told = asdict(key)
    caps = {one.name: told.pop(one.name) for one in fields(KeyCaps)}
    return {**told, "caps": caps}


@keys.command("revoke")
@click.argument("key_id")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def keys_revoke(key_id: str, config: Path | None, as_json: bool) -> None:
    """Make the key with the id KEY_ID worthless at once."""
    settings = settings_or_fail(config)

    async def work() -> None:
        async with opened_store(settings) as store:
            if not await store.keys.revoke(key_id):
                fail(f"there is no living key with the id {key_id}; see `offhook keys list`")
        if as_json:
            print_json({"id": key_id, "revoked": True})

    run(work())


def _day(at: float | None) -> str:
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


@main.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def bench(names: tuple[str, ...], as_json: bool) -> None:
    """Measure on this machine: turns, engines, media, originates, ledger, lists, outbox."""
    flags = ["--json"] if as_json else []
    done = subprocess.run([sys.executable, "-m", "bench", *flags, *names], check=False)
    raise SystemExit(done.returncode)


for command in (
    *(backup, blackbox, call, demo, dialplan, dnc, doctor, lab, models, purge, replay, restore),
    webhooks,
):
    main.add_command(command)
