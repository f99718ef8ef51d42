"""A small FreeSWITCH for a machine without one: it plays the tape of a real one.

It goes through the tape from end to end, once. What FreeSWITCH said is said again, after the same
while (shortened where nobody is heard meanwhile); what Offhook said must be said again before it
goes on, and nothing else may be said: so a command that is missing, or one too many, fails the
test. Commands may come sooner than on the tape, in any order, but for `unicast`, which crashes a
FreeSWITCH whose channel is not parked with audio: that is checked. Ids, job numbers and UDP ports
differ from the tape's; live ones are put into what is said.

Where Offhook asks for `unicast`, the peer sends and takes audio as the real one does, in place of
the persona that was called: an echo, a tone, or silence.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import unquote

import numpy as np

from pbx.testbed import persona
from tests.pbx.tape import Mark, Record

_log = logging.getLogger(__name__)

_PATIENCE_S = 10.0
_END_S = 3.0
#: Longest pauses while a call has audio, of which a test may want to hear enough, and while none
#: has: people's time, on which no test depends.
_HEARD_PAUSE_S = 1.4
_PAUSE_S = 0.03
_FRAME_S = 0.02
_SAMPLES = 160
_TONE: bytes = (
    (4000 * np.sin(2 * np.pi * 1000 / 8000 * np.arange(_SAMPLES))).astype("<i2").tobytes()
)
_SILENCE = b"\xff" * (2 * _SAMPLES)
#: Numbers of jobs and what they begin with, and the UDP ports of `unicast`.
_LIVE = re.compile(r"offhook-[0-9a-f]{12}-[0-9]*|(?<=-port: )[0-9]+")
_REPLY = re.compile(r"^Content-Type: (?:command/reply|api/response)$", re.MULTILINE)
_TONES = [persona(name).number for name in ("announcement", "late answerer", "noise")]
_ECHOES = [persona(name).number for name in ("echo", "referable")]

Sound = Literal["echo", "tone", "silence"]


class PeerError(AssertionError):
    """Offhook did not do what it did when the tape was made."""


@dataclass(eq=False)
class Step:
    """One thing of the tape: a whole message or command where the tape has bytes."""

    at_s: float
    connection: int
    mark: Mark
    text: str
    live: str | None = None
    """For a command: the one that came in its place."""
    reply: "Step | None" = None
    """For a command: what FreeSWITCH replies, which it does at once."""
    said: bool = False


def steps_of(records: Sequence[Record]) -> list[Step]:
    """The tape in messages and commands, each at the time when its last byte passed."""
    steps: list[Step] = []
    rests: dict[tuple[int, str], str] = {}
    for at_ms, connection, mark, text in records:
        if mark in ("ours", "theirs"):
            pieces, rest = _cut(rests.pop((connection, mark), "") + text)
            rests[connection, mark] = rest
        else:
            pieces = [text]
        steps += [Step(at_ms / 1000, connection, mark, piece) for piece in pieces]
    waiting: dict[int, list[Step]] = {}
    for step in steps:
        if step.mark == "ours":
            waiting.setdefault(step.connection, []).append(step)
        elif step.mark == "theirs" and _REPLY.search(step.text.partition("\n\n")[0]):
            waiting[step.connection].pop(0).reply = step
    return steps


def _cut(stream: str) -> tuple[list[str], str]:
    """Whole messages (a header block and as many bytes as it says), and what is left."""
    pieces = []
    while (end := stream.find("\n\n")) >= 0:
        length = re.search(r"^Content-Length: ([0-9]+)$", stream[:end], re.MULTILINE)
        end += 2 + (int(length[1]) if length else 0)
        if len(stream) < end:
            break
        pieces.append(stream[:end])
        stream = stream[end:]
    return pieces, stream


class EslPeer:
    """`async with EslPeer(records) as peer:`, then point a switch at `peer.port`.

    Args:
        records: the tape.

    Leaving it raises PeerError for what was said and is not on the tape, or the other way round.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._steps = steps_of(records)
        self._cursor = 0
        self._names: dict[str, str] = {}
        self._fault: PeerError | None = None
        self._changed = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self._closed: set[int] = set()
        self._done: list[str] = []
        self._asked: list[tuple[str, asyncio.Future[str]]] = []
        self._unanswered: list[asyncio.Future[str]] = []
        self._calls = _Calls(self._complain)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._walker = asyncio.create_task(self._walk(), name="esl-peer")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.wait({self._walker}, timeout=_END_S)
            if not self._walker.done():
                step = self._steps[self._cursor]
                self._complain(f"the test ended, but on the tape comes still {_told(step)}")
        finally:
            self._walker.cancel()
            self._server.close()
            self._calls.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(self._walker, *self._tasks, return_exceptions=True)
            for writer in self._writers:
                writer.close()
        if self._fault is not None:
            raise self._fault

    def do(self, what: str) -> None:
        """The test does something to the PBX; the tape goes on where it was done."""
        self._done.append(what)
        self._changed.set()

    async def ask(self, what: str) -> str:
        """The witness's answer, once the tape has come so far. Raises PeerError."""
        if self._fault is not None:
            raise self._fault
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked.append((what, answer))
        self._unanswered.append(answer)
        self._changed.set()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await answer
        finally:
            self._unanswered.remove(answer)

    async def _walk(self) -> None:
        before_s = 0.0
        answers: list[asyncio.Future[str]] = []
        for number, step in enumerate(self._steps):
            self._cursor = number
            pause_s = step.at_s - before_s
            before_s = step.at_s
            await self._until_it_is_done(step)
            match step.mark:
                case "do":
                    if (done := self._done.pop(0)) != step.text:
                        self._complain(f"on the tape, the test did {step.text!r}, not {done!r}")
                    self._calls.did(done)
                case "ask":
                    what, answer = self._asked.pop(0)
                    answers.append(answer)
                    if what != step.text:
                        self._complain(f"on the tape, the test asked {step.text!r}, not {what!r}")
                case "answer":
                    await self._pause(pause_s)
                    answer = answers.pop(0)
                    if not answer.done():
                        answer.set_result(self._live(step.text))
                case "theirs" if not step.said and step.connection not in self._closed:
                    await self._pause(pause_s)
                    self._say(step)
                case "closed by them" if step.connection not in self._closed:
                    await self._pause(pause_s)
                    self._writers[step.connection].close()
                case _:
                    pass

    async def _pause(self, pause_s: float) -> None:
        await asyncio.sleep(min(pause_s, _HEARD_PAUSE_S if self._calls.heard else _PAUSE_S))

    async def _until_it_is_done(self, step: Step) -> None:
        """Wait for what is for Offhook or the test to do."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not self._is_done(step):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._complain(f"it is time for {_told(step)}, which does not come")
            raise

    def _is_done(self, step: Step) -> bool:
        match step.mark:
            case "open":
                return len(self._writers) > step.connection
            case "ours":
                return step.live is not None
            case "do":
                return bool(self._done)
            case "ask":
                return bool(self._asked)
            case _:
                return True

    def _say(self, step: Step) -> None:
        step.said = True
        text = self._live(step.text)
        head, gap, body = text.partition("\n\n")
        head = re.sub(r"(?<=^Content-Length: )[0-9]+$", str(len(body)), head, flags=re.MULTILINE)
        self._writers[step.connection].write(f"{head}{gap}{body}".encode("latin-1"))
        self._calls.told(body)

    def _live(self, text: str) -> str:
        """The tape's text with live numbers of jobs in it."""
        return _LIVE.sub(lambda found: self._names.get(found[0], found[0]), text)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self._writers)
        self._writers.append(writer)
        self._changed.set()
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if not any(one.mark == "open" and one.connection == number for one in self._steps):
            self._complain(f"a connection too many (the tape has {number})")
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                command = (await reader.readuntil(b"\n\n")).decode("latin-1")
                self._hear(number, command)
        self._closed.add(number)
        self._changed.set()
        missed = [one for one in self._steps[self._cursor :] if one.connection == number]
        lost = next((one for one in missed if one.mark == "ours" and one.live is None), None)
        if lost is not None:
            self._complain(f"the connection was closed, but on the tape comes {_told(lost)}")

    def _hear(self, connection: int, command: str) -> None:
        waiting = [
            one
            for one in self._steps
            if one.connection == connection and one.mark == "ours" and one.live is None
        ]
        for step in waiting:
            names = _unify(step.text, command, self._names)
            if names is not None:
                self._names |= names
                step.live = command
                self._calls.heard_command(command)
                if step.reply is not None:
                    self._say(step.reply)
                self._changed.set()
                return
        expected = "".join(f"\n  {_short(self._live(one.text))}" for one in waiting[:8])
        self._complain(
            f"on connection {connection} came what is not on the tape:\n  {_short(command)}\n"
            f"the tape has these still to come there:{expected or ' none'}"
        )

    def _complain(self, fault: str) -> None:
        """Only the first counts. The test shall end soon."""
        if self._fault is not None:
            return
        where = f"{self._cursor} of {len(self._steps)}"
        self._fault = PeerError(f"at step {where} of the tape: {fault}")
        _log.error("%s", self._fault)
        self._walker.cancel()
        for answer in self._unanswered:
            if not answer.done():
                answer.set_exception(self._fault)
        for writer in self._writers:
            writer.close()
        self._server.close()


def _unify(recorded: str, live: str, names: Mapping[str, str]) -> Mapping[str, str] | None:
    """The new names by which one command is the other; None when it is another one."""
    if _LIVE.split(recorded) != _LIVE.split(live):
        return None
    found: dict[str, str] = {}
    for old, new in zip(_LIVE.findall(recorded), _LIVE.findall(live), strict=True):
        if old.isdigit():
            continue
        if {**names, **found}.get(old, new) != new:
            return None
        if old not in names and new in names.values():
            return None
        found[old] = new
    return found


def _short(command: str) -> str:
    return repr(command.strip())[:600]


def _told(step: Step) -> str:
    return f"{step.mark} on connection {step.connection}: {_short(step.text)}"


class _Calls:
    """The calls' audio at the far end of `unicast`, by the commands and events that pass."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._sounds: dict[str, Sound] = {}
        self._ringing: Sound = "silence"
        self._ready: set[str] = set()  # for `unicast`
        self._answering: set[str] = set()
        self._streams: dict[str, Stream] = {}

    @property
    def heard(self) -> bool:
        """Whether there is audio now, whose length a test may measure."""
        return bool(self._streams)

    def did(self, what: str) -> None:
        """The test did that: the carrier may ring now."""
        if what.startswith("ring "):
            self._ringing = "echo" if what.split()[1] == "Echo" else "silence"

    def heard_command(self, command: str) -> None:
        if " originate " in command:
            uuid = re.search(r"origination_uuid=([^|]+)", command)
            number = re.search(r"/(\+[0-9]+)'", command)
            assert uuid is not None
            assert number is not None
            self._sounds[uuid[1]] = "silence"
            if number[1] in _TONES:
                self._sounds[uuid[1]] = "tone"
            elif number[1] in _ECHOES:
                self._sounds[uuid[1]] = "echo"
        elif found := re.match(r"bgapi uuid_transfer (\S+) 'answer,", command):
            self._answering.add(found[1])
        elif (found := re.match(r"bgapi uuid_kill (\S+)", command)) and found[1] in self._answering:
            self._complain(f"FreeSWITCH forgets that it has answered: a kill of {found[1]}")
        elif "\ncall-command: unicast\n" in command:
            uuid_ = command.split("\n", 1)[0].split()[1]
            if uuid_ not in self._ready:
                self._complain(
                    f"this crashes a FreeSWITCH: unicast on {uuid_}, which is not parked"
                )
                return
            ports = {name: int(port) for name, port in re.findall(r"(\w+)-port: (\d+)", command)}
            self._end(uuid_)
            sound = self._sounds.get(uuid_, self._ringing)
            self._streams[uuid_] = Stream(sound, ports["local"], ports["remote"], self._complain)

    def told(self, body: str) -> None:
        """An event went out; others than events have no such headers."""
        headers = dict(line.split(": ", 1) for line in body.split("\n") if ": " in line)
        uuid = unquote(headers.get("Unique-ID", ""))
        match headers.get("Event-Name"):
            case "CHANNEL_PARK" if headers.get("Answer-State") in ("answered", "early"):
                self._ready.add(uuid)
            case "CHANNEL_ANSWER":
                self._answering.discard(uuid)
            case "CHANNEL_UNPARK" if headers.get("Answer-State") != "hangup":
                self._ready.discard(uuid)
                self._end(uuid)
            case "CHANNEL_HANGUP":
                self._answering.discard(uuid)
                self._ready.add(uuid)  # it takes no notice any more
                self._end(uuid)
            case _:
                pass

    def close(self) -> None:
        for uuid in list(self._streams):
            self._end(uuid)

    def _end(self, uuid: str) -> None:
        if stream := self._streams.pop(uuid, None):
            stream.close()


class Stream(asyncio.DatagramProtocol):
    """One channel's headerless audio: a frame every 20 ms, from the port it was told."""

    def __init__(
        self, sound: Sound, local: int, remote: int, complain: Callable[[str], None]
    ) -> None:
        self._sound = sound
        self._complain = complain
        self._remote = ("127.0.0.1", remote)
        self._frames: list[bytes] = []
        self._task = asyncio.create_task(self._run(local))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._frames = [*self._frames[-4:], data]

    def close(self) -> None:
        self._task.cancel()

    async def _run(self, local: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", local))
        except OSError as error:
            self._complain(f"no audio: UDP port {local} cannot be had: {error}")
            return
        try:
            due = loop.time()
            while True:
                transport.sendto(self._next(), self._remote)
                due += _FRAME_S
                await asyncio.sleep(max(0.0, due - loop.time()))
        finally:
            transport.close()

    def _next(self) -> bytes:
        if self._sound == "tone":
            return _TONE
        if self._sound == "echo" and self._frames:
            return self._frames.pop(0)
        return _SILENCE
