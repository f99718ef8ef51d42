"""`offhook backup`, `restore`, `purge` and `webhooks`: care of what is stored."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from api.cli.console import (
    EXIT_FAILED,
    config_option,
    err,
    fail,
    opened_store,
    out,
    print_json,
    run,
    settings_or_fail,
)
from api.settings import Retention, Settings


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy the recordings into this folder too; those that are there already are left.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def backup(target: Path, recordings: Path | None, config: Path | None, as_json: bool) -> None:
    """Copy the store to the file TARGET while the server runs; `offhook restore` puts it back."""
    from api.cli.store_backup import BackupError, backup_recordings, backup_store

    settings = settings_or_fail(config)
    if settings.store.url is not None:
        fail(
            "the store is a PostgreSQL database, which has a tool of its own: "
            f"pg_dump --format=custom --file={target} {_without_password(settings)}"
        )
    begun = time.monotonic()
    copied = None
    try:
        size = backup_store(settings.store.path, target)
        if recordings is not None:
            copied = backup_recordings(target, settings.recordings.dir, recordings)
    except BackupError as error:
        fail(str(error))
    told: dict[str, Any] = {
        "target": str(target),
        "bytes": size,
        "seconds": round(time.monotonic() - begun, 3),
        "recordings": None if copied is None else asdict(copied),
    }
    if as_json:
        print_json(told)
        return
    err.print(f"{target}: {size} bytes, checked", markup=False, highlight=False)
    if copied is not None:
        err.print(
            f"Recordings: {copied.copied} copied, {copied.there_already} there already, "
            f"{len(copied.missing)} missing"
        )


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Copy the recordings back from this folder too; those that are there already are left.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def restore(source: Path, recordings: Path | None, config: Path | None, as_json: bool) -> None:
    """Put the backup FILE in the place of the store; no server may run.

    What it replaces is kept under a name that is told.
    """
    from api.calls.recording_folder import RecordingFolder
    from api.cli.store_backup import BackupError, backup_recordings, recordings_in
    from api.cli.store_restore import restore_store

    settings = settings_or_fail(config)
    path, folder = settings.store.path, settings.recordings.dir
    if settings.store.url is not None:
        fail(
            "the store is a PostgreSQL database, which has a tool of its own: "
            f"pg_restore --clean --if-exists --dbname={_without_password(settings)} {source}"
        )
    try:
        restored = restore_store(source, path, time.time())
    except BackupError as error:
        fail(str(error))
    replaced = None if restored.replaced is None else str(restored.replaced)
    lines = [f"{path}: {restored.bytes} bytes, checked"]
    if replaced is not None:
        lines.append(
            f"The store before it is {replaced} now. It holds the calls that it had, those to be "
            "erased too: delete it when you need it no more."
        )
    try:
        copied = None if recordings is None else backup_recordings(path, recordings, folder)
    except BackupError as error:
        _tell(lines)  # the store is swapped all the same
        fail(str(error))
    there = RecordingFolder(folder, "").names() if folder.is_dir() else []
    unnamed = len(set(there) - set(recordings_in(path)))
    if as_json:
        print_json(
            {
                "store": str(path),
                "bytes": restored.bytes,
                "replaced": replaced,
                "recordings": None if copied is None else asdict(copied),
                "recordings_to_be_deleted": unnamed,
            }
        )
        return
    if copied is not None:
        lines.append(f"Recordings: {copied.copied} copied, {len(copied.missing)} missing")
    if unnamed:
        lines.append(
            f"{folder} has {unnamed} recordings that this store does not name. The server deletes "
            "them when it starts; copy them first if you need them."
        )
    _tell(lines)


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        err.print(line, markup=False, highlight=False, soft_wrap=True)


def _without_password(settings: Settings) -> str:
    from sqlalchemy import make_url

    assert settings.store.url is not None
    url = make_url(settings.store.url.get_secret_value())
    return url._replace(password=None).render_as_string()


@click.command()
@click.option(
    "--older-than",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DAYS",
    help="Delete every call that ended longer ago; without it, what [retention] says is deleted.",
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def purge(older_than: float | None, dry_run: bool, config: Path | None, as_json: bool) -> None:
    """Delete what is old, of calls that are over, with the recordings."""
    settings = settings_or_fail(config)
    retention = settings.retention
    if older_than is not None:
        retention = Retention(calls_days=older_than)

    async def work() -> None:
        from api.calls.recording_folder import FolderError, open_folder
        from api.calls.recording_keeper import RecordingKeeper
        from api.calls.retention import Housekeeper

        async with opened_store(settings) as store:
            try:
                folder = open_folder(settings.recordings.dir, await store.organization.id())
            except FolderError as error:
                fail(str(error))
            keeper = RecordingKeeper(store, folder, retention.black_boxes_days)
            housekeeper = Housekeeper(store, retention, keeper)
            purged = await housekeeper.sweep(dry_run=dry_run)
        if as_json:
            print_json({"dry_run": dry_run} | asdict(purged))
        else:
            counts = ", ".join(f"{count} {name}" for name, count in asdict(purged).items() if count)
            verb = "would delete" if dry_run else "deleted"
            out.print(f"{verb}: {counts or 'nothing'}", highlight=False)
        if purged.failed:
            raise SystemExit(EXIT_FAILED)

    run(work())


@click.group()
def webhooks() -> None:
    """Webhooks: the secret that signs them."""


@webhooks.command("secret")
@click.option("--rotate", is_flag=True, help="Make a new one; the old one signs too for a day.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def webhooks_secret(rotate: bool, config: Path | None, as_json: bool) -> None:
    """Show the default signing secret, for the receivers of calls' own URLs."""
    settings = settings_or_fail(config)
    given = settings.webhooks.secret
    if given is not None and rotate:
        fail("the secret is webhooks.secret of the settings; change it there")

    async def work() -> None:
        if given is not None:
            _tell_secret(given.get_secret_value(), "settings", None, None, as_json)
            return
        async with opened_store(settings) as store:
            kept = await store.signing_secret.get()
            if rotate:
                kept = await store.signing_secret.rotate(24 * 3600)
        _tell_secret(kept.secret, "store", kept.created_at, kept.previous_secret_until, as_json)

    run(work())


def _tell_secret(
    secret: str,
    source: str,
    created_at: float | None,
    previous_until: float | None,
    as_json: bool,
) -> None:
    created, until = _time(created_at), _time(previous_until)
    if as_json:
        print_json(
            {
                "source": source,
                "created_at": created,
                "previous_secret_until": until,
                "signing_secret": secret,
            }
        )
        return
    out.print(secret, markup=False, highlight=False)
    if until is not None:
        err.print(f"Until {until} the secret before it signs too.", style="dim")


def _time(at: float | None) -> str | None:
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
