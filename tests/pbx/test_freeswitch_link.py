"""The ESL link against servers that behave, misbehave, and replay what a real FreeSWITCH sent."""

import asyncio
import contextlib
import gc
import logging
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import gevent.hub
import gevent.monkey
import pytest

from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.connection import MAX_WAITING
from pbx.freeswitch.esl import EslParser, read_event
from pbx.freeswitch.link import EslLink
from pbx.switch import SwitchRefused, SwitchUnavailable
from tests.pbx.tape import recorded, recordings

_PASSWORD = "Sw0rdfish"
_SOON_S = 10.0
_BUFFER_BYTES = 65536
_FILL_BYTES = 5_000_000
_HELLO = b"Content-Type: auth/request\n\n"


def events_of(data: bytes) -> list[bytes]:
    """The bodies of a stream's events."""
    return [m.body for m in EslParser().feed(data) if m.content_type == "text/event-plain"]


class Peer:
    """One accepted connection, played by a test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.commands: list[str] = []

    async def command(self) -> str:
        """The next command with its headers. Raises IncompleteReadError at the end."""
        block = (await self.reader.readuntil(b"\n\n")).decode()
        self.commands.append(block[:-2])
        return self.commands[-1]

    def reply(self, text: str = "+OK", **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
        self.writer.write(f"Content-Type: command/reply\nReply-Text: {text}\n{lines}\n".encode())

    def event(self, body: bytes) -> None:
        head = b"Content-Length: %d\nContent-Type: text/event-plain\n\n" % len(body)
        self.writer.write(head + body)

    def finish(self, number: str, result: str) -> None:
        """End a job."""
        head = f"Event-Name: BACKGROUND_JOB\nJob-UUID: {number}\n"
        self.event(f"{head}Content-Length: {len(result.encode())}\n\n{result}".encode())

    async def take(self) -> tuple[str, str]:
        """Take the next job: its number and its command."""
        line, header = (await self.command()).split("\n")
        number = header.removeprefix("Job-UUID: ")
        self.reply(f"+OK Job-UUID: {number}", Job_UUID=number)
        return number, line.removeprefix("bgapi ")

    async def welcome(self) -> None:
        """Let it log in and subscribe."""
        self.writer.write(_HELLO)
        while not self.commands or not self.commands[-1].startswith("event "):
            await self.command()
            self.reply("+OK accepted")

    async def gone(self) -> None:
        """Wait until the other side has closed, discarding what it says."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Close rudely: the other side gets a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.close()


Script = Callable[[Peer], Awaitable[None]]


async def obey(peer: Peer) -> None:
    """A FreeSWITCH whose every API command echoes."""
    await peer.welcome()
    while True:
        peer.finish(*await peer.take())


class Server:
    """Plays its scripts to one connection after the other, the last one to all that follow."""

    def __init__(self, *scripts: Script, host: str = "127.0.0.1") -> None:
        self._scripts = scripts
        self._host = host
        self._tasks: set[asyncio.Task[None]] = set()
        self.peers: list[Peer] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.bind((self._host, 0))
        self.port = sock.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=sock)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(Peer(reader, writer))
        script = self._scripts[min(len(self.peers), len(self._scripts)) - 1]
        self._tasks.add(asyncio.create_task(self._play(self.peers[-1], script)))

    async def _play(self, peer: Peer, script: Script) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await script(peer)
        finally:
            peer.writer.close()
            with contextlib.suppress(ConnectionError):
                await peer.writer.wait_closed()


class Watched:
    """A link and what it told."""

    def __init__(self, port: int, **settings: Any) -> None:
        quick = {"reconnect_min_s": 0.01, "reconnect_max_s": 0.05} | settings
        self.link = EslLink(
            FreeSwitchConfig(port=port, password=_PASSWORD, **quick),
            self._on_event,
            self._on_up,
            self._on_down,
        )
        self.events: asyncio.Queue[Mapping[str, str]] = asyncio.Queue()
        self.ups: asyncio.Queue[None] = asyncio.Queue()
        self.downs: asyncio.Queue[None] = asyncio.Queue()
        self.on_event: Callable[[Mapping[str, str]], None] = self.events.put_nowait
        self.on_up: Callable[[], Awaitable[None]] | None = None

    def _on_event(self, event: Mapping[str, str]) -> None:
        self.on_event(event)

    async def _on_up(self) -> None:
        if self.on_up is not None:
            await self.on_up()
        self.ups.put_nowait(None)

    def _on_down(self) -> None:
        self.downs.put_nowait(None)


@contextlib.asynccontextmanager
async def linked(*scripts: Script, **settings: Any) -> AsyncIterator[tuple[Server, Watched]]:
    """An open link to a server that plays `scripts`; bounded in time, and nothing is left."""
    async with asyncio.timeout(_SOON_S), Server(*scripts) as server:
        watched = Watched(server.port, **settings)
        await watched.link.open()
        await watched.ups.get()
        try:
            yield server, watched
        finally:
            await watched.link.close()
            assert not esl_threads()


def esl_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "esl-connection"]


def open_files() -> set[str]:
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(path.readlink()))
    return found


async def test_it_logs_in_asks_for_our_events_only_and_leaves_nothing() -> None:
    before = open_files()
    assert not Watched(8021).link.connected
    async with linked(obey) as (server, watched):
        assert watched.link.connected
        assert (watched.link.local_host, watched.link.peer_host) == ("127.0.0.1", "127.0.0.1")
        auth, *filters, subscription = server.peers[0].commands
    assert auth == f"auth {_PASSWORD}"
    assert filters[:5] == [
        "filter Unique-ID /^offhook-/",
        "filter variable_offhook true",
        "filter Event-Name DTMF",
        "filter Event-Name SHUTDOWN",
        "filter Event-Name HEARTBEAT",
    ]
    assert filters[5].startswith("filter Job-UUID /^offhook-")
    assert subscription.startswith("event plain CHANNEL_CREATE ")
    assert watched.link.local_host is None
    assert open_files() == before
    assert not gevent.monkey.is_anything_patched()


async def test_a_connection_that_has_ended_is_freed() -> None:
    """Reconnecting for a weekend must not eat the memory: a hub keeps all of its thread alive."""
    for _ in range(3):
        async with linked(obey) as (_, watched):
            await watched.link.api("hostname")
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, gevent.hub.Hub)]


async def test_ipv6() -> None:
    async with asyncio.timeout(_SOON_S), Server(obey, host="::1") as server:
        watched = Watched(server.port, host="::1")
        await watched.link.open()
        assert (watched.link.local_host, watched.link.peer_host) == ("::1", "::1")
        await watched.link.close()


async def test_a_name_with_several_addresses_is_tried_to_the_last() -> None:
    async with asyncio.timeout(_SOON_S), Server(obey) as server:
        watched = Watched(server.port, host="localhost")
        await watched.link.open()
        assert watched.link.peer_host == "127.0.0.1"
        await watched.link.close()


async def test_api_returns_the_output_and_raises_what_is_refused() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        results = {"hostname": " pbx\n", "uuid_kill x": "-ERR No such channel!\n", "x": "-USAGE: x"}
        while True:
            number, command = await peer.take()
            peer.finish(number, results[command])

    async with linked(script) as (_, watched):
        api = watched.link.api
        assert await api("hostname") == "pbx"
        with pytest.raises(SwitchRefused, match=r"^-ERR No such channel!$"):
            await api("uuid_kill", "x")
        with pytest.raises(SwitchRefused, match=r"^-USAGE: x$"):
            await api("x")
        assert await watched.link.job("uuid_kill", "x") == "-ERR No such channel!"


async def test_a_command_that_is_not_permitted_is_refused() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.command()
        peer.reply("-ERR permission denied")
        await peer.gone()

    async with linked(script) as (_, watched):
        with pytest.raises(SwitchRefused, match="permission denied"):
            await watched.link.api("originate", "x")
        assert watched.link.connected


async def test_a_message_reaches_its_channel_or_is_refused() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.command()
        peer.reply("+OK")
        await peer.command()
        peer.reply("-ERR invalid session id [u2]")
        await peer.gone()

    async with linked(script) as (server, watched):
        await watched.link.message("u1", {"call-command": "unicast", "local-port": "20000"})
        with pytest.raises(SwitchRefused, match="invalid session id"):
            await watched.link.message("u2", {"call-command": "hangup"})
        assert server.peers[0].commands[-2:] == [
            "sendmsg u1\ncall-command: unicast\nlocal-port: 20000",
            "sendmsg u2\ncall-command: hangup",
        ]


async def test_no_line_break_gets_out() -> None:
    async with linked(obey) as (server, watched):
        sent = len(server.peers[0].commands)
        with pytest.raises(SwitchRefused):
            await watched.link.api("originate", "x\n\napi shutdown")
        with pytest.raises(SwitchRefused):
            await watched.link.message("u\n", {})
        with pytest.raises(SwitchRefused):
            await watched.link.message("u", {"a": "b\r\nc"})
        assert await watched.link.api("still here") == "still here"
        assert len(server.peers[0].commands) == sent + 1


async def test_200_commands_at_once_each_get_their_own_result() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        for number, command in reversed([await peer.take() for _ in range(200)]):
            peer.finish(number, command)
        await peer.gone()

    async with linked(script) as (_, watched):
        results = await asyncio.gather(*(watched.link.api("echo", str(n)) for n in range(200)))
        assert results == [f"echo {n}" for n in range(200)]


async def test_more_commands_than_may_be_in_flight_wait_their_turn() -> None:
    async with linked(obey) as (_, watched):
        results = await asyncio.gather(*(watched.link.api("echo", str(n)) for n in range(2000)))
        assert results == [f"echo {n}" for n in range(2000)]


async def test_a_command_without_a_reply_has_a_deadline_and_spoils_nothing() -> None:
    answer = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        first = await peer.command()
        await answer.wait()
        number = first.rpartition(" ")[2]
        peer.reply("+OK", Job_UUID=number)
        peer.finish(number, "too late")
        while True:
            peer.finish(*await peer.take())

    async with linked(script, command_timeout_s=0.05) as (_, watched):
        with pytest.raises(SwitchUnavailable, match=r"did not answer bgapi within 0.05 s"):
            await watched.link.api("originate", "+15551234567", limit_s=60)
        answer.set()
        assert await watched.link.api("next") == "next"
        assert watched.link.connected
        assert watched.events.empty()


async def test_a_job_without_an_end_has_a_deadline() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        late, _ = await peer.take()
        number, command = await peer.take()
        peer.finish(late, "too late")
        peer.finish(number, command)
        await peer.gone()

    async with linked(script) as (_, watched):
        with pytest.raises(SwitchUnavailable, match=r"did not finish originate within 0.05 s"):
            await watched.link.api("originate", "x", limit_s=0.05)
        assert await watched.link.api("next") == "next"
        assert watched.events.empty()


async def test_what_nobody_waits_for_any_more_is_not_sent() -> None:
    """A server that stops reading: what is held back must not dial a minute later."""
    read_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await read_on.wait()
        while True:
            number, command = await peer.take()
            peer.finish(number, command[:10])

    # Long enough for a busy machine to begin with the first: else the second would go out.
    async with linked(script, command_timeout_s=2.0) as (server, watched):
        with pytest.raises(SwitchUnavailable):
            await watched.link.api("fill", "x" * _FILL_BYTES)
        with pytest.raises(SwitchUnavailable):
            await watched.link.api("originate", "x", limit_s=0.05)
        server.peers[0].reader._limit = 2**26  # type: ignore[attr-defined]
        read_on.set()
        assert await watched.link.api("next") == "next"
        assert not any("originate" in command for command in server.peers[0].commands)


async def test_a_server_that_stops_reading_holds_up_nothing_else() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.writer.wait_closed()

    settings = {"ping_interval_s": 0.05, "command_timeout_s": 0.5}
    async with linked(script, obey, **settings) as (_, watched):
        with pytest.raises(SwitchUnavailable):
            await watched.link.api("fill", "x" * _FILL_BYTES)
        await watched.ups.get()
        assert await watched.link.api("here") == "here"


def saying(data: bytes, *, and_close: bool = False) -> Callable[[Peer], None]:
    def end(peer: Peer) -> None:
        peer.writer.write(data)
        if and_close:
            peer.writer.close()

    return end


_REPLY = b"Content-Type: command/reply\nReply-Text: +OK\nJob-UUID: another\n\n"
_NOTICE = b"Content-Type: text/disconnect-notice\nContent-Length: 9\n\nGood\nbye."
_BROKEN = b"Content-Type: text/event-plain\nContent-Length: 19\n\nContent-Length: 9\n\n"
_ENDS: dict[str, tuple[Callable[[Peer], None], str]] = {
    "bare end": (saying(b"", and_close=True), "it closed the connection"),
    "reset": (Peer.reset, "reset by peer"),
    "end inside a body": (
        saying(b"Content-Length: 9\n\nfour", and_close=True),
        "it closed the connection",
    ),
    "end inside a header": (saying(b"Content-Le", and_close=True), "it closed the connection"),
    "notice without an end": (saying(_NOTICE), "it said: 'Good bye.'"),
    "unsolicited replies": (saying(_REPLY * 3), "a reply that nothing asked for"),
    "no protocol": (saying(b"Asterisk Call Manager\n\n"), "does not speak the Event Socket"),
    "too much": (saying(b"Content-Length: 9999999\n\n"), "does not speak the Event Socket"),
    "a broken event": (saying(_BROKEN), "an event's body is shorter"),
    "another job's reply": (saying(_REPLY), "out of step"),
}


@pytest.mark.parametrize("kind", _ENDS)
async def test_however_a_link_ends_who_waits_is_told_and_it_comes_back(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    end, reason = _ENDS[kind]

    async def script(peer: Peer) -> None:
        await peer.welcome()
        if kind != "another job's reply":
            await peer.take()
        await peer.command()
        end(peer)
        await peer.gone()

    async with linked(script, obey) as (server, watched):
        pending = [asyncio.create_task(watched.link.api("originate", str(n))) for n in range(2)]
        results = await asyncio.gather(*pending, return_exceptions=True)
        assert [type(result) for result in results] == [SwitchUnavailable] * 2
        assert all("connection was lost" in str(result) for result in results)
        assert all(reason in str(result) for result in results)
        await watched.downs.get()
        await watched.ups.get()
        assert await watched.link.api("again") == "again"
        assert watched.link.connected
        assert not any("originate" in command for command in server.peers[1].commands)
        assert len(server.peers) == 2
        assert len(esl_threads()) == 1
    assert sum("lost the ESL connection" in r.getMessage() for r in caplog.records) == 1
    assert reason in caplog.text
    assert _PASSWORD not in caplog.text


async def test_without_a_link_a_command_fails_at_once() -> None:
    async with linked(obey, reconnect_min_s=60.0) as (server, watched):
        server.peers[0].writer.close()
        await watched.downs.get()
        assert not watched.link.connected
        with pytest.raises(SwitchUnavailable, match="there is no ESL connection"):
            await watched.link.api("hostname")
        with pytest.raises(SwitchUnavailable, match="there is no ESL connection"):
            await watched.link.message("u", {})


_ODD = {
    "invalid UTF-8": b"Content-Type: log/data\nUser-Data: \xff\xfe\nContent-Length: 2\n\n\xff\xff",
    "event json": b'Content-Length: 21\nContent-Type: text/event-json\n\n{"Event-Name":"EVIL"}',
    "no type": b"Content-Length: 3\n\nabc",
    "no name": b"Content-Type: text/event-plain\nContent-Length: 6\n\nA: %FF\n",
    "second greeting": _HELLO,
}


@pytest.mark.parametrize("kind", _ODD)
async def test_oddities_do_not_stop_the_events(kind: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.writer.write(_ODD[kind])
        peer.event(b"Event-Name: HEARTBEAT\nX: \xff%FF\n\n")
        while True:
            peer.finish(*await peer.take())

    async with linked(script) as (_, watched):
        event: Mapping[str, str] = {}
        while event.get("Event-Name") != "HEARTBEAT":
            event = await watched.events.get()
        assert event["X"] == "\ufffd\ufffd"
        assert await watched.link.api("still here") == "still here"


_RECORDINGS = [name for name in recordings() if name not in ("acl_rude_rejection", "auth_failed")]


@pytest.mark.parametrize("name", _RECORDINGS)
async def test_every_recorded_event_arrives_in_order(name: str) -> None:
    bodies = events_of(recorded(name))

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for body in bodies:
            peer.event(body)
        peer.event(b"Event-Name: THE-END\n\n")
        await peer.gone()

    async with linked(script) as (_, watched):
        got = []
        while (event := await watched.events.get()).get("Event-Name") != "THE-END":
            got.append(event)
    jobless = [e for e in map(read_event, bodies) if e["Event-Name"] != "BACKGROUND_JOB"]
    assert got == jobless


async def test_a_handler_that_raises_loses_only_its_event(caplog: pytest.LogCaptureFixture) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        for name in ("BAD", "GOOD"):
            peer.event(f"Event-Name: {name}\n\n".encode())
        while True:
            peer.finish(*await peer.take())

    class Handler:  # has no __name__
        def __call__(self, event: Mapping[str, str]) -> None:
            if event["Event-Name"] == "BAD":
                raise ValueError("cannot")
            watched.events.put_nowait(event)

    async with asyncio.timeout(_SOON_S), Server(script) as server:
        watched = Watched(server.port)
        watched.on_event = Handler()
        await watched.link.open()
        assert (await watched.events.get())["Event-Name"] == "GOOD"
        assert await watched.link.api("still here") == "still here"
        await watched.link.close()
    assert "cannot take the ESL event BAD" in caplog.text


async def closing(peer: Peer) -> None:
    pass


async def mute(peer: Peer) -> None:
    await peer.gone()


async def leaving(peer: Peer) -> None:
    peer.writer.write(_HELLO)
    peer.writer.write_eof()
    await peer.gone()


async def ignoring(peer: Peer) -> None:
    peer.writer.write(_HELLO)
    await peer.gone()


async def another(peer: Peer) -> None:
    peer.writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await peer.gone()


async def rejecting(peer: Peer) -> None:
    peer.writer.write(recorded("acl_rude_rejection"))


async def denying(peer: Peer) -> None:
    stream = recorded("auth_failed")
    greeting = stream.index(b"\n\n") + 2
    peer.writer.write(stream[:greeting])
    await peer.command()
    peer.writer.write(stream[greeting:])


async def answering_without_text(peer: Peer) -> None:
    peer.writer.write(_HELLO + b"Content-Type: command/reply\n\n")
    await peer.gone()


async def keeping_events(peer: Peer) -> None:
    peer.writer.write(_HELLO)
    await peer.command()
    peer.reply("+OK accepted")
    while True:
        await peer.command()
        peer.reply("-ERR permission denied")


_CLOSED_DOORS: dict[str, tuple[Script, str]] = {
    "closes at once": (closing, "it closed the connection; start FreeSWITCH"),
    "silent": (mute, "no answer within 0.2 s; start FreeSWITCH"),
    "closes before the login": (leaving, "it closed the connection; start FreeSWITCH"),
    "ignores the login": (ignoring, "no answer within 0.2 s; start FreeSWITCH"),
    "something else": (another, "no answer within 0.2 s; start FreeSWITCH"),
    "rude": (rejecting, "refuses our address 127.0.0.1: mend `apply-inbound-acl`"),
    "wrong password": (denying, "it refused the password: mend pbx.esl.password"),
    "no text": (answering_without_text, "does not speak the Event Socket protocol"),
    "keeps its events": (keeping_events, "refused the events: -ERR permission denied"),
}


@pytest.mark.parametrize("kind", _CLOSED_DOORS)
async def test_an_open_that_fails_says_what_to_mend_and_leaves_nothing(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    script, message = _CLOSED_DOORS[kind]
    before = open_files()
    async with asyncio.timeout(_SOON_S), Server(script) as server:
        watched = Watched(server.port, connect_timeout_s=0.2)
        with pytest.raises(SwitchUnavailable) as caught:
            await watched.link.open()
        assert not watched.link.connected
        assert not esl_threads()
    assert message in str(caught.value)
    assert f"127.0.0.1:{server.port}" in str(caught.value)
    assert open_files() == before
    error: BaseException | None = caught.value
    while error is not None:
        assert _PASSWORD not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__
    assert _PASSWORD not in caplog.text
    assert not [r for r in caplog.records if r.levelno > logging.DEBUG]


async def test_nobody_listens() -> None:
    async with asyncio.timeout(_SOON_S), Server(obey) as server:
        pass
    with pytest.raises(SwitchUnavailable, match=r"Connection refused; start FreeSWITCH"):
        await Watched(server.port).link.open()
    assert not esl_threads()


async def test_a_name_that_is_none() -> None:
    with pytest.raises(SwitchUnavailable, match=r"mend pbx.esl.host"):
        await Watched(8021, host="host name").link.open()


@pytest.mark.parametrize("password", ["a\nb", "unload mod_event_socket"])
async def test_a_password_that_cannot_be_sent(password: str) -> None:
    async with asyncio.timeout(_SOON_S), Server(obey) as server:
        watched = Watched(server.port)
        watched.link = EslLink(
            FreeSwitchConfig(port=server.port, password=password), print, closing_up, print
        )
        with pytest.raises(SwitchUnavailable, match=r"pbx\.esl\.password holds") as caught:
            await watched.link.open()
        assert password not in str(caught.value)


async def closing_up() -> None:
    pass


async def test_the_password_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with linked(obey) as (_, watched):
        await watched.link.api("hostname")
        assert _PASSWORD not in repr(vars(watched.link))
    assert _PASSWORD not in caplog.text


async def test_close_while_connecting() -> None:
    async with asyncio.timeout(_SOON_S), Server(mute) as server:
        watched = Watched(server.port, connect_timeout_s=60.0)
        opening = asyncio.create_task(watched.link.open())
        while not server.peers:
            await asyncio.sleep(0)
        await watched.link.close()
        with pytest.raises(SwitchUnavailable):
            await opening
        assert not esl_threads()


async def test_an_open_that_is_cancelled_leaves_nothing() -> None:
    async with asyncio.timeout(_SOON_S), Server(mute) as server:
        opening = asyncio.create_task(Watched(server.port, connect_timeout_s=60.0).link.open())
        while not server.peers:
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert not esl_threads()


async def test_close_before_open_twice_and_open_again() -> None:
    async with asyncio.timeout(_SOON_S), Server(obey) as server:
        watched = Watched(server.port)
        await watched.link.close()
        for _ in range(2):
            await watched.link.open()
            assert await watched.link.api("here") == "here"
            await watched.link.close()
            await watched.link.close()
        assert not esl_threads()


async def test_close_tells_who_waits() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.gone()

    async with linked(script, ping_interval_s=60.0) as (_, watched):
        waiting = asyncio.create_task(watched.link.api("originate", "x"))
        await asyncio.sleep(0)
        await watched.link.close()
        with pytest.raises(SwitchUnavailable, match="closed"):
            await waiting
        assert watched.downs.empty()


async def test_nothing_is_heard_once_it_is_being_closed() -> None:
    flood = 5000

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for _ in range(flood):
            peer.event(b"Event-Name: HEARTBEAT\n\n")
        await peer.gone()

    heard = 0
    closings: list[asyncio.Task[None]] = []

    def close_at_once(event: Mapping[str, str]) -> None:
        nonlocal heard
        heard += 1
        if not closings:
            closings.append(asyncio.create_task(watched.link.close()))

    async with asyncio.timeout(_SOON_S), Server(script) as server:
        watched = Watched(server.port)
        watched.on_event = close_at_once
        await watched.link.open()
        while not closings:
            await asyncio.sleep(0)
        await closings[0]
    assert 1 <= heard <= 200


async def test_what_on_up_raises_fails_the_open() -> None:
    async def raising() -> None:
        raise SwitchRefused("cannot reconcile")

    async with asyncio.timeout(_SOON_S), Server(obey) as server:
        watched = Watched(server.port)
        watched.on_up = raising
        with pytest.raises(SwitchRefused, match="cannot reconcile"):
            await watched.link.open()
        assert not watched.link.connected
        assert not esl_threads()


async def test_a_link_lost_while_it_is_reconciled_is_not_up() -> None:
    async with asyncio.timeout(_SOON_S), Server(obey) as server:
        watched = Watched(server.port)

        async def losing() -> None:
            server.peers[0].writer.transport.abort()
            with pytest.raises(SwitchUnavailable):
                await watched.link.job("wait", limit_s=_SOON_S)

        watched.on_up = losing
        with pytest.raises(SwitchUnavailable, match="there is no ESL connection"):
            await watched.link.open()


async def test_it_reconnects_until_everything_is_well_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server is away, then refuses, then our own reconciliation fails, then all is well."""

    faults: list[Exception] = [ValueError("a fault"), SwitchRefused("cannot reconcile")]

    async def reconcile() -> None:
        assert not watched.link.connected
        if faults and len(server.peers) > 1:
            raise faults.pop()

    async with asyncio.timeout(_SOON_S), Server(obey, closing, denying, obey) as server:
        watched = Watched(server.port)
        watched.on_up = reconcile
        await watched.link.open()
        await watched.ups.get()
        server.peers[0].writer.close()
        await watched.ups.get()
        assert await watched.link.api("here") == "here"
        assert watched.link.connected
        assert watched.downs.qsize() == 1
        assert len(server.peers) == 6
        assert len(esl_threads()) == 1
        await watched.link.close()
    for words in ("closed the connection", "pbx.esl.password", "cannot reconcile", "a fault"):
        assert words in caplog.text


async def test_a_link_that_is_lost_once_it_is_reconciled_anew_is_told_of() -> None:
    """The patience with a lost link runs again: the reconciliation has ended it."""

    async def losing() -> None:
        if len(server.peers) == 2:
            server.peers[1].writer.transport.abort()
            with pytest.raises(SwitchUnavailable):
                await watched.link.job("wait", limit_s=_SOON_S)

    async with linked(obey) as (server, watched):
        watched.on_up = losing
        server.peers[0].writer.close()
        for _ in range(2):
            await watched.downs.get()
            await watched.ups.get()
        assert await watched.link.api("here") == "here"
        assert len(server.peers) == 3


async def test_a_server_that_falls_silent_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    async def falling_silent(peer: Peer) -> None:
        await peer.welcome()
        peer.finish(*await peer.take())
        await peer.gone()

    settings = {"ping_interval_s": 0.05, "command_timeout_s": 0.2}
    async with linked(falling_silent, obey, **settings) as (server, watched):
        await watched.downs.get()
        await watched.ups.get()
        assert server.peers[0].commands[-1].startswith("bgapi hostname\n")
    assert "no sign of life" in caplog.text


async def test_a_flood_cuts_the_link_and_all_that_came_before_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """asyncio is held up until the server, in a thread of its own, sees the connection cut."""
    cut = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def flood() -> None:
        body = b"Event-Name: HEARTBEAT\n\n"
        event = b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(body), body)
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(_SOON_S)
            sock.sendall(_HELLO)
            received = b""
            while b"\nevent plain" not in received:
                received += sock.recv(65536)
                if received.endswith(b"\n\n"):
                    sock.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    sock.sendall(event * 1000)
        cut.set()

    thread = threading.Thread(target=flood)
    thread.start()
    async with asyncio.timeout(_SOON_S):
        watched = Watched(listener.getsockname()[1], reconnect_min_s=60.0)
        heard = 0

        def hold_up(event: Mapping[str, str]) -> None:
            nonlocal heard
            heard += 1
            assert cut.wait(_SOON_S)

        watched.on_event = hold_up
        await watched.link.open()
        await watched.downs.get()
        await watched.link.close()
    listener.close()
    thread.join()
    assert MAX_WAITING <= heard <= MAX_WAITING + 64
    assert caplog.text.count(f"more than {MAX_WAITING} events") == 1
    assert not esl_threads()
