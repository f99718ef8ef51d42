"""baresip (a SIP phone, github.com/baresip/baresip) on loopback, steered over its `ctrl_tcp`."""

import asyncio
import contextlib
import json
import shutil
import socket
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from pbx.testbed.loopback import HOST, free_ports
from pbx.testbed.process import end, spawn

_PROGRAM: Final = "baresip"
_MODULES: Final = ("account", "g711", "aufile")
_APPLICATIONS: Final = ("menu", "ctrl_tcp")
_RATE: Final = 8000
_TONE_S: Final = 60
_PATIENCE_S: Final = 10.0
_STOP_S: Final = 1.0
#: Hz of the tone that it says.
TONE_HZ: Final = 440


@dataclass
class Baresip:
    """One that runs."""

    number: str
    port: int
    """UDP port for SIP, on loopback."""
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    events: list[dict[str, Any]] = field(default_factory=list)
    """What it has told so far."""

    async def do(self, command: str, parameters: str = "") -> None:
        """Have it do that, as its menu names it. Raises AssertionError where it cannot."""
        said = json.dumps({"command": command, "params": parameters, "token": command}).encode()
        self._writer.write(b"%d:%s," % (len(said), said))
        answer = await self._until(lambda one: one.get("token") == command)
        assert answer["ok"], answer

    async def until(self, kind: str) -> dict[str, Any]:
        """Wait for an event of that type, such as CALL_ESTABLISHED."""
        for one in self.events:
            if one.get("type") == kind:
                return one
        return await self._until(lambda one: one.get("type") == kind)

    def keys(self) -> str:
        """The keys that the far end has pressed."""
        starts = [one for one in self.events if one.get("type") == "CALL_DTMF_START"]
        return "".join(str(one["param"]) for one in starts)

    async def _until(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                size = await self._reader.readuntil(b":")
                told: dict[str, Any] = json.loads(await self._reader.readexactly(int(size[:-1])))
                await self._reader.readexactly(1)
                self.events.append(told)
                if wanted(told):
                    return told


@contextlib.asynccontextmanager
async def baresip(folder: Path, number: str) -> AsyncIterator[Baresip]:
    """One that answers calls to `number`, at once and with a tone."""
    (sip,) = free_ports(socket.SOCK_DGRAM, 1)
    (control,) = free_ports(socket.SOCK_STREAM, 1)
    lines = [
        f"module_path {_module_path()}",
        f"net_interface {HOST}",
        f"sip_listen {HOST}:{sip}",
        f"ctrl_tcp_listen {HOST}:{control}",
        f"audio_source aufile,{folder / 'said.wav'}",
        f"audio_player aufile,{folder / 'heard.wav'}",
        f"audio_alert aufile,{folder / 'alert.wav'}",
        *(f"module {one}.so" for one in _MODULES),
        *(f"module_app {one}.so" for one in _APPLICATIONS),
    ]
    (folder / "config").write_text("\n".join(lines) + "\n")
    account = f"<sip:{number}@{HOST}:{sip}>;regint=0;answermode=auto"
    (folder / "accounts").write_text(f"{account}\n")
    (folder / "log").mkdir()
    _write_tone(folder / "said.wav")
    process = await spawn((_PROGRAM, "-4", "-f", str(folder)), folder)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await _connected(control)
        try:
            yield Baresip(number, sip, reader, writer)
        finally:
            writer.close()
    finally:
        await end(process, _STOP_S)


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.05)


def _write_tone(path: Path) -> None:
    at = np.arange(_RATE * _TONE_S) * (2 * np.pi * TONE_HZ / _RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, _RATE, 0, "NONE", ""))
        file.writeframes(np.asarray(8000 * np.sin(at), np.int16).tobytes())


def _module_path() -> Path:
    """Where its package has put its modules."""
    for library in (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64")):
        for found in library.glob("**/baresip/modules/menu.so"):
            return found.parent
    raise AssertionError("baresip has no modules here")


def why_not() -> str | None:
    """Why baresip cannot run here; None where it can."""
    if shutil.which(_PROGRAM) is None:
        return "baresip is not installed: apt-get install baresip-core"
    return None
