"""What a FreeSWITCH does that a good one seldom does: no audio, no channel, a trunk that fails."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from urllib.parse import unquote

import pytest

from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.switch import FreeSwitchSwitch
from pbx.incoming import IncomingCall, OnIncoming, Refusal
from pbx.media import MediaServer
from pbx.switch import Answered, SwitchRefused, SwitchUnavailable
from tests.pbx.calls import cause, dial, until, until_over
from tests.pbx.test_freeswitch_doctor import GOOD
from tests.pbx.test_freeswitch_link import Peer, Script, Server


@contextlib.asynccontextmanager
async def switch_over(
    script: Script,
    media: MediaServer,
    ports: int = 100,
    on_incoming: OnIncoming | None = None,
) -> AsyncIterator[FreeSwitchSwitch]:
    async with asyncio.timeout(10), Server(script) as server:
        config = FreeSwitchConfig(
            port=server.port,
            password="x",
            command_timeout_s=0.3,
            unicast_port_min=23000,
            unicast_port_max=22999 + ports,
        )
        switch = FreeSwitchSwitch(config, media, on_incoming)
        await switch.start()
        yield switch
        await switch.close()


@pytest.mark.parametrize("destroyed", [True, False])
async def test_a_trunk_that_fails_between_the_question_and_the_call(
    media: MediaServer, destroyed: bool
) -> None:
    """As a real FreeSWITCH does: no CHANNEL_CREATE, a CHANNEL_DESTROY or none, the job's -ERR."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        while True:
            number, command = await peer.take()
            if command.startswith("originate"):
                uuid = command.split("origination_uuid=")[1].split("|")[0]
                event = f"Event-Name: CHANNEL_DESTROY\nUnique-ID: {uuid}\n\n"
                if destroyed:
                    peer.event(event.encode())
                peer.finish(number, "-ERR GATEWAY_DOWN\n")
            else:
                peer.finish(number, GOOD.get(command, "false"))

    async with switch_over(script, media) as switch:
        for _ in range(2):
            with pytest.raises(SwitchRefused, match="GATEWAY_DOWN") as refusal:
                await switch.originate(dial("busy"))
            assert refusal.value.field == "trunk"
        assert media.open_legs == 0


async def test_an_originate_that_freeswitch_takes_and_does_not_act_on(media: MediaServer) -> None:
    """Its fate is unknown: never sent again, and killed whenever it shows itself."""
    commands: list[str] = []
    shown = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        while True:
            number, command = await peer.take()
            commands.append(command)
            if command.startswith("originate"):
                continue
            if command.startswith("uuid_kill") and not shown.is_set():
                shown.set()
                uuid = command.split()[1]
                peer.finish(number, "-ERR No such channel!\n")
                peer.event(f"Event-Name: CHANNEL_CREATE\nUnique-ID: {uuid}\n\n".encode())
            else:
                peer.finish(number, GOOD.get(command, "false"))

    async with switch_over(script, media) as switch:
        wish = dial("silent")
        with pytest.raises(SwitchUnavailable, match="did not act on it"):
            await switch.originate(wish)
        kill = f"uuid_kill {wish.id} NORMAL_CLEARING"
        while commands.count(kill) < 2:
            await asyncio.sleep(0.01)
        assert media.open_legs == 0
        assert len([one for one in commands if one.startswith("originate")]) == 1


class Deaf:
    """A FreeSWITCH whose calls are answered at once, and whose `unicast` brings no audio.

    Args:
        silent: how many times it does not; then it does.
    """

    def __init__(self, silent: int) -> None:
        self.ports: list[int] = []
        self._silent = silent
        self._uuid = ""
        self._audio: asyncio.Task[None] | None = None

    async def __call__(self, peer: Peer) -> None:
        await peer.welcome()
        while True:
            command, *headers = (await peer.command()).split("\n")
            fields = dict(header.split(": ", 1) for header in headers)
            if command.startswith("sendmsg"):
                peer.reply()
                self._unicast(fields)
                continue
            number = fields["Job-UUID"]
            peer.reply(f"+OK Job-UUID: {number}", Job_UUID=number)
            self._job(peer, number, command.removeprefix("bgapi "))

    def _job(self, peer: Peer, number: str, command: str) -> None:
        if command.startswith("originate"):
            self._uuid = command.split("origination_uuid=")[1].split("|", maxsplit=1)[0]
            for name in ("CREATE", "ANSWER", "PARK"):
                self._tell(peer, name)
        elif command == f"uuid_transfer {self._uuid} 'park' inline":
            self._tell(peer, "UNPARK")
            self._tell(peer, "PARK")
        elif command.startswith("uuid_kill"):
            self._tell(peer, "HANGUP_COMPLETE")
        peer.finish(number, GOOD.get(command, "false"))

    def _tell(self, peer: Peer, name: str) -> None:
        peer.event(
            f"Event-Name: CHANNEL_{name}\nUnique-ID: {self._uuid}\nAnswer-State: answered\n"
            "Hangup-Cause: NORMAL_CLEARING\n\n".encode()
        )

    def _unicast(self, fields: dict[str, str]) -> None:
        self.ports.append(int(fields["local-port"]))
        if len(self.ports) > self._silent:
            self._audio = asyncio.create_task(self._sound(int(fields["remote-port"])))

    async def _sound(self, remote: int) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, ("127.0.0.1", self.ports[-1]), ("127.0.0.1", remote)
        )
        transport.sendto(bytes(320))
        transport.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.freeswitch.switch._FIRST_AUDIO_S", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_audio_that_does_not_come_is_looked_for_on_other_ports(media: MediaServer) -> None:
    deaf = Deaf(silent=3)
    async with switch_over(deaf, media) as switch:
        attempt = await switch.originate(dial("echo"))
        events = await until_over(attempt)
        assert (cause(events).state, cause(events).name) == ("failed", "pbx_lost_call")
        assert "There was no audio: FreeSWITCH sent none" in cause(events).message
        assert len(set(deaf.ports)) == 3
        assert media.open_legs == 0


@pytest.mark.usefixtures("impatient")
async def test_audio_that_comes_at_the_second_port_is_good(media: MediaServer) -> None:
    deaf = Deaf(silent=1)
    async with switch_over(deaf, media) as switch:
        attempt = await switch.originate(dial("echo"))
        await until(attempt, Answered)
        while not attempt.media_stats().received:
            await asyncio.sleep(0.01)
        await attempt.hang_up()
        assert cause(await until_over(attempt)).state == "completed"
        assert len(set(deaf.ports)) == 2


@pytest.mark.usefixtures("impatient")
async def test_there_are_no_more_ports_than_there_are(media: MediaServer) -> None:
    deaf = Deaf(silent=1)
    async with switch_over(deaf, media, ports=1) as switch:
        attempt = await switch.originate(dial("echo"))
        assert "unicast_port_min" in cause(await until_over(attempt)).message


_PARKED = b"""\
Event-Name: CHANNEL_PARK
Unique-ID: 9d97f5e3-ab44-4d0e-8f5c-3a1b2c4d5e6f
Call-Direction: inbound
Answer-State: ringing
variable_offhook: true
Caller-Destination-Number: +15550777
Caller-Caller-ID-Number: +15550888

"""


@pytest.mark.rows("X-CB-32")
@pytest.mark.parametrize("refusal", [Refusal.USER_BUSY, RuntimeError("no agent")])
async def test_a_refused_inbound_call_is_killed_and_never_answered(
    media: MediaServer, refusal: Refusal | Exception
) -> None:
    asked: list[str] = []
    first: asyncio.Queue[str] = asyncio.Queue()

    async def refuse(call: IncomingCall) -> Refusal:
        asked.append(call.number)
        if isinstance(refusal, Exception):
            raise refusal
        return refusal

    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.event(_PARKED)
        while True:
            number, command = await peer.take()
            if command.startswith("uuid_dump"):
                peer.finish(number, "-ERR No such channel!\n")
            else:
                peer.finish(number, "+OK")
                first.put_nowait(command)

    async with switch_over(script, media, on_incoming=refuse):
        command = await first.get()
    name = refusal.name if isinstance(refusal, Refusal) else "NORMAL_CIRCUIT_CONGESTION"
    assert command == f"uuid_kill 9d97f5e3-ab44-4d0e-8f5c-3a1b2c4d5e6f {name}"
    assert asked == ["+15550777"]
    assert media.open_legs == 0
    assert first.empty()


@pytest.mark.parametrize(
    "uuid",
    [
        "9d97f5e3-ab44-4d0e-8f5c-3a1b2c4d5e6f%20all",
        "9d97f5e3-ab44-4d0e-8f5c-3a1b2c4d5e6f@198.51.100.7",
        "offhook-1%20NORMAL_CLEARING",
        "all",
    ],
)
async def test_an_id_that_the_caller_chose_is_in_no_command(media: MediaServer, uuid: str) -> None:
    """As a Sofia profile with `inbound-use-callid-as-uuid` takes it from the Call-ID."""
    commands: list[str] = []
    asked: asyncio.Queue[IncomingCall] = asyncio.Queue()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for known in (uuid, "9d97f5e3-ab44-4d0e-8f5c-3a1b2c4d5e6f"):
            peer.event(re.sub(rb"(?<=Unique-ID: ).*", known.encode(), _PARKED))
        while True:
            number, command = await peer.take()
            commands.append(command)
            peer.finish(number, "-ERR No such channel!\n" if "dump" in command else "+OK")

    async with switch_over(script, media, on_incoming=asked.put):
        call = await asked.get()
    assert call.attempt.id == "9d97f5e3-ab44-4d0e-8f5c-3a1b2c4d5e6f"
    assert asked.empty()
    assert not [one for one in commands if unquote(uuid) in one]


async def test_a_channel_that_only_looks_like_ours_is_in_no_command(media: MediaServer) -> None:
    commands: list[str] = []
    rows = [{"uuid": "offhook-1 NORMAL_CLEARING"}, {"uuid": "offhook-2"}]

    async def script(peer: Peer) -> None:
        await peer.welcome()
        while True:
            number, command = await peer.take()
            commands.append(command)
            peer.finish(number, json.dumps({"rows": rows}) if "show" in command else "_undef_")

    async with switch_over(script, media) as switch:
        assert await switch.living_channels() == ["offhook-2"]
    assert not [one for one in commands if "offhook-1" in one]
