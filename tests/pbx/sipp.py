"""SIPp (sipp.sourceforge.net) as the far end of a trunk of the test bed's Asterisk, or as a caller.

Each has an address of its own, and a trunk as shipped: only name, address and codecs differ.
`scenarios/` says how each far end behaves, `pcaps.py` makes what it plays.
"""

import asyncio
import contextlib
import re
import shutil
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pbx.testbed import TestBed
from pbx.testbed.process import end, spawn
from tests.pbx import pcaps
from tests.pbx.far_ends import SHORT
from tests.pbx.kinds import OUR_NUMBER

SCENARIOS: Final = Path(__file__).with_name("scenarios")
_UDP_SOCKETS: Final = Path("/proc/net/udp")
_PROGRAM: Final = "sipp"
_PATIENCE_S: Final = 10.0
_STOP_S: Final = 1.0


@dataclass(frozen=True)
class Sipp:
    """One SIPp that runs."""

    home: Path
    trunk: str
    """The trunk that leads to it, by its name on our Asterisk."""
    port: int
    process: Process

    async def ended(self, limit_s: float) -> int:
        """Wait until it ends by itself; its exit code is 0 where all went as in the scenario."""
        async with asyncio.timeout(limit_s):
            return await self.process.wait()

    def errors(self) -> str:
        """What did not go as in the scenario."""
        path = self.home / "errors"
        return path.read_text(errors="replace") if path.exists() else ""

    def messages(self) -> str:
        """Every SIP message that it has sent or received."""
        path = self.home / "messages"
        return path.read_text(errors="replace") if path.exists() else ""


class SippLab:
    """Starts SIPps beside a test bed. Use the fixture `sipp`.

    Args:
        bed: whose own Asterisk gets the trunks.
        folder: an empty one, for what they play and write.
    """

    def __init__(self, bed: TestBed, folder: Path) -> None:
        self.bed = bed
        self._folder = folder
        self._count = 0
        self._trunk_count = 0
        self._shipped = (bed.ours.etc / "pjsip.conf").read_text()
        self._trunks: dict[str, str] = {}
        self._loaded = self._shipped
        self._reloading = asyncio.Lock()
        pcaps.make(folder / "pcap")

    @contextlib.asynccontextmanager
    async def answering(
        self,
        scenario: str,
        *,
        codecs: str = "alaw,ulaw",
        calls: int = 1,
        limit_s: int = 120,
        extra: str = "",
    ) -> AsyncIterator[Sipp]:
        """A far end that takes what is dialled through `trunk`.

        Args:
            scenario: one of `far_ends.py`, or a file's name without its ending.
            codecs: of the trunk, as in `pjsip.conf`.
            calls: how many it takes before it ends.
            limit_s: seconds after which it ends in any case.
            extra: further lines of the trunk's endpoint.
        """
        async with self._running(
            scenario, codecs=codecs, extra=extra, calls=calls, limit_s=limit_s
        ) as one:
            yield one

    @contextlib.asynccontextmanager
    async def calling(
        self,
        scenario: str,
        *,
        number: str = OUR_NUMBER,
        codecs: str = "alaw,ulaw",
        calls: int = 1,
        rate: float = 10.0,
        limit_s: int = 60,
        extra: str = "",
    ) -> AsyncIterator[Sipp]:
        """A caller that dials `number` at once, through a trunk of its own.

        Args:
            scenario: as in `answering`.
            number: what is dialled.
            codecs: of the trunk, as in `pjsip.conf`.
            calls: how many it makes before it ends.
            rate: how many of them it begins in a second.
            limit_s: seconds after which it ends in any case.
            extra: further lines of the trunk's endpoint.
        """
        target = _target(self.bed.host, self.bed.ports.sip, number, rate)
        async with self._running(
            scenario, target, codecs=codecs, extra=extra, calls=calls, limit_s=limit_s
        ) as one:
            yield one

    @contextlib.asynccontextmanager
    async def calling_freeswitch(
        self,
        scenario: str,
        sip: int,
        *,
        number: str = OUR_NUMBER,
        calls: int = 1,
        rate: float = 10.0,
        limit_s: int = 60,
    ) -> AsyncIterator[Sipp]:
        """A caller that dials `number` at once, at the carrier's own address.

        Args:
            scenario: the file's name, without its ending.
            sip: UDP port of the FreeSWITCH that is called.
            number: what is dialled.
            calls: how many it makes before it ends.
            rate: how many of them it begins in a second.
            limit_s: seconds after which it ends in any case.
        """
        target = _target(self.bed.host, sip, number, rate)
        place = self.bed.host, _free_port(self.bed.host)
        async with self._process(scenario, target, place, "", calls=calls, limit_s=limit_s) as one:
            yield one

    @contextlib.asynccontextmanager
    async def answering_freeswitch(
        self, scenario: str, *, calls: int = 1, limit_s: int = 120
    ) -> AsyncIterator[Sipp]:
        """A far end that no trunk leads to: it is dialled by its port, at the carrier's address."""
        place = self.bed.host, _free_port(self.bed.host)
        async with self._process(scenario, (), place, "", calls=calls, limit_s=limit_s) as one:
            yield one

    @contextlib.asynccontextmanager
    async def trunk_to(self, host: str, port: int, codecs: str = "alaw,ulaw") -> AsyncIterator[str]:
        """The name of a trunk of our Asterisk that leads to what listens there."""
        self._trunk_count += 1
        name = f"sipp-{self._trunk_count}"
        async with self._trunk(name, (host, port), codecs, ""):
            yield name

    @contextlib.asynccontextmanager
    async def _running(
        self,
        scenario: str,
        target: tuple[str, ...] = (),
        *,
        codecs: str,
        extra: str,
        calls: int = 1,
        limit_s: int,
    ) -> AsyncIterator[Sipp]:
        """One with an address and a trunk of its own: by either Asterisk knows whose call it is."""
        self._trunk_count += 1
        host, trunk = f"127.0.1.{self._trunk_count}", f"sipp-{self._trunk_count}"
        place = host, _free_port(host)
        async with (
            self._trunk(trunk, place, codecs, extra),
            self._process(scenario, target, place, trunk, calls=calls, limit_s=limit_s) as one,
        ):
            yield one

    @contextlib.asynccontextmanager
    async def _process(
        self,
        scenario: str,
        target: tuple[str, ...],
        place: tuple[str, int],
        trunk: str,
        *,
        calls: int = 1,
        limit_s: int,
    ) -> AsyncIterator[Sipp]:
        """One that listens at `place`."""
        self._count += 1
        home = self._folder / f"{self._count}-{scenario}"
        (home / "log").mkdir(parents=True)
        (home / "pcap").symlink_to(self._folder / "pcap")
        # SIPp looks for what is to be played beside the scenario.
        text = SHORT.get(scenario) or (SCENARIOS / f"{scenario}.xml").read_text()
        (home / "scenario.xml").write_text(text)
        host, port = place
        command = (
            *(_PROGRAM, *target, "-sf", str(home / "scenario.xml")),
            *("-i", host, "-mi", host, "-p", str(port), "-mp", str(_free_port(host))),
            *("-m", str(calls), "-nostdin", "-timeout", f"{limit_s}s"),
            *("-trace_msg", "-message_file", str(home / "messages")),
            *("-trace_err", "-error_file", str(home / "errors")),
        )
        process = await spawn(command, home)
        try:
            await _bound(process, host, port)
            yield Sipp(home, trunk, port, process)
        finally:
            await end(process, _STOP_S)

    @contextlib.asynccontextmanager
    async def _trunk(
        self, name: str, place: tuple[str, int], codecs: str, extra: str
    ) -> AsyncIterator[None]:
        """Our Asterisk knows that trunk."""
        bed, (host, port) = self.bed, place
        text = self._shipped[self._shipped.index("[trunk]") : self._shipped.index("#tryinclude")]
        carrier = f"sip:{bed.host}:{bed.ports.carrier_sip}"
        for pattern, own in (
            (r"(?<!from-)\btrunk(?=\]|-aor|-identify|$)", name),
            (re.escape(carrier), f"sip:{host}:{port}"),
            (r"^match = .*", f"match = {host}"),
            (r"^allow = .*", f"allow = {codecs}\n{extra}"),
            (r"^qualify_.*\n", ""),  # a scenario knows no OPTIONS
        ):
            text = re.sub(pattern, own, text, flags=re.MULTILINE)
        self._trunks[name] = text
        await self._reload()
        try:
            yield
        finally:
            del self._trunks[name]
            await self._reload()

    async def _reload(self) -> None:
        """Have our Asterisk know the trunks, and no others; once for several that wait."""
        ours = self.bed.ours
        async with self._reloading:
            wanted, text = set(self._trunks), self._shipped + "".join(self._trunks.values())
            if text == self._loaded:
                return
            (ours.etc / "pjsip.conf").write_text(text)
            for module in ("res_pjsip", "res_pjsip_endpoint_identifier_ip"):
                await ours.cli(f"module reload {module}.so")
            async with asyncio.timeout(_PATIENCE_S):
                known: set[str] | None = None
                while known != wanted:
                    await asyncio.sleep(0.05)
                    told = await ours.cli("pjsip show identifies")
                    known = set(re.findall(r"(sipp-\d+)-identify", told))
            self._loaded = text


async def _bound(process: Process, host: str, port: int) -> None:
    """Wait until it listens, or has ended; whoever tried the port himself could be in its way."""
    address = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    socket_of_it = f" {address:08X}:{port:04X} "
    async with asyncio.timeout(_PATIENCE_S):
        while process.returncode is None and socket_of_it not in _UDP_SOCKETS.read_text():
            await asyncio.sleep(0.02)


def _target(host: str, port: int, number: str, rate: float) -> tuple[str, ...]:
    """Whom to call, and how often: the options of a caller."""
    return (f"{host}:{port}", "-s", number, "-r", "1", "-rp", str(round(1000 / rate)))


def _free_port(host: str) -> int:
    """An even one, whose neighbours are free in all likelihood: loopback is wide."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((host, 0))
        return int(one.getsockname()[1]) & ~1


def why_not() -> str | None:
    """Why SIPp cannot run here; None where it can."""
    if shutil.which(_PROGRAM) is None:
        return "SIPp is not installed: apt-get install sip-tester"
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP).close()
    except PermissionError:
        return "SIPp plays RTP through a raw socket, which only root may open"
    return None
