"""The peer that plays tapes lets nothing pass that the tape has not."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.pbx.esl_peer import EslPeer, PeerError
from tests.pbx.tape import Record

_PARKED = "Event-Name: CHANNEL_PARK\nUnique-ID: a\nAnswer-State: {}\n\n"
_UNICAST = (
    "sendmsg a\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: {}\n"
    "remote-ip: 127.0.0.1\nremote-port: 40001\ntransport: udp\n\n"
)
_OK = "Content-Type: command/reply\nReply-Text: +OK\n\n"


def event(body: str) -> str:
    return f"Content-Length: {len(body)}\nContent-Type: text/event-plain\n\n{body}"


def job(mark: str, number: int, result: str = "true") -> tuple[Record, ...]:
    """A job on connection 0, from the command to its result."""
    name = f"offhook-{mark}-{number}"
    done = (
        f"Event-Name: BACKGROUND_JOB\nJob-UUID: {name}\nContent-Length: {len(result)}\n\n{result}"
    )
    return (
        Record(1, 0, "ours", f"bgapi uuid_exists a\nJob-UUID: {name}\n\n"),
        Record(2, 0, "theirs", f"{_OK[:-1]}Job-UUID: {name}\n\n"),
        Record(3, 0, "theirs", event(done)),
    )


TAPE = (Record(0, 0, "open", ""), *job("0123456789ab", 9), Record(4, 0, "ours", "exit\n\n"))


class Client:
    """What a test says to the peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, peer: EslPeer) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", peer.port))

    def say(self, *commands: str) -> None:
        self.writer.write("".join(commands).encode())

    async def hear(self, end: str) -> str:
        async with asyncio.timeout(5):
            return (await self.reader.readuntil(end.encode())).decode()

    async def gone(self) -> None:
        async with asyncio.timeout(5):
            await self.reader.read()


async def test_a_tape_is_played_with_live_numbers_in_it() -> None:
    async with EslPeer(TAPE) as peer:
        client = await Client.to(peer)
        client.say("bgapi uuid_exists a\nJob-UUID: offhook-ba9876543210-10\n\n", "exit\n\n")
        assert "Job-UUID: offhook-ba9876543210-10\n\n" in await client.hear("\n\n")
        head = await client.hear("\n\n")
        length = int(head.split("Content-Length: ")[1].split("\n")[0])
        body = (await client.reader.readexactly(length)).decode()
        assert body.startswith("Event-Name: BACKGROUND_JOB\nJob-UUID: offhook-ba9876543210-10\n")
        assert body.endswith("true")
        client.writer.close()


async def played(tape: Sequence[Record], *commands: str) -> None:
    """Say all that, and leave once the peer has closed, or has waited for more in vain."""
    async with EslPeer(tape) as peer:
        client = await Client.to(peer)
        client.say(*commands)
        client.writer.write_eof()
        try:
            await client.gone()
        finally:
            client.writer.close()


async def test_a_command_that_is_missing_is_a_fault() -> None:
    with pytest.raises(PeerError, match=r"closed, but on the tape comes ours .*exit"):
        await played(TAPE, "bgapi uuid_exists a\nJob-UUID: offhook-ba9876543210-1\n\n")


@pytest.mark.parametrize("command", ["exit\n\n", "bgapi uuid_kill a\nJob-UUID: offhook-a-1\n\n"])
async def test_a_command_too_many_is_a_fault(command: str) -> None:
    with pytest.raises(PeerError, match="not on the tape"):
        await played(TAPE, "exit\n\n", command)


async def test_a_job_number_that_comes_twice_is_a_fault() -> None:
    tape = (Record(0, 0, "open", ""), *job("0123456789ab", 1), *job("0123456789ab", 2))
    with pytest.raises(PeerError, match="not on the tape"):
        await played(tape, *["bgapi uuid_exists a\nJob-UUID: offhook-ba9876543210-1\n\n"] * 2)


async def test_a_connection_too_many_is_a_fault() -> None:
    with pytest.raises(PeerError, match="too many"):
        await played([])


async def asked(tape: Sequence[Record], what: str, *deeds: str) -> str:
    async with EslPeer(tape) as peer:
        for deed in deeds:
            peer.do(deed)
        return await peer.ask(what)


async def asked_nothing(tape: Sequence[Record]) -> None:
    async with EslPeer(tape):
        pass


async def test_what_the_test_asks_must_be_on_the_tape() -> None:
    question = Record(0, -1, "ask", "calls 0")
    assert await asked([question, Record(1, -1, "answer", "1")], "calls 0") == "1"
    with pytest.raises(PeerError, match="asked 'calls 0', not 'calls 1'"):
        await asked([question], "calls 1")


async def test_what_was_done_on_the_tape_must_be_done_again() -> None:
    tape = [Record(1, -1, "do", "ring"), Record(1, -1, "ask", "a")]
    with pytest.raises(PeerError, match=r"the test ended, but .*ring"):
        await asked_nothing(tape)
    with pytest.raises(PeerError, match="the test did 'ring', not 'sing'"):
        await asked(tape, "a", "sing")


@pytest.mark.parametrize("state", ["early", "answered"])
async def test_audio_is_sent_to_a_parked_channel(state: str) -> None:
    tape = (
        Record(0, 0, "open", ""),
        Record(1, 0, "theirs", event(_PARKED.format(state))),
        Record(2, 0, "ours", _UNICAST.format(1234)),
        Record(3, 0, "theirs", _OK),
        Record(4, 0, "ours", "exit\n\n"),
    )
    frames: asyncio.Queue[bytes] = asyncio.Queue()

    class Ours(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            frames.put_nowait(data)

    loop = asyncio.get_running_loop()
    ours, _ = await loop.create_datagram_endpoint(Ours, ("127.0.0.1", 40001))
    async with EslPeer(tape) as peer:
        client = await Client.to(peer)
        await client.hear("Answer-State: " + state)
        client.say(_UNICAST.format(20999))
        async with asyncio.timeout(5):
            assert [len(await frames.get()) for _ in range(3)] == [320, 320, 320]
        client.say("exit\n\n")
        client.writer.close()
    ours.close()


@pytest.mark.parametrize("state", [None, "ringing"])
async def test_audio_that_would_crash_a_freeswitch_is_a_fault(state: str | None) -> None:
    tape = [Record(0, 0, "open", ""), Record(9, 0, "ours", _UNICAST.format(1234))]
    if state is not None:
        tape.insert(1, Record(1, 0, "theirs", event(_PARKED.format(state))))
    with pytest.raises(PeerError, match="crashes"):
        await played(tape, _UNICAST.format(20999))
