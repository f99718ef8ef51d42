"""The drill of the manual: a server is backed up, killed in the middle of its work, restored, and
serves exactly what the backup held."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest


async def offhook(env: Mapping[str, str], *arguments: str) -> Any:
    """What a command of `offhook` says in JSON."""
    process = await command(env, *arguments, "--json")
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def command(env: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from api.cli import main; main()", *arguments),
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@contextlib.asynccontextmanager
async def serving(env: Mapping[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server without a PBX, and its URL; killed at the end."""
    process = await command(env, "serve", "--log-level", "error")
    assert process.stderr is not None
    try:
        async with asyncio.timeout(90):
            said = b""
            while not (found := re.search(rb"Listening on (http://\S+)", said)):
                line = await process.stderr.readline()
                assert line, f"the server did not start: {said.decode()}"
                said += line
        yield process, found[1].decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def environment(folder: Path) -> dict[str, str]:
    return {
        "OFFHOOK_STORE__PATH": str(folder / "data" / "offhook.db"),
        "OFFHOOK_RECORDINGS__DIR": str(folder / "data" / "recordings"),
        "OFFHOOK_SERVER__HOST": "127.0.0.1",
        "OFFHOOK_SERVER__PORT": "0",
        "OFFHOOK_PBX__AMI__PORT": "9",
        "OFFHOOK_PBX__AMI__SECRET": "nobody listens",
        "OFFHOOK_PBX__INBOUND": "false",
        "OFFHOOK_RTP__PORT_MIN": "14900",
        "OFFHOOK_RTP__PORT_MAX": "14949",
        "OFFHOOK_CALLS__NUMBERS": "+15559876543",
    }


async def place(client: httpx.AsyncClient, count: int) -> None:
    later = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"
    for _ in range(count):
        order = {"to": "+15551234567", "scheduled_at": later}
        assert (await client.post("/v1/calls", json=order)).status_code == 201


async def rows(client: httpx.AsyncClient) -> Any:
    return (await client.get("/v1/calls", params={"limit": 99})).json()["data"]


@pytest.mark.timeout(300)
async def test_a_killed_server_is_restored_to_its_backup(tmp_path: Path) -> None:
    env = environment(tmp_path)
    key = (await offhook(env, "keys", "create", "drill"))["key"]
    headers = {"Authorization": f"Bearer {key}"}
    copy = str(tmp_path / "copy.db")
    async with serving(env) as (process, url), httpx.AsyncClient(base_url=url) as client:
        client.headers.update(headers)
        await place(client, 3)
        kept = await rows(client)
        await offhook(env, "backup", copy)
        await place(client, 4)
        refused = await command(env, "restore", copy)
        assert b"in use by a server" in (await refused.communicate())[1].replace(b"\n", b" ")
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "data" / "offhook.db-wal").stat().st_size > 0
    restored = await offhook(env, "restore", copy)
    async with serving(env) as (_, url), httpx.AsyncClient(base_url=url) as client:
        client.headers.update(headers)
        assert await rows(client) == kept
        await place(client, 1)
        assert len(await rows(client)) == 4
    below = list(tmp_path.joinpath("data").rglob("*"))
    assert restored["replaced"] in [str(path) for path in below]
    assert [path for path in below if path.stat().st_mode & 0o077] == []
