"""HTTP tools against a real server, whose every byte is looked at."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from api.egress.guarded_http import guarded_client
from api.egress.policy import EgressPolicy
from api.resources.tool_fields import HttpTool
from api.settings import Tools
from api.telemetry.spans import traceparent
from api.tools.http import MAX_ANSWER, HttpRequest
from tests.api.receiver import Answer, Received, Receiver, receiving
from voice_loop.tools import MAX_OUTPUT, ToolResult

NOW = datetime(2026, 11, 21, 15, 4, 5, tzinfo=ZoneInfo("Europe/Berlin"))
SECRETS = {"crm": 'k3y"\\ %b', "other": "not asked for"}
ALLOWED = Tools.model_validate({"allow_http": True, "allowed_networks": ["127.0.0.0/8"]})


def answers(
    code: int, body: bytes | str = b"", *headers: str, kind: str = "application/json"
) -> Answer:
    """Answers with this body at once."""
    content = body.encode() if isinstance(body, str) else body

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {code} X", f"Content-Length: {len(content)}", *headers]
        if kind:
            head.append(f"Content-Type: {kind}")
        writer.write("\r\n".join([*head, "", ""]).encode() + content)
        await writer.drain()

    return answer


async def echoes(received: Received, writer: asyncio.StreamWriter) -> None:
    """Sends back all it was sent."""
    told = json.dumps([received.path, received.headers, received.body.decode()])
    await answers(200, told)(received, writer)


class Desk:
    """Makes tools and uses them."""

    def __init__(self, receiver: Receiver, client: httpx.AsyncClient) -> None:
        self.receiver = receiver
        self.client = client
        self.looked_up: list[set[str]] = []
        self.traced = False

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}"

    async def _secrets(self, names: Any) -> dict[str, str]:
        self.looked_up.append(set(names))
        return {name: SECRETS[name] for name in names if name in SECRETS}

    def tool(self, url: str = "/", **fields: Any) -> HttpRequest:
        described = {"type": "http", "name": "look_up", "description": "Looks up."}
        url = url if "://" in url else self.root + url
        inputs = [{"name": one, "type": "string"} for one in fields.pop("inputs", ())]
        return HttpRequest(
            HttpTool.model_validate({"input_schema": inputs, **described, "url": url, **fields}),
            call_id="call-1",
            values={"patient": "María López", "age": 41, "vip": True, "nobody": None},
            now=lambda: NOW,
            say=None,
            client=self.client,
            secrets=self._secrets,
            traced=self.traced,
        )

    async def use(self, url: str = "/", arguments: Any = None, **fields: Any) -> ToolResult:
        return await self.tool(url, **fields)(arguments or {})

    async def sent(self, url: str = "/", arguments: Any = None, **fields: Any) -> Received:
        """What the server got of a use that went well."""
        result = await self.use(url, arguments, **fields)
        assert not result.is_error, result.output
        return self.receiver.got[-1]


async def test_the_server_is_told_the_trace_where_there_is_one(desk: Desk) -> None:
    assert "traceparent" not in (await desk.sent()).headers
    desk.traced = True
    assert (await desk.sent()).headers["traceparent"] == traceparent("call-1")


def failed(reason: str) -> ToolResult:
    return ToolResult(f"It failed: {reason}.", is_error=True)


def client(settings: Tools) -> httpx.AsyncClient:
    return guarded_client(EgressPolicy(settings), 4, {"Accept-Encoding": "identity"})


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with receiving(answers(200, "{}")) as receiver, client(ALLOWED) as allowed:
        yield Desk(receiver, allowed)


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.rows("RV-137", "RV-161…166")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_every_method(desk: Desk, method: str) -> None:
    body = "" if method in {"GET", "DELETE"} else '{"a": 1}'
    got = await desk.sent("/stock", method=method, body_template=body)
    assert (got.method, got.path, got.body) == (method, "/stock", body.replace(" ", "").encode())
    assert got.headers.get("content-type") == ("application/json" if body else None)
    assert got.headers["host"] == f"127.0.0.1:{desk.receiver.port}"


@pytest.mark.rows("RV-138…140", "RV-144", "RV-147", "RV-149", "RV-170…174")
async def test_values_stand_where_the_template_says(desk: Desk) -> None:
    got = await desk.sent(
        "/of/{{patient}}/{{ item }}?in=url&{{item}}",
        {"item": "a b/ü"},
        method="POST",
        inputs=["item"],
        headers=[
            {"key": "X-Age", "value": "is {{age}}"},
            {"key": "x-none", "value": "{{nobody}}"},
            {"key": "Content-Type", "value": "application/vnd.x+json"},
        ],
        query_params=[
            {"key": "who is", "value": "{{patient}}&x=1"},
            {"key": "none", "value": "{{nobody}}"},
        ],
        body_template=json.dumps(
            {
                "text": "{{patient}} is {{age}}, vip {{vip}}, {{nobody}}.",
                "typed": ["{{age}}", "{{vip}}", "{{nobody}}", "{{ item }}"],
                "fixed": 1.5,
            }
        ),
    )
    assert got.path == (
        "/of/Mar%C3%ADa%20L%C3%B3pez/a%20b%2F%C3%BC?in=url&a%20b%2F%C3%BC"
        "&who%20is=Mar%C3%ADa%20L%C3%B3pez%26x%3D1"
    )
    assert (got.headers["x-age"], got.headers["content-type"]) == (
        "is 41",
        "application/vnd.x+json",
    )
    assert "x-none" not in got.headers
    assert json.loads(got.body) == {
        "text": "María López is 41, vip true, .",
        "typed": [41, True, None, "a b/ü"],
        "fixed": 1.5,
    }


@pytest.mark.rows("RV-148", "RV-151…159")
async def test_inputs_become_a_schema_and_are_checked_again(desk: Desk) -> None:
    fields: dict[str, Any] = {
        "method": "POST",
        "input_schema": [
            {"name": "who", "type": "string", "description": "Whose."},
            {"name": "count", "type": "number"},
            {"name": "sure", "type": "boolean"},
            {"name": "size", "type": "enum", "enum_options": ["s", "l"]},
            {"name": "day", "type": "date", "description": "Which day."},
            {"name": "at", "type": "datetime", "required": False},
        ],
        "body_template": '["{{who}}","{{count}}","{{sure}}","{{size}}","{{day}}","{{at}}"]',
    }
    spec = desk.tool(**fields).spec
    assert (spec.name, spec.description) == ("look_up", "Looks up.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "who": {"type": "string", "description": "Whose."},
            "count": {"type": "number"},
            "sure": {"type": "boolean"},
            "size": {"enum": ["s", "l"]},
            "day": {
                "type": "string",
                "format": "date",
                "description": "Which day. A date; today is 2026-11-21, Saturday.",
            },
            "at": {
                "type": "string",
                "format": "date-time",
                "description": "A time; today is 2026-11-21, Saturday, at +01:00.",
            },
        },
        "required": ["who", "count", "sure", "size", "day"],
        "additionalProperties": False,
    }
    good = {"who": "me", "count": "2.5", "sure": "true", "size": "l", "day": "2026-11-23"}

    async def body(**given: Any) -> Any:
        return json.loads((await desk.sent("/", good | given, **fields)).body)

    assert await body() == ["me", 2.5, True, "l", "2026-11-23", None]
    # A time without its offset is the person's own, in summer as in winter.
    assert (await body(at="2026-12-01T09:00"))[-1] == "2026-12-01T09:00:00+01:00"
    assert (await body(at="2027-07-01T09:00:00"))[-1] == "2027-07-01T09:00:00+02:00"
    assert (await body(at="2026-12-01T09:00:00Z", count=3))[1:] == [
        *(3, True, "l", "2026-11-23"),
        "2026-12-01T09:00:00Z",
    ]
    before = len(desk.receiver.got)
    for wrong, told in (
        ({"who": None}, "who is missing"),
        ({"who": 1}, "who must be a text"),
        ({"who": "x" * 5000}, "who must be a text"),
        ({"who": "\ud800"}, "who must be a text"),
        ({"count": "two"}, "count must be a number"),
        ({"count": True}, "count must be a number"),
        ({"count": 10**400}, "count must be a number"),
        ({"count": float("nan")}, "count must be a number"),
        ({"sure": 1}, "sure must be true or false"),
        ({"size": "xl"}, "size must be one of: s, l"),
        ({"day": "tomorrow"}, "day must be a date"),
        ({"day": "2026-02-30"}, "day must be a date"),
        ({"day": "11/12/2026"}, "day must be a date"),
        ({"at": "2026-12-01"}, "at must be a time"),
        ({"at": "2026-12-01T25:00:00Z"}, "at must be a time"),
        ({"url": "http://evil.example"}, "there is no argument 'url'"),
    ):
        result = await desk.use("/", good | wrong, **fields)
        assert result.is_error
        assert told in result.output
    assert len(desk.receiver.got) == before


# -- what no value can do --------------------------------------------------------------------------

HOSTILE = [
    "../../admin",
    "..",
    ".",
    "..\\..\\admin",
    "a/b",
    "?x=1#y",
    "&admin=true",
    "@evil.example/",
    "//evil.example",
    "http://evil.example/",
    "%2e%2e%2fadmin",
    "%0d%0aX-Evil: 1",
    "x\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1",
    '"}, "admin": true, {"x": "',
    "\\",
    "{{secret.crm}}",
    "\x00\u2028",
]


@pytest.mark.rows("RV-137", "RV-174")
@pytest.mark.parametrize("value", HOSTILE)
async def test_a_value_stays_in_its_place(desk: Desk, value: str) -> None:
    """Whatever the person has the model say."""
    result = await desk.use("/a/{{x}}/b?q={{x}}", {"x": value}, inputs=["x"])
    if value in {"..", ".", "../../admin", "..\\..\\admin"}:
        assert result == failed("a value in the URL leads to another path")
        assert desk.receiver.got == []
    else:
        got = desk.receiver.got[-1]
        path, _, query = got.path.partition("?")
        assert path.count("/") == 3
        assert (path[:3], path[-2:], query[:2]) == ("/a/", "/b", "q=")
        assert not set("/?#&") & set(query[2:])
        assert got.headers.keys() == {"host", "user-agent", "accept", "accept-encoding"} | {
            "connection"
        }
    pair = [{"key": "q", "value": "{{x}}"}]
    got = await desk.sent(
        "/b",
        {"x": value},
        inputs=["x"],
        method="POST",
        query_params=pair,
        body_template='["{{x}}"]',
    )
    assert (got.path.count("&"), got.path.count("=")) == (0, 1)
    assert json.loads(got.body) == [value]
    got = await desk.sent(
        "/b", {"x": value}, inputs=["x"], method="POST", body_template='{"a": "<{{x}}>"}'
    )
    assert json.loads(got.body) == {"a": f"<{value}>"}
    result = await desk.use(
        "/b", {"x": value}, inputs=["x"], headers=[{"key": "X", "value": "{{x}}"}]
    )
    if set(value) & set("\r\n\x00"):
        assert result == failed("the value of header X may hold no line break")
    else:
        assert not result.is_error
        assert "x-evil" not in desk.receiver.got[-1].headers
    assert desk.looked_up == []


async def test_a_variable_without_a_value_is_told(desk: Desk) -> None:
    """A secret that was deleted after the agent was saved."""
    header = [{"key": "X-Api", "value": "{{secret.gone}}"}]
    result = await desk.use(headers=header)
    assert result == failed("{{secret.gone}} has no value")
    assert desk.receiver.got == []


# -- secrets ---------------------------------------------------------------------------------------


@pytest.mark.rows("RV-144", "RV-147")
async def test_secrets_are_sent_and_never_told(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "api")
    desk.receiver.answer = echoes
    fields: dict[str, Any] = {
        "method": "POST",
        "headers": [
            {"key": "Authorization", "value": "Bearer {{secret.crm}}"},
            {"key": "X-Api-Key", "value": "Token fixed-in-the-agent"},
        ],
        "query_params": [{"key": "k", "value": "{{secret.crm}}"}],
        "body_template": '{"k": "{{secret.crm}}"}',
    }
    result = await desk.use(**fields)
    got = desk.receiver.got[-1]
    assert got.headers["authorization"] == f"Bearer {SECRETS['crm']}"
    assert json.loads(got.body) == {"k": SECRETS["crm"]}
    assert desk.looked_up == [{"crm"}]
    for hidden in ("k3y", "fixed-in-the-agent"):
        assert hidden not in result.output
        assert hidden not in caplog.text
    assert result.output.startswith("HTTP 200\n")
    assert "********" in result.output
    for code, answer in (
        (500, answers(500, f"wrong key: {SECRETS['crm']}", kind="text/plain")),
        (302, answers(302, "", "Location: /k3y")),
    ):
        desk.receiver.answer = answer
        result = await desk.use(**fields)
        assert result.output.startswith(f"HTTP {code}")
        assert "k3y" not in result.output
    unsendable = [{"key": "X-Api", "value": "{{secret.crm}}\x00"}]
    assert "k3y" not in (await desk.use(headers=unsendable)).output


# -- what comes back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "output", "is_error"),
    [
        (answers(200, '{"a":  [1, "ü"]}'), 'HTTP 200\n{"a":[1,"ü"]}', False),
        (answers(201, "fine\r\nthanks\x00\x1b[2J", kind="text/plain"), None, False),
        (answers(204, kind=""), "HTTP 204", False),
        (answers(200, b"\x89PNG\x00", kind="image/png"), "HTTP 200\n(5 bytes of image/png)", False),
        (answers(200, '{"n": [1e400, NaN]}'), 'HTTP 200\n{"n": [1e400, NaN]}', False),
        (answers(200, '"\\ud800"'), 'HTTP 200\n"\N{REPLACEMENT CHARACTER}"', False),
        (answers(200, "[" * 60_000), None, False),
        (answers(404, '{"no": "such item"}'), 'HTTP 404 Not Found\n{"no":"such item"}', True),
        (answers(503, kind=""), "HTTP 503 Service Unavailable", True),
        (answers(599, kind=""), "HTTP 599", True),
        (answers(302, "", "Location: /x"), "HTTP 302: redirects are not followed", True),
        (answers(200, b"x", "Content-Encoding: gzip"), None, True),
    ],
)
async def test_what_the_model_is_told(
    desk: Desk, answer: Answer, output: str | None, is_error: bool
) -> None:
    desk.receiver.answer = answer
    result = await desk.use()
    assert result.is_error == is_error
    assert len(result.output) <= MAX_OUTPUT
    assert not set("\x00\x1b\r") & set(result.output)
    if output is not None:
        assert result.output == output
    assert len(desk.receiver.got) == 1


async def test_a_huge_answer_is_cut(desk: Desk) -> None:
    async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"a" * 10_000)
            await writer.drain()

    desk.receiver.answer = endless
    result = await desk.use()
    assert not result.is_error
    assert len(result.output) == MAX_OUTPUT
    assert result.output.endswith("aaa… (cut)")
    desk.receiver.answer = answers(200, b"a" * (MAX_ANSWER + 1), kind="image/png")
    result = await desk.use()
    assert result.output == f"HTTP 200\n(more than {MAX_ANSWER} bytes of image/png)"


async def test_a_server_that_is_slow_gone_or_no_server(desk: Desk) -> None:
    never = asyncio.Event()

    async def hangs(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n")
        await never.wait()

    async def babbles(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\r\n\r\n")

    desk.receiver.answer = hangs
    result = await desk.use(timeout_seconds=0.05)
    assert result == failed("no answer within 0.05 s")
    never.set()
    desk.receiver.answer = babbles
    result = await desk.use()
    assert result.is_error
    assert result.output.startswith("It failed: the server did not answer properly")
    async with receiving() as gone:
        port = gone.port
    result = await desk.use(f"http://127.0.0.1:{port}/")
    assert result == failed("the server cannot be reached")


# -- where it may go -------------------------------------------------------------------------------


@pytest.mark.rows("RV-137")
async def test_loopback_is_refused_unless_it_is_allowed(desk: Desk) -> None:
    """By its name too, whose address is looked at when it is connected to."""
    async with client(Tools(allow_http=True)) as careful:
        for host in ("127.0.0.1", "localhost"):
            desk.client = careful
            result = await desk.use(f"http://{host}:{desk.receiver.port}/")
            assert result.is_error
            assert "tools.allowed_networks can allow it" in result.output
    assert desk.receiver.got == []


async def test_no_cookie_goes_from_one_call_to_another(desk: Desk) -> None:
    desk.receiver.answer = answers(200, "{}", "Set-Cookie: session=1; Path=/")
    await desk.sent()
    assert "cookie" not in (await desk.sent()).headers
