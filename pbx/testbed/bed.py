"""Two real Asterisks on loopback: ours, as users run it, and the carrier behind the trunk."""

import asyncio
import os
import random
import re
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from pbx.testbed.instance import Asterisk
from pbx.testbed.personas import dialplan
from pbx.testbed.provide import Installation, Say, TestBedError, provide

_HOST = "127.0.0.1"
_SHIPPED = Path(__file__).resolve().parents[2] / "docker/asterisk"
_CARRIER = Path(__file__).resolve().parent / "carrier"
SOUNDS = Path(__file__).resolve().parent / "sounds"
_RTP_PORTS = 600
_TRUNK_S = 15.0


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one run."""

    ami: int
    agi: int
    """Where our Asterisk looks for Offhook's FastAGI; the test bed does not listen there."""
    sip: int
    carrier_sip: int
    rtp: int
    """First of 600 for our Asterisk."""
    carrier_rtp: int


class TestBed:
    """`async with TestBed() as bed:` brings both up (a few seconds) and ends both.

    Args:
        say: told what is being done, a line at a time.
        codecs: what the trunk speaks, as in `pjsip.conf` (`ulaw`, `alaw,ulaw`, …).

    Raises TestBedError on entering.
    """

    __test__: ClassVar[bool] = False

    username = "offhook"
    trunk = "trunk"
    host = _HOST

    def __init__(self, say: Say = lambda _: None, codecs: str = "ulaw,alaw,slin16") -> None:
        self._say = say
        self._codecs = codecs
        self._stack = ExitStack()
        self.secret = secrets.token_hex(16)
        self.ports = _free_ports()
        self._installation: Installation | None = None
        self._ours: Asterisk | None = None
        self._carrier: Asterisk | None = None

    @property
    def ours(self) -> Asterisk:
        """Our PBX. Raises TestBedError outside the `async with`."""
        if self._ours is None:
            raise TestBedError("the test bed is not up")
        return self._ours

    @property
    def carrier(self) -> Asterisk:
        """The carrier. Raises TestBedError outside the `async with`."""
        if self._carrier is None:
            raise TestBedError("the test bed is not up")
        return self._carrier

    @property
    def version(self) -> str:
        """What `asterisk -V` says."""
        return self._installation.version if self._installation else ""

    async def __aenter__(self) -> Self:
        installation = await asyncio.to_thread(provide, self._say)
        self._installation = installation
        try:
            home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="offhook-")))
            self._ours = self._make_ours(installation, home / "ours")
            self._carrier = self._make_carrier(installation, home / "carrier")
            self._say(f"Starting two Asterisks on loopback ({installation.version})")
            await asyncio.gather(self._ours.start(), self._carrier.start())
            await self._trunk_up()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    async def restart_ours(self) -> None:
        """Start our PBX again after `ours.kill()` or `ours.stop()`, on the same ports."""
        await self.ours.start()
        await self._trunk_up()

    def dialled(self) -> Sequence[tuple[str, str]]:
        """Every call that reached the carrier: (number, SIP Call-ID), in order."""
        return re.findall(r"NOTICE.*: dialled (\S+) (\S+) from ", self.carrier.log())

    async def _trunk_up(self) -> None:
        """Have the carrier asked at once whether it is alive, and wait for its answer."""
        await self.ours.cli(f"pjsip qualify {self.trunk}")
        try:
            async with asyncio.timeout(_TRUNK_S):
                while "Avail" not in await self.ours.cli("pjsip show contacts"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TestBedError("the carrier does not answer our Asterisk's OPTIONS") from None

    async def _stop(self) -> None:
        both = [one for one in (self._ours, self._carrier) if one is not None]
        try:
            await asyncio.gather(*(one.stop() for one in both))
        finally:
            self._stack.close()

    def _make_ours(self, installation: Installation, home: Path) -> Asterisk:
        asterisk = Asterisk("our Asterisk", installation, home)
        _render(
            _SHIPPED / "etc",
            asterisk.etc,
            AMI_BIND=_HOST,
            AMI_PORT=self.ports.ami,
            AMI_SECRET=self.secret,
            AMI_PERMIT=f"{_HOST}/255.255.255.255",
            AGI_HOST=_HOST,
            AGI_PORT=self.ports.agi,
            SIP_BIND=f"{_HOST}:{self.ports.sip}",
            TRUNK_HOST=_HOST,
            TRUNK_PORT=self.ports.carrier_sip,
            CODECS=self._codecs,
            RTP_START=self.ports.rtp,
            RTP_END=self.ports.rtp + _RTP_PORTS - 1,
        )
        return asterisk

    def _make_carrier(self, installation: Installation, home: Path) -> Asterisk:
        asterisk = Asterisk("the carrier", installation, home)
        _render(
            _CARRIER,
            asterisk.etc,
            RTP_START=self.ports.carrier_rtp,
            RTP_END=self.ports.carrier_rtp + _RTP_PORTS - 1,
            SIP_BIND=f"{_HOST}:{self.ports.carrier_sip}",
            TRUNK_HOST=_HOST,
            TRUNK_PORT=self.ports.sip,
            CODECS=self._codecs,
        )
        (asterisk.etc / "extensions.conf").write_text(dialplan(str(SOUNDS)))
        return asterisk


def _render(source: Path, target: Path, **values: str | int) -> None:
    """Write the configuration with the very script that the Docker image uses."""
    script = _SHIPPED / "render"
    if not script.exists():
        raise TestBedError(f"{script} is missing: the test bed needs Offhook's source checkout")
    environment = {f"OFFHOOK_ASTERISK_{name}": str(value) for name, value in values.items()}
    done = subprocess.run(
        ["sh", str(script), str(source), str(target)],
        env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        raise TestBedError(f"could not write Asterisk's configuration: {done.stderr.strip()}")


def _free_ports() -> Ports:
    with ExitStack() as stack:

        def free(kind: socket.SocketKind) -> int:
            one = stack.enter_context(socket.socket(socket.AF_INET, kind))
            one.bind((_HOST, 0))
            return int(one.getsockname()[1])

        return Ports(
            ami=free(socket.SOCK_STREAM),
            agi=free(socket.SOCK_STREAM),
            sip=free(socket.SOCK_DGRAM),
            carrier_sip=free(socket.SOCK_DGRAM),
            rtp=_free_block(),
            carrier_rtp=_free_block(),
        )


def _free_block() -> int:
    """The first of `_RTP_PORTS` UDP ports below the ephemeral range that nobody uses now."""
    for _ in range(50):
        first = random.randrange(11_000, 32_000 - _RTP_PORTS, 2)
        try:
            with ExitStack() as stack:
                for port in range(first, first + _RTP_PORTS):
                    one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    one.bind(("", port))
        except OSError:
            continue
        return first
    raise TestBedError("no free block of UDP ports on this machine")
