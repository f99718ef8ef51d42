"""A real FreeSWITCH on loopback with the configuration that `docker/freeswitch/` ships.

It is a witness too: what it says of its channels comes over a connection of its own, through none
of the code under test.
"""

import asyncio
import os
import re
import secrets
import shutil
import socket
import tempfile
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

from pbx.testbed.loopback import HOST, RTP_PORTS, SHIPPED, free_block, free_ports, render
from pbx.testbed.process import end, spawn
from pbx.testbed.provide import TestBedError

#: Path of the program, where it is not on the PATH.
PROGRAM_VARIABLE: Final = "OFFHOOK_FREESWITCH"
_READY_S = 60.0
_API_S = 10.0
_STOP_S = 12.0
_FOLDERS = ("etc", "log", "db", "run", "certs")


def installed() -> Path | None:
    """The FreeSWITCH that `OFFHOOK_FREESWITCH` or the PATH names."""
    found = shutil.which(os.environ.get(PROGRAM_VARIABLE) or "freeswitch")
    return None if found is None else Path(found)


class Witness:
    """Asks a FreeSWITCH that runs somewhere, one connection for each question.

    Args:
        host, port, password: of its event socket.
    """

    #: `timer-T1X64` of the shipped sofia.conf.xml.
    invite_timeout_s = 6.0

    def __init__(self, host: str, port: int, password: str) -> None:
        self.host = host
        self.port = port
        self.password = password

    async def api(self, command: str) -> str:
        """What it answers to `api <command>`. Raises TestBedError."""
        try:
            async with asyncio.timeout(_API_S):
                return await self._ask(command)
        except (OSError, EOFError, TimeoutError) as error:
            raise TestBedError(f"FreeSWITCH did not answer {command!r}: {error!r}") from error

    async def channels(self) -> Sequence[str]:
        """The ids of the channels that live now. (The list lags: ask again before judging.)"""
        lines = (await self.api("show channels as delim |")).splitlines()
        return [line.split("|")[0] for line in lines[1:] if line.count("|") > 5]

    async def _ask(self, command: str) -> str:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            await _read(reader)
            writer.write(f"auth {self.password}\n\n".encode())
            headers, _ = await _read(reader)
            if not headers.get("reply-text", "").startswith("+OK"):
                raise TestBedError(f"FreeSWITCH refused the login: {headers.get('reply-text')}")
            writer.write(f"api {command}\n\n".encode())
            _, body = await _read(reader)
            return body
        finally:
            writer.close()


class FreeSwitch(Witness):
    """`async with FreeSwitch(carrier_sip) as one:` brings it up (a few seconds) and ends it.

    Args:
        carrier_sip: UDP port on loopback where its gateway `trunk` finds the carrier.
        program: what to start; None: the installed one.
        codecs: what the trunk speaks, as FreeSWITCH names them.
        sip: UDP port for SIP; None: a free one.

    Raises TestBedError on entering.
    """

    def __init__(
        self,
        carrier_sip: int,
        program: Path | None = None,
        codecs: str = "PCMU,PCMA",
        sip: int | None = None,
    ) -> None:
        super().__init__(HOST, free_ports(socket.SOCK_STREAM, 1)[0], secrets.token_hex(16))
        self.sip = free_ports(socket.SOCK_DGRAM, 1)[0] if sip is None else sip
        """UDP port where the carrier rings it."""
        self._carrier_sip = carrier_sip
        self._codecs = codecs
        self._program = program
        self._rtp = free_block(RTP_PORTS)
        self._stack = ExitStack()
        self._home: Path | None = None
        self._process: Process | None = None

    @property
    def home(self) -> Path:
        """Folder of its files. Raises TestBedError outside the `async with`."""
        if self._home is None:
            raise TestBedError("FreeSWITCH is not up")
        return self._home

    @property
    def pid(self) -> int:
        """Process id. Raises TestBedError when it was never started."""
        if self._process is None:
            raise TestBedError("FreeSWITCH was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        try:
            self._home = Path(
                self._stack.enter_context(tempfile.TemporaryDirectory(prefix="offhook-fs-"))
            )
            for folder in _FOLDERS:
                (self._home / folder).mkdir()
            self._configure(self._home / "etc")
            await self.start()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave()

    async def start(self) -> None:
        """Start it (again, on the same ports) and wait until it is ready. Raises TestBedError."""
        program = self._program or installed()
        if program is None:
            raise TestBedError(
                f"no FreeSWITCH here: install one, or name its program in {PROGRAM_VARIABLE}"
            )
        folders = {name: str(self.home / name) for name in _FOLDERS}
        options = ["-nonat", "-nf", "-nc", "-conf", folders.pop("etc")]
        for name, folder in folders.items():
            options += [f"-{name}", folder]
        self._process = await spawn((str(program), *options), self.home)
        try:
            async with asyncio.timeout(_READY_S):
                while not await self._ready():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            await self.stop()
            raise TestBedError(f"FreeSWITCH did not start: {self._last_words()}") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it: SIGTERM to its process group, then SIGKILL. Nothing when it is not running."""
        if self._process is not None:
            await end(self._process, _STOP_S)

    async def kill(self) -> None:
        """End it without a word, as a crash does."""
        if self._process is not None:
            await end(self._process, None)

    async def restart(self) -> None:
        """Stop it if it runs, and start it on the same ports."""
        await self.stop()
        await self.start()

    def log(self) -> str:
        """Everything that it logged since it was first started."""
        path = self.home / "log/freeswitch.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def _ready(self) -> bool:
        if not self.running:
            raise TestBedError(f"FreeSWITCH ended while starting: {self._last_words()}")
        try:
            return "is ready" in await self.api("status")
        except TestBedError:
            return False

    async def _leave(self) -> None:
        try:
            await self.stop()
        finally:
            self._stack.close()

    def _configure(self, target: Path) -> None:
        render(
            "OFFHOOK_FREESWITCH",
            SHIPPED / "freeswitch/etc",
            target,
            ESL_BIND=HOST,
            ESL_PORT=self.port,
            ESL_PASSWORD=self.password,
            ESL_ALLOW=f"{HOST}/32",
            SIP_HOST=HOST,
            SIP_PORT=self.sip,
            TRUNK_HOST=HOST,
            TRUNK_PORT=self._carrier_sip,
            TRUNK_ALLOW=f"{HOST}/32",
            CODECS=self._codecs,
            RTP_START=self._rtp,
            RTP_END=self._rtp + RTP_PORTS - 1,
        )

    def _last_words(self) -> str:
        output = self.home / "log/output"
        text = output.read_text(errors="replace") if output.exists() else ""
        errors = re.findall(r"^.*\[(?:ERR|CRIT|ALERT)\].*$", text + self.log(), re.MULTILINE)
        return " | ".join((errors or text.splitlines())[-3:])


async def _read(reader: asyncio.StreamReader) -> tuple[Mapping[str, str], str]:
    """One message: header lines, an empty line, and as many bytes as Content-Length says."""
    block = (await reader.readuntil(b"\n\n")).decode(errors="replace")
    headers = {
        name.lower(): unquote(value)
        for name, _, value in (line.partition(": ") for line in block.splitlines() if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return headers, body.decode(errors="replace")
