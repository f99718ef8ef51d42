"""`offhook demo`: the whole stack on one machine, one real call, shown live.

Two Asterisks come up on loopback, ours and the carrier behind the trunk (`--pbx freeswitch` takes
a FreeSWITCH for ours); the server runs on them as it would anywhere; the call is placed, followed
and its webhook received through public doors.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

import click

from api.cli.console import (
    EXIT_FAILED,
    LOG_LEVELS,
    err,
    fail,
    log_to_stderr,
    out,
    print_json,
    run,
    started,
)
from api.cli.example import EXAMPLE, Receiver, demo_settings, serve_receiver
from api.cli.live import follow
from api.client import CallObject, OffhookClient, OffhookError
from api.settings import Settings
from pbx.testbed import PERSONAS, TestBed, TestBedError
from pbx.testbed.freeswitch import FreeSwitch

_NEXT = """
To use your own PBX and trunk:
  1. docker/asterisk/README.md: what your Asterisk needs (FreeSWITCH: docker/freeswitch/README.md)
  2. offhook.toml: [pbx] trunk, [pbx.ami] host and secret ([pbx.esl]), [calls] numbers
  3. offhook models pull small        real weights instead of the starter models
  4. offhook doctor                   says what is still missing
  5. offhook serve                    then POST /v1/calls, or `offhook call`
README.md tells more.
"""


@click.command()
@click.option("--models", "model_set", default="starter", show_default=True, help="Model set.")
@click.option(
    "--persona",
    default="talker",
    show_default=True,
    type=click.Choice([persona.name for persona in PERSONAS]),
    help="Who answers.",
)
@click.option(
    "--pbx",
    default="asterisk",
    show_default=True,
    type=click.Choice(["asterisk", "freeswitch"]),
    help="Which PBX dials; a FreeSWITCH must be installed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print only the call object.")
@click.option("--log-level", default="error", show_default=True, type=LOG_LEVELS)
def demo(model_set: str, persona: str, pbx: str, as_json: bool, log_level: str) -> None:
    """Place one real call on this machine, with a PBX and a carrier, and show it live."""
    log_to_stderr(log_level)
    called = next(one for one in PERSONAS if one.name == persona)
    try:
        ended = run(_demo(model_set, called.number, pbx, quiet=as_json))
    except (OffhookError, TestBedError) as error:
        fail(str(error))
    if as_json:
        print_json(ended.model_dump())
    if ended.status != "completed":
        raise SystemExit(EXIT_FAILED)


async def _demo(model_set: str, number: str, pbx: str, *, quiet: bool) -> CallObject:
    from api.main import serving  # the engines' libraries take seconds to import

    def say(line: str) -> None:
        if not quiet:
            err.print(f"· {line}", markup=False, highlight=False)

    async with contextlib.AsyncExitStack() as stack:
        bed = await stack.enter_async_context(TestBed(say=say))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offhook-demo-")))
        freeswitch = None
        if pbx == "freeswitch":
            say("Starting FreeSWITCH on loopback")
            freeswitch = await stack.enter_async_context(FreeSwitch(bed.ports.carrier_sip))
        settings = demo_settings(bed, folder, model_set, freeswitch)
        server = await stack.enter_async_context(started(serving(settings, say)))
        receiver = Receiver(server.webhook_secret)
        hook = await stack.enter_async_context(serve_receiver(receiver))
        _, key = await server.store.keys.create("demo")
        client = await stack.enter_async_context(OffhookClient(server.url, key))
        placed = await client.create_call({"to": number, "webhook_url": hook, **EXAMPLE})
        say(f"Calling {number} through the trunk")
        ended = await follow(client, placed.id, None if quiet else out)
        kept = _keep_recording(settings, ended)
        if not quiet:
            print_json(ended.model_dump())
            _tell(kept, ended, receiver)
    return ended


def _keep_recording(settings: Settings, ended: CallObject) -> Path | None:
    """Copy the recording, if there is one, from the folder that ends with the demo."""
    if not ended.recording_available:
        return None
    (recorded,) = settings.recordings.dir.glob(f"{ended.id}.*")
    kept = Path("offhook-data/demo", recorded.name).resolve()
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copy(recorded, kept)
    return kept


def _tell(recording: Path | None, ended: CallObject, receiver: Receiver) -> None:
    wire = ended.latency.get("wire_ms", {})
    if wire:
        out.print(f"\nThe agent answered in {wire['p50']:.0f} ms (median, on the wire).")
    if recording is not None:
        out.print("Recording (left: person, right: agent): ", end="")
        out.print(str(recording), markup=False, highlight=False, soft_wrap=True)
    out.print(
        f"Webhooks received and verified: {', '.join(kind for _, kind in receiver.verified)}"
        + (f"; {receiver.rejected} rejected" if receiver.rejected else "")
    )
    out.print(_NEXT, markup=False, highlight=False, soft_wrap=True)
