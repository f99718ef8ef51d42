"""A real CalDAV server on loopback: Radicale, with two users, in a process of its own."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from icalendar import Calendar

USER, PASSWORD = "offhook", "correct: hörse"
READER, READER_PASSWORD = "reader", "only looks"

_CONFIG = """
[server]
hosts = 127.0.0.1:{port}
ssl = {ssl}
certificate = {certificate}
key = {certificate}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = from_file
file = {folder}/rights
[storage]
filesystem_folder = {folder}/collections
[web]
type = none
[logging]
level = error
"""
_RIGHTS = f"""
[owner]
user: {USER}
collection: .*
permissions: RrWw
[reader]
user: {READER}
collection: .*
permissions: Rr
"""


@dataclass
class Radicale:
    """A server, and one calendar of its user."""

    base: str
    client: httpx.AsyncClient

    @property
    def url(self) -> str:
        """Of the calendar."""
        return f"{self.base}/{USER}/desk/"

    async def make(self) -> None:
        """An empty calendar in place of what there is."""
        await self.client.delete(self.url)
        (await self.client.request("MKCALENDAR", self.url)).raise_for_status()

    async def put(self, *lines: str, name: str = "one") -> None:
        """Put an event there, as somebody at the office does."""
        text = "\r\n".join(
            [
                *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Office//EN", "BEGIN:VEVENT"),
                *(f"UID:{name}", "DTSTAMP:20260101T000000Z", "SUMMARY:Private", *lines),
                *("END:VEVENT", "END:VCALENDAR", ""),
            ]
        )
        answer = await self.client.put(f"{self.url}{name}.ics", content=text.encode())
        answer.raise_for_status()

    async def events(self) -> list[Any]:
        """What is in the calendar."""
        answer = await self.client.get(self.url)
        answer.raise_for_status()
        return list(Calendar.from_ical(answer.content).walk("VEVENT"))


@asynccontextmanager
async def radicale(folder: Path, certificate: Path | None = None) -> AsyncIterator[Radicale]:
    """A server for the time of the `async with`.

    Args:
        folder: empty.
        certificate: with its key, PEM; it is served over TLS.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n{READER}:{READER_PASSWORD}\n")
    (folder / "rights").write_text(_RIGHTS)
    config = _CONFIG.format(
        port=port, folder=folder, ssl=certificate is not None, certificate=certificate or ""
    )
    (folder / "config").write_text(config)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "radicale", "--config", str(folder / "config"))
    )
    try:
        await _listens(process, port)
        base = f"http{'' if certificate is None else 's'}://localhost:{port}"
        async with httpx.AsyncClient(
            auth=(USER.encode(), PASSWORD.encode()), trust_env=False, verify=False, timeout=20
        ) as client:
            yield Radicale(base, client)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            assert process.returncode is None, "Radicale did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
