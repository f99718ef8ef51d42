"""The log as JSON: one object a line, with its call and its request."""

import json
import logging
import sys
from typing import Any

import pytest

from api.cli.console import log_to_stderr
from api.http.request_id import REQUEST_ID
from api.telemetry.log_lines import CALL_ID, JsonLines

CALL = "3f2b8f6e-6a1f-4b6e-9a57-0c1f0d6f7a10"


def line(message: str, *arguments: object, **more: Any) -> dict[str, Any]:
    record = {"msg": message, "args": arguments, "name": "api.x", "levelname": "INFO"} | more
    written = JsonLines().format(logging.makeLogRecord(record))
    assert len(written.splitlines()) == 1
    assert written.isascii()
    told: dict[str, Any] = json.loads(written)
    return told


def test_a_line_has_time_level_place_and_message() -> None:
    assert line("hello %s", "you", created=1_750_000_000.5) == {
        "time": "2025-06-15T15:06:40.500Z",
        "level": "info",
        "logger": "api.x",
        "message": "hello you",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x85", "\x0b", '"}\n{"level": "error'])
def test_hostile_text_makes_no_line_of_its_own(end: str) -> None:
    assert line("sip_call_id=%s", f"a{end}b")["message"] == f"sip_call_id=a{end}b"


def test_the_call_is_the_one_named_or_the_one_worked_for() -> None:
    assert line("call %s: ended status=busy", CALL)["call_id"] == CALL
    assert "call_id" not in line("a call of nobody's")
    token = CALL_ID.set("another")
    try:
        assert line("the PBX is slow")["call_id"] == "another"
        assert line("call %s: ended", CALL)["call_id"] == CALL
    finally:
        CALL_ID.reset(token)


def test_an_exception_is_told_within_the_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        assert "ValueError: two\nlines" in line("broken", exc_info=sys.exc_info())["exception"]


def test_the_command_line_writes_them(capsys: pytest.CaptureFixture[str]) -> None:
    root, api = logging.root, logging.getLogger("api")
    before, levels = list(root.handlers), (root.level, api.level)
    token = REQUEST_ID.set("req_7")
    try:
        root.handlers = []
        log_to_stderr("info", "json")
        api.info("call %s: ringing", CALL)
    finally:
        REQUEST_ID.reset(token)
        root.handlers = before
        root.setLevel(levels[0])
        api.setLevel(levels[1])
        for name in ("models", "pbx", "voice_loop"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    told = json.loads(capsys.readouterr().err)
    assert (told["message"], told["call_id"], told["request_id"]) == (
        f"call {CALL}: ringing",
        CALL,
        "req_7",
    )
