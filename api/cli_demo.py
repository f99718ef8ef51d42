"""`offhook demo`: the whole stack on one machine, one real call, shown live.

Two Asterisks come up on loopback, ours and the carrier behind the trunk; the server runs on them
as it would anywhere; the call is placed, followed and its webhook received through public doors.
"""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import uvicorn
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.console import (
    EXIT_FAILED,
    LOG_LEVELS,
    err,
    fail,
    log_to_stderr,
    out,
    print_json,
    run,
    settings_or_fail,
    started,
)
from api.live import ApiError, Client, follow
from api.settings import Settings
from pbx.testbed import PERSONAS, TestBed, TestBedError

#: The example call, in the words that the starter models know.
CALLER_NUMBER = "+15550199999"
EXAMPLE: Mapping[str, Any] = {
    "prompt": "Confirm the appointment. If the time does not suit, agree on another one.",
    "context": {
        "name": "Maria Lopez",
        "company": "North Dental",
        "day": "monday",
        "time": "eight thirty a m",
    },
    "returns": {"confirmed": "boolean", "day": "string", "time": "string"},
}

_NEXT = """
To use your own PBX and trunk:
  1. docker/asterisk/README.md: what your Asterisk needs
  2. offhook.toml: [pbx] trunk, [pbx.ami] host and secret, [calls] numbers
  3. offhook models pull small        real weights instead of the starter models
  4. offhook doctor                   says what is still missing
  5. offhook serve                    then POST /v1/calls, or `offhook call`
README.md tells more.
"""


@dataclass
class Receiver:
    """A small webhook receiver that verifies what it is sent."""

    secret: str = ""
    verified: list[tuple[str, str]] = field(default_factory=list)
    """Call id and event type, in the order of arrival."""
    rejected: int = 0

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        try:
            event: Any = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.rejected += 1
            return Response(status_code=401)
        self.verified.append((event["id"], event["type"]))
        return Response(status_code=204)


@click.command()
@click.option("--models", "model_set", default="starter", show_default=True, help="Model set.")
@click.option(
    "--persona",
    default="talker",
    show_default=True,
    type=click.Choice([persona.name for persona in PERSONAS]),
    help="Who answers.",
)
@click.option("--json", "as_json", is_flag=True, help="Print only the call object.")
@click.option("--log-level", default="error", show_default=True, type=LOG_LEVELS)
def demo(model_set: str, persona: str, as_json: bool, log_level: str) -> None:
    """Place one real call on this machine, with two Asterisks, and show it live."""
    log_to_stderr(log_level)
    called = next(one for one in PERSONAS if one.name == persona)
    try:
        ended = run(_demo(model_set, called.number, quiet=as_json))
    except (ApiError, TestBedError) as error:
        fail(str(error))
    if as_json:
        print_json(ended)
    if ended["status"] != "completed":
        raise SystemExit(EXIT_FAILED)


async def _demo(model_set: str, number: str, *, quiet: bool) -> dict[str, Any]:
    from api.main import serving  # the engines' libraries take seconds to import

    def say(line: str) -> None:
        if not quiet:
            err.print(f"· {line}", markup=False, highlight=False)

    async with contextlib.AsyncExitStack() as stack:
        bed = await stack.enter_async_context(TestBed(say=say))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offhook-demo-")))
        settings = demo_settings(bed, folder, model_set)
        server = await stack.enter_async_context(started(serving(settings, say)))
        receiver = Receiver(server.webhook_secret)
        hook = await stack.enter_async_context(serve_receiver(receiver))
        _, key = await server.store.keys.create("demo")
        client = await stack.enter_async_context(Client(server.url, key))
        placed = await client.create_call({"to": number, "webhook_url": hook, **EXAMPLE})
        say(f"Calling {number} through the trunk")
        ended = await follow(client, placed["id"], None if quiet else out)
        if not quiet:
            print_json(ended)
            _tell(settings, ended, receiver)
    return ended


def demo_settings(bed: TestBed, folder: Path, model_set: str) -> Settings:
    """Settings of a server on the test bed; recordings stay in `offhook-data/demo`."""
    tree = Settings(models=settings_or_fail(None).models).model_dump()
    tree["server"]["port"] = 0
    tree["store"]["path"] = folder / "offhook.db"
    tree["recordings"]["dir"] = Path("offhook-data/demo").resolve()
    tree["pbx"] |= {"trunk": bed.trunk}
    tree["pbx"]["ami"] |= {
        "host": bed.host,
        "port": bed.ports.ami,
        "username": bed.username,
        "secret": bed.secret,
    }
    tree["calls"]["numbers"] = (CALLER_NUMBER,)
    tree["webhooks"] |= {"allow_http": True, "allowed_networks": ("127.0.0.0/8",)}
    tree["models"]["set"] = model_set
    return Settings.model_validate(tree)


@contextlib.asynccontextmanager
async def serve_receiver(receiver: Receiver) -> AsyncIterator[str]:
    """Serve a webhook receiver on loopback; gives its URL."""
    app = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, lifespan="off", log_level=logging.CRITICAL)
    )
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/hook"
    finally:
        server.should_exit = True
        await task


def _tell(settings: Settings, ended: Mapping[str, Any], receiver: Receiver) -> None:
    wire = ended["latency"].get("wire_ms", {})
    if wire:
        out.print(f"\nThe agent answered in {wire['p50']:.0f} ms (median, on the wire).")
    if ended["recording_available"]:
        path = settings.recordings.dir / f"{ended['id']}.wav"
        out.print("Recording (left: person, right: agent): ", end="")
        out.print(str(path), markup=False, highlight=False, soft_wrap=True)
    out.print(
        f"Webhooks received and verified: {', '.join(kind for _, kind in receiver.verified)}"
        + (f"; {receiver.rejected} rejected" if receiver.rejected else "")
    )
    out.print(_NEXT, markup=False, highlight=False, soft_wrap=True)
