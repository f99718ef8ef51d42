"""What comes at the same moment, or does not come any more."""

import asyncio

import pytest

from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.switch import FreeSwitchSwitch
from pbx.media import MediaServer
from pbx.switch import Answered
from tests.pbx.calls import cause, dial, until, until_over
from tests.pbx.test_freeswitch_doctor import GOOD
from tests.pbx.test_freeswitch_link import Peer, Script, Server

_HASTY = ("CREATE", "ANSWER", "PARK", "HANGUP_COMPLETE")


def hasty(opened: list[str], *, calls: int) -> Script:
    """That many calls are over as soon as they have parked; the next one stays."""
    left = calls

    async def script(peer: Peer) -> None:
        nonlocal left
        await peer.welcome()
        while True:
            command, *headers = (await peer.command()).split("\n")
            fields = dict(header.split(": ", 1) for header in headers)
            if command.startswith("sendmsg"):
                opened.append(fields["local-port"])
                peer.reply("-ERR invalid session id" if left >= 0 else "+OK")
                continue
            number = fields["Job-UUID"]
            peer.reply(f"+OK Job-UUID: {number}", Job_UUID=number)
            command = command.removeprefix("bgapi ")
            if command.startswith("originate"):
                left -= 1
                uuid = command.split("origination_uuid=")[1].split("|", maxsplit=1)[0]
                for name in _HASTY if left >= 0 else _HASTY[:-1]:
                    tell(peer, uuid, name)
            elif command.startswith("uuid_kill"):
                tell(peer, command.split()[1], "HANGUP_COMPLETE")
            peer.finish(number, GOOD.get(command, "false"))

    return script


def tell(peer: Peer, uuid: str, name: str) -> None:
    peer.event(
        f"Event-Name: CHANNEL_{name}\nUnique-ID: {uuid}\nAnswer-State: answered\n"
        "Hangup-Cause: NORMAL_CLEARING\n\n".encode()
    )


async def test_calls_that_end_as_they_park_give_their_ports_back(media: MediaServer) -> None:
    opened: list[str] = []
    async with asyncio.timeout(20), Server(hasty(opened, calls=20)) as server:
        config = FreeSwitchConfig(
            port=server.port, password="x", unicast_port_min=23000, unicast_port_max=23001
        )
        switch = FreeSwitchSwitch(config, media)
        await switch.start()
        for _ in range(20):
            attempt = await switch.originate(dial("hasty"))
            assert cause(await until_over(attempt)).state == "completed"
            assert media.open_legs == 0
        opened.clear()
        attempt = await switch.originate(dial("silent"))
        while not opened:
            await asyncio.sleep(0.01)
        await attempt.hang_up()
        await switch.close()


async def test_patience_with_a_link_that_is_lost_again_and_again_has_an_end(
    media: MediaServer,
) -> None:
    """It comes back each time, and goes before the calls are compared."""
    cut = asyncio.Event()

    async def once(peer: Peer) -> None:
        play = asyncio.ensure_future(hasty([], calls=0)(peer))
        await cut.wait()
        play.cancel()

    async def again(peer: Peer) -> None:
        await peer.welcome()
        await peer.take()

    async with asyncio.timeout(20), Server(once, again) as server:
        config = FreeSwitchConfig(
            port=server.port,
            password="x",
            reconnect_min_s=0.01,
            reconnect_max_s=0.02,
            link_grace_s=0.3,
        )
        switch = FreeSwitchSwitch(config, media)
        await switch.start()
        attempt = await switch.originate(dial("silent"))
        cut.set()
        assert "too long" in cause(await until_over(attempt)).message
        assert len(server.peers) > 2
        await switch.close()


async def test_a_freeswitch_that_cannot_tell_of_its_channels_has_not_lost_them(
    media: MediaServer,
) -> None:
    """As while an operator reloads mod_commands."""
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        while True:
            number, command = await peer.take()
            name, *arguments = command.split()
            if name == "originate":
                tell(peer, wish.id, "CREATE")
                tell(peer, wish.id, "ANSWER")
                continue
            if name == "uuid_dump":
                asked.set()
            elif name == "uuid_kill":
                tell(peer, arguments[0], "HANGUP_COMPLETE")
            peer.finish(number, GOOD.get(command, f"-ERR {name} Command not found!\n"))

    wish = dial("silent")
    async with asyncio.timeout(20), Server(script) as server:
        config = FreeSwitchConfig(port=server.port, password="x", reconcile_interval_s=0.05)
        switch = FreeSwitchSwitch(config, media)
        await switch.start()
        attempt = await switch.originate(wish)
        for _ in range(30):  # longer than a last word is waited for
            asked.clear()
            await asked.wait()
        await attempt.hang_up()
        assert cause(await until_over(attempt)).state == "completed"
        await switch.close()


@pytest.mark.parametrize("bridged", [True, False])
async def test_who_is_left_alone_by_a_join_that_came_to_nothing_is_hung_up(
    media: MediaServer, bridged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a real FreeSWITCH does when one hangs up at that very moment: +OK, and a wait for ever.

    Once they were bridged it is an operator who has put the other one through to somebody.
    """
    monkeypatch.setattr("pbx.freeswitch.transfers._JOIN_S", 0.05)
    left = dial("echo")

    async def script(peer: Peer) -> None:
        await peer.welcome()
        while True:
            number, command = await peer.take()
            name, *arguments = command.split()
            peer.finish(number, GOOD.get(command, "+OK"))
            if name == "originate":
                uuid = command.split("origination_uuid=")[1].split("|", maxsplit=1)[0]
                tell(peer, uuid, "CREATE")
                tell(peer, uuid, "ANSWER")
            elif name == "uuid_bridge":
                if bridged:
                    tell(peer, arguments[0], "BRIDGE")
                tell(peer, arguments[1], "HANGUP_COMPLETE")
            elif name == "uuid_kill":
                tell(peer, arguments[0], "HANGUP_COMPLETE")

    async with asyncio.timeout(20), Server(script) as server:
        config = FreeSwitchConfig(port=server.port, password="x")
        switch = FreeSwitchSwitch(config, media)
        await switch.start()
        attempt, other = await switch.originate(left), await switch.originate(dial("silent"))
        await asyncio.gather(until(attempt, Answered), until(other, Answered))
        await attempt.join(other)
        await until_over(other)
        over = asyncio.create_task(until_over(attempt))
        _, waiting = await asyncio.wait({over}, timeout=0.5)
        assert bool(waiting) == bridged
        await switch.close()
        assert cause(await over).state == "completed"
