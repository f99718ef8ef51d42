"""`offhook doctor`: looks at everything that a call needs, and says how to mend what is wrong."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click

from api.base.times import rfc3339
from api.cli.console import EXIT_FAILED, config_option, out, print_json, run, settings_or_fail
from api.http.disk import MEGABYTE, folders, free_bytes
from api.resources.dialect import Dialect
from api.resources.trunk import Trunk
from api.settings import FIRST_PBX, Settings, StoreSection, settings_file
from api.settings.pbx import Pbx
from pbx.dial_string import Way, way_over
from pbx.switch import Finding, Switch


@click.command()
@config_option
@click.option(
    "--dialect",
    type=click.Choice(get_args(Dialect)),
    help="Look instead at what a client of this service needs here, with the lines to add.",
)
@click.option(
    "--call",
    "call_id",
    metavar="ID",
    help="Look instead at how good this call's line was, and what was likely wrong with it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def doctor(
    config: Path | None, dialect: Dialect | None, call_id: str | None, as_json: bool
) -> None:
    """Check PBX login, trunk, RTP ports, models and disk; exits 1 when something is wrong."""
    settings = settings_or_fail(config)
    if call_id is not None:
        _tell_call(settings, call_id, as_json)
        return
    if dialect is not None:
        file = settings_file(config, os.environ)
        _tell_needs(settings, "" if file is None else file.read_text("utf-8"), dialect, as_json)
        return
    findings = run(examine(settings))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "[red]FAIL[/]"
            if finding.ok:
                mark = "[yellow]warn[/]" if finding.warning else "[green]ok  [/]"
            out.print(f"{mark}  {finding.check:<13}", end="")
            out.print(finding.message, markup=False, highlight=False, soft_wrap=True)
    if not all(finding.ok for finding in findings):
        raise SystemExit(EXIT_FAILED)


def _tell_call(settings: Settings, call_id: str, as_json: bool) -> None:
    from api.cli.call_doctor import diagnose, show

    diagnoses = run(diagnose(settings, call_id))
    if as_json:
        print_json([one.json() for one in diagnoses])
    else:
        show(diagnoses)
    if any(one.problems for one in diagnoses):
        raise SystemExit(EXIT_FAILED)


def _tell_needs(settings: Settings, file: str, dialect: Dialect, as_json: bool) -> None:
    from api.cli.dialect_doctor import needs_of
    from api.compat.doctor import additions

    needs = run(needs_of(settings, dialect))
    if as_json:
        print_json([asdict(need) for need in needs])
    else:
        width = max(len(need.check) for need in needs)
        for need in needs:
            mark = "[green]ok     [/]" if need.ok else "[red]missing[/]"
            out.print(f"{mark}  ", end="")
            run_this = f" (`{need.command}`)" if need.command else ""
            told = f"{need.check:<{width}}  {need.message}{run_this}"
            out.print(told, markup=False, highlight=False, soft_wrap=True)
        found = additions(needs, file)
        places = {f"offhook.toml, under its [{name}]": one for name, one in found.tables.items()}
        for place, lines in (*places.items(), ("offhook.toml", found.new)):
            if lines:
                told = f"\nAdd to {place}:\n\n{lines}"
                out.print(told, markup=False, highlight=False, soft_wrap=True)
    if not all(need.ok for need in needs):
        raise SystemExit(EXIT_FAILED)


async def examine(settings: Settings) -> Sequence[Finding]:
    """Every check, worst news included; raises nothing that a setting can cause."""
    findings = [_numbers(settings), *_disk(settings), *await _database(settings)]
    findings += await asyncio.to_thread(_models, settings)
    findings += await _endpoints(settings)
    findings += await _messages(settings)
    trunks = await _trunks(settings)
    return [*await _pbx(settings, trunks), *_resting(trunks), *findings]


def ways_of(settings: Settings, trunks: Sequence[Trunk], pbx: str) -> Sequence[Way]:
    """How the active trunks of a PBX are dialled; that of the settings also where it is none of
    the store's."""
    its = settings.all_pbxs[pbx]
    strings = {
        one.name: one.dial_string
        for one in trunks
        if (one.pbx or FIRST_PBX) == pbx and one.status == "active"
    }
    if its.trunk not in {one.name for one in trunks}:
        strings = {its.trunk: None, **strings}
    return [way_over(name, own, its.dial_string, its.kind) for name, own in strings.items()]


def trunks_astray(settings: Settings, trunks: Sequence[Trunk]) -> Sequence[Finding]:
    """Trunks of a PBX that is none of the settings'."""
    detail = "{!r} is on the PBX {!r}, which the settings do not name: mend its `pbx`, or [pbxs.{}]"
    return [
        Finding("trunk", ok=False, message=detail.format(one.name, one.pbx, one.pbx))
        for one in trunks
        if one.pbx is not None and one.pbx not in settings.pbxs
    ]


async def _pbx(settings: Settings, trunks: Sequence[Trunk]) -> Sequence[Finding]:
    from api.calls.several_pbxs import named
    from api.calls.switches import switches_of
    from api.main import media_server
    from pbx.audio_port import MediaError
    from pbx.media import MediaServer

    media = media_server(settings)
    findings = [*trunks_astray(settings, trunks)]
    no_port = False
    try:
        await media.start()
    except MediaError as error:
        findings.append(Finding("rtp", ok=False, message=str(error)))
        # The PBX can be looked at all the same, with any port.
        media = MediaServer("127.0.0.1", 0, 0)
        await media.start()
        no_port = True
    try:
        switches = switches_of(settings, media)
        looks = [
            _one_pbx(settings.all_pbxs[name], switch, ways_of(settings, trunks, name))
            for name, switch in switches.items()
        ]
        for name, checked in zip(switches, await asyncio.gather(*looks), strict=True):
            findings += [
                named(name, one) for one in checked if not (no_port and one.check == "rtp")
            ]
    finally:
        await media.close()
    return findings


async def _one_pbx(pbx: Pbx, switch: Switch, ways: Sequence[Way]) -> Sequence[Finding]:
    from pbx.switch import SwitchError

    try:
        await switch.start()
        if not ways:  # its trunks are all inactive
            return [one for one in await switch.check() if one.check != "trunk"]
        return await switch.check(ways)
    except SwitchError as error:
        return [Finding("esl" if pbx.kind == "freeswitch" else "ami", ok=False, message=str(error))]
    finally:
        await switch.close()


def store_exists(where: StoreSection) -> bool:
    """Whether there is a store to look at, which nothing that only looks should make."""
    return where.url is not None or where.path.exists()


async def _trunks(settings: Settings) -> Sequence[Trunk]:
    """Those of the store; none where there is no store (yet)."""
    from api.store import Store, StoreError

    if not store_exists(settings.store):
        return []
    try:
        store = await Store.open(settings.store)
    except StoreError:
        return []  # the check of the store tells of it
    try:
        return await store.trunks.list()
    finally:
        await store.close()


def _resting(trunks: Sequence[Trunk]) -> Sequence[Finding]:
    """Trunks that rest, as calls have found."""
    return [
        Finding(
            "trunk",
            ok=False,
            message=f"{trunk.name!r} rests until {rfc3339(trunk.resting_until)}, as calls on it "
            f"failed {trunk.failures} times: {trunk.rest_reason}",
        )
        for trunk in trunks
        if trunk.resting_until is not None
    ]


def _models(settings: Settings) -> Sequence[Finding]:
    from api.main import engine_config
    from models.doctor import check

    return [Finding(found.what, found.ok, found.detail) for found in check(engine_config(settings))]


async def _endpoints(settings: Settings) -> Sequence[Finding]:
    from api.cli.engine_checks import check_endpoints

    return await check_endpoints(settings)


async def _messages(settings: Settings) -> Sequence[Finding]:
    from api.messaging.ways import check_ways

    return await check_ways(settings)


def _numbers(settings: Settings) -> Finding:
    numbers = settings.calls.numbers
    if numbers:
        return Finding("numbers", ok=True, message=f"caller number {numbers[0]} by default")
    return Finding(
        "numbers",
        ok=False,
        message='no caller number; set `calls.numbers = ["+1…"]` to the numbers of your trunk',
    )


def _disk(settings: Settings) -> Sequence[Finding]:
    findings = []
    for name, (folder, setting) in folders(settings).items():
        try:
            free = free_bytes(folder)
        except OSError as error:
            message = f"cannot write to {folder} ({error.strerror}); mend it or change `{setting}`"
            findings.append(Finding(name, ok=False, message=message))
            continue
        message = f"{free / 1e9:.1f} GB free in {folder}"
        if enough := free >= settings.server.min_free_mb * MEGABYTE:
            findings.append(Finding(name, ok=enough, message=message))
        else:
            findings.append(Finding(name, ok=False, message=f"only {message}; make room there"))
    return findings


async def _database(settings: Settings) -> Sequence[Finding]:
    from api.store import StoreError
    from api.store.postgres import Postgres, connect

    where = settings.store
    if where.url is None:
        return []
    try:
        connection = await connect(Postgres(where.url.get_secret_value()), where.timeout_s)
    except StoreError as error:
        return [Finding("store", ok=False, message=str(error))]
    version = connection.get_server_version()
    await connection.close(timeout=where.timeout_s)
    return [Finding("store", ok=True, message=f"PostgreSQL {version.major}.{version.minor}")]
