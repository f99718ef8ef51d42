"""Nothing leaves the premises, and nothing is left lying about: native code is watched as well.

Every system call of Offhook's processes passes strace, so that no library reaches another machine,
has a name looked up or makes a file unseen. A control that has to be caught shows each time that
the watch is awake: onnxruntime as its maker ships it, which reports home.
"""

import asyncio
import base64
import json
import re
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.cli.example import EXAMPLE, Receiver, demo_settings, serve_receiver
from api.client import OffhookClient
from api.settings import Settings
from pbx.testbed import TestBed, persona
from tests.e2e.test_killed import environment
from tests.e2e.watch import Watch, why_not

_OFFHOOK = str(Path(sys.executable).with_name("offhook"))
_SECRET = f"whsec_{base64.b64encode(bytes(24)).decode()}"
#: What the test bed is made of.
_BED = {"dpkg", "sh", "setpriv", "asterisk", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}

#: Says where the C library is: aioice's way to this machine's addresses asks it, once.
_ASKED = {"ldconfig"}


@pytest.fixture(scope="module", autouse=True)
def _watchful() -> None:
    if reason := why_not():
        pytest.skip(f"nothing can be said of native code: {reason}")


@pytest.fixture
def settings(bed: TestBed, tmp_path: Path) -> Settings:
    """Of a server on the test bed that keeps everything in the watched working folder."""
    made = demo_settings(bed, tmp_path / "work", "starter")
    recordings = made.recordings.model_copy(update={"dir": tmp_path / "work/recordings"})
    webhooks = made.webhooks.model_copy(update={"secret": SecretStr(_SECRET)})
    return made.model_copy(update={"recordings": recordings, "webhooks": webhooks})


def assert_still(watch: Watch) -> None:
    """Nobody was reached and nothing was left."""
    assert watch.reached() == set()
    assert watch.written() == set()


async def test_demo(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    code, out, err = await watch.run(_OFFHOOK, "demo", "--json")
    assert code == 0, err
    assert json.loads(out)["result_status"] == "completed"
    assert_still(watch)
    assert watch.started() <= _BED | _ASKED


async def test_doctor(settings: Settings, tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    code, out, err = await watch.run(_OFFHOOK, "doctor", **environment(settings))
    assert code == 0, out + err
    assert "loaded and warm" in out
    assert_still(watch)
    assert watch.started() <= _ASKED


async def test_bench(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    code, out, err = await watch.run(_OFFHOOK, "bench", "engines")
    assert code == 0, out + err
    assert_still(watch)
    assert watch.started() <= _ASKED


async def test_server(settings: Settings, tmp_path: Path) -> None:
    """A whole call, and on until onnxruntime, left to itself beside it, has been caught."""
    env = environment(settings)
    watch, control = Watch(tmp_path), Watch(tmp_path / "control", cut_off=True)
    code, made, err = await watch.run(_OFFHOOK, "keys", "create", "tests", "--json", **env)
    assert code == 0, err
    receiver = Receiver(_SECRET)
    async with (
        watch.running(_OFFHOOK, "serve", **env) as server,
        serve_receiver(receiver) as hook,
        OffhookClient(await listening(server), json.loads(made)["key"]) as client,
        control.running("-c", "import onnxruntime, signal; signal.pause()"),
    ):
        placed = await client.create_call(
            {"to": persona("talker").number, "webhook_url": hook, **EXAMPLE}
        )
        events = [event.type async for event in client.stream_events(placed.id)]
        assert events[-1] == "call.completed"
        await until(control.reached)
        await until(lambda: receiver.verified)
    assert any("Microsoft" in path for path in control.written())
    assert_still(watch)
    assert watch.started() <= _ASKED


async def listening(server: Process) -> str:
    """The URL that a server says it can be reached at."""
    assert server.stderr is not None
    said = b""
    while not (found := re.search(rb"Listening on (http://\S+)", said)):
        line = await server.stderr.readline()
        assert line, f"the server did not start: {said.decode()}"
        said += line
    return found[1].decode()


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not happened():
            await asyncio.sleep(0.2)
