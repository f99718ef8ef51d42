"""Webhooks against receivers that answer well, badly, late and never."""

import asyncio
import shutil
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from api.base.signing import new_secret
from api.egress.policy import EgressError, EgressPolicy
from api.resources.call import Call
from api.settings import Webhooks, load_settings
from api.store import Store, StoreError
from api.webhooks.deliverer import Render, RetrySchedule, WebhookDeliverer, of_event
from api.webhooks.sender import judge, retry_after_s
from tests.api.receiver import Received, receiving, status
from tests.api.story import answered, completed, new_call

SECRET = new_secret()
LOCAL: dict[str, Any] = {"allow_http": True, "allowed_networks": ["127.0.0.0/8"]}


def webhooks(**values: Any) -> Webhooks:
    return Webhooks.model_validate(LOCAL | values)


@asynccontextmanager
async def delivering(
    store: Store,
    clock: Callable[[], float] | None = None,
    render: Render = of_event,
    **values: Any,
) -> AsyncIterator[None]:
    given: dict[str, Any] = {} if clock is None else {"clock": clock}
    settings = webhooks(**{"secret": SECRET} | values)
    deliverer = WebhookDeliverer(store, settings, render, chance=lambda: 0.5, **given)
    task = asyncio.create_task(deliverer.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def settled(store: Store, call: Call, wanted: str) -> Call:
    """The call once its webhook status is `wanted`."""
    async with asyncio.timeout(20):
        while (found := await store.calls.get(call.id)).webhook_status != wanted:
            await asyncio.sleep(0.01)
    return found


@pytest.mark.both_stores
async def test_every_lifecycle_event_arrives_signed_and_in_order(store: Store) -> None:
    """CB-22, CB-23, CB-53, CB-113."""
    async with receiving() as receiver, delivering(store):
        call = await completed(store, webhook_url=receiver.url)
        got = await receiver.wait(4)
        done = await settled(store, call, "delivered")
    bodies = [request.verified(SECRET) for request in got]
    assert [body["type"] for body in bodies] == [
        "call.queued",
        "call.ringing",
        "call.answered",
        "call.completed",
    ]
    assert len({request.headers["webhook-id"] for request in got}) == 4
    last = dict(bodies[-1])
    del last["type"]
    told = {"webhook_status": "pending", "updated_at": last["updated_at"]}
    assert last == done.shown.model_dump() | told
    assert got[0].path == "/hook?x=1"
    assert got[0].headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got[0].headers["content-type"] == "application/json"
    assert done.updated_at > (done.ended_at or 0)  # CB-127
    assert done.webhook_error is None


async def test_the_library_refuses_a_changed_body(store: Store) -> None:
    async with receiving() as receiver, delivering(store):
        await new_call(store, webhook_url=receiver.url)
        (request,) = await receiver.wait(1)
    changed = Received(request.path, request.headers, request.body + b" ")
    with pytest.raises(Exception, match="signature"):
        changed.verified(SECRET)


@pytest.mark.both_stores
async def test_a_failed_delivery_comes_again_with_the_same_id_and_body(store: Store) -> None:
    """X-CB-15; later events wait for it."""
    async with (
        receiving(status(500)) as receiver,
        delivering(store, retry_schedule_s=[0.05, 0.05, 0.05]),
    ):
        call = await answered(store, webhook_url=receiver.url)
        await receiver.wait(2)
        failing = await store.calls.get(call.id)
        receiver.answer = status(204)
        got = await receiver.wait(5)
    assert "500" in (failing.webhook_error or "")
    assert failing.webhook_status == "pending"
    queued = [request for request in got if b'"call.queued"' in request.body]
    assert len(queued) >= 3
    assert len({(request.headers["webhook-id"], request.body) for request in queued}) == 1
    assert got[: len(queued)] == queued
    assert (await store.calls.get(call.id)).webhook_error is None


@pytest.mark.both_stores
async def test_after_the_last_retry_the_delivery_has_failed(store: Store) -> None:
    """CB-108. The call's later events are still tried."""
    async with receiving(status(503)) as receiver, delivering(store, retry_schedule_s=[0.01]):
        call = await completed(store, webhook_url=receiver.url)
        done = await settled(store, call, "failed")
        got = list(receiver.got)
    assert len(got) == 8  # two attempts at each of four events
    assert "503 Service Unavailable" in (done.webhook_error or "")


@pytest.mark.both_stores
async def test_gone_means_never_again(store: Store) -> None:
    async with receiving(status(410)) as receiver, delivering(store, retry_schedule_s=[0.01] * 5):
        call = await completed(store, webhook_url=receiver.url)
        await settled(store, call, "failed")
        assert len(receiver.got) == 4


async def test_redirects_are_not_followed(store: Store) -> None:
    async with receiving() as target:
        moved = status(307, f"Location: {target.url}")
        async with receiving(moved) as receiver, delivering(store, retry_schedule_s=[]):
            call = await completed(store, webhook_url=receiver.url)
            done = await settled(store, call, "failed")
        assert target.got == []
    assert "redirects are not followed" in (done.webhook_error or "")


async def hang(_: Received, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def drip(_: Received, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 10_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


async def hang_up(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def babble(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xffSSH-2.0-what\r\n" * 50)
    await writer.drain()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (hang, "no answer within 1 s"),
        (drip, "no answer within 1 s"),
        (hang_up, "RemoteProtocolError"),
        (babble, "RemoteProtocolError"),
    ],
)
async def test_bad_receivers_only_fail(store: Store, answer: Any, told: str) -> None:
    async with receiving(answer) as receiver, delivering(store, retry_schedule_s=[], timeout_s=1.0):
        call = await completed(store, webhook_url=receiver.url)
        done = await settled(store, call, "failed")
    assert told in (done.webhook_error or "")


async def test_nobody_listening_and_no_such_name_only_fail(store: Store) -> None:
    async with receiving() as receiver:
        closed = receiver.url
    async with delivering(store, retry_schedule_s=[]):
        nobody = await completed(store, webhook_url=closed)
        assert "ConnectError" in ((await settled(store, nobody, "failed")).webhook_error or "")
        unknown = await completed(store, webhook_url="http://no-such-host.invalid/")
        assert (await settled(store, unknown, "failed")).webhook_error


async def test_a_name_that_leads_to_a_forbidden_address_is_refused(store: Store) -> None:
    """DNS is checked at connect time: here `localhost`, with loopback not allowed."""
    async with receiving() as receiver, delivering(store, allowed_networks=[]):
        call = await completed(store, webhook_url=f"http://localhost:{receiver.port}/")
        done = await settled(store, call, "failed")
        assert receiver.got == []
    assert "refused; webhooks.allowed_networks" in (done.webhook_error or "")


@pytest.mark.both_stores
@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
async def test_an_address_in_disguise_is_refused_when_it_is_connected_to(
    store: Store, host: str
) -> None:
    """What the system's resolver takes for an address, though it looks like a name."""
    async with (
        receiving() as receiver,
        delivering(store, allowed_networks=[], retry_schedule_s=[0.0]),
    ):
        call = await completed(store, webhook_url=f"http://{host}:{receiver.port}/")
        done = await settled(store, call, "failed")
        assert receiver.got == []
    assert done.webhook_error
    page = await store.deliveries.page(limit=9)
    assert {delivery.last_response_status for delivery in page.items} == {None}


async def test_a_name_that_leads_elsewhere_at_every_look_up_is_asked_for_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def rebinding(host: Any, *arguments: Any, **named: Any) -> Any:
        if host != "rebinding.example":
            return look_up(host, *arguments, **named)
        asked.append(host)
        return look_up("127.0.0.1" if len(asked) % 2 else "169.254.169.254", *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    async with receiving() as receiver, delivering(store, retry_schedule_s=[]):
        call = await new_call(store, webhook_url=f"http://rebinding.example:{receiver.port}/")
        (request,) = await receiver.wait(1)
        assert request.headers["host"] == f"rebinding.example:{receiver.port}"
        async with asyncio.timeout(20):
            while (await store.calls.get(call.id)).webhook_status == "pending":
                if (await store.deliveries.page(limit=1)).items[0].status == "delivered":
                    break
                await asyncio.sleep(0.01)
        assert len(asked) == 1
        await store.calls.request_cancel(call.id)
        done = await settled(store, call, "failed")
    assert "169.254.169.254 is refused" in (done.webhook_error or "")
    assert len(receiver.got) == 1


async def test_name_servers_that_do_not_answer_hold_up_nobody_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their look-ups hang in threads of their own, not in those that write recordings."""
    answer, hanging = threading.Event(), threading.Semaphore(0)
    look_up = socket.getaddrinfo

    def slow(host: Any, *arguments: Any, **named: Any) -> Any:
        if str(host).endswith(".slow.example"):
            hanging.release()
            answer.wait(60)
        return look_up("127.0.0.1", *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    slow_hosts = 34  # asyncio's own threads are 32 at most
    try:
        async with (
            receiving() as receiver,
            delivering(store, concurrency=2 * slow_hosts, timeout_s=60),
        ):
            for number in range(slow_hosts):
                await new_call(store, webhook_url=f"http://x{number}.slow.example/")
            async with asyncio.timeout(20):
                for _ in range(slow_hosts):
                    while not hanging.acquire(blocking=False):
                        await asyncio.sleep(0.01)
                assert await asyncio.to_thread(lambda: "written") == "written"
            await new_call(store, webhook_url=receiver.url)
            await receiver.wait(1)
    finally:
        answer.set()


async def test_retry_after_is_waited_for(store: Store) -> None:
    """RFC 9110 10.2.3, also where the schedule would be sooner."""
    now = (await new_call(store)).created_at + 10
    async with receiving(status(503, "Retry-After: 500")) as receiver:
        call = await new_call(store, webhook_url=receiver.url)
        async with delivering(store, clock=lambda: now, retry_schedule_s=[1.0]):
            await receiver.wait(1)
            while not (await store.calls.get(call.id)).webhook_error:
                await asyncio.sleep(0.01)
    assert await store.outbox.due(now + 499.9, 10) == []
    assert len(await store.outbox.due(now + 500, 10)) == 1


async def test_attempts_whose_booking_fails_are_booked_later_and_not_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the commit went through and only its answer was lost."""
    record, failures = store.outbox.record, iter([False, True])

    async def failing(made: Any, now: float) -> None:
        committed = next(failures, None)
        if committed is not False:
            await record(made, now)
        if committed is not None:
            raise StoreError("the store does not answer")

    monkeypatch.setattr(store.outbox, "record", failing)
    monkeypatch.setattr("api.webhooks.deliverer.STORE_PAUSE_S", 0.01)
    async with receiving() as receiver, delivering(store):
        call = await completed(store, webhook_url=receiver.url)
        await settled(store, call, "delivered")
    assert len(receiver.got) == 4
    page = await store.deliveries.page(limit=9)
    assert [delivery.attempt_count for delivery in page.items] == [1] * 4


async def test_a_slow_receiver_delays_nobody_else(store: Store) -> None:
    """Twenty calls wait for the slow one first; it never gets more than its two places."""
    async with receiving(hang) as slow, receiving() as quick:
        for _ in range(20):
            await new_call(store, webhook_url=slow.url)
        async with delivering(store, per_host=2, concurrency=4, timeout_s=30):
            await slow.wait(2)
            for _ in range(10):
                await new_call(store, webhook_url=quick.url)
            await quick.wait(10)
            assert len(slow.got) == 2


async def test_many_slow_receivers_leave_half_of_the_places_to_the_others(store: Store) -> None:
    """Once they are known: the history of their attempts shows no more than two at a time."""
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(receiving(hang)) for _ in range(6)]
        quick = await stack.enter_async_context(receiving())
        for receiver in slow * 2:
            await new_call(store, webhook_url=receiver.url)
        retries = [0.0] * 3
        async with delivering(store, concurrency=4, timeout_s=0.3, retry_schedule_s=retries):
            for receiver in slow:
                await receiver.wait(2)
            for _ in range(10):
                await new_call(store, webhook_url=quick.url)
            await quick.wait(10)
            async with asyncio.timeout(20):
                while (await store.deliveries.page(limit=1, status="pending")).items:
                    await asyncio.sleep(0.02)
    page = await store.deliveries.page(limit=99)
    edges = []
    for delivery in page.items:
        for attempt in delivery.attempts[1:]:
            if delivery.url != quick.url:
                end = attempt.at + (attempt.duration_ms - 1) / 1000
                edges += [(attempt.at, 1), (end, -1)]
    assert len(edges) == 2 * 12 * len(retries)
    waiting = list(accumulate(step for _, step in sorted(edges)))
    assert max(waiting) == 2


async def test_a_slow_receiver_that_recovers_gets_its_places_back(store: Store) -> None:
    arrived = asyncio.Event()
    waiting: list[str] = []

    async def wait_for_three(request: Received, writer: asyncio.StreamWriter) -> None:
        waiting.append(request.headers["webhook-id"])
        if len(waiting) == 3:
            arrived.set()
        await arrived.wait()
        await status(204)(request, writer)

    async with (
        receiving(hang) as receiver,
        delivering(store, per_host=3, timeout_s=2.0, retry_schedule_s=[0.0] * 20),
    ):
        calls = [await new_call(store, webhook_url=receiver.url) for _ in range(3)]
        await receiver.wait(4)
        receiver.answer = status(204)
        async with asyncio.timeout(20):
            while (await store.deliveries.page(limit=1, status="pending")).items:
                await asyncio.sleep(0.01)
        receiver.answer = wait_for_three
        calls = [await new_call(store, webhook_url=receiver.url) for _ in calls]
        await asyncio.wait_for(arrived.wait(), 10)
        async with asyncio.timeout(20):
            while (await store.deliveries.page(limit=1, status="pending")).items:
                await asyncio.sleep(0.01)
    page = await store.deliveries.page(limit=3)
    assert {delivery.call_id for delivery in page.items} == {call.id for call in calls}
    assert [delivery.attempt_count for delivery in page.items] == [1, 1, 1]


@pytest.mark.both_stores
async def test_what_was_pending_is_delivered_after_a_restart(store: Store) -> None:
    async with receiving(hang) as receiver:
        async with delivering(store):
            call = await completed(store, webhook_url=receiver.url)
            await receiver.wait(1)
        receiver.answer = status(200)
        async with delivering(store):
            await settled(store, call, "delivered")
    ids = [request.headers["webhook-id"] for request in receiver.got]
    assert ids[0] == ids[1]


@pytest.mark.both_stores
async def test_a_retry_waits_for_its_time(store: Store) -> None:
    """With a played clock: nothing is due before the minute is over."""
    now = [(await new_call(store)).created_at + 10]
    async with receiving(status(500)) as receiver:
        call = await new_call(store, webhook_url=receiver.url)
        async with delivering(store, clock=lambda: now[0]):
            await receiver.wait(1)
            while not (await store.calls.get(call.id)).webhook_error:
                await asyncio.sleep(0.01)
        assert await store.outbox.due(now[0] + 59.9, 10) == []
        assert len(await store.outbox.due(now[0] + 60, 10)) == 1


@pytest.mark.rows("X-CB-13", "X-CB-14")
def test_the_schedule_of_the_design() -> None:
    defaults = load_settings(None, {}).webhooks
    assert (defaults.timeout_s, defaults.retry_jitter) == (10, 0.2)
    schedule = RetrySchedule(defaults.retry_schedule_s, 0.2)
    assert [schedule.delay_s(n, 0.5) for n in range(1, 9)] == [
        60,
        300,
        1800,
        7200,
        18_000,
        36_000,
        86_400,
        None,
    ]
    assert schedule.delay_s(1, 0.0) == pytest.approx(48)
    assert schedule.delay_s(1, 1.0) == pytest.approx(72)
    assert schedule.delay_s(1, 0.5, retry_after_s=500) == 500
    assert schedule.delay_s(1, 0.5, retry_after_s=1e9) == 86_400
    assert schedule.delay_s(8, 0.5, retry_after_s=5) is None


@pytest.mark.rows("X-CB-14")
@pytest.mark.parametrize(
    ("code", "delivered", "final"),
    [
        (200, True, False),
        (204, True, False),
        (299, True, False),
        (301, False, False),
        (400, False, False),
        (410, False, True),
        (500, False, False),
        (999, False, False),
    ],
)
def test_what_an_answer_means(code: int, delivered: bool, final: bool) -> None:
    verdict = judge(code)
    assert (verdict.delivered, verdict.final) == (delivered, final)
    assert (verdict.error is None) == delivered


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("120", 120),
        ("-5", 0),
        ("soon", 0),
        ("²", 0),
        ("9" * 40, 999_999_999),
        ("Thu, 01 Jan 1970 00:17:10 GMT", 30),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float) -> None:
    assert retry_after_s(value, now=1000) == seconds


@pytest.mark.parametrize(
    ("values", "url", "allowed"),
    [
        ({}, "https://hooks.example.org/a?b=c", True),
        ({}, "http://hooks.example.org/", False),
        ({"allow_http": True}, "http://192.168.1.5:8080/", True),
        ({}, "https://127.0.0.1/", False),
        ({}, "https://0.0.0.0/", False),
        ({}, "https://[fe80::1]/", False),
        ({}, "https://224.0.0.1/", False),
        ({}, "https://[fd00:ec2::254]/", False),
        ({}, "https://[::ffff:127.0.0.1]/", False),
        ({}, "https://[::ffff:a9fe:a9fe]/", False),
        ({}, "https://[64:ff9b::a9fe:a9fe]/", False),
        ({}, "https://[64:ff9b:1::7f00:1]/", False),
        ({}, "https://[64:ff9b:1:fffe::7f00:1]/", False),
        ({}, "https://[::ffff:0:7f00:1]/", False),
        ({}, "https://[2002:7f00:1::]/", False),
        ({}, "https://[::127.0.0.1]/", False),
        ({}, "https://[::1]/", False),
        ({}, "https://[::]/", False),
        ({}, "https://[fe80::1%25eth0]/", False),
        ({}, "https://[fd12:3456::1]/", True),
        ({}, "https://[::ffff:192.168.1.5]/", True),
        ({}, "https://0.0.0.1/", False),
        ({}, "https://100.100.100.200/", False),
        ({"allowed_networks": ["127.0.0.0/8"]}, "https://[::ffff:127.0.0.1]/", True),
        ({"allowed_networks": ["::1"]}, "https://[::1]/", True),
        ({"allowed_networks": ["169.254.7.0/24"]}, "https://169.254.7.9/", True),
        ({"allowed_networks": ["169.254.7.0/24"]}, "https://169.254.8.9/", False),
        ({"allowed_hosts": ["a.example.org"]}, "https://a.example.org/", True),
        ({"allowed_hosts": ["a.example.org"]}, "https://b.example.org/", False),
        ({"allowed_hosts": ["*.Example.org"]}, "https://B.example.ORG/", True),
        ({}, "https:///path", False),
        ({}, "https://x/#f", False),
        ({}, "https://x/" + "a" * 3000, False),
        ({}, "https://ü.example/", False),
        ({}, "file:///etc/passwd", False),
        ({}, "https://[::1", False),
    ],
)
def test_where_webhooks_may_go(values: dict[str, Any], url: str, allowed: bool) -> None:
    policy = EgressPolicy(Webhooks.model_validate(values))
    if allowed:
        policy.check_url(url)
    else:
        with pytest.raises(EgressError):
            policy.check_url(url)


async def test_tls_is_verified(store: Store, tmp_path: Path) -> None:
    """A receiver with a certificate that nobody vouches for gets nothing."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    certificate = tmp_path / "self-signed.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", certificate, "-out", "-"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    shown, _ = await made.communicate()
    with certificate.open("ab") as file:
        file.write(shown)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with receiving(tls=context) as receiver, delivering(store, retry_schedule_s=[]):
        url = receiver.url.replace("http://", "https://")
        call = await completed(store, webhook_url=url)
        done = await settled(store, call, "failed")
        assert receiver.got == []
    assert "certificate verify failed" in (done.webhook_error or "")
