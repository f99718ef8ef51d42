"""For each operation that takes JSON: bodies that hold every field, and where answers show them."""

import time
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from api.resources.attempt import Ended
from tests.api import story
from tests.api.conftest import Bench
from tests.api.revox_examples import ASSISTANT

Body = dict[str, Any]

OURS: Final = "+15559876543"
CALLEE: Final = "+12125550142"


@dataclass(frozen=True)
class Case:
    """An operation, and how it is tried."""

    bodies: tuple[Body, ...]
    """Accepted; together they hold every field."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the path."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """Name of a document to the path where it is read; `{id}` is the answer's, or a parameter's.
    `read` is what the answer itself was told of."""
    shown: Mapping[str, str | None] = field(default_factory=dict)
    """JSON pointer into a body to where its value is shown, the longest that fits: into
    `/answer` (and `/read`, which must be the same), or into another document. None: nowhere."""
    undo: str | None = None
    """Path to delete before the next try."""
    renew: Callable[[], Awaitable[Mapping[str, str]]] | None = None
    """New parameters for each try."""


AGENT: Final[Body] = {
    "persona": "You are Ada.",
    "instructions": "Call {{patient}}.",
    "context": {"day": "Monday"},
    "variables": {"patient": "Maria"},
    "language": "en",
    "voice": {
        "id": "rachel",
        "provider": "elevenlabs",
        "model": "en",
        "speed": 1.1,
        "volume": 0.9,
        "stability": 0.4,
    },
    "caller_name": "Lopez {{patient}}",
    "hide_caller_number": True,
    "sip_headers": {"X-Case": "{{patient}}"},
    "account_code": "clinic-42",
    "llm": {
        "model": "llama",
        "temperature": 0.3,
        "api_url": "https://llm.example.org/v1",
        "api_key": "k",
        "source": {"type": "custom"},
    },
    "transcriber": {"model": "local", "language": "en"},
    "first_sentence": "Hello {{patient}}.",
    "first_sentence_mode": "static",
    "first_sentence_delay_ms": 300,
    "end_of_call_sentence": "Goodbye.",
    "max_duration_seconds": 90,
    "max_duration_end_message": "We must stop.",
    "silence_timeout_seconds": 9.5,
    "interruptible": False,
    "interruption_sensitivity": 0.4,
    "end_of_turn_patience": 0.7,
    "recording": False,
    "recording_announcement": "We record this for {{patient}}.",
    "background_sound": "audio/office.ogg",
    "background_sound_volume": 0.25,
    "thinking_sound": "keyboard-typing.ogg",
    "thinking_sound_volume": 0.75,
    "thinking_sound_probability": 0.4,
    "faq_items": [
        {
            "question": "When?",
            "answer": "At nine.",
            "id": "q1",
            "needs_human_answer": False,
            "source": "ai",
        }
    ],
    "prompt_flow": {"nodes": []},
    "returns": {"ok": "boolean"},
    "returns_prompt": "Read {{transcript}}.",
    "tools": [
        {
            "type": "http",
            "name": "look_up",
            "description": "Look it up.",
            "method": "POST",
            "url": "https://crm.example.org/{{item}}",
            "headers": [{"key": "X-Clinic", "value": "{{patient}}"}],
            "query_params": [{"key": "q", "value": "{{item}}"}],
            "body_template": '{"item": "{{item}}"}',
            "input_schema": [
                {
                    "name": "item",
                    "type": "enum",
                    "required": False,
                    "description": "Which.",
                    "enum_options": ["brush", "paste"],
                }
            ],
            "timeout_seconds": 5.5,
            "say": "One moment.",
        },
        {
            "type": "transfer",
            "name": "to_the_desk",
            "number": "+15550100200",
            "mode": "warm",
            "description": "When asked.",
            "summary_instructions": "Be brief.",
            "say": "I put you through.",
        },
        {"type": "send_sms", "template": "Thank you."},
        {
            "type": "send_email",
            "to": ["frontdesk@example.org"],
            "subject": "A call",
            "body": "It took place.",
        },
        {"type": "send_digits"},
        {"type": "skip_turn"},
        {"type": "pause_recording"},
    ],
    "retry": {
        "allowed_days": ["monday", "sunday"],
        "calling_windows": [{"start": "09:00", "end": "17:00", "retry_delay_seconds": 60}],
        "call_twice_in_a_row": True,
        "max_attempts": 2,
        "timezone": "America/New_York",
    },
    "from_number": OURS,
    "webhook_url": "https://hook.example.org/x",
    "voicemail_action": "leave_message",
    "voicemail_message": "Please call back.",
    "screening_message": "It is Ada.",
    "answer_detection": {
        "short_ms": 1500,
        "pause_ms": 900,
        "long_ms": 9000,
        "greeting_pause_ms": 2000,
        "tone_wait_ms": 3000,
        "screening_seconds": 20.5,
        "ringing_seconds": 30.5,
        "ask_model": True,
        "menu_repeats": 4,
    },
    "voicemail_sms_prompt": "Please call back.",
    "after_call_sms_prompt": "Thank them.",
    "email_notification_address": "frontdesk@example.org",
    "email_notification_outcomes": ["interested"],
    "source": {"revox": {}},
}

EVENT_TYPE: Final[Body] = {
    "id": "checkup",
    "name": "Check-up",
    "duration_minutes": 30,
    "buffer_minutes": 10,
    "days": ["monday"],
    "start": "08:30",
    "end": "16:30",
    "timezone": "Europe/Berlin",
    "horizon_days": 20,
    "title": "{{event_type}}",
    "description": "{{name}}",
    "location": "1 Main Street",
}
CONNECTION: Final[Body] = {
    "name": "Front desk",
    "kind": "caldav",
    "url": "https://dav.example.org/calendars/1/",
    "username": "offhook",
    "password": "p",
    "event_types": [EVENT_TYPE],
}
TRUNK: Final[Body] = {
    "name": "carrier-a",
    "status": "active",
    "description": "Berlin",
    "allowed_prefixes": ["+49"],
    "max_channels": 30,
    "calls_per_second": 5,
    "allow_refer": True,
    "priority": 20,
    "weight": 3,
    "pbx": "berlin",
    "dial_string": "PJSIP/9{number}@{trunk}",
    "number_rules": [{"prefix": "+49", "match": "ZX.", "prepend": "0"}],
    "caller_rules": [{"prefix": "+1", "match": "NXXNXXXXXX", "prepend": "1"}],
    "inbound_number_rules": [{"prefix": "", "match": "1XX", "prepend": "+49301234"}],
    "inbound_caller_rules": [{"prefix": "0", "match": "ZX.", "prepend": "+49"}],
    "extensions": ["2XX"],
    "sip_uris": ["pbx.example"],
}
ENDPOINT: Final[Body] = {
    "url": "https://hook.example.org/events",
    "description": "CRM",
    "enabled_events": ["call.completed"],
    "status": "enabled",
    "payload": "envelope",
}
CONTACT: Final[Body] = {
    "to": CALLEE,
    "context": {"patient": "Maria"},
    "metadata": {"customer": "42"},
    "variables": {"practice": "North Dental"},
}
CALL: Final[Body] = {
    "to": CALLEE,
    "metadata": {"customer": "42"},
    "scheduled_at": story.TOMORROW,
    "force_now": True,
    "concurrency": {"key": "clinic", "max": 3},
}
WINDOW: Final[Body] = {
    "calling_window_start_time": "09:00",
    "calling_window_end_time": "17:00",
    "retry_delay_seconds": 60,
}
PREVIEW: Final[Body] = {"text": "Hello.", "speed": 1.1, "volume": 0.9}


def without(body: Body, *names: str) -> Body:
    """The same body but for some fields."""
    return {name: value for name, value in body.items() if name not in names}


def one_window(place: str, shown: str) -> dict[str, str]:
    """X-RV-6: where the members of a Revox policy's only window are shown."""
    policy = "/call_retry_config"
    return {
        f"{place}{policy}/{name}": f"{shown}{policy}/calling_windows/0/{name}" for name in WINDOW
    }


async def make_cases(bench: Bench) -> dict[str, Case]:
    """Every case by `METHOD /path`, with what it refers to in the store."""
    client = bench.client

    async def made(path: str, body: Body) -> str:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def made_trunk(name: str) -> None:
        answer = await client.post("/v1/trunks", json={"name": name})
        assert answer.status_code == 201, answer.text

    connection_id = await made("/v1/calendar_connections", CONNECTION)
    numbers = (await client.get("/v1/numbers")).json()["data"]
    number_id = str(numbers[0]["id"])
    agent_id = await made("/v1/agents", {"name": "Plain"})
    calling = {"number_ids": [number_id], "primary_number_id": number_id}
    changed_id = await made("/v1/agents", {"name": "Changed", **calling})
    endpoint_id = await made("/v1/webhook_endpoints", {"url": "https://hook.example.org/y"})
    draft = {"name": "Draft", "template": {"prompt": "Hi."}, "contacts": []}
    campaign_id = await made("/v1/campaigns", draft)
    spare_id = await made("/v1/numbers", {"number": "+15550100066"})
    await made_trunk("spare")
    calendar = {
        "type": "calendar",
        "connection_id": connection_id,
        "event_type_id": "checkup",
        "book": False,
    }
    agent = deepcopy(AGENT) | {"tools": [*deepcopy(AGENT["tools"]), calendar]}
    assistant = ASSISTANT | {
        "calendly": {"connection_id": connection_id, "event_type_id": "checkup"},
        "faq_items": [{**agent["faq_items"][0], "source": "human"}],
        "call_retry_config": ASSISTANT["call_retry_config"] | {"allowed_days": ["monday"]},
        "from_phone_number": OURS,
    }
    models = [
        {
            "type": "openrouter",
            "openrouter_model_id": "openai/gpt-4.1",
            "openrouter_provider": "openai",
        },
        {
            "type": "custom",
            "api_key": "k",
            "api_url": "https://llm.example.org/v1",
            "model_name": "llama",
        },
        {
            "type": "realtime",
            "provider": "openai",
            "realtime_model_id": "gpt-realtime",
            "realtime_voice_id": "marin",
        },
    ]
    named = {"name": "Changed"}
    changed_url = {"url": "https://hook.example.org/changed"}

    async def in_progress() -> Mapping[str, str]:
        return {"call_id": (await story.answered(bench.store)).id}

    async def answered_and_over() -> Mapping[str, str]:
        call = await story.answered(bench.store)
        ended = Ended(time.time(), story.NORMAL, "agent_hangup", answered_by="human")
        return {"call_id": (await bench.store.calls.record_ended(call.id, ended)).id}

    async def new_draft() -> Mapping[str, str]:
        return {"campaign_id": await made("/v1/campaigns", draft)}

    def assistants(**more: Any) -> tuple[Body, ...]:
        plain = {"prompt": "Call them.", **more}
        return (
            {**assistant, **more},
            *({**plain, "llm_model": model} for model in models),
            {**plain, "call_retry_config": WINDOW},
        )

    native_call = {"read": "/v1/calls/{id}"}
    native_agent = {"read": "/v1/agents/{id}"}
    revox = {"read": "/api/assistants/{id}"}
    shown_assistant = {"": "/answer/assistant", **one_window("", "/answer/assistant")}
    callingbox = "/compat/callingbox/v1"
    oneinbox = "/compat/oneinbox/v1"
    callingbox_agent = {
        "persona": "You are Ada.",
        "instructions": "Call them.",
        "voice": "en",
        "language": "en",
        "returns": {"ok": "boolean"},
        "tools": agent["tools"],
        "webhook_url": "https://hook.example.org/x",
        "voicemail_action": "hangup",
        **calling,
    }
    callingbox_endpoint = {
        "url": ENDPOINT["url"],
        "description": "CRM",
        "enabled_events": ["call.completed"],
    }
    parts = {
        "llm": {"model": "local", "temperature": 0.4, "system_prompt": "Call them."},
        "transcriber": {"model": "local", "language": "en"},
        "tts": {"voice_id": "en", "model": "en", "speed": 1.2, "stability": 0.4},
        "first_message": "Hello.",
    }
    oneinbox_agent = {
        **parts,
        "silence_timeout_seconds": 9.5,
        "max_duration_seconds": 90,
        "interruption_sensitivity": 0.5,
        "enable_recording": False,
        "voicemail_message": "Please call back.",
    }
    by_llm_id = {"llm_id": "local"}
    return {
        "POST /v1/calls": Case(
            (
                {**CALL, **without(agent, "instructions"), "prompt": "Call {{patient}}."},
                {"to": CALLEE, "agent_id": agent_id, "instructions": "Call them."},
                {"to": CALLEE, "agent": agent},
                {"to": CALLEE, "overrides": agent},
            ),
            reads=native_call,
            shown={
                "": "/answer/agent",
                "/agent": "/answer/agent",
                "/overrides": "/answer/agent",
                "/to": "/answer/to_number",
                "/prompt": "/answer/prompt",
            }
            | {
                f"/{name}": f"/answer/{name}"
                for name in ("metadata", "scheduled_at", "force_now", "concurrency", "agent_id")
            },
        ),
        "POST /v1/agents": Case(
            ({**agent, **named, "type": "outbound", **calling},),
            reads=native_agent,
            undo="/v1/agents/{id}",
        ),
        "PATCH /v1/agents/{agent_id}": Case(
            ({**agent, **named, **calling},), {"agent_id": changed_id}, native_agent
        ),
        "POST /v1/agents/{agent_id}/numbers": Case(
            ({"number_id": number_id},),
            {"agent_id": changed_id},
            native_agent,
            {"/number_id": "/answer/number_ids/0"},
        ),
        "PUT /v1/agents/{agent_id}/primary-number": Case(
            ({"number_id": number_id},),
            {"agent_id": changed_id},
            native_agent,
            {"/number_id": "/answer/primary_number_id"},
        ),
        "PATCH /v1/calls/{call_id}": Case(
            ({"answered_by": "machine"},),
            {"call_id": (await answered_and_over())["call_id"]},
            native_call,
            renew=answered_and_over,
        ),
        "POST /v1/calls/{call_id}/transfer": Case(
            (
                {
                    "number": "+15550100200",
                    "mode": "warm",
                    "method": "bridge",
                    "summary_instructions": "Be brief.",
                },
            ),
            {"call_id": (await in_progress())["call_id"]},
            {"read": "/v1/calls/{id}"},
            {"": "/answer/transfer", "/summary_instructions": None},
            renew=in_progress,
        ),
        **{
            f"POST /v1/calls/{{call_id}}/{action}": Case(
                (body,),
                {"call_id": (await in_progress())["call_id"]},
                shown={"": None},
                renew=in_progress,
            )
            for action, body in (
                ("say", {"text": "One moment please."}),
                ("whisper", {"text": "They are a regular."}),
                ("press", {"digits": "1"}),
            )
        },
        "POST /v1/web_call_tokens": Case(
            (
                {
                    "agent_id": agent_id,
                    "origin": "https://www.example.org",
                    "ttl_seconds": 60,
                    "variables": {"patient": "Maria Lopez"},
                    "metadata": {"customer": "42"},
                },
            ),
            shown={"/variables": None, "/metadata": None, "/ttl_seconds": None},
        ),
        "POST /v1/voices/preview": Case(
            ({**PREVIEW, "voice": "en", "language": "en"},), shown={"": None}
        ),
        "POST /v1/campaigns": Case(
            (
                {
                    "name": "Recalls",
                    "template": {"prompt": "Hi {{practice}}."},
                    "max_concurrent": 5,
                    "contacts": [CONTACT],
                    "launch": False,
                },
            ),
            reads={"read": "/v1/campaigns/{id}", "contacts": "/v1/campaigns/{id}/contacts"},
            shown={
                "": "/answer",
                "/contacts": "/contacts/data",
                "/launch": "/answer/status",
            },
        ),
        "PATCH /v1/campaigns/{campaign_id}": Case(
            ({"name": "Recalls", "template": {"prompt": "Hi."}, "max_concurrent": 5},),
            {"campaign_id": campaign_id},
            {"read": "/v1/campaigns/{id}"},
        ),
        "POST /v1/campaigns/{campaign_id}/contacts": Case(
            ({"contacts": [CONTACT]},),
            {"campaign_id": campaign_id},
            {"contacts": "/v1/campaigns/{campaign_id}/contacts"},
            {"/contacts": "/contacts/data"},
            renew=new_draft,
        ),
        "POST /v1/webhook_endpoints": Case(
            (ENDPOINT,),
            reads={"read": "/v1/webhook_endpoints/{id}"},
            undo="/v1/webhook_endpoints/{id}",
        ),
        "PATCH /v1/webhook_endpoints/{endpoint_id}": Case(
            (ENDPOINT | changed_url,),
            {"endpoint_id": endpoint_id},
            {"read": "/v1/webhook_endpoints/{id}"},
        ),
        "POST /v1/webhook_endpoints/{endpoint_id}/rotate_secret": Case(
            ({"overlap_seconds": 60},), {"endpoint_id": endpoint_id}, shown={"": None}
        ),
        "POST /v1/webhook_secret/rotate": Case(({"overlap_seconds": 60},), shown={"": None}),
        "POST /v1/numbers": Case(
            (
                {
                    "number": "+15550100077",
                    "trunk": "trunk",
                    "status": "active",
                    "description": "Desk",
                    "caller_name": "Lopez Dental",
                },
            ),
            reads={"read": "/v1/numbers/{id}"},
            undo="/v1/numbers/{id}",
        ),
        "PATCH /v1/numbers/{number_id}": Case(
            (
                {
                    "trunk": "trunk",
                    "status": "active",
                    "description": "Desk",
                    "caller_name": "Lopez Dental",
                },
            ),
            {"number_id": spare_id},
            {"read": "/v1/numbers/{id}"},
        ),
        "POST /v1/trunks": Case(
            (TRUNK,), reads={"read": "/v1/trunks/{name}"}, undo="/v1/trunks/{name}"
        ),
        "PATCH /v1/trunks/{name}": Case(
            (without(TRUNK, "name"),), {"name": "spare"}, {"read": "/v1/trunks/{name}"}
        ),
        "POST /v1/trunks/{name}/dialplan_test": Case(
            ({"number": CALLEE, "caller_number": OURS, "direction": "outbound"},),
            {"name": "spare"},
            shown={
                "/number": "/answer/number/given",
                "/caller_number": "/answer/caller_number/given",
            },
        ),
        "PUT /v1/secrets/{name}": Case(({"value": "s"},), {"name": "crm"}, shown={"": None}),
        "POST /v1/calendar_connections": Case(
            (CONNECTION,), reads={"read": "/v1/calendar_connections/{id}"}
        ),
        "PATCH /v1/calendar_connections/{connection_id}": Case(
            (without(CONNECTION, "kind"),),
            {"connection_id": connection_id},
            {"read": "/v1/calendar_connections/{id}"},
        ),
        "POST /v1/do_not_call": Case(
            ({"number": "+15550100088", "reason": "Asked."},),
            reads={"read": "/v1/do_not_call/{number}"},
            undo="/v1/do_not_call/{number}",
        ),
        "PUT /v1/rates/{prefix}": Case(
            (
                {
                    "milli_cents_per_minute": 1200,
                    "increment_seconds": 60,
                    "minimum_seconds": 60,
                    "description": "Germany",
                },
            ),
            {"prefix": "+49"},
            {"read": "/v1/rates/{prefix}"},
        ),
        "PATCH /v1/budget": Case(({"limit_milli_cents": None},), reads={"read": "/v1/budget"}),
        "POST /v1/api_keys": Case(
            (
                {
                    "name": "crm",
                    "scope": "call",
                    "rate_limit_per_minute": 600,
                    "dialect": "revox",
                    "max_calls_per_day": 500,
                    "max_minutes_per_day": 900,
                    "max_calls_per_number_per_day": 5,
                },
            ),
            reads={"list": "/v1/api_keys"},
            shown={"": "/list/data/0"},
        ),
        f"POST {callingbox}/calls": Case(
            (
                {
                    "to": CALLEE,
                    "prompt": "Call them.",
                    "agent_id": agent_id,
                    "context": {"day": "Monday"},
                    "returns": {"ok": "boolean"},
                    "language": "en",
                    "from_number": OURS,
                    "webhook_url": "https://hook.example.org/x",
                    "voicemail_action": "hangup",
                    "metadata": {"customer": "42"},
                },
                {"to": CALLEE, "instructions": "Call them."},
            ),
            reads={"read": f"{callingbox}/calls/{{id}}", "native": "/v1/calls/{id}"},
            shown={
                "": "/answer",
                "/to": "/answer/to_number",
                "/instructions": "/answer/prompt",
                "/agent_id": "/native/agent_id",
                "/voicemail_action": "/native/agent/voicemail_action",
            },
        ),
        f"POST {callingbox}/agents": Case(
            ({**callingbox_agent, **named, "type": "outbound"},),
            reads={"read": f"{callingbox}/agents/{{id}}"},
            undo=f"{callingbox}/agents/{{id}}",
        ),
        f"PATCH {callingbox}/agents/{{agent_id}}": Case(
            ({**callingbox_agent, **named},),
            {"agent_id": changed_id},
            {"read": f"{callingbox}/agents/{{id}}"},
        ),
        f"POST {callingbox}/agents/{{agent_id}}/numbers": Case(
            ({"number_id": number_id},),
            {"agent_id": changed_id},
            {"read": f"{callingbox}/agents/{{id}}"},
            {"/number_id": "/answer/number_ids/0"},
        ),
        f"PUT {callingbox}/agents/{{agent_id}}/primary-number": Case(
            ({"number_id": number_id},),
            {"agent_id": changed_id},
            {"read": f"{callingbox}/agents/{{id}}"},
            {"/number_id": "/answer/primary_number_id"},
        ),
        f"POST {callingbox}/webhook_endpoints": Case(
            (callingbox_endpoint,),
            reads={"read": f"{callingbox}/webhook_endpoints/{{id}}"},
            undo=f"{callingbox}/webhook_endpoints/{{id}}",
        ),
        f"PATCH {callingbox}/webhook_endpoints/{{endpoint_id}}": Case(
            ({**callingbox_endpoint, **changed_url, "status": "enabled"},),
            {"endpoint_id": endpoint_id},
            {"read": f"{callingbox}/webhook_endpoints/{{id}}"},
        ),
        f"POST {oneinbox}/calls": Case(
            (
                {
                    "agent_id": agent_id,
                    "to_number": CALLEE,
                    "from_number": OURS,
                    "scheduled_at": CALL["scheduled_at"],
                    "variables": {"patient": "Maria"},
                    "webhook_url": "https://hook.example.org/x",
                    "overrides": parts,
                    "metadata": {"customer": "42"},
                },
            ),
            reads={"read": f"{oneinbox}/calls/{{id}}", "native": "/v1/calls/{id}"},
            shown={
                "": "/answer",
                "/webhook_url": "/native/webhook_url",
                "/overrides": "/native/agent",
                "/overrides/llm/system_prompt": "/native/prompt",
                "/overrides/tts": "/native/agent/voice",
                "/overrides/tts/voice_id": "/native/agent/voice/id",
                "/overrides/first_message": "/native/agent/first_sentence",
            },
        ),
        f"POST {oneinbox}/calls/web": Case(
            (
                {
                    "agent_id": agent_id,
                    "origin": "https://www.example.org",
                    "variables": {"patient": "Maria Lopez"},
                    "metadata": {"customer": "42"},
                },
            ),
            shown={"/origin": None, "/variables": None, "/metadata": None},
        ),
        f"PATCH {oneinbox}/calls/{{call_id}}": Case(
            ({"outcome": "Booked"},),
            {"call_id": (await story.completed(bench.store)).id},
            {"read": f"{oneinbox}/calls/{{id}}"},
        ),
        f"POST {oneinbox}/agents": Case(
            ({**oneinbox_agent, **named}, {**by_llm_id, **named}),
            reads={"read": f"{oneinbox}/agents/{{id}}"},
        ),
        f"PATCH {oneinbox}/agents/{{agent_id}}": Case(
            ({**oneinbox_agent, **named}, by_llm_id),
            {"agent_id": changed_id},
            {"read": f"{oneinbox}/agents/{{id}}"},
        ),
        "POST /api/call": Case(
            (
                {
                    "phone_number": CALLEE,
                    "assistant": assistant,
                    "concurrency": {"key": "clinic", "max": 3},
                    "force_now": True,
                    "metadata": {"customer": "42"},
                    "prompt_variables": {"patient": "Maria"},
                    "scheduled_at": CALL["scheduled_at"],
                },
                {"phone_number": CALLEE, "assistant_id": agent_id, "from_phone_number": OURS},
                *({"phone_number": CALLEE, "assistant": one} for one in assistants()[1:]),
            ),
            reads={"read": "/api/call/{id}", "native": "/v1/calls/{id}"},
            shown={
                "": "/answer/call",
                "/phone_number": "/answer/call/to_phone_number",
                "/assistant_id": "/answer/call/assistant/id",
                "/force_now": "/native/force_now",
                "/concurrency": "/native/concurrency",
                # Of one that waits for a window, the service is told when that opens.
                "/scheduled_at": "/native/scheduled_at",
                **one_window("/assistant", "/answer/call/assistant"),
            },
        ),
        "POST /api/assistants": Case(assistants(**named), reads=revox, shown=shown_assistant),
        "PATCH /api/assistants/{agent_id}": Case(
            assistants(**named),
            {"agent_id": changed_id},
            revox,
            shown_assistant,
        ),
        "POST /api/campaigns": Case(
            tuple(
                {
                    "assistant_id": agent_id,
                    "contacts": [
                        {"to_phone_number": CALLEE, "prompt_variables": {"patient": "Maria"}}
                    ],
                    "name": "Recalls",
                    "launch": True,
                    "call_retry_config": retry,
                    "from_phone_number": OURS,
                    "max_concurrent_calls": 5,
                    "scheduled_at": CALL["scheduled_at"],
                }
                for retry in (assistant["call_retry_config"], WINDOW)
            ),
            reads={"read": "/api/campaigns/{id}", "rows": "/api/campaigns/{id}/rows"},
            shown={"": "/answer/campaign", "/contacts": "/rows/rows"}
            | {"/launch": "/answer/campaign/status"}
            | one_window("", "/answer/campaign"),
        ),
        "POST /api/voices/preview": Case(
            ({**PREVIEW, "provider": "cartesia", "voiceId": "sofia"},), shown={"": None}
        ),
    }
