"""The bench's small Asterisk manager says what a real one said, and our switch can live on it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest

from bench.ami_peer import SECRET, TRUNK, AmiPeer, Script, peer_process
from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.media import MediaServer
from pbx.switch import Answered, Attempt, Dial, Dialing, Ended, Ringing, SwitchRefused

RECORDINGS = Path(__file__).parents[1] / "pbx" / "recordings"
Headers = dict[str, str]

#: What is another one in every call, and the number that is dialled.
LIVE = (
    (r"UnicastRTP/127\.0\.0\.1:[0-9]+-0x[0-9a-f]+", "media leg"),
    (r"PJSIP/trunk-[0-9a-f]+", "far leg"),
    (r"[0-9]{10}\.[0-9]+", "far id"),
    (r"127\.0\.0\.1:[0-9]+", "our audio"),
    (r"\+1555[0-9]+", "number"),
    (r",[0-9]+(,g)?$", ",ring time"),
)


@cache
def recorded_headers() -> frozenset[str]:
    """The recordings keep what somebody reads."""
    events = [
        event for path in RECORDINGS.glob("*.json") for _, event in json.loads(path.read_text())
    ]
    return frozenset(name for event in events for name in event)


def alike(event: Headers) -> Headers:
    event = {name: value for name, value in event.items() if name in recorded_headers()}
    if event.get("Variable") == "UNICASTRTP_LOCAL_PORT":
        event = event | {"Value": "a port"}
    for pattern, word in LIVE:
        event = {name: re.sub(pattern, word, value) for name, value in event.items()}
    # The dialplan's extension goes empty once Dial has connected; nobody reads it.
    return {name: "s" if name.endswith("Exten") else value for name, value in event.items()}


def settled(events: list[Headers]) -> list[Headers]:
    """Which leg's end is told first is chance, with a real Asterisk too."""
    told = [alike(event) for event in events]
    *story, last, very_last = told
    return [*story, *sorted((last, very_last), key=lambda event: event["Channel"])]


async def tell(
    port: int, number: str, *, ring_timeout_s: int = 30, cancel: bool = False
) -> list[Headers]:
    """The events of one call, as a bare client reads them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    def act(**fields: str) -> None:
        writer.write(("".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n").encode())

    act(Action="Login", Username="offhook", Secret=SECRET)
    act(
        Action="Originate",
        ActionID="offhook-1",
        Channel="UnicastRTP/127.0.0.1:4000/c(ulaw)",
        ChannelId="offhook-1",
        Application="Dial",
        Data=f"PJSIP/{number}@{TRUNK},{ring_timeout_s}",
        Async="true",
        CallerID='"" <+15550001111>',
    )
    events: list[Headers] = []
    while [event["Event"] for event in events].count("Hangup") < 2:
        message = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in message.split("\r\n") if ": " in line)
        if headers.get("Event") not in (None, "FullyBooted"):
            events.append(headers)
        if cancel and headers.get("DialStatus") == "RINGING":
            act(Action="Hangup", Channel="offhook-1")
    writer.close()
    return events


def recording(name: str) -> list[Headers]:
    return [event for _, event in json.loads((RECORDINGS / f"{name}.json").read_text())]


@pytest.mark.parametrize(
    ("name", "digit"), [("busy", 7), ("congestion", 9), ("hasty", 0), ("cancel_while_ringing", 8)]
)
async def test_says_what_a_real_asterisk_said(name: str, digit: int) -> None:
    async with AmiPeer(Script(0.0, 0.0)) as peer:
        told = await tell(peer.port, f"+1555000000{digit}", cancel=name.startswith("cancel"))
    assert settled(told) == settled(recording(name))


async def test_says_what_a_real_asterisk_said_when_nobody_answers() -> None:
    async with AmiPeer() as peer:
        told = await tell(peer.port, "+15550000008", ring_timeout_s=0)
    # That recording's far leg rang before Dial had told of it.
    assert settled(told)[-4:] == settled(recording("ring_timeout"))[-4:]


@asynccontextmanager
async def switch_on(port: int) -> AsyncIterator[AsteriskSwitch]:
    media = MediaServer("127.0.0.1", 41000, 41999)
    await media.start()
    config = AsteriskConfig(port=port, secret=SECRET, trunk=TRUNK, reconnect_min_s=0.01)
    switch = AsteriskSwitch(config, media)
    await switch.start()
    try:
        yield switch
    finally:
        await switch.close()
        await media.close()
        assert media.open_legs == 0


async def story(attempt: Attempt) -> tuple[list[type], str]:
    told = [event async for event in attempt.progress()]
    assert isinstance(told[-1], Ended)
    return [type(event) for event in told], told[-1].cause.state


@pytest.mark.parametrize(
    ("digit", "kinds", "state"),
    [
        (0, [Dialing, Ringing, Answered, Ended], "completed"),
        (7, [Dialing, Ringing, Ended], "busy"),
        (9, [Dialing, Ended], "failed"),
    ],
)
async def test_our_switch_calls_over_it(digit: int, kinds: list[type], state: str) -> None:
    async with AmiPeer(Script(0.0, 0.0)) as peer, switch_on(peer.port) as switch:
        attempt = await switch.originate(Dial("offhook-1", f"+1555000000{digit}"))
        assert await story(attempt) == (kinds, state)
        assert await switch.living_channels() == []


async def test_a_channel_id_in_use_is_not_dialled_again() -> None:
    async with AmiPeer() as peer, switch_on(peer.port) as switch, switch_on(peer.port) as other:
        attempt = await switch.originate(Dial("offhook-1", "+15550000008"))
        with pytest.raises(SwitchRefused, match="already"):
            await other.originate(Dial("offhook-1", "+15550000008"))
        assert len(peer.stories) == 1
        await attempt.hang_up()
        assert (await story(attempt))[1] == "canceled"


async def test_calls_outlive_their_connection() -> None:
    async with peer_process(Script()) as peer:
        async with switch_on(peer.port) as switch:
            await switch.originate(Dial("offhook-1", "+15550000008"))
            await switch._link.close()  # as if this process had been killed
            async with switch_on(peer.port) as next_:
                assert await next_.living_channels() == ["offhook-1"]
                await next_.hang_up_channel("offhook-1")
                assert await next_.living_channels() == []
        (told,) = await peer.stories()
    assert (told["id"], told["number"]) == ("offhook-1", "+15550000008")
    assert told["dialled"] <= told["ringing"] <= told["ended"]
