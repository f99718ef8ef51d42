"""Each kind of PBX as the contract tests need it: switches for it, and a witness of its calls.

A witness is asked what really happened, through none of the code under test: the PBX's own
console or event socket, and the carrier's log.
"""

import asyncio
import json
import os
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Literal

from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.attempt import LiveAttempt
from pbx.freeswitch import FreeSwitchConfig, FreeSwitchSwitch
from pbx.incoming import IncomingCall, OnIncoming
from pbx.media import MediaServer
from pbx.switch import Attempt, Switch
from pbx.testbed import TestBed
from pbx.testbed.freeswitch import FreeSwitch, Witness
from tests.pbx.cable import Cable
from tests.pbx.esl_peer import EslPeer
from tests.pbx.tape import PASSWORD, TapeWriter

OUR_NUMBER = "+15550777"
PATIENCE_S = 20.0
#: Workers that play tapes side by side each bind ports of their own, as FreeSWITCH would.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_UNICAST_PORTS = range(20000 + 400 * (_WORKER % 5), 20400 + 400 * (_WORKER % 5))
_CARRIED = re.compile(r"NOTICE.*: carried (.*)$", re.MULTILINE)
_DIALLED = re.compile(r"NOTICE.*: dialled (\S+) (\S+) from (\S*) named (.*)")


@dataclass(frozen=True)
class Dialled:
    """A call that reached the carrier."""

    number: str
    call_id: str
    caller_number: str
    caller_name: str


class Pbx(ABC):
    """One PBX for one test. Its switches reach it through `cable`, which is plugged in."""

    kind: ClassVar[str]
    link: ClassVar[str]
    """The doctor's word for the link."""
    password_setting: ClassVar[str]
    port_setting: ClassVar[str]
    legs: ClassVar[Sequence[str]]
    """The channels of one call, by the beginnings of their names where they have some."""

    def __init__(self, cable: Cable) -> None:
        self.cable = cable

    @abstractmethod
    def make(
        self, media: MediaServer, on_incoming: OnIncoming | None = None, **settings: Any
    ) -> Switch:
        """A switch, not started. Settings: port, password, trunk, codec, link_grace_s, timeout_s,
        reconcile_interval_s."""

    @property
    def can_die(self) -> bool:
        """Whether `kill`, `stop` and `start_again` are for the tests to use."""
        return True

    @abstractmethod
    async def kill(self) -> None:
        """End the PBX without a word."""

    @abstractmethod
    async def stop(self) -> None:
        """Ask the PBX to end, and wait."""

    @abstractmethod
    async def start_again(self) -> None:
        """Start it after `kill` or `stop`."""

    @abstractmethod
    async def ask(self, what: str, question: Callable[[], Awaitable[Any]]) -> Any:
        """What a witness says; must be such that JSON can hold it."""

    async def until(self, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a witness says that it is so."""

        async def look() -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not await condition():
                    await asyncio.sleep(0.03)

        await self.ask(f"until {what}", look)

    @abstractmethod
    async def act(self, what: str, action: Callable[[], Awaitable[Any]]) -> None:
        """Have something happen at the PBX or the carrier, through none of the code under test."""

    @abstractmethod
    async def dialled(self) -> Sequence[Dialled]:
        """The calls that reached the carrier since the test began."""

    @abstractmethod
    async def carried(self) -> Mapping[str, str]:
        """The headers `pbx.testbed.personas.CARRIED` of the last call that reached the carrier."""

    @abstractmethod
    async def account(self, attempt: Attempt) -> str:
        """The account code of an attempt that is under way."""

    @abstractmethod
    async def until_calls(self, count: int) -> None:
        """Wait until the PBX has just so many calls; for none, the carrier too."""

    @abstractmethod
    async def until_answered(self) -> None:
        """Wait until one of the PBX's calls is answered."""

    @abstractmethod
    async def hang_up_on_console(self, attempt: Attempt, leg: str) -> None:
        """The operator hangs a channel of a call up; there is only that call."""

    @abstractmethod
    def ring(self, application: str = "Echo", data: str = "", name: str = "Ann") -> None:
        """The carrier calls OUR_NUMBER; `application` runs on its side at the answer."""

    @abstractmethod
    def invite(
        self, display_name: str, headers: Sequence[str] = (), number: str = OUR_NUMBER
    ) -> None:
        """A call whose From holds that display name, byte for byte, and that has those headers."""

    @abstractmethod
    async def keys_at_carrier(self) -> str:
        """The keys that the persona `key reader` has read last."""

    async def settled(self, attempt: Attempt) -> None:  # noqa: B027 - for most there is nothing
        """Wait until nothing more is done about a call that was answered."""

    @abstractmethod
    async def clear_carrier(self) -> None:
        """End the carrier's sides of calls that a dead PBX has left behind."""


class LivePbx(Pbx):
    """One that runs beside a real carrier.

    Args:
        bed: for the carrier.
        sip: UDP port on loopback where the carrier reaches it.
        cable: to it.
        tape: told what is done to it, and what its witness says.
    """

    def __init__(
        self, bed: TestBed, sip: int, cable: Cable, tape: TapeWriter | None = None
    ) -> None:
        super().__init__(cable)
        self.bed = bed
        self.tape = tape
        self._sip = sip
        self._log_from = len(bed.carrier.log())
        self._phone: socket.socket | None = None

    @abstractmethod
    async def channels(self) -> Sequence[tuple[str, bool]]:
        """(name or id, whether it is answered) of the channels that live now."""

    def note(self, mark: Literal["do", "ask", "answer"], text: str) -> None:
        """For the tape, if there is one."""
        if self.tape is not None:
            self.tape.note(mark, text)

    async def ask(self, what: str, question: Callable[[], Awaitable[Any]]) -> Any:
        self.note("ask", what)
        answer = await question()
        self.note("answer", json.dumps(answer))
        return answer

    async def act(self, what: str, action: Callable[[], Awaitable[Any]]) -> None:
        self.note("do", what)
        await action()

    async def dialled(self) -> Sequence[Dialled]:
        found = _DIALLED.findall(self.bed.carrier.log()[self._log_from :])
        # The carrier does not undo the quoted pairs of a display name (RFC 3261 section 25.1).
        calls = [
            Dialled(number, call_id, caller, re.sub(r"\\(.)", r"\1", name))
            for number, call_id, caller, name in found
        ]
        self.note("ask", "dialled")
        self.note("answer", json.dumps([astuple(call) for call in calls]))
        return calls

    async def carried(self) -> Mapping[str, str]:
        async def look() -> Mapping[str, str]:
            last = _CARRIED.findall(self.bed.carrier.log()[self._log_from :])[-1]
            return dict(re.findall(r"(\S+)=\[(.*?)\](?= \S+=\[|$)", last))

        found: Mapping[str, str] = await self.ask("carried", look)
        return found

    async def account(self, attempt: Attempt) -> str:
        found: str = await self.ask("account", lambda: self.account_of(attempt))
        return found

    @abstractmethod
    async def account_of(self, attempt: Attempt) -> str:
        """As `account`, for no tape."""

    async def until_calls(self, count: int) -> None:
        async def none_or_so_many() -> bool:
            if len(await self.channels()) != count * len(self.legs):
                return False
            return count != 0 or not await self.bed.carrier.channels()

        await self.until(f"calls {count}", none_or_so_many)

    async def until_answered(self) -> None:
        async def one_is() -> bool:
            leg = self.legs[-1]
            return any(up and name.startswith(leg) for name, up in await self.channels())

        await self.until("answered", one_is)

    @property
    @abstractmethod
    def inbound_route(self) -> str:
        """What the carrier dials to reach OUR_NUMBER."""

    def ring(self, application: str = "Echo", data: str = "", name: str = "Ann") -> None:
        self.note("do", f"ring {application}")
        self.bed.carrier.call_in(
            self.inbound_route,
            caller_id=f'"{name}" <+15550888>',
            application=application,
            data=data,
        )

    async def final_answer(self) -> int:
        """The status of the first answer to `invite` that is not provisional."""
        assert self._phone is not None
        phone = self._phone
        phone.settimeout(PATIENCE_S)
        while True:
            said = await asyncio.to_thread(phone.recv, 4096)
            if (found := re.match(rb"SIP/2\.0 ([2-6]\d\d) ", said)) is not None:
                return int(found[1])

    def invite(
        self, display_name: str, headers: Sequence[str] = (), number: str = OUR_NUMBER
    ) -> None:
        self.note("do", "invite")
        phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._phone = phone
        phone.bind(("127.0.0.1", 0))
        host, port = phone.getsockname()
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port + 1} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        extra = "".join(f"{header}\r\n" for header in headers)
        invite = (
            f"INVITE sip:{number}@{host}:{self._sip} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{port};rport\r\n"
            f'From: "{display_name}" <sip:+15550666@{host}>;tag=1\r\n'
            f"To: <sip:{number}@{host}>\r\n"
            f"{extra}"
            f"Call-ID: raw-{port}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:x@{host}:{port}>\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(sdp)}\r\n\r\n{sdp}"
        )
        phone.sendto(invite.encode(), (host, self._sip))

    async def keys_at_carrier(self) -> str:
        read: list[str] = re.findall(r"keys (\S*)$", self.bed.carrier.log(), re.MULTILINE)
        keys = read[-1] if read else ""
        self.note("ask", "keys")
        self.note("answer", json.dumps(keys))
        return keys

    async def clear_carrier(self) -> None:
        await self.act("clear carrier", lambda: self.bed.carrier.cli("channel request hangup all"))

    def close(self) -> None:
        """Give the socket of `invite` back."""
        if self._phone is not None:
            self._phone.close()


class AsteriskPbx(LivePbx):
    """The test bed's own Asterisk."""

    kind = "asterisk"
    link = "ami"
    password_setting = "pbx.ami.secret"
    port_setting = "pbx.ami.port"
    legs = ("UnicastRTP", "PJSIP")

    def __init__(self, bed: TestBed, cable: Cable) -> None:
        super().__init__(bed, bed.ports.sip, cable)

    def make(
        self, media: MediaServer, on_incoming: OnIncoming | None = None, **settings: Any
    ) -> AsteriskSwitch:
        names = {"password": "secret", "timeout_s": "action_timeout_s"}
        given = {names.get(name, name): value for name, value in settings.items()}
        config = AsteriskConfig(
            **{
                "host": "127.0.0.1",
                "port": self.cable.port,
                "username": self.bed.username,
                "secret": self.bed.secret,
                "trunk": self.bed.trunk,
                "invite_timeout_s": self.bed.invite_timeout_s,
                "fastagi_port": self.bed.ports.agi if on_incoming else 0,
                "fastagi_secret": self.bed.agi_secret,
                "reconnect_min_s": 0.05,
                **given,
            }
        )
        return AsteriskSwitch(config, media, on_incoming)

    async def kill(self) -> None:
        await self.bed.ours.kill()

    async def stop(self) -> None:
        await self.bed.ours.stop()

    async def start_again(self) -> None:
        await self.bed.restart_ours()

    async def channels(self) -> Sequence[tuple[str, bool]]:
        return [(one.name, one.state == "Up") for one in await self.bed.ours.channels()]

    async def account_of(self, attempt: Attempt) -> str:
        lines = (await self.bed.ours.cli("core show channels concise")).splitlines()
        (account,) = {line.split("!")[8] for line in lines if line.endswith(attempt.id)}
        return account

    async def hang_up_on_console(self, attempt: Attempt, leg: str) -> None:
        (name,) = [name for name, _ in await self.channels() if name.startswith(leg)]
        await self.bed.ours.cli(f"channel request hangup {name}")

    @property
    def inbound_route(self) -> str:
        return f"PJSIP/{OUR_NUMBER}@customer"


class AnyFreeSwitch(Pbx):
    """What a FreeSWITCH has in common with one that is played from a tape."""

    kind = "freeswitch"
    link = "esl"
    password_setting = "pbx.esl.password"
    port_setting = "pbx.esl.port"
    legs = ("",)

    async def settled(self, attempt: Attempt) -> None:
        assert isinstance(attempt, LiveAttempt)
        assert await attempt.leg.wait_heard(PATIENCE_S)


class FreeSwitchPbx(AnyFreeSwitch, LivePbx):
    """A FreeSWITCH that answers.

    Args:
        bed: for the carrier.
        server: asked as a witness; started by us (then it may also be killed) or not.
        sip: UDP port where the carrier rings it.
        cable: to it.
        tape: see `LivePbx`.
    """

    def __init__(
        self,
        bed: TestBed,
        server: Witness,
        sip: int,
        cable: Cable,
        tape: TapeWriter | None = None,
    ) -> None:
        super().__init__(bed, sip, cable, tape)
        self._server = server

    def make(
        self, media: MediaServer, on_incoming: OnIncoming | None = None, **settings: Any
    ) -> FreeSwitchSwitch:
        return freeswitch_switch(self.cable, self._server.password, media, on_incoming, settings)

    @property
    def can_die(self) -> bool:
        return isinstance(self._server, FreeSwitch)

    async def kill(self) -> None:
        assert isinstance(self._server, FreeSwitch)
        self.tape = None
        await self._server.kill()

    async def stop(self) -> None:
        assert isinstance(self._server, FreeSwitch)
        self.tape = None
        await self._server.stop()

    async def start_again(self) -> None:
        assert isinstance(self._server, FreeSwitch)
        await self._server.start()

    async def channels(self) -> Sequence[tuple[str, bool]]:
        lines = (await self._server.api("show channels as delim |")).splitlines()
        if not lines or "callstate" not in lines[0]:
            return []
        names = lines[0].split("|")
        rows = [dict(zip(names, line.split("|"), strict=False)) for line in lines[1:]]
        return [(row["uuid"], row["callstate"] == "ACTIVE") for row in rows if "callstate" in row]

    async def account_of(self, attempt: Attempt) -> str:
        return await self._server.api(f"uuid_getvar {attempt.id} accountcode")

    async def hang_up_on_console(self, attempt: Attempt, leg: str) -> None:
        await self.act("hang up on console", lambda: self._server.api(f"uuid_kill {attempt.id}"))

    @property
    def inbound_route(self) -> str:
        return f"PJSIP/customer/sip:{OUR_NUMBER}@127.0.0.1:{self._sip}"


class ReplayedFreeSwitch(AnyFreeSwitch):
    """One that a peer plays from a tape; the witness's answers are on it too.

    Args:
        peer: plays.
        cable: to it.
    """

    def __init__(self, peer: EslPeer, cable: Cable) -> None:
        super().__init__(cable)
        self._peer = peer

    def make(
        self, media: MediaServer, on_incoming: OnIncoming | None = None, **settings: Any
    ) -> FreeSwitchSwitch:
        return freeswitch_switch(self.cable, PASSWORD, media, on_incoming, settings)

    @property
    def can_die(self) -> bool:
        return False

    async def kill(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    async def start_again(self) -> None:
        raise NotImplementedError

    async def ask(self, what: str, question: Callable[[], Awaitable[Any]]) -> Any:
        return json.loads(await self._peer.ask(what))

    async def act(self, what: str, action: Callable[[], Awaitable[Any]]) -> None:
        self._peer.do(what)

    async def dialled(self) -> Sequence[Dialled]:
        return [Dialled(*fields) for fields in json.loads(await self._peer.ask("dialled"))]

    async def carried(self) -> Mapping[str, str]:
        found: Mapping[str, str] = json.loads(await self._peer.ask("carried"))
        return found

    async def account(self, attempt: Attempt) -> str:
        found: str = json.loads(await self._peer.ask("account"))
        return found

    async def until_calls(self, count: int) -> None:
        await self._peer.ask(f"until calls {count}")

    async def until_answered(self) -> None:
        await self._peer.ask("until answered")

    async def hang_up_on_console(self, attempt: Attempt, leg: str) -> None:
        self._peer.do("hang up on console")

    def ring(self, application: str = "Echo", data: str = "", name: str = "Ann") -> None:
        self._peer.do(f"ring {application}")

    def invite(
        self, display_name: str, headers: Sequence[str] = (), number: str = OUR_NUMBER
    ) -> None:
        self._peer.do("invite")

    async def keys_at_carrier(self) -> str:
        keys: str = json.loads(await self._peer.ask("keys"))
        return keys

    async def clear_carrier(self) -> None:
        self._peer.do("clear carrier")


def freeswitch_switch(
    cable: Cable,
    password: str,
    media: MediaServer,
    on_incoming: OnIncoming | None,
    settings: Mapping[str, Any],
) -> FreeSwitchSwitch:
    """A switch at the other end of the cable; neither pings nor patrols fall into a test."""
    given = {
        {"timeout_s": "command_timeout_s"}.get(name, name): value
        for name, value in settings.items()
    }
    config = FreeSwitchConfig(
        **{
            "host": "127.0.0.1",
            "port": cable.port,
            "password": password,
            "invite_timeout_s": FreeSwitch.invite_timeout_s,
            "reconnect_min_s": 0.05,
            "ping_interval_s": 60.0,
            "reconcile_interval_s": 300.0,
            "unicast_port_min": _UNICAST_PORTS.start,
            "unicast_port_max": _UNICAST_PORTS.stop - 1,
            **given,
        }
    )
    return FreeSwitchSwitch(config, media, on_incoming)


class Reception:
    """A switch that takes calls, and the calls that came."""

    def __init__(self, pbx: Pbx, media: MediaServer, **settings: Any) -> None:
        self.calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self.switch = pbx.make(media, self.calls.put, **settings)

    async def next_call(self) -> IncomingCall:
        async with asyncio.timeout(PATIENCE_S):
            return await self.calls.get()
