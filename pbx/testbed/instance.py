"""One Asterisk process on loopback, with directories of its own."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pbx.testbed.process import end, spawn
from pbx.testbed.provide import Installation, TestBedError

_READY_S = 60.0
_CLI_S = 20.0
_STOP_S = 2.0


@dataclass(frozen=True)
class Channel:
    """One line of `core show channels concise`."""

    name: str
    context: str
    extension: str
    state: str
    application: str
    unique_id: str


class Asterisk:
    """An Asterisk that runs from `start()` to `stop()`.

    Args:
        installation: what to start.
        home: an empty folder of its own; its configuration goes into `home/etc`.
        options: further lines of that section of asterisk.conf.
    """

    def __init__(
        self, name: str, installation: Installation, home: Path, options: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.home = home
        self.etc = home / "etc"
        self._installation = installation
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        for folder in ("etc", "run", "spool/outgoing", "spool/tmp", "log", "db", "keys"):
            (home / folder).mkdir(parents=True)

    @property
    def pid(self) -> int:
        """Process id. Raises TestBedError when it was never started."""
        if self._process is None:
            raise TestBedError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and wait until it is fully booted. Raises TestBedError."""
        self._write_asterisk_conf()
        self._process = await spawn((*self._command(), "-f", "-n"), self.home)
        try:
            async with asyncio.timeout(_READY_S):
                while not (self.home / "run/asterisk.ctl").exists():
                    if not self.running:
                        raise TestBedError(
                            f"{self.name} ended while starting: {self._last_words()}"
                        )
                    await asyncio.sleep(0.02)
                await self.cli("core waitfullybooted")
        except TimeoutError:
            await self.stop()
            raise TestBedError(f"{self.name} did not start: {self._last_words()}") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it: SIGTERM to its process group, then SIGKILL. Nothing when it is not running."""
        if self._process is not None:
            await end(self._process, _STOP_S)

    async def kill(self) -> None:
        """End it without a word, as a crash does."""
        if self.running and self._process is not None:
            await end(self._process, None)
            (self.home / "run/asterisk.ctl").unlink(missing_ok=True)

    async def cli(self, command: str) -> str:
        """What the console answers to `command`. Raises TestBedError."""
        process = await asyncio.create_subprocess_exec(
            *self._command(),
            "-rx",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_CLI_S):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise TestBedError(f"{self.name} did not answer `{command}`") from None
        except asyncio.CancelledError:
            process.kill()
            raise
        return output.decode(errors="replace")

    async def channels(self) -> Sequence[Channel]:
        """The channels that live now, but for the one that Asterisk keeps for ever once it has
        taken a SIP MESSAGE (`Message/ast_msg_queue`)."""
        lines = (await self.cli("core show channels concise")).splitlines()
        calls = [line for line in lines if not line.startswith("Message/")]
        fields = [line.split("!") for line in calls if line.count("!") >= 13]
        return [Channel(f[0], f[1], f[2], f[4], f[5], f[-1]) for f in fields]

    def log(self) -> str:
        """Everything that it logged since it was started: in its file, or else on its console."""
        paths = (self.home / "log/full", self.home / "log/output")
        path = next((one for one in paths if one.exists()), None)
        return "" if path is None else path.read_text(errors="replace")

    def call_in(
        self,
        channel: str,
        *,
        caller_id: str,
        application: str = "Wait",
        data: str = "600",
        place: tuple[str, str] | None = None,
        wait_s: int = 30,
    ) -> None:
        """Make it place a call by itself, through a call file of Asterisk's spool.

        Args:
            channel: what it dials, such as `PJSIP/+1555…@customer`.
            caller_id: written as it is, such as `"A name" <+1555…>`.
            application: dialplan application that runs at the answer.
            data: that application's arguments.
            place: in place of an application, the context and extension where it goes on.
            wait_s: seconds to wait for the answer.
        """
        goes_on = f"Application: {application}\nData: {data}\n"
        if place is not None:
            goes_on = f"Context: {place[0]}\nExtension: {place[1]}\nPriority: 1\n"
        text = (
            f"Channel: {channel}\nCallerID: {caller_id}\nMaxRetries: 0\nWaitTime: {wait_s}\n"
            f"{goes_on}"
        )
        name = f"{os.urandom(8).hex()}.call"
        draft = self.home / "spool/tmp" / name
        draft.write_text(text)
        draft.rename(self.home / "spool/outgoing" / name)

    def _command(self) -> tuple[str, ...]:
        return (*self._installation.command, "-C", str(self.etc / "asterisk.conf"))

    def _write_asterisk_conf(self) -> None:
        own: Mapping[str, Path] = {
            "astetcdir": self.etc,
            "astrundir": self.home / "run",
            "astspooldir": self.home / "spool",
            "astlogdir": self.home / "log",
            "astdbdir": self.home / "db",
            "astkeydir": self.home / "keys",
        }
        lines = ["[directories]"]
        lines += [f"{key} = {path}" for key, path in self._installation.directories]
        lines += [f"{key} = {path}" for key, path in own.items()]
        lines += ["", "[options]", "nocolor = yes", *self._options, ""]
        (self.etc / "asterisk.conf").write_text("\n".join(lines))

    def _last_words(self) -> str:
        output = self.home / "log/output"
        text = output.read_text(errors="replace") if output.exists() else ""
        errors = re.findall(r"^.*ERROR.*$", text + self.log(), re.MULTILINE)
        return " | ".join((errors or text.splitlines())[-3:])
