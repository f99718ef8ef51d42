"""Hostile values at every field: refused with a pointer, or carried as plain data."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pbx.testbed import persona
from tests.e2e.conftest import Phone

TEXTS = (
    "\r\nAction: Originate\r\nChannel: PJSIP/+15559999999@trunk\r\nApplication: Echo\r\n\r\n",
    "+1555\r\nAction: Originate",
    "%0D%0AAction: Originate",
    '"; DROP TABLE calls; --',
    "\x00\x1b[2J\u202e\u0085\u2028",
    "N" * 10_000,
    "{{context}} ${EXTEN} $(reboot) `id`",
)
OTHERS: tuple[Any, ...] = (None, True, -1, 1e308, [], ["+15550100"], {}, {"a": {"b": []}})
FIELDS = (
    "to", "to_number", "from_number", "prompt", "context", "returns", "language", "webhook_url",
    "metadata", "max_duration_seconds", "Action\r\nOriginate",
)  # fmt: skip


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field with every hostile value; objects get them as keys and as values."""
    for name in FIELDS:
        for value in (*TEXTS, *OTHERS):
            body: dict[str, Any] = {"to": persona("busy").number, "prompt": "Say hello."}
            if name == "to_number":
                del body["to"]
            yield name, {**body, name: value}
            if name in ("context", "returns", "metadata") and isinstance(value, str):
                yield name, {**body, name: {value: "string"}}
                yield name, {**body, name: {"field": value}}


async def test_every_field(either_phone: Phone) -> None:
    phone = either_phone
    dialled = len(phone.bed.dialled())
    accepted: list[str] = []
    async with httpx.AsyncClient(
        base_url=phone.server.url, headers={"Authorization": f"Bearer {phone.key}"}
    ) as http:
        for name, body in bodies():
            answer = await http.post("/v1/calls", json=body)
            if answer.status_code == 201:
                call = answer.json()
                accepted.append(call["id"])
                assert call["to_number"] == persona("busy").number
                for echoed in ("prompt", "context", "returns", "metadata"):
                    if body.get(echoed) is not None:
                        assert call[echoed] == body[echoed]
            else:
                assert answer.status_code == 422, (name, body, answer.text)
                problem = answer.json()
                assert answer.headers["content-type"] == "application/problem+json"
                pointers = [error["pointer"] for error in problem["errors"]]
                assert all(one.startswith("/" + name.split("_")[0][:2]) for one in pointers), (
                    name,
                    pointers,
                )
    assert accepted
    for call_id in accepted:
        ended = await phone.wait(call_id)
        assert ended["status"] == "busy"
    numbers = {number for number, _ in phone.bed.dialled()[dialled:]}
    assert numbers == {persona("busy").number}
    assert len(phone.bed.dialled()) - dialled == len(accepted)
    log = phone.pbx.log()
    assert "15559999999" not in log
    assert "DROP TABLE" not in log


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[1]", 422),
        (b'{"to": "+1555", "to": "+1556"', 400),
        (b"\xff\xfe", 400),
        (b'{"to": NaN}', 400),
        (b"[" * 5000 + b"]" * 5000, 400),
        (b'"' + b"x" * 400_000 + b'"', 413),
    ],
)
async def test_no_json(phone: Phone, body: bytes, status: int) -> None:
    async with httpx.AsyncClient(base_url=phone.server.url) as http:
        answer = await http.post(
            "/v1/calls",
            content=body,
            headers={
                "Authorization": f"Bearer {phone.key}",
                "Content-Type": "application/json",
            },
        )
    assert answer.status_code == status
    assert json.loads(answer.text)["code"]


async def test_unknown_key_names_the_nearest(phone: Phone) -> None:
    async with httpx.AsyncClient(base_url=phone.server.url) as http:
        answer = await http.post(
            "/v1/calls",
            json={"to": "+15550100", "promt": "x"},
            headers={"Authorization": f"Bearer {phone.key}"},
        )
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["pointer"] == "/promt"
    assert "prompt" in error["detail"]


async def test_no_connection_is_opened_by_refusals(phone: Phone) -> None:
    """A refused request leaves no call behind."""
    async with httpx.AsyncClient(
        base_url=phone.server.url, headers={"Authorization": f"Bearer {phone.key}"}
    ) as http:
        before = (await http.get("/v1/calls", params={"limit": 1})).json()["data"]
        await http.post("/v1/calls", json={"to": "12"})
        await asyncio.sleep(0)
        after = (await http.get("/v1/calls", params={"limit": 1})).json()["data"]
    assert [one["id"] for one in before] == [one["id"] for one in after]
