"""Every field of an agent has an effect: what holds the call, makes its result and sends after it
is not the same with the field and without. (`test_every_field` shows only that it is told.)"""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel

from api.agents.identity import identity_of
from api.base.lifecycle import AnsweredBy
from api.calls.conversing import conversation_config, is_recorded
from api.calls.engines import wanted
from api.calls.results import extract_results
from api.messaging.ways import ways_out
from api.resources.agent_fields import AgentFields
from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.tool_fields import ToolField
from api.resources.turn import Turn
from api.settings import StoreSection
from api.settings.calling import Calls
from api.store import Store
from api.tools.toolbox import Toolbox
from tests.api.compat.test_oneinbox import AGENT, BASE
from tests.api.conftest import ALIASES, EQUIPPED, SEAL, Bench, benching
from tests.api.story import NODE, NORMAL, NUMBER, OURS
from tests.api.switchboard import Clerk, PlayedSwitch
from tests.voice_loop.scripted import Detector, Ears, Mouth
from voice_loop.ports import Engines, Line

#: Kept for a client that reads them back, and said to be without effect.
KEPT: Final = frozenset(
    {
        "llm.source",
        "faq_items.id",
        "faq_items.needs_human_answer",
        "faq_items.source",
        "prompt_flow",
        "source",
    }
)


@dataclass(frozen=True)
class Given:
    """A value for a field, and what else the agent then needs, with the field and without."""

    value: Any
    beside: Mapping[str, Any] = field(default_factory=dict)


_SERVER: Final = {"api_url": "http://127.0.0.1:9/v1", "model": "m"}
CASES: Final[Mapping[str, Given]] = {
    "persona": Given("You are Ada."),
    "instructions": Given("Confirm the appointment."),
    "context": Given({"patient": "Maria"}),
    "variables": Given(
        {"who": "Maria"}, {"first_sentence": "Hello {{who}}.", "variables": {"who": "Otto"}}
    ),
    "language": Given("es"),
    "voice.id": Given("es", {"language": "es"}),
    "voice.provider": Given("elevenlabs", {"voice": {"id": "en"}}),
    "voice.model": Given("es", {"language": "es"}),
    "voice.speed": Given(1.3),
    "voice.volume": Given(1.7),
    "voice.stability": Given(0.9),
    "llm.model": Given("gpt-4.1"),
    "llm.temperature": Given(0.7),
    "llm.api_url": Given(_SERVER["api_url"], {"llm": {"model": "gpt-4.1"}}),
    "llm.api_key": Given("key", {"llm": _SERVER}),
    "transcriber.model": Given("local"),
    "transcriber.language": Given("es"),
    "first_sentence": Given("Hello."),
    "first_sentence_mode": Given("static", {"first_sentence": "Hello."}),
    "first_sentence_delay_ms": Given(4321),
    "end_of_call_sentence": Given("Bye."),
    "max_duration_seconds": Given(123),
    "max_duration_end_message": Given("Time is up."),
    "silence_timeout_seconds": Given(33.0),
    "interruptible": Given(False),
    "interruption_sensitivity": Given(0.4),
    "end_of_turn_patience": Given(0.7),
    "recording": Given(False),
    "recording_announcement": Given("We record this."),
    "background_sound": Given("audio/office.ogg"),
    "background_sound_volume": Given(0.9, {"background_sound": "audio/office.ogg"}),
    "thinking_sound": Given("keyboard-typing.ogg"),
    "thinking_sound_volume": Given(0.9, {"thinking_sound": "keyboard-typing.ogg"}),
    "thinking_sound_probability": Given(0.3, {"thinking_sound": "keyboard-typing.ogg"}),
    "faq_items.question": Given("Open?", {"faq_items": [{"question": "Q", "answer": "Nine."}]}),
    "faq_items.answer": Given("Nine.", {"faq_items": [{"question": "Q", "answer": "A"}]}),
    "returns": Given({"ok": "boolean"}),
    "returns_prompt": Given("Read: {{transcript}}", {"returns": {"ok": "boolean"}}),
    "tools": Given([{"type": "transfer", "number": "+15550100200"}]),
    "retry.allowed_days": Given(["monday"], {"retry": {"timezone": "UTC"}}),
    "retry.calling_windows": Given([{"end": "20:00"}], {"retry": {"timezone": "UTC"}}),
    "retry.call_twice_in_a_row": Given(True, {"retry": {"timezone": "UTC"}}),
    "retry.max_attempts": Given(2, {"retry": {"timezone": "UTC"}}),
    "retry.timezone": Given("UTC"),
    "from_number": Given("+15550100099"),
    "caller_name": Given("Lopez Dental"),
    "hide_caller_number": Given(True),
    "sip_headers": Given({"X-Case": "123"}),
    "account_code": Given("clinic-42"),
    "webhook_url": Given("https://hooks.example.org/"),
    "voicemail_action": Given("hangup", {"voicemail_message": "Call us."}),
    "voicemail_message": Given("Call us."),
    "screening_message": Given("It is Ada."),
    "answer_detection.short_ms": Given(1500),
    "answer_detection.pause_ms": Given(900),
    "answer_detection.long_ms": Given(9000),
    "answer_detection.greeting_pause_ms": Given(2000),
    "answer_detection.tone_wait_ms": Given(4000),
    "answer_detection.screening_seconds": Given(20.0),
    "answer_detection.ringing_seconds": Given(20.0),
    "answer_detection.ask_model": Given(True),
    "answer_detection.menu_repeats": Given(5),
    "voicemail_sms_prompt": Given("We called."),
    "after_call_sms_prompt": Given("Thank them."),
    "email_notification_address": Given("desk@example.org"),
    "email_notification_outcomes": Given(
        ["completed"], {"email_notification_address": "desk@example.org"}
    ),
}


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every field, those of objects in it by themselves, with its description."""
    for name, info in model.model_fields.items():
        parts = [info.annotation, *get_args(info.annotation)]
        parts += [inner for part in parts for inner in get_args(part)]
        objects = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        if name != "tools" and objects:
            for one in objects:
                yield from leaves(one, f"{prefix}{name}.")
        else:
            yield prefix + name, info.description or ""


def test_every_field_has_an_effect_or_says_that_it_has_none() -> None:
    described = dict(leaves(AgentFields))
    assert described.keys() == CASES.keys() | KEPT
    assert not CASES.keys() & KEPT
    assert [name for name in KEPT if "without effect" not in described[name]] == []
    assert get_args(ToolField)  # tools have tests of their own, field by field


@pytest.fixture(scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("every_effect")
    more = EQUIPPED | {
        "OFFHOOK_SERVER__RATE_LIMIT_PER_MINUTE": "0",
        "OFFHOOK_TOOLS__ALLOWED_NETWORKS": "127.0.0.0/8",
        "OFFHOOK_TOOLS__ALLOW_HTTP": "true",
    }
    store = await Store.open(StoreSection(path=folder / "offhook.db"))
    async with benching(store, folder, more, ALIASES | {"elevenlabs/en": "en"}) as one:
        yield one
    await store.close()


def with_field(agent: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    outer, _, inner = name.partition(".")
    if not inner:
        return {**agent, outer: value}
    if outer == "faq_items":
        return {**agent, outer: [{**agent[outer][0], inner: value}]}
    return {**agent, outer: {**agent.get(outer, {}), inner: value}}


async def placed(bench: Bench, agent: Mapping[str, Any]) -> Call:
    body = {"to": NUMBER, "agent": agent, "force_now": True}
    answer = await bench.client.post("/v1/calls", json=body)
    assert answer.status_code == 201, answer.text
    return await bench.store.calls.get(answer.json()["id"])


async def ended(bench: Bench, agent: Mapping[str, Any], by: AnsweredBy) -> list[object]:
    """What a call comes to that such a one took: what the model was asked, and what is sent."""
    call = await placed(bench, agent)
    calls = bench.store.calls
    (claim,) = (await bench.store.claims.take(1, NODE)).claims
    assert claim.call.id == call.id
    await calls.record_answered(call.id, 1.0)
    await calls.add_turn(call.id, Turn("person", "tell me more.", 1.0, 2.0))
    end = Ended(time.time(), NORMAL, "person_hangup", awaits_result=True, answered_by=by)
    over = await calls.record_ended(call.id, end)
    clerk = Clerk({})
    clerk.analysis = '{"quote": "tell me more.", "summary": "More.", "outcome": "interested"}'
    if over.over:
        engines = Engines(Ears(), clerk, Mouth(), lambda _: Detector())
        await extract_results(bench.store, over, lambda _: engines, Calls(analysis=True))
    else:
        await calls.request_cancel(call.id)
    messages = (await bench.store.messages.page(limit=9, call_id=call.id)).items
    deliveries = (await bench.store.deliveries.page(limit=99, call_id=call.id)).items
    sent = sorted((one.kind, one.purpose, one.recipient) for one in messages)
    return [over.over, clerk.asked_for_result, sent, len(deliveries)]


async def effects(bench: Bench, agent: Mapping[str, Any]) -> str:
    """All that a call with this configuration does otherwise than another."""
    settings = bench.services.settings
    call = await placed(bench, agent)
    line: Line = None  # type: ignore[assignment]

    async def hand_over(_: object) -> str | None:
        return None

    async with Toolbox(
        settings, bench.store, SEAL, ways_out(settings, PlayedSwitch()), lambda: 0.0
    ) as toolbox:
        made = toolbox.tools_for(call, line, hand_over, lambda _: None)
        tools = [tool.spec for tool in made]
    asked = wanted(call, SEAL)
    await bench.store.calls.request_cancel(call.id)
    return repr(
        [
            replace(conversation_config(settings, call), now=None),
            asked,
            is_recorded(settings, call),
            tools,
            call.from_number,  # what the callee is shown
            identity_of(AgentFields.model_validate(call.agent), {}),  # and the PBX is told
            call.retry,  # when the dialer's policy has it dialled again
            await ended(bench, agent, "human"),
            await ended(bench, agent, "machine"),
        ]
    )


@pytest.mark.parametrize("name", CASES)
async def test_a_field_has_an_effect(bench: Bench, name: str) -> None:
    case = CASES[name]
    without = await effects(bench, case.beside)
    assert await effects(bench, case.beside) == without  # nothing else makes the difference
    assert await effects(bench, with_field(case.beside, name, case.value)) != without


async def test_oneinboxs_clients_have_calls_not_recorded(bench: Bench) -> None:
    made = await bench.client.post(f"{BASE}/agents", json=AGENT)
    assert made.status_code == 201, made.text
    order = {"agent_id": made.json()["id"], "to_number": NUMBER, "from_number": OURS}
    answer = await bench.client.post(f"{BASE}/calls", json=order)
    assert answer.status_code == 201, answer.text
    call = await bench.store.calls.get(answer.json()["id"])
    assert not is_recorded(bench.services.settings, call)
    await bench.store.calls.request_cancel(call.id)
