"""The whole server on the test bed: real Asterisks, real engines, real HTTP."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from api.cli.example import EXAMPLE, Receiver, demo_settings, serve_receiver
from api.client import OffhookClient
from api.client.reading import parse
from api.main import Server, engine_config, serving
from api.settings import Section, Settings
from models.load import EngineConfig
from models.trial import try_engines
from pbx.testbed import TestBed, persona
from pbx.testbed.freeswitch import PROGRAM_VARIABLE, FreeSwitch, installed
from pbx.testbed.instance import Asterisk


def pytest_itemcollected(item: pytest.Item) -> None:
    """Also those that start a bed themselves, or ask for a fixture by its name."""
    item.add_marker("bed")


@dataclass
class Phone:
    """Places calls through the public API and follows them."""

    server: Server
    client: OffhookClient
    receiver: Receiver
    hook: str
    bed: TestBed
    pbx: Asterisk | FreeSwitch
    """The witness: what dials, asked by a way of its own."""
    key: str
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    under_way: dict[str, asyncio.Task[dict[str, Any]]] = field(default_factory=dict)

    async def place(self, called: str, **fields: Any) -> dict[str, Any]:
        """Start a call to a persona (by name)."""
        body = {"to": persona(called).number, "webhook_url": self.hook, **EXAMPLE, **fields}
        return (await self.client.create_call(body)).model_dump()

    async def wait(self, call_id: str) -> dict[str, Any]:
        """Follow a call to its last event; gives the final call object."""
        async with asyncio.timeout(60):
            self.events[call_id] = [
                event.model_dump() async for event in self.client.stream_events(call_id)
            ]
        return await self.read(call_id)

    async def read(self, call_id: str) -> dict[str, Any]:
        """The call object as it stands."""
        return (await self.client.get_call(call_id)).model_dump()

    async def ask(self, method: str, path: str, json: Any = None) -> Any:
        """The JSON that any request is answered with."""
        return parse((await self.client.request(method, path, json=json)).content)

    def call_ahead(self, called: str, **fields: Any) -> None:
        """Start a call that a later `call` with the same words will wait for."""
        task = asyncio.create_task(self._call(called, **fields))
        self.under_way[f"{called} {fields}"] = task

    async def call(self, called: str, **fields: Any) -> dict[str, Any]:
        """Call a persona and wait for the end."""
        if ahead := self.under_way.pop(f"{called} {fields}", None):
            return await ahead
        return await self._call(called, **fields)

    async def _call(self, called: str, **fields: Any) -> dict[str, Any]:
        placed = await self.place(called, **fields)
        return await self.wait(placed["id"])

    async def turns(self, call_id: str) -> list[dict[str, Any]]:
        """The call's transcript."""
        found = await self.client.get_transcript(call_id)
        return [turn.model_dump() for turn in found.turns]

    def types(self, call_id: str) -> list[str]:
        """The types of all events of a call that was waited for."""
        return [event["type"] for event in self.events[call_id]]


async def command(*arguments: str, **env: str) -> tuple[int, str, str]:
    """Run `offhook …`; gives (exit code, stdout, stderr)."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("offhook")),
        *arguments,
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def settings_on(bed: TestBed, folder: Path, freeswitch: FreeSwitch | None = None) -> Settings:
    """Of a server on the test bed, which is told that its engines load on this machine."""
    settings = demo_settings(bed, folder, "starter", freeswitch)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engines.tried").write_text(_tried(engine_config(settings)))
    return settings


@cache
def _tried(config: EngineConfig) -> str:
    """What a server would write down once it has tried the engines."""
    with tempfile.TemporaryDirectory() as folder:
        remembered = Path(folder) / "engines.tried"
        try_engines(config, remembered)
        return remembered.read_text()


@contextlib.asynccontextmanager
async def phoning(
    bed: TestBed, folder: Path, freeswitch: FreeSwitch | None = None, **sections: Section
) -> AsyncIterator[Phone]:
    """A running server, and a client of it; `sections` replace those of the settings."""
    base = settings_on(bed, folder, freeswitch)
    settings = base.model_copy(
        update={
            "calls": base.calls.model_copy(update={"ring_timeout_s": 4}),
            "voice": base.voice.model_copy(update={"silence_prompt_s": 2.0}),
            "recordings": base.recordings.model_copy(update={"dir": folder / "recordings"}),
            **sections,
        }
    )
    async with serving(settings) as server:
        receiver = Receiver(server.webhook_secret)
        _, key = await server.store.keys.create("tests")
        async with serve_receiver(receiver) as hook, OffhookClient(server.url, key) as client:
            yield Phone(server, client, receiver, hook, bed, freeswitch or bed.ours, key)


@pytest.fixture(scope="session")
async def asterisk_phone(
    bed: TestBed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Phone]:
    """A running server whose PBX is the test bed's Asterisk."""
    async with phoning(bed, tmp_path_factory.mktemp("server")) as one:
        yield one


@pytest.fixture(scope="session")
def phone(asterisk_phone: Phone) -> Phone:
    """For what does not depend on the PBX."""
    return asterisk_phone


@pytest.fixture(scope="session")
async def freeswitch_phone(
    bed: TestBed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Phone]:
    """A running server whose PBX is a FreeSWITCH, where one is installed."""
    if installed() is None:
        pytest.skip(f"no FreeSWITCH is installed, and {PROGRAM_VARIABLE} names none")
    folder = tmp_path_factory.mktemp("freeswitch-server")
    async with FreeSwitch(bed.ports.carrier_sip) as pbx, phoning(bed, folder, pbx) as one:
        yield one


@pytest.fixture(
    scope="session", params=["asterisk_phone", "freeswitch_phone"], ids=["asterisk", "freeswitch"]
)
def either_phone(request: pytest.FixtureRequest) -> Phone:
    """Both kinds of PBX, one after the other; FreeSWITCH where one is installed."""
    one: Phone = request.getfixturevalue(request.param)
    return one
