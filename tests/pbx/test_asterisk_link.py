"""The AMI link while it is being made, against a manager that is played."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.link import AmiLink
from pbx.switch import SwitchUnavailable

_SOON_S = 10.0


class Manager:
    """An AMI that answers when it is let, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heard = asyncio.Event()
        self.answers = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        try:
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = dict(line.split(": ", 1) for line in block if line)
                self.asked.append(fields["Action"])
                self.heard.set()
                await self.answers.wait()
                number = fields["ActionID"]
                writer.write(f"Response: Success\r\nActionID: {number}\r\n\r\n".encode())
                if fields["Action"] == "Login":
                    writer.write(b"Event: FullyBooted\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def managed() -> AsyncIterator[Manager]:
    """Play a manager, for at most `_SOON_S`."""
    played = Manager()
    async with asyncio.timeout(_SOON_S):
        server = await asyncio.start_server(played.serve, "127.0.0.1", 0)
        async with server:
            played.port = server.sockets[0].getsockname()[1]
            yield played
        await server.wait_closed()


async def test_no_action_goes_out_before_the_login_is_answered() -> None:
    async with managed() as manager:

        async def reconcile() -> None:
            await link.act("CoreShowChannels")

        link = AmiLink(AsteriskConfig(port=manager.port), lambda _: None, reconcile, lambda: None)
        opening = asyncio.create_task(link.open())
        await asyncio.sleep(0)
        with pytest.raises(SwitchUnavailable, match="no AMI connection"):
            await link.act("Ping")
        await manager.heard.wait()
        with pytest.raises(SwitchUnavailable, match="no AMI connection"):
            await link.act("Ping")
        manager.answers.set()
        await opening
        await link.act("Ping")
        await link.close()
        with pytest.raises(SwitchUnavailable, match="no AMI connection"):
            await link.act("Ping")
    assert manager.asked == ["Login", "CoreShowChannels", "Ping"]
