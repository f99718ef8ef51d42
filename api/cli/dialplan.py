"""`offhook dialplan`: how numbers are dialled."""

from pathlib import Path

import click

from api.base.fields import parse_fields
from api.base.problems import Problem
from api.base.refusals import NotFound, Refused
from api.cli.console import (
    EXIT_FAILED,
    config_option,
    fail,
    opened_store,
    out,
    print_json,
    run,
    settings_or_fail,
)
from api.resources.dialplan import DialplanObject, DialplanTest, RewrittenObject
from api.resources.trunk import Trunk
from api.settings import Settings
from api.store import Store


@click.group()
def dialplan() -> None:
    """How numbers are dialled: by the dial strings and rules of trunks."""


@dialplan.command("test")
@click.argument("number")
@click.option("--trunk", help="Name of the trunk; default pbx.trunk.")
@click.option("--from", "caller_number", help="The number that is shown; inbound: that calls.")
@click.option("--inbound", is_flag=True, help="NUMBER is what the trunk tells was dialled.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def dialplan_test(  # noqa: PLR0917 - click gives them by name
    number: str,
    trunk: str | None,
    caller_number: str | None,
    inbound: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Show what the PBX would be told to dial for NUMBER, rule by rule; nothing is dialled.

    Exits 1 where no call goes there.
    """
    from api.dialing.dialplan import try_dialplan

    settings = settings_or_fail(config)
    body = {"number": number, "caller_number": caller_number}
    direction = "inbound" if inbound else "outbound"

    async def work() -> DialplanObject:
        asked = parse_fields(DialplanTest, body | {"direction": direction})
        async with opened_store(settings) as store:
            found = await _trunk(store, settings, trunk or settings.pbx.trunk)
            return await try_dialplan(store, settings, found, asked)

    try:
        told = run(work())
    except Problem as problem:
        fail(problem.errors[0].detail if problem.errors else problem.detail)
    except Refused as refused:
        fail(f"{number}: {refused}")
    if as_json:
        print_json(told.model_dump())
    else:
        _tell("number", told.number)
        if told.caller_number is not None:
            _tell("caller number", told.caller_number)
        if told.dial_string is not None:
            out.print(f"dials {told.dial_string}", markup=False, highlight=False, soft_wrap=True)
        if told.refusal is not None:
            out.print(f"no call: {told.refusal}", markup=False, highlight=False, soft_wrap=True)
    if told.refusal is not None:
        raise SystemExit(EXIT_FAILED)


async def _trunk(store: Store, settings: Settings, name: str) -> Trunk:
    """The trunk; that of the settings also before the first start. Raises NotFound."""
    try:
        return await store.trunks.get(name)
    except NotFound:
        if name != settings.pbx.trunk:
            raise
    return Trunk(name, created_at=0.0, updated_at=0.0, channels_in_use=0)


def _tell(name: str, number: RewrittenObject) -> None:
    lines = [f"{name} {number.given}"]
    for step in number.steps:
        rule = " ".join(f"{key}={value!r}" for key, value in step.rule.model_dump().items())
        lines.append(f"  {rule}: {'no' if step.result is None else step.result}")
    lines.append(f"  → {number.result}")
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
