"""`offhook call`: place one call through a running server and watch it."""

import asyncio
import json
from typing import Any, Final

import click

from api.cli.console import (
    EXIT_FAILED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    err,
    fail,
    out,
    print_json,
    run,
)
from api.cli.live import follow
from api.client import CallObject, OffhookClient, OffhookError, UnreachableError

#: Options whose value is a JSON object.
_OBJECTS: Final = ("context", "returns", "variables")


@click.command()
@click.argument("number")
@click.option("--agent", "agent_id", help="Id of the stored agent that calls.")
@click.option("--prompt", help="What the agent is to do; needed without --agent.")
@click.option("--variables", help='What {{name}} stands for, as {"name": "Maria Lopez"}.')
@click.option("--context", help="Facts for the agent, a JSON object.")
@click.option("--returns", help='What to find out, as {"confirmed": "boolean"}.')
@click.option("--from", "from_number", help="Caller number; default the server's first.")
@click.option("--language", help="Language code; default the server's.")
@click.option(
    "--url", envvar="OFFHOOK_URL", default="http://127.0.0.1:8080", show_default=True,
    help="The server (OFFHOOK_URL).",
)  # fmt: skip
@click.option("--key", envvar="OFFHOOK_API_KEY", required=True, help="API key (OFFHOOK_API_KEY).")
@click.option("--json", "as_json", is_flag=True, help="Print only the final call object.")
def call(number: str, url: str, key: str, as_json: bool, **fields: str | None) -> None:
    """Call NUMBER (E.164) and show the conversation; exits 0 when the call completed."""
    if fields["agent_id"] is None and fields["prompt"] is None:
        fail("Say with --prompt what the agent is to do, or with --agent who calls.", EXIT_USAGE)
    body: dict[str, Any] = {"to": number}
    for name, value in fields.items():
        if value is None:
            continue
        body[name] = _json_object(name, value) if name in _OBJECTS else value

    async def work() -> CallObject:
        async with OffhookClient(url, key) as client:
            placed = await client.create_call(body)
            try:
                return await follow(client, placed.id, None if as_json else out)
            except asyncio.CancelledError:
                await client.end_call(placed.id)  # Ctrl-C: whoever gives up the call ends it
                raise

    try:
        ended = run(work())
    except UnreachableError as error:
        fail(str(error), EXIT_UNREACHABLE)
    except OffhookError as error:
        fail(str(error))
    print_json(ended.model_dump(warnings=False))
    if ended.status != "completed":
        err.print(f"The call ended as {ended.status}: {ended.error_message}", markup=False)
        raise SystemExit(EXIT_FAILED)


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        fail(f"--{name} is not JSON: {error}", EXIT_USAGE)
    if not isinstance(value, dict):
        fail(f"--{name} must be a JSON object", EXIT_USAGE)
    return value
