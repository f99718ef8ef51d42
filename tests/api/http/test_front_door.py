"""Connections that want to keep the server busy, on a real server."""

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.store import Store
from tests.api.conftest import Bench, benching
from tests.api.flood import answer, closed, connect, idle_connections

#: Short deadlines, which nothing but what is tested here meets.
HASTY = {
    "OFFHOOK_SERVER__HEADER_TIMEOUT_S": "0.2",
    "OFFHOOK_SERVER__BODY_TIMEOUT_S": "0.2",
    "OFFHOOK_SERVER__KEEP_ALIVE_TIMEOUT_S": "0.2",
    "OFFHOOK_SERVER__SEND_TIMEOUT_S": "0.2",
}


def port_of(bench: Bench) -> int:
    port = httpx.URL(bench.services.url).port
    assert port is not None
    return port


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def descriptors() -> list[int]:
    """All that this process has open."""
    return [int(one.name) for one in Path("/proc/self/fd").iterdir()]


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """This process may open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()) + 1, hard))
    gaps: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                gaps.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for gap in gaps:
            os.close(gap)


async def test_idle_connections_keep_nobody_out(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with idle_connections(port_of(bench), 1100), asyncio.timeout(30):
        for _ in range(20):
            # Each time on a connection of its own.
            async with httpx.AsyncClient(
                base_url=bench.services.url, headers=bench.client.headers, trust_env=False
            ) as client:
                assert (await client.get("/v1/calls")).status_code == 200
        ours = len(descriptors())
        assert ours < 1100 + 200 + 200  # the test's own, those let in, and all else
    assert len(warnings(caplog)) <= 1


async def test_who_has_just_spoken_makes_room_for_who_comes_at_that_moment(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Between its first bytes and its first answer, too."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    full = {"OFFHOOK_SERVER__MAX_CONNECTIONS_PER_ADDRESS": "1"}
    async with benching(store, tmp_path, full) as bench, asyncio.timeout(20):
        first = await connect(port_of(bench))
        await asyncio.sleep(0.1)  # it is in the hall
        first.send(request)
        second = socket.create_connection(("127.0.0.1", port_of(bench)))  # in the same turn
        second.setblocking(False)
        with first, second:
            await closed(first)
            second.send(request)
            said = await asyncio.get_running_loop().sock_recv(second, 65_536)
    assert said.startswith(b"HTTP/1.1 200")
    assert caplog.records == []


async def test_a_key_that_is_known_gets_through_a_flood_from_its_own_address(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await bench.client.get("/v1/calls")).status_code == 200
    stop = asyncio.Event()
    request = b"GET /v1/calls HTTP/1.1\r\nHost: x\r\n\r\n"
    answers: list[bytes] = []

    async def hammer() -> None:
        while not stop.is_set():
            answers.append(await answer(port_of(bench), request))

    hammers = [asyncio.create_task(hammer()) for _ in range(50)]
    async with asyncio.timeout(60):
        while len(answers) < 900:
            await asyncio.sleep(0.01)
        for _ in range(10):
            async with httpx.AsyncClient(
                base_url=bench.services.url, headers=bench.client.headers, trust_env=False
            ) as client:
                assert (await client.get("/v1/calls")).status_code == 200
        stop.set()
        await asyncio.gather(*hammers)
    states = {one[9:12] for one in answers if one}
    assert states <= {b"401", b"429", b"503"}
    assert b"503" in states
    assert len(warnings(caplog)) <= 2  # the door's, and the guard's


async def test_without_descriptors_the_server_waits_and_says_so_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await bench.client.get("/v1/calls")).status_code == 200
    loop = asyncio.get_running_loop()
    clients = [socket.socket() for _ in range(40)]
    with no_descriptors():
        for one in clients:
            one.setblocking(False)
            await loop.sock_connect(one, ("127.0.0.1", port_of(bench)))
        for _ in range(200):
            await asyncio.sleep(0)
        # The connection that is there already is served.
        assert (await bench.client.get("/v1/calls")).status_code == 200
    for one in clients:
        one.close()
    async with asyncio.timeout(20):
        async with httpx.AsyncClient(base_url=bench.services.url, trust_env=False) as client:
            assert (await client.get("/healthz")).status_code == 200
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET",
        b"GET /v1/calls HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    ],
)
async def test_who_does_not_finish_a_request_is_disconnected(
    store: Store, tmp_path: Path, said: bytes
) -> None:
    async with benching(store, tmp_path, HASTY) as bench, asyncio.timeout(20):
        await answer(port_of(bench), said)


async def test_headers_that_come_byte_by_byte_have_one_deadline(
    store: Store, tmp_path: Path
) -> None:
    async with benching(store, tmp_path, HASTY) as bench, asyncio.timeout(20):
        one = await connect(port_of(bench))

        async def drip() -> None:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(one, b"GET / HTTP/1.1\r\nX-Slow: ")
            while True:
                await loop.sock_sendall(one, b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        await closed(one)
        with one, pytest.raises(ConnectionError):
            await dripping


async def test_a_body_that_does_not_come_is_408(store: Store, tmp_path: Path) -> None:
    async with benching(store, tmp_path, HASTY) as bench, asyncio.timeout(20):
        head = (
            "POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {bench.key}\r\nContent-Length: 100\r\n\r\n"
        )
        said = await answer(port_of(bench), head.encode(), b"{")
    assert said.startswith(b"HTTP/1.1 408")
    assert b'"code": "body_timeout"' in said


async def test_a_connection_with_a_key_is_kept_for_its_next_request_a_while(
    store: Store, tmp_path: Path
) -> None:
    async with benching(store, tmp_path, HASTY) as bench, asyncio.timeout(20):
        request = f"GET /v1/calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bench.key}\r\n\r\n"
        said = await answer(port_of(bench), request.encode())
    assert said.startswith(b"HTTP/1.1 200")
    assert b"connection: close" not in said.lower()


async def test_who_shows_no_key_has_one_answer_for_each_connection(bench: Bench) -> None:
    for path in ("/v1/calls", "/healthz", "/nowhere"):
        said = await answer(port_of(bench), f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 3)
        assert said.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in said.lower()


async def test_a_stranger_who_sends_a_large_body_sees_the_answer(bench: Bench) -> None:
    async with httpx.AsyncClient(base_url=bench.services.url, trust_env=False) as client:
        response = await client.post("/v1/calls", content=b"x" * 900_000)
    assert response.status_code == 401


async def test_who_does_not_take_an_answer_is_disconnected(store: Store, tmp_path: Path) -> None:
    async with benching(store, tmp_path, HASTY) as bench, asyncio.timeout(30):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(one, ("127.0.0.1", port_of(bench)))
        call = await bench.create()
        path = f"/v1/calls/{call['id']}"
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bench.key}\r\n\r\n"

        async def ask() -> None:
            while True:  # and no answer is read
                await loop.sock_sendall(one, request.encode() * 100)

        with one, pytest.raises(ConnectionError):
            await ask()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100, b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 150 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 60_000 + b"\r\n", b"431"),
        (
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"\r\n",
            b"200",
        ),
    ],
)
async def test_a_head_that_is_too_much_is_refused_without_a_word_in_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture, request_: bytes, status: bytes
) -> None:
    async with asyncio.timeout(20):
        said = await answer(port_of(bench), request_)
    assert said[9:12] == status
    lower = said.lower()
    assert b"\r\ncache-control: no-store\r\n" in lower
    assert b"\r\nx-content-type-options: nosniff\r\n" in lower
    assert warnings(caplog) == []
