"""`/docs` and `/llms.txt`: whole, without a key, and without anything from elsewhere."""

import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from api.compat.endpoints import ENDPOINTS
from api.http.openapi import openapi_document
from api.http.reference.curl import curl
from api.http.reference.llms import llms_text
from api.http.reference.page import reference_page
from tests.api.conftest import Bench

DOCUMENT = openapi_document(ENDPOINTS)
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What is in a page; raises when a tag is closed that was not opened last."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.attributes if known == name]


@pytest.fixture
async def answer(bench: Bench) -> httpx.Response:
    async with httpx.AsyncClient(base_url=bench.client.base_url, trust_env=False) as stranger:
        return await stranger.get("/docs")


async def test_the_page_may_neither_run_nor_fetch_anything(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(
        one.strip().split(" ", 1) for one in answer.headers["content-security-policy"].split(";")
    )
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "style-src": f"'sha256-{digest}'",
    }
    page = Page(answer.text)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {"style", "src", "srcset"} & names
    assert not any(name.startswith("on") for name in names)
    assert all(target.startswith(("#", "/")) for target in page.values("href"))
    assert "url(" not in style
    assert "@import" not in style


async def test_every_link_leads_somewhere(bench: Bench, answer: httpx.Response) -> None:
    page = Page(answer.text)
    anchors = page.values("id")
    assert len(set(anchors)) == len(anchors)
    for target in set(page.values("href")):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (await bench.client.get(target)).status_code == 200


async def test_every_operation_and_schema_is_on_the_page(answer: httpx.Response) -> None:
    page = Page(answer.text)
    for endpoint in ENDPOINTS:
        assert endpoint.operation_id in page.values("id")
    for name in DOCUMENT["components"]["schemas"]:
        assert f"schema-{name}" in page.values("id")
    commands = [text for text in page.texts["pre"] if text.startswith("curl")]
    assert len(commands) == len(ENDPOINTS)


def test_it_reads_on_a_phone_and_on_paper() -> None:
    html = reference_page(DOCUMENT)
    assert 'content="width=device-width, initial-scale=1"' in html
    assert "@media print" in html
    assert "prefers-color-scheme: dark" in html


def test_what_is_described_cannot_break_out_of_the_page() -> None:
    hostile: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    operation = hostile["paths"]["/v1/calls"]["post"]
    operation["summary"] = operation["description"] = "</p><script>alert(1)</script> `<b>`"
    assert "script" not in Page(reference_page(hostile)).tags


def parsed(command: str) -> tuple[list[str], list[str], str | None]:
    """The plain words, the headers and the body of a curl command, as a shell splits it."""
    words = shlex.split(command.replace("\\\n", " "))
    plain, headers, body = [], [], None
    rest = iter(words)
    for word in rest:
        if word == "-H":
            headers.append(next(rest))
        elif word in {"-d", "--data-binary"}:
            body = next(rest)
        else:
            plain.append(word)
    return plain, headers, body


def test_commands_are_what_a_shell_understands() -> None:
    item = DOCUMENT["paths"]["/v1/calls"]
    plain, headers, body = parsed(curl("POST", "/v1/calls", item["post"]))
    assert plain == ["curl", "-s", "$URL/v1/calls"]
    assert headers == ["Authorization: Bearer $OFFHOOK_API_KEY", "Content-Type: application/json"]
    assert body is not None
    assert json.loads(body) == item["post"]["requestBody"]["content"]["application/json"]["example"]
    plain, headers, body = parsed(
        curl(
            "POST",
            "/v1/calls/{call_id}/cancel",
            DOCUMENT["paths"]["/v1/calls/{call_id}/cancel"]["post"],
        )
    )
    assert plain[-2:] == ["-X", "POST"]
    assert "{" not in plain[2]
    assert body is None
    health = DOCUMENT["paths"]["/healthz"]["get"]
    assert parsed(curl("GET", "/healthz", health)) == (["curl", "-s", "$URL/healthz"], [], None)


def test_a_quote_in_an_example_stays_in_the_example() -> None:
    body = {"content": {"application/json": {"example": {"prompt": "it's $HOME `x`"}}}}
    operation = {"requestBody": body, "responses": {}, "security": []}
    _, _, told = parsed(curl("POST", "/x", operation))
    assert json.loads(told or "") == {"prompt": "it's $HOME `x`"}


async def test_llms_txt_has_the_form_of_llmstxt_org(bench: Bench) -> None:
    """A title, a summary as a quotation, text, and lists of links under second-level titles."""
    async with httpx.AsyncClient(base_url=bench.client.base_url, trust_env=False) as stranger:
        served = await stranger.get("/llms.txt")
    assert served.headers["content-type"] == "text/plain; charset=utf-8"
    lines = served.text.splitlines()
    assert (lines[0], lines[2][:2]) == ("# Offhook", "> ")
    assert sum(line.startswith("# ") for line in lines) == 1
    listed = lines[next(i for i, line in enumerate(lines) if line.startswith("## ")) :]
    assert all(
        not line or re.fullmatch(r"## \S.*|- \[[^\]]+\]\(/[^)]*\): \S.*", line) for line in listed
    )
    assert served.text == llms_text(DOCUMENT)
    for endpoint in ENDPOINTS:
        assert f"[{endpoint.method} {endpoint.path}](/docs#{endpoint.operation_id})" in served.text
