"""What is wrong with an agent's tools is told when it is saved, each at its place."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.conftest import SEAL, Bench

DOCUMENTATION: Final = Path(__file__).parents[3] / "docs/tools.md"

HTTP: dict[str, Any] = {
    "type": "http",
    "name": "check_inventory",
    "description": "Looks up an item.",
    "method": "POST",
    "url": "https://crm.example.org/stock/{{item}}",
    "headers": [{"key": "X-Shop", "value": "{{shop}}"}],
    "query_params": [{"key": "q", "value": "{{item}}"}],
    "body_template": '{"item": "{{item}}", "shop": {"of": ["{{shop}}"]}}',
    "input_schema": [
        {"name": "item", "type": "string", "required": True, "description": "Which."},
        {"name": "size", "type": "enum", "required": False, "enum_options": ["s", "l"]},
    ],
    "timeout_seconds": 5,
    "say": "I am looking it up for {{shop}}.",
}
TRANSFER: dict[str, Any] = {"type": "transfer", "number": "+15550100200"}
EMAIL: dict[str, Any] = {"type": "send_email", "to": ["desk@example.org"]}


async def wrong(bench: Bench, *tools: Any) -> dict[str, str]:
    """Pointer to detail of what is wrong with a call whose agent has these tools."""
    return await told(bench, tools=tools)


async def told(bench: Bench, **body: Any) -> dict[str, str]:
    asked = {"to": "+15551234567", "variables": {"shop": "Lopez"}} | body
    response = await bench.client.post("/v1/calls", json=asked)
    if response.status_code == 201:
        return {}
    assert response.status_code == 422, response.text
    return {error["pointer"]: error["detail"] for error in response.json()["errors"]}


async def codes(bench: Bench, *tools: Any) -> dict[str, str]:
    response = await bench.client.post("/v1/calls", json={"to": "+15551234567", "tools": tools})
    assert response.status_code == 422, response.text
    return {error["pointer"]: error.get("code") for error in response.json()["errors"]}


@pytest.mark.rows("CB-36", "RV-137", "RV-161…166", "X-OI-7")
async def test_good_tools_are_taken(bench: Bench) -> None:
    methods = [
        HTTP | {"name": f"with_{index}", "method": method, "body_template": body}
        for index, (method, body) in enumerate(
            [("GET", ""), ("GET", "{}"), ("DELETE", " "), ("PUT", "[]"), ("PATCH", '"{{item}}"')]
        )
    ]
    plain = {"type": "http", "name": "plain", "description": "x", "url": "https://a.example/"}
    others = [TRANSFER, TRANSFER | {"name": "to_billing"}, {"type": "send_digits"}]
    tools = [HTTP, *methods, plain, *others, {"type": "skip_turn"}]
    assert await wrong(bench, *tools) == {}


WRONG: Final[list[tuple[dict[str, Any], str, str]]] = [
    ({"name": ""}, "/name", "pattern"),
    ({"name": "Check"}, "/name", "pattern"),
    ({"name": "end_call"}, "/name", "is the name of a tool of ours"),
    ({"name": "transfer_call"}, "/name", "is the name of a tool of ours"),
    ({"description": ""}, "/description", "at least 1"),
    ({"method": "HEAD"}, "/method", "'GET'"),
    ({"method": "GET"}, "/body_template", "a GET request has no body"),
    ({"method": "DELETE"}, "/body_template", "a DELETE request has no body"),
    ({"url": ""}, "/url", "at least 1"),
    ({"url": "url"}, "/url", "https://"),
    ({"url": "http://crm.example.org/"}, "/url", "tools.allow_http permits"),
    ({"url": "https://127.0.0.1/"}, "/url", "tools.allowed_networks can allow it"),
    ({"url": "https://{{item}}.example.org/"}, "/url", "host may not hold a variable"),
    ({"url": "https://example.org{{item}}"}, "/url", "host may not hold a variable"),
    ({"url": "https://example.org:{{item}}/"}, "/url", "host may not hold a variable"),
    ({"url": "{{item}}://example.org/"}, "/url", "https://"),
    ({"url": "https://example.org/a/../{{item}}"}, "/url", "`.` or `..`"),
    ({"url": "https://user:pw@example.org/"}, "/url", "password"),
    ({"url": "https://[::1/"}, "/url", "not a URL"),
    ({"url": "https://example.org/{{item"}, "/url", "begins no"),
    ({"body_template": "no json"}, "/body_template", "must be JSON with quoted"),
    ({"body_template": '{"a": {{item}}}'}, "/body_template", "must be JSON with quoted"),
    ({"body_template": '{"a": NaN}'}, "/body_template", "NaN is not JSON"),
    ({"body_template": "[" * 5000}, "/body_template", "must be JSON with quoted"),
    ({"body_template": '[{"{{item}}": 1}]'}, "/body_template", "a key may not hold"),
    ({"headers": [{"key": "", "value": ""}]}, "/headers/0/key", "at least 1"),
    ({"headers": [{"key": "X Y", "value": ""}]}, "/headers/0/key", "name of a header"),
    ({"headers": [{"key": "X:", "value": ""}]}, "/headers/0/key", "name of a header"),
    ({"headers": [{"key": "Host", "value": "x"}]}, "/headers/0/key", "by the request itself"),
    (
        {"headers": [{"key": "content-length", "value": "1"}]},
        "/headers/0/key",
        "by the request itself",
    ),
    (
        {"headers": [{"key": "Transfer-Encoding", "value": "chunked"}]},
        "/headers/0/key",
        "by the request itself",
    ),
    (
        {"headers": [{"key": "X-A", "value": "1"}, {"key": "x-a", "value": "2"}]},
        "/headers/1/key",
        "another header",
    ),
    ({"headers": [{"key": "X", "value": "a\r\nb"}]}, "/headers/0/value", "line break"),
    ({"headers": [{"key": "X", "value": "{{nobody}}"}]}, "/headers/0/value", "has no value"),
    ({"query_params": [{"key": "", "value": ""}]}, "/query_params/0/key", "at least 1"),
    (
        {"query_params": [{"key": "{{item}}", "value": ""}]},
        "/query_params/0/key",
        "a key may not hold",
    ),
    ({"input_schema": [{"name": "", "type": "string"}]}, "/input_schema/0/name", "at least 1"),
    ({"input_schema": [{"name": "a", "type": "list"}]}, "/input_schema/0/type", "'string'"),
    (
        {"input_schema": [{"name": "item", "type": "enum"}]},
        "/input_schema/0/enum_options",
        "needs options",
    ),
    (
        {"input_schema": [{"name": "item", "type": "enum", "enum_options": ["a", "a"]}]},
        "/input_schema/0/enum_options",
        "an option twice",
    ),
    (
        {"input_schema": [{"name": "item", "type": "date", "enum_options": ["a"]}]},
        "/input_schema/0/enum_options",
        "for type enum only",
    ),
    (
        {"input_schema": [{"name": "item", "type": one} for one in ("string", "number")]},
        "/input_schema/1/name",
        "another input",
    ),
    ({"timeout_seconds": 0}, "/timeout_seconds", "greater than 0"),
    ({"timeout_seconds": 61}, "/timeout_seconds", "less than or equal to 60"),
    ({"say": "For {{item}}"}, "/say", "{{item}} has no value"),
    ({"surprise": 1}, "/surprise", "unknown key"),
]


@pytest.mark.rows(
    *("RV-139", "RV-142", "RV-145", "RV-146", "RV-150", "RV-156", "RV-160", "RV-162", "RV-166"),
    *("RV-167…169", "RV-172", "RV-174", "RV-175"),
)
async def test_what_is_wrong_with_an_http_tool(bench: Bench) -> None:
    for change, place, detail in WRONG:
        errors = await wrong(bench, {"type": "skip_turn"}, HTTP | change)
        assert list(errors) == [f"/tools/1{place}"], (change, errors)
        assert detail in errors[f"/tools/1{place}"], (change, errors)


@pytest.mark.rows("RV-167", "RV-169")
async def test_a_name_is_given_once(bench: Bench) -> None:
    assert await wrong(bench, HTTP, TRANSFER, HTTP, TRANSFER, {"type": "skip_turn"}) == {
        "/tools/2/name": "another tool has this name",
        "/tools/3/name": "another tool has this name",
    }
    taken = TRANSFER | {"name": "check_inventory"}
    ours = TRANSFER | {"name": "skip_turn"}
    assert await wrong(bench, HTTP, taken, ours, {"type": "skip_turn"}, {"type": "skip_turn"}) == {
        "/tools/1/name": "another tool has this name",
        "/tools/2/name": "is the name of a tool of ours",
        "/tools/4/type": "another tool has this name",
    }


@pytest.mark.rows("RV-137", "CB-36")
async def test_the_place_is_that_in_the_request(bench: Bench) -> None:
    agent = {"tools": [HTTP | {"url": "https://127.0.0.1/"}]}
    assert list(await told(bench, overrides=agent)) == ["/overrides/tools/0/url"]
    for path, body, place in (
        ("agents", {"name": "Ada"} | agent, "/tools/0/url"),
        ("campaigns", {"name": "spring", "template": agent}, "/template/tools/0/url"),
    ):
        response = await bench.client.post(f"/v1/{path}", json=body)
        assert response.status_code == 422, response.text
        assert place in [error["pointer"] for error in response.json()["errors"]]


@pytest.mark.rows("X-OI-7")
async def test_what_this_deployment_cannot_do_is_told(bench: Bench) -> None:
    assert await codes(
        bench,
        {"type": "send_sms"},
        EMAIL | {"to": ["desk@example.org", "no address"]},
        {"type": "calendar", "connection_id": "c", "event_type_id": "e"},
        TRANSFER | {"number": "5550100"},
    ) == {
        "/tools/0/type": "not_configured",
        "/tools/1/type": "not_configured",
        "/tools/1/to/1": None,
        "/tools/2/connection_id": "not_configured",
        "/tools/3/number": None,
    }


@pytest.mark.rows("RV-144", "RV-147")
async def test_the_documented_example_is_taken_once_its_secret_is_there(bench: Bench) -> None:
    section = DOCUMENTATION.read_text("utf-8").partition("## HTTP tools\n")[2]
    example = json.loads(section.partition("```json")[2].partition("```")[0])
    body = {"tools": [example], "variables": {"shop": "Lopez"}}
    assert await told(bench, **body) == {
        "/tools/0/headers/0/value": "there is no secret.crm (/v1/secrets)",
    }
    await bench.store.secrets.put("crm", SEAL.seal("k3y"))
    assert await told(bench, **body) == {}
