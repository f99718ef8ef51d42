"""Commands under strace: what any of their code, native or Python, reaches, writes and starts."""

import asyncio
import contextlib
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final

from pbx.testbed.provide import cache_directory

_OUTWARD: Final = "connect,sendto,sendmsg,sendmmsg"
#: What sends or opens files past all others.
_UNSEEN: Final = "io_uring_setup"
#: A question mark: where the machine's architecture has that call.
_FILES: Final = "?open,openat,?openat2,?creat,?mkdir,mkdirat"
_PROCESSES: Final = "execve,clone,?clone3,?fork,?vfork"
_DNS: Final = 53

_LINE = re.compile(r"(\d+) +(.*)")
_CHILD = re.compile(r"(?:clone3?|v?fork)\(.* = (\d+)")
_EXEC = re.compile(r'execve\("([^"]+)".* = 0')
_PEER = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|AF_INET6, )"([^"]+)"')
_UNIX = re.compile(r'sun_path=@?"([^"]*)"')
_MADE = re.compile(
    r'(?:(?:openat2?\(\w+(?:<(?P<at>[^>]*)>)?, |open\()"(?P<opened>[^"]*)", [^,]*O_CREAT'
    r'|(?:creat|mkdir)\("(?P<made>[^"]*)"|mkdirat\(\w+(?:<(?P<in>[^>]*)>)?, "(?P<folder>[^"]*)")'
    r".* = \d"
)


def why_not() -> str | None:
    """What keeps a command from being watched on this machine."""
    if shutil.which("strace") is None:
        return "no strace is installed: apt-get install strace"
    tried = subprocess.run(
        ["strace", "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False
    )
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


class Watch:
    """Commands, one after the other, in a home that holds nothing but the test bed's Asterisk.

    Their environment asks for what Offhook promises not to do, and tells of no CI, where some
    libraries hold their tongues.

    Args:
        folder: an empty one of its own.
        cut_off: let nothing out, as if the network cannot be reached.
    """

    def __init__(self, folder: Path, *, cut_off: bool = False) -> None:
        self.home, self.temporary, self.work = (
            folder / name for name in ("home", "temporary", "work")
        )
        for one in (self.home / ".cache", self.temporary, self.work):
            one.mkdir(parents=True)
        self._folder = folder
        self._log = folder / "strace"
        self._cut_off = cut_off
        self._bed = self.home / ".cache/offhook"
        cache_directory().mkdir(parents=True, exist_ok=True)
        self._bed.symlink_to(cache_directory())

    @contextlib.asynccontextmanager
    async def running(self, *command: str, **env: str) -> AsyncIterator[Process]:
        """Start it, `command` being arguments of Python; ends it with SIGTERM if need be."""
        calls = ["-e", f"trace={_OUTWARD},{_UNSEEN},{_FILES},{_PROCESSES}"]
        if self._cut_off:
            calls += ["-e", f"inject={_OUTWARD}:error=ENETUNREACH"]
        process = await asyncio.create_subprocess_exec(
            *("strace", "-f", "-y", "--seccomp-bpf", "-A", "-o", str(self._log), *calls),
            *(sys.executable, *command),
            cwd=self.work,
            env={**self._environment(), **env},
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # strace itself ends with what it watches
            await process.communicate()

    async def run(self, *command: str, **env: str) -> tuple[int | None, str, str]:
        """Start it and wait for its end; gives (exit code, stdout, stderr)."""
        async with self.running(*command, **env) as process, asyncio.timeout(90):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    def reached(self) -> set[str]:
        """What it tried to reach: other machines, and whoever looks names up for it."""
        found = set()
        for line in self._own():
            for port, host in _PEER.findall(line):
                address = ipaddress.ip_address(host)
                mapped = getattr(address, "ipv4_mapped", None) or address
                if not mapped.is_loopback or int(port) == _DNS:
                    found.add(f"{host}:{port}")
            found |= {
                path for path in _UNIX.findall(line) if not path.startswith(str(self._folder))
            }
            if line.startswith(_UNSEEN):
                found.add(line)
        return found

    def written(self) -> set[str]:
        """Files and folders that it made elsewhere than in its temporary and working folder, and
        what it left in the temporary one."""
        found = {str(path) for path in self.temporary.rglob("*")}
        for made in filter(None, map(_MADE.match, self._own())):
            name = made["opened"] or made["made"] or made["folder"]
            path = Path(os.path.normpath(self.work / (made["at"] or made["in"] or "") / name))
            places = (self.temporary, self.work, self._bed, Path(os.devnull))
            if not any(path.is_relative_to(place) for place in places):
                found.add(str(path))
        return found

    def started(self) -> set[str]:
        """Names of the programs that it started, Python left out."""
        others, parents = self._programs(), self._parents()
        return {
            Path(program).name
            for thread, program in others.items()
            if _is_own(parents.get(thread), others, parents)
        }

    def _own(self) -> Iterator[str]:
        """The calls of its own processes and threads: not of what it started."""
        others, parents = self._programs(), self._parents()
        return (call for thread, call in self._calls() if _is_own(thread, others, parents))

    def _programs(self) -> dict[int, str]:
        """Which process became which other program first."""
        found: dict[int, str] = {}
        for thread, call in self._calls():
            program = _EXEC.match(call)
            if program is not None and program[1] != sys.executable:
                found.setdefault(thread, program[1])
        return found

    def _parents(self) -> dict[int, int]:
        """Which thread each thread and process was started by."""
        tried = ((_CHILD.match(call), thread) for thread, call in self._calls())
        return {int(child[1]): thread for child, thread in tried if child is not None}

    def _calls(self) -> Iterator[tuple[int, str]]:
        """Every call with its thread, those put together that strace interrupted."""
        begun: dict[int, str] = {}
        for line in self._log.read_text(errors="replace").splitlines():
            parts = _LINE.match(line)
            if parts is None:
                continue
            thread, call = int(parts[1]), parts[2]
            if call.endswith(" <unfinished ...>"):
                begun[thread] = call.removesuffix(" <unfinished ...>")
            elif call.startswith("<... "):
                yield thread, begun.pop(thread, "") + call.partition("resumed>")[2]
            else:
                yield thread, call
        yield from begun.items()

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        return kept | {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ORT_DISABLE_TELEMETRY": "0",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "0",
            "DO_NOT_TRACK": "0",
        }


def _is_own(thread: int | None, others: Mapping[int, str], parents: Mapping[int, int]) -> bool:
    return thread is None or (
        thread not in others and _is_own(parents.get(thread), others, parents)
    )
