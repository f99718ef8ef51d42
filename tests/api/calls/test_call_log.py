"""What the log tells of calls: each step once, to be found by the call's id, without numbers."""

import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from api.calls.call_log import CallLog
from api.cli.console import log_to_stderr
from api.resources.attempt import Ended
from api.store import Store
from api.telemetry.meter import Meter
from pbx.switch import Cause, SwitchRefused
from tests.api.calls.test_runner import conversed, running
from tests.api.story import BUSY, NUMBER, OURS, claimed
from tests.api.switchboard import Office


@pytest.fixture
def office(store: Store, tmp_path: Path) -> Office:
    return Office(store, tmp_path)


def told(caplog: pytest.LogCaptureFixture, call_id: str) -> list[str]:
    """Info lines of the call, without its id."""
    lines = [one.message for one in caplog.records if one.levelno == logging.INFO]
    assert not [line for line in lines if NUMBER in line or OURS in line]
    return [line.split(": ", 1)[1] for line in lines if line.startswith(f"call {call_id}: ")]


async def test_each_step_of_a_call_is_one_line(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api")
    call = await conversed(office, trunk="trunk")
    (attempt,) = await office.store.calls.attempts(call.id)
    placed, ringing, answered, ended = told(caplog, call.id)
    assert placed == f"placed attempt=1 direction=outbound trunk=trunk channel={attempt.channel_id}"
    assert ringing == "ringing attempt=1 trunk=trunk sip_call_id=-"
    assert answered == "answered attempt=1 trunk=trunk sip_call_id=-"
    assert re.fullmatch(
        r"ended attempt=1 status=completed end_reason=person_hangup cause=normal_clearing q850=16 "
        r"sip_code=200 trunk=trunk sip_call_id=a@b answered_s=\d+\.\d+ packets_received=7 "
        r"packets_sent=6 lost=1 jitter_ms=0\.5 concealed=1",
        ended,
    )
    said = [turn.text for turn in await office.store.calls.turns(call.id)]
    assert said
    assert not [text for text in said if text in caplog.text]


async def test_a_call_that_nobody_answers_is_told_too(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api")
    call = await running(office)
    (await call.dialed()).end(BUSY)
    await call.over()
    placed, ended = told(caplog, call.id)
    assert placed.startswith("placed ")
    assert "status=busy end_reason=busy cause=user_busy q850=17 sip_code=486" in ended
    assert "sip_call_id=c@d answered_s=0.0 " in ended


async def test_a_call_that_the_pbx_refuses_is_told_too(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api")
    office.switch.fault = SwitchRefused("the trunk does not answer", "trunk")
    call = await running(office)
    await call.over()
    placed, ended = told(caplog, call.id)
    assert placed.startswith("placed ")
    assert "status=failed end_reason=trunk_unreachable cause=request_refused q850=- " in ended
    assert "packets_received=- " in ended


async def test_what_a_far_end_sends_makes_no_line_of_its_own(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api")
    forged = 'x\r\ncall 1: ended status="completed"'
    cause: Cause = replace(BUSY, sip_call_id=forged)
    CallLog(await claimed(store), Meter()).ended(Ended(0.0, cause, "busy"), None)
    assert "\n" not in caplog.messages[-1]
    assert f"sip_call_id={json.dumps(forged)} " in caplog.messages[-1]


@pytest.mark.parametrize("known", ["by the row", "from the ringing", "from the answer"])
async def test_an_end_of_ours_has_the_call_id_that_is_known(
    store: Store, caplog: pytest.LogCaptureFixture, known: str
) -> None:
    """What ends a call here, and not at the PBX, does not know its Call-ID."""
    caplog.set_level(logging.INFO, "api")
    claim = await claimed(store)
    if known == "by the row":
        claim = replace(claim, attempt=replace(claim.attempt, sip_call_id="a@b"))
    story = CallLog(claim, Meter())
    story.ringing("a@b" if known == "from the ringing" else None)
    story.answered("a@b" if known == "from the answer" else None)
    story.ended(Ended(0.0, Cause("failed", "unknown", "Nobody told."), "failed"), None)
    assert " sip_call_id=a@b " in caplog.messages[-1]


def test_libraries_are_quiet_at_every_level() -> None:
    before = {name: logging.getLogger(name).level for name in (None, "api", "pbx", "models")}
    handlers = list(logging.root.handlers)
    try:
        logging.root.handlers = []
        log_to_stderr("debug")
        for library in ("httpx", "panoramisk", "sqlalchemy.engine", "asyncio", "alembic"):
            assert not logging.getLogger(library).isEnabledFor(logging.INFO)
            assert logging.getLogger(library).isEnabledFor(logging.WARNING)
        assert logging.getLogger("api.calls.runner").isEnabledFor(logging.DEBUG)
        assert logging.getLogger("pbx.link").isEnabledFor(logging.DEBUG)
    finally:
        logging.root.handlers = handlers
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        logging.getLogger("voice_loop").setLevel(logging.NOTSET)
