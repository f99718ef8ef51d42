"""A small working Asterisk manager, for rates that no test bed reaches.

    python -m bench.ami_peer [--port N] [--secret S] [--ring S] [--talk S]

It prints `{"port": N}`, takes Originates until its standard input ends, and then prints what it
did: `[{"id", "number", "dialled", "ringing", "answered", "ended"}]`, times in seconds of the
machine's steady clock, taken as the events are written. A call outlives the connection that
originated it, as on a real PBX. The audio ports are open, but nobody listens or speaks there.

The last digit of the number says what the network does: 7 is busy (486), 8 rings for ever, 9 has
no circuit (503); every other is answered after `--ring` seconds and hangs up after `--talk`.
"""

import argparse
import asyncio
import contextlib
import json
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

from bench.ami_calls import EOL, Call

HOST: Final = "127.0.0.1"
SECRET: Final = "bench"
TRUNK: Final = "trunk"

_DIAL: Final = re.compile(r"PJSIP/(\+?[0-9]+)@([^,]+),([0-9]+)(?:,iS\([0-9]+\))?")
#: Seconds between the INVITE and the network's first word.
_NETWORK_S: Final = 0.002


@dataclass(frozen=True)
class Script:
    """How long an answered call rings and lasts, in seconds."""

    ring_s: float = 0.1
    talk_s: float = 0.2


class _Live:
    """A call under way, with its audio port and its next step."""

    def __init__(self, call: Call, audio: socket.socket, story: dict[str, Any]) -> None:
        self.call = call
        self.story = story
        self.timer: asyncio.TimerHandle | None = None
        self._audio = audio

    def later(self, delay_s: float, step: Callable[["_Live"], None]) -> None:
        self.timer = asyncio.get_running_loop().call_later(delay_s, step, self)

    def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self._audio.close()


class AmiPeer:
    """`async with AmiPeer() as peer:`, then point a switch at `peer.port`.

    Args:
        script: for the calls that are answered.
        port: to listen on; 0 takes a free one.
        secret: what a login must give.
    """

    def __init__(self, script: Script = Script(), port: int = 0, secret: str = SECRET) -> None:
        self.port = port
        self.stories: list[dict[str, Any]] = []
        """Every Originate that was dialled, in order."""
        self._script = script
        self._secret = secret
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: dict[str, _Live] = {}
        self._by_channel: dict[str, _Live] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for live in list(self._calls.values()):
            self._forget(live)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            writer.write(f"Asterisk Call Manager/11.0.0{EOL}".encode())
            while True:
                action = _parse(await reader.readuntil((EOL + EOL).encode()))
                if writer in self._writers or action.get("Action") == "Login":
                    writer.write(self._do(action, writer).encode())
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio's streams complain of a cancelled connection
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    def _do(self, action: Mapping[str, str], writer: asyncio.StreamWriter) -> str:
        """Carry out one action; gives the answer."""
        action_id = action.get("ActionID", "")
        match action.get("Action"):
            case "Login":
                if action.get("Secret") != self._secret:
                    return _answer("Error", action_id, "Authentication failed")
                self._writers.add(writer)
                booted = f"Event: FullyBooted{EOL}Privilege: system,all{EOL}Status: Fully Booted"
                welcome = _answer("Success", action_id, "Authentication accepted")
                return f"{welcome}{booted}{EOL}{EOL}"
            case "Ping":
                return _answer("Success", action_id, headers=f"Ping: Pong{EOL}")
            case "PJSIPShowEndpoint":
                contact = (
                    f"Event: ContactStatusDetail{EOL}ActionID: {action_id}{EOL}"
                    f"URI: sip:{HOST}:5060{EOL}Status: Reachable{EOL}{EOL}"
                )
                return _listing(action_id, "EndpointDetailComplete", [contact])
            case "CoreShowChannels":
                channels = [live.call.listed(action_id) for live in self._calls.values()]
                return _listing(action_id, "CoreShowChannelsComplete", channels)
            case "Originate":
                asyncio.get_running_loop().call_soon(self._originate, action)
                return _answer("Success", action_id, "Originate successfully queued")
            case "Getvar" if live := self._by_channel.get(action.get("Channel", "")):
                known = action.get("Variable") == "CHANNEL(pjsip,call-id)"
                value = live.call.call_id if known else ""
                variable = f"Variable: {action.get('Variable')}{EOL}Value: {value}{EOL}"
                return _answer("Success", action_id, headers=variable)
            case "Hangup" if live := self._by_channel.get(action.get("Channel", "")):
                asyncio.get_running_loop().call_soon(self._over, live, live.call.hang_up)
                return _answer("Success", action_id, "Channel Hungup")
            case "Getvar" | "Hangup":
                return _answer("Error", action_id, "No such channel")
            case _:
                return _answer("Error", action_id, "Invalid/unknown command")

    def _originate(self, action: Mapping[str, str]) -> None:
        dial = _DIAL.fullmatch(action.get("Data", ""))
        channel_id = action.get("ChannelId", "")
        if dial is None or channel_id in self._calls:
            self._say(
                f"Event: OriginateResponse{EOL}Privilege: call,all{EOL}"
                f"ActionID: {action.get('ActionID', '')}{EOL}Response: Failure{EOL}"
                f"Reason: 0{EOL}Uniqueid: <null>{EOL}{EOL}"
            )
            return
        number, trunk, ring_timeout = dial.groups()
        audio = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        audio.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # what comes is not read
        audio.bind((HOST, 0))
        caller = re.search(r"<(.*)>", action.get("CallerID", ""))
        call = Call(
            channel_id=channel_id,
            audio=action.get("Channel", ""),
            number=number,
            trunk=trunk,
            port=audio.getsockname()[1],
            serial=len(self.stories),
            caller=caller[1] if caller else "<unknown>",
            dialled=dial[0],
        )
        story = {"id": channel_id, "number": number, "dialled": time.monotonic()}
        self.stories.append(story)
        live = self._calls[channel_id] = _Live(call, audio, story)
        for name in (channel_id, call.media.name, call.far.name):
            self._by_channel[name] = live
        self._say(call.begin())
        match number[-1]:
            case "7":
                live.later(_NETWORK_S, self._ring_then(self._script.ring_s, self._busy))
            case "8":
                live.later(_NETWORK_S, self._ring_then(float(ring_timeout), self._time_out))
            case "9":
                live.later(_NETWORK_S, self._congested)
            case _:
                live.later(_NETWORK_S, self._ring_then(self._script.ring_s, self._answer))

    def _ring_then(self, delay_s: float, step: Callable[[_Live], None]) -> Callable[[_Live], None]:
        def ring(live: _Live) -> None:
            self._tell(live, "ringing", live.call.ring())
            live.later(delay_s, step)

        return ring

    def _answer(self, live: _Live) -> None:
        self._tell(live, "answered", live.call.answer())
        live.later(self._script.talk_s, self._bye)

    def _bye(self, live: _Live) -> None:
        self._over(live, lambda: live.call.end(16))

    def _busy(self, live: _Live) -> None:
        self._over(live, lambda: live.call.end(17, 486, "BUSY"))

    def _congested(self, live: _Live) -> None:
        self._over(live, lambda: live.call.end(34, 503, "CONGESTION"))

    def _time_out(self, live: _Live) -> None:
        self._over(live, lambda: live.call.give_up("NOANSWER"))

    def _over(self, live: _Live, end: Callable[[], str]) -> None:
        if live.call.id in self._calls:
            self._forget(live)
            self._tell(live, "ended", end())

    def _forget(self, live: _Live) -> None:
        live.close()
        del self._calls[live.call.id]
        for name in (live.call.id, live.call.media.name, live.call.far.name):
            del self._by_channel[name]

    def _tell(self, live: _Live, what: str, events: str) -> None:
        live.story[what] = time.monotonic()
        self._say(events)

    def _say(self, events: str) -> None:
        for writer in self._writers:
            writer.write(events.encode())


def _parse(message: bytes) -> dict[str, str]:
    lines = message.decode().split(EOL)
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def _answer(response: str, action_id: str, message: str = "", headers: str = "") -> str:
    told = f"Message: {message}{EOL}" if message else ""
    return f"Response: {response}{EOL}ActionID: {action_id}{EOL}{told}{headers}{EOL}"


def _listing(action_id: str, complete: str, items: Sequence[str]) -> str:
    start = _answer("Success", action_id, "A list will follow", f"EventList: start{EOL}")
    end = f"Event: {complete}{EOL}ActionID: {action_id}{EOL}EventList: Complete{EOL}"
    return f"{start}{''.join(items)}{end}ListItems: {len(items)}{EOL}{EOL}"


class PeerProcess:
    """A peer in a process of its own; made by `peer_process`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self._process = process

    async def stories(self) -> list[dict[str, Any]]:
        """End it; gives what it did."""
        told, _ = await self._process.communicate(b"")
        stories: list[dict[str, Any]] = json.loads(told)
        return stories


@asynccontextmanager
async def peer_process(script: Script) -> AsyncIterator[PeerProcess]:
    """Run a peer beside us."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.ami_peer"),
        *("--ring", str(script.ring_s), "--talk", str(script.talk_s)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield PeerProcess(process, json.loads(await process.stdout.readline())["port"])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _serve(script: Script, port: int, secret: str) -> list[dict[str, Any]]:
    async with AmiPeer(script, port, secret) as peer:
        print(json.dumps({"port": peer.port}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        return peer.stories


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench.ami_peer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--secret", default=SECRET)
    parser.add_argument("--ring", type=float, default=Script.ring_s)
    parser.add_argument("--talk", type=float, default=Script.talk_s)
    options = parser.parse_args()
    script = Script(options.ring, options.talk)
    print(json.dumps(asyncio.run(_serve(script, options.port, options.secret))))


if __name__ == "__main__":
    main()
