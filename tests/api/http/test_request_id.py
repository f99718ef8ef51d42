"""A request's id is in its answer and in every line that is logged for it."""

import asyncio
import logging
from dataclasses import replace

from api.http.request_id import RequestIdFilter
from api.http.services import Check
from tests.api.conftest import Bench
from tests.api.doors import client_of


class Listed(logging.Handler):
    """Keeps what it is given, as the command line's handler would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestIdFilter())
        self.setFormatter(logging.Formatter("%(request)s%(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


async def test_lines_of_requests_at_one_time_bear_their_own_ids(bench: Bench) -> None:
    listed = Listed()
    log = logging.getLogger("tests.request_id")
    log.addHandler(listed)

    async def health() -> dict[str, Check]:
        log.error("before")
        await asyncio.sleep(0)
        await asyncio.to_thread(log.error, "in a thread")
        return {}

    try:
        async with client_of(
            replace(bench, services=replace(bench.services, health=health))
        ) as client:
            answers = await asyncio.gather(
                *(client.get("/healthz", headers={"X-Request-Id": f"r{n}"}) for n in range(3))
            )
    finally:
        log.removeHandler(listed)
    assert [one.headers["x-request-id"] for one in answers] == ["r0", "r1", "r2"]
    assert sorted(listed.lines) == sorted(
        f"[r{n}] {told}" for n in range(3) for told in ("before", "in a thread")
    )


def test_outside_of_a_request_there_is_none() -> None:
    listed = Listed()
    listed.handle(logging.makeLogRecord({"msg": "dialling"}))
    assert listed.lines == ["dialling"]


async def test_every_kind_of_answer_bears_an_id(bench: Bench) -> None:
    for method, path in (
        ("GET", "/v1/calls"),
        ("GET", "/nowhere"),
        ("PUT", "/v1/calls"),
        ("POST", "/v1/calls"),
        ("GET", "/docs"),
    ):
        answer = await bench.client.request(method, path, headers={"X-Request-Id": "a b"})
        assert answer.headers["x-request-id"].startswith("req_")
    tag = (await bench.client.get("/v1/calls")).headers["etag"]
    known = await bench.client.get("/v1/calls", headers={"If-None-Match": tag})
    assert (known.status_code, known.headers["x-request-id"][:4]) == (304, "req_")
