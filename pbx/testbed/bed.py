"""Two real Asterisks on loopback: ours, as users run it, and the carrier behind the trunk."""

import asyncio
import re
import secrets
import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from pbx.testbed.instance import Asterisk
from pbx.testbed.loopback import HOST, RTP_PORTS, SHIPPED, free_block, free_ports, render
from pbx.testbed.music import write_music
from pbx.testbed.personas import dialplan
from pbx.testbed.provide import Installation, Say, TestBedError, provide

_PREFIX = "OFFHOOK_ASTERISK"
_CARRIER = Path(__file__).resolve().parent / "carrier"
SOUNDS = Path(__file__).resolve().parent / "sounds"
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
        carrier_sip: UDP port of the carrier, for a PBX that has it in its configuration.

    Raises TestBedError on entering.
    """

    __test__: ClassVar[bool] = False

    username = "offhook"
    trunk = "trunk"
    host = HOST
    #: Timer B of the shipped pjsip.conf.
    invite_timeout_s = 6.4

    def __init__(
        self,
        say: Say = lambda _: None,
        codecs: str = "ulaw,alaw,slin16",
        carrier_sip: int | None = None,
    ) -> None:
        self._say = say
        self._codecs = codecs
        self._stack = ExitStack()
        self.secret = secrets.token_hex(16)
        self.agi_secret = secrets.token_hex(16)
        self.ports = _free_ports(carrier_sip)
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
    def carrier_sounds(self) -> Path:
        """The folder of the carrier's own recordings, English ones. Raises TestBedError."""
        folders = dict(() if self._installation is None else self._installation.directories)
        return folders.get("astdatadir", Path("/usr/share/asterisk")) / "sounds/en"

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
        render(
            _PREFIX,
            SHIPPED / "asterisk/etc",
            asterisk.etc,
            AMI_BIND=HOST,
            AMI_PORT=self.ports.ami,
            AMI_SECRET=self.secret,
            AMI_PERMIT=f"{HOST}/255.255.255.255",
            AGI_HOST=HOST,
            AGI_PORT=self.ports.agi,
            AGI_SECRET=self.agi_secret,
            SIP_BIND=f"{HOST}:{self.ports.sip}",
            TRUNK_HOST=HOST,
            TRUNK_PORT=self.ports.carrier_sip,
            CODECS=self._codecs,
            RTP_START=self.ports.rtp,
            RTP_END=self.ports.rtp + RTP_PORTS - 1,
        )
        return asterisk

    def _make_carrier(self, installation: Installation, home: Path) -> Asterisk:
        # A phone whose owner waits sends silence, not nothing.
        silence = "transmit_silence = yes"
        asterisk = Asterisk("the carrier", installation, home, (silence,))
        music = home / "music"
        music.mkdir()
        write_music(music / "music.wav")
        render(
            _PREFIX,
            _CARRIER,
            asterisk.etc,
            RTP_START=self.ports.carrier_rtp,
            RTP_END=self.ports.carrier_rtp + RTP_PORTS - 1,
            SIP_BIND=f"{HOST}:{self.ports.carrier_sip}",
            TRUNK_HOST=HOST,
            TRUNK_PORT=self.ports.sip,
            CODECS=self._codecs,
            MUSIC=str(music),
        )
        (asterisk.etc / "extensions.conf").write_text(dialplan(str(SOUNDS)))
        return asterisk


def _free_ports(carrier_sip: int | None) -> Ports:
    ami, agi = free_ports(socket.SOCK_STREAM, 2)
    sip, any_sip = free_ports(socket.SOCK_DGRAM, 2)
    return Ports(
        ami=ami,
        agi=agi,
        sip=sip,
        carrier_sip=any_sip if carrier_sip is None else carrier_sip,
        rtp=free_block(RTP_PORTS),
        carrier_rtp=free_block(RTP_PORTS),
    )
