"""An answering machine takes a call: what the ledger, the client and the next attempt make of it.

Store, runner and conversation are the real ones; the PBX and the engines are played.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from api.base.money import Rate
from api.calls.conversing import conversation_config
from api.calls.runner import RunnerConfig
from api.compat.mapping import revox_end
from api.policy.retry import WEEKDAYS, CallingWindow, RetryPolicy
from api.resources.call import Call
from api.resources.claim import Claim
from api.settings import Settings
from tests.api.conftest import Bench
from tests.api.story import NODE, claim_up_to, claimed
from tests.api.switchboard import Office, PlayedAttempt, assert_nothing_is_left, impatient, story
from tests.voice_loop.scripted import frame, settle
from tests.voice_loop.test_voicemail import beep
from voice_loop.phrases import phrases
from voice_loop.prompts import CALL_ANSWERED, LEAVE_MESSAGE

GREETING = "we are not at home"
#: At any hour of the week.
TWICE = RetryPolicy(
    frozenset(WEEKDAYS), (CallingWindow(0, 24 * 60),), call_twice_in_a_row=True, max_attempts=2
)


@pytest.fixture(autouse=True)
async def nothing_is_left(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> AsyncIterator[None]:
    impatient(monkeypatch)
    before = asyncio.all_tasks()
    yield
    await assert_nothing_is_left(before)


@dataclass
class Configured(Office):
    """One whose conversations are held as the calls' agents say."""

    settings: Settings | None = None

    @property
    def config(self) -> RunnerConfig:
        settings = self.settings
        assert settings is not None
        return replace(
            super().config, conversation=lambda call: conversation_config(settings, call)
        )


@pytest.fixture
def office(bench: Bench) -> Configured:
    return Configured(bench.store, settings=bench.services.settings)


async def greet(office: Office, attempt: PlayedAttempt) -> None:
    """The machine's part, up to 80 ms after its beep."""
    loud = frame(office.ears.code(GREETING))
    for heard in [loud] * 100 + [*beep()]:
        await attempt.tick(heard)


async def machine_takes(office: Office, claim: Claim) -> Call:
    """An attempt that a machine takes, from the dialling to the hang-up."""
    task = asyncio.create_task(office.runner(claim).run())
    attempt = await office.switch.dialed(claim.attempt.number)
    attempt.ring()
    attempt.answer()
    await settle()
    await greet(office, attempt)
    async with asyncio.timeout(10):
        while not task.done():
            await attempt.tick()
            await asyncio.sleep(0.001)
    return await office.store.calls.get(claim.call.id)


@pytest.mark.rows("CB-40", "CB-44", "CB-45", "CB-56", "CB-58", "CB-60", "CB-62", "CB-63", "X-CB-6")
async def test_a_call_that_a_machine_takes_is_no_answer_and_costs_nothing(
    office: Office,
) -> None:
    claim = await claimed(office.store, returns={"ok": "boolean"}, rate=Rate("+", 6000))
    shown = (await machine_takes(office, claim)).shown.model_dump()
    assert (shown["status"], shown["answered_by"]) == ("no_answer", "machine")
    assert (shown["end_reason"], shown["result"], shown["result_status"]) == (
        "voicemail",
        None,
        "pending",
    )
    assert shown["answered_at"] is not None
    assert (shown["billed_duration_seconds"], shown["reservation_status"]) == (0, "released")
    assert shown["billing_amount_milli_cents"] == 0
    assert (shown["error_code"], shown["error_message"], shown["hangup_cause"]) == (
        "normal_clearing",
        "An answering machine took the call.",
        "normal_clearing",
    )
    assert (shown["outcome"], shown["summary"]) == (None, None)
    assert (office.mind.extractions, office.mind.analyses) == (0, 0)
    told = await story(office.store, claim.call.id)
    assert (told[-1], told.count("no_answer")) == ("no_answer", 1)
    assert "completed" not in told
    turns = await office.store.calls.turns(claim.call.id)
    assert [(turn.speaker, turn.text) for turn in turns] == [("person", GREETING)]


@pytest.mark.rows("CB-41", "CB-58", "RV-91", "RV-92", "X-OI-9")
@pytest.mark.parametrize("action", ["leave_message", None])
async def test_a_message_is_left_and_the_call_is_no_answer_all_the_same(
    office: Office, action: str | None
) -> None:
    agent = {"voicemail_action": action, "voicemail_message": "{{name}}, please call back."}
    agent = {name: value for name, value in agent.items() if value is not None}
    claim = await claimed(office.store, agent=agent, variables={"name": "maria"})
    call = await machine_takes(office, claim)
    assert (call.status, call.answered_by, call.end_reason) == (
        "no_answer",
        "machine",
        "voicemail",
    )
    turns = await office.store.calls.turns(call.id)
    assert [(turn.speaker, turn.text, turn.interrupted) for turn in turns] == [
        ("person", GREETING, False),
        ("agent", "maria, please call back.", False),
    ]


@pytest.mark.rows("CB-39", "CB-41", "CB-58", "CB-62…63", "X-CB-24")
@pytest.mark.parametrize("written", ["this is the clinic. goodbye.", "", "hello?"])
async def test_callingboxs_agents_leave_what_the_model_writes(
    office: Office, bench: Bench, written: str
) -> None:
    """The service has no field for it; what opens the call is never left."""
    base = "/compat/callingbox/v1"
    asked = f"{CALL_ANSWERED} {LEAVE_MESSAGE}"
    office.mind.answers = office.mind.answers | {asked: written}
    agent = {"name": "A", "instructions": "Confirm it.", "voicemail_action": "leave_message"}
    made = (await bench.client.post(f"{base}/agents", json=agent)).json()
    order = {"to": "+15551234567", "agent_id": made["id"]}
    call = (await bench.client.post(f"{base}/calls", json=order)).json()
    (claim,) = await claim_up_to(office.store, 1)
    assert (await machine_takes(office, claim)).id == call["id"]
    told = (await bench.client.get(f"{base}/calls/{call['id']}")).json()
    assert (told["status"], told["answered_by"], told["billed_duration_seconds"]) == (
        *("no_answer", "machine", 0),
    )
    turns = (await bench.client.get(f"{base}/calls/{call['id']}/transcript")).json()["transcript"]
    left = written if written.endswith(".") else phrases("en").voicemail
    assert turns == [
        {"role": "user", "content": GREETING},
        {"role": "agent", "content": left},
    ]


@pytest.mark.rows("RV-8", "RV-114", "RV-503", "CB-63")
async def test_after_a_machine_it_is_tried_again(office: Office) -> None:
    """The second attempt reaches a person: it alone is billed."""
    first = await claimed(office.store, retry=TWICE, zones=("UTC",), rate=Rate("+", 6000))
    waiting = await machine_takes(office, first)
    assert (waiting.status, waiting.answered_by) == ("queued", None)
    (second,) = (await office.store.claims.take(1, NODE)).claims
    assert second.attempt.number == 2
    task = asyncio.create_task(office.runner(second).run())
    attempt = await office.switch.dialed(2)
    attempt.ring()
    attempt.answer()
    await settle()
    await attempt.until_spoken()
    await office.hears(attempt, "hello")
    attempt.end()
    await asyncio.wait_for(task, 10)
    call = await office.store.calls.get(first.call.id)
    assert (call.status, call.answered_by, call.reservation_status) == (
        "completed",
        "human",
        "settled",
    )
    one, other = await office.store.calls.attempts(call.id)
    assert (one.state, one.answered_by, one.end_reason, one.amount_milli_cents) == (
        "no_answer",
        "machine",
        "voicemail",
        0,
    )
    assert (other.state, other.end_reason) == ("completed", "person_hangup")
    assert revox_end(one) == ("agent", "voicemail")
    assert (await story(office.store, call.id)).count("attempt_ended") == 1


@pytest.mark.rows("RV-8")
async def test_machines_that_take_every_attempt_end_the_order(office: Office) -> None:
    first = await claimed(office.store, retry=TWICE, zones=("UTC",))
    await machine_takes(office, first)
    (second,) = (await office.store.claims.take(1, NODE)).claims
    call = await machine_takes(office, second)
    assert (call.status, call.answered_by, call.attempt_count) == ("no_answer", "machine", 2)
    told = await story(office.store, call.id)
    assert (told.count("no_answer"), told.count("attempt_ended")) == (1, 1)


@pytest.mark.rows("RV-93", "RV-94")
async def test_who_was_not_at_home_is_texted(office: Office) -> None:
    agent = {"voicemail_sms_prompt": "Dear {{name}}, call us.", "after_call_sms_prompt": "Thank."}
    claim = await claimed(office.store, agent=agent, variables={"name": "maria"})
    call = await machine_takes(office, claim)
    (message,) = (await office.store.messages.page(limit=10, call_id=call.id)).items
    assert (message.purpose, message.recipient) == ("voicemail", call.to_number)


async def test_an_operator_who_ends_the_message_ends_the_order(office: Office) -> None:
    """Nobody is dialled again whom an operator has just hung up on."""
    agent = {"voicemail_message": "please call back as soon as you can."}
    claim = await claimed(office.store, agent=agent, retry=TWICE, zones=("UTC",))
    runner = office.runner(claim)
    task = asyncio.create_task(runner.run())
    attempt = await office.switch.dialed()
    attempt.ring()
    attempt.answer()
    await settle()
    await greet(office, attempt)
    for _ in range(20):
        await attempt.tick()
    await runner.end("operator_hangup")
    await asyncio.wait_for(task, 10)
    call = await office.store.calls.get(claim.call.id)
    assert (call.status, call.end_reason) == ("completed", "operator_hangup")


# -- the configuration -------------------------------------------------------------------------


@pytest.mark.rows("CB-39…41", "RV-91", "RV-92", "X-CB-29")
@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({}, ("hangup", "")),
        ({"voicemail_action": "hangup"}, ("hangup", "")),
        ({"voicemail_action": "leave_message"}, ("leave_message", "")),
        ({"voicemail_message": "Hi."}, ("leave_message", "Hi.")),
        ({"voicemail_message": "Hi.", "voicemail_action": "hangup"}, ("hangup", "Hi.")),
    ],
)
async def test_what_is_done_at_a_machine_is_the_agents(
    bench: Bench, fields: dict[str, Any], held: tuple[str, str]
) -> None:
    told = await bench.create(prompt="Say hello.", **fields)
    call = await bench.store.calls.get(told["id"])
    config = conversation_config(bench.services.settings, call)
    assert (config.voicemail, config.voicemail_message) == held
    inbound = conversation_config(bench.services.settings, replace(call, direction="inbound"))
    assert inbound.voicemail == "ignore"
