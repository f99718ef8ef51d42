"""What Revox's text shows: a request with every member, and the answer's keys."""

from typing import Any, Final

from tests.api.story import TOMORROW

#: Every member of an assistant, with values that can be carried out.
ASSISTANT: Final[dict[str, Any]] = {
    "prompt": "Confirm the appointment of {{patient}}.\nBe brief.",
    "after_call_sms_prompt": "Thank {{patient}} for the call.",
    "background_sound": "audio/office.ogg",
    "background_sound_volume": 0.5,
    "call_retry_config": {
        "allowed_days": ["monday", "sunday"],
        "call_twice_in_a_row": True,
        "calling_windows": [
            {
                "calling_window_end_time": "17:00",
                "calling_window_start_time": "09:00",
                "retry_delay_seconds": 60,
            }
        ],
        "max_retry_attempts": 2,
        "timezone": "America/New_York",
    },
    "custom_tools": [
        {
            "body_template": '{"name": "{{name}}", "patient": "{{patient}}"}',
            "description": "Look up an item.",
            "headers": [{"key": "X-Clinic", "value": "{{patient}}"}],
            "input_schema": [
                {
                    "name": "name",
                    "required": True,
                    "type": "enum",
                    "description": "Which item.",
                    "enum_options": ["brush", "paste"],
                },
                {"name": "when", "required": False, "type": "date"},
            ],
            "method": "POST",
            "name": "check_inventory",
            "query_params": [{"key": "q", "value": "{{name}}"}],
            "url": "https://crm.example.org/stock/{{name}}",
        },
        {
            "body_template": "{}",
            "description": "Read a list.",
            "headers": [],
            "input_schema": [],
            "method": "GET",
            "name": "read_list",
            "query_params": [],
            "url": "https://crm.example.org/list",
        },
    ],
    "email_notification_address": "frontdesk@example.org",
    "email_notification_outcomes": ["interested", "completed"],
    "end_of_call_sentence": "Thank you, goodbye.",
    "faq_items": [{"answer": "From nine to five.", "question": "When are you open?"}],
    "first_sentence": "Hello, am I speaking with {{patient}}?",
    "first_sentence_delay_ms": 300,
    "first_sentence_mode": "static",
    "from_phone_number": "+15550100099",
    "human_transfer_mode": "warm",
    "ivr_navigation_enabled": True,
    "llm_model": {"name": "gpt-4.1", "type": "dedicated-instance"},
    "max_call_duration_secs": 120,
    "max_duration_end_message": "We have to stop here.",
    "prompt_flow": {
        "edges": [{"id": "e", "source": "a", "target": "b"}],
        "nodes": [
            {
                "id": "a",
                "data": {"body": "Say hello.", "title": "Hello"},
                "position": {"x": 0, "y": -1.5},
                "type": "promptBlock",
            }
        ],
    },
    "sms_enabled": True,
    "sms_template": "Your appointment, {{patient}}: https://example.org/a",
    "structured_output_config": [
        {"name": "confirmed", "required": True, "type": "boolean"},
        {
            "name": "day",
            "required": False,
            "type": "enum",
            "description": "Which day suits.",
            "enum_options": ["monday", "tuesday"],
        },
        {"name": "at", "required": False, "type": "datetime"},
    ],
    "structured_output_prompt": "Read {{transcript}} of a call to {{user_phone_number}}.",
    "thinking_sound": "keyboard-typing.ogg",
    "thinking_sound_probability": 0.8,
    "thinking_sound_volume": 0.25,
    "transfer_phone_number": "+15550100200",
    "voice": {"id": "sofia", "provider": "cartesia", "speed": 1.2, "volume": 0.9},
    "voicemail_message": "Please call us back, {{patient}}.",
    "voicemail_sms_prompt": "Please call us back.",
    "warm_transfer_summary_instructions": "Say who it is.",
    "webhook_url": "https://your-server.example/hook",
}

#: A call order with every member.
ORDER: Final[dict[str, Any]] = {
    "phone_number": "+12125550142",
    "assistant": ASSISTANT,
    "concurrency": {"key": "clinic", "max": 3},
    "force_now": True,
    "from_phone_number": "+15559876543",
    "metadata": {"foo": "string"},
    "prompt_variables": {"patient": "Maria Lopez"},
    "scheduled_at": TOMORROW,
}

ATTEMPT_KEYS: Final = {
    "id": 0,
    "answered_at": 0,
    "dial_error": 0,
    "ended_at": 0,
    "phone_number": 0,
    "recording_url": 0,
    "result": 0,
    "started_at": 0,
    "status": 0,
    "end_reason": 0,
    "ended_by": 0,
    "structured_output": 0,
    "transcript": [
        {
            "content": 0,
            "role": 0,
            "tool_arguments": 0,
            "tool_is_error": 0,
            "tool_name": 0,
            "tool_output": 0,
        }
    ],
}
RETRY_KEYS: Final = {
    "allowed_days": 0,
    "call_twice_in_a_row": 0,
    "calling_windows": [
        {
            "calling_window_end_time": 0,
            "calling_window_start_time": 0,
            "retry_delay_seconds": 0,
        }
    ],
    "max_retry_attempts": 0,
    "timezone": 0,
}
DESCRIBED_KEYS: Final = {"name": 0, "required": 0, "type": 0, "description": 0, "enum_options": 0}
#: The keys of the text's example answer, in its order; 0 stands for what has none below it.
CALL_KEYS: Final[dict[str, Any]] = {
    "id": 0,
    "assistant": {
        "id": 0,
        "after_call_sms_prompt": 0,
        "background_sound": 0,
        "background_sound_volume": 0,
        "calendly": {"connection_id": 0, "event_type_id": 0},
        "call_retry_config": RETRY_KEYS,
        "created_at": 0,
        "custom_tools": [
            {
                "body_template": 0,
                "description": 0,
                "headers": [{"key": 0, "value": 0}],
                "input_schema": [DESCRIBED_KEYS],
                "method": 0,
                "name": 0,
                "query_params": [{"key": 0, "value": 0}],
                "url": 0,
            }
        ],
        "email_notification_address": 0,
        "email_notification_outcomes": 0,
        "end_of_call_sentence": 0,
        "first_sentence": 0,
        "first_sentence_delay_ms": 0,
        "first_sentence_mode": 0,
        "from_phone_number": 0,
        "human_transfer_mode": 0,
        "ivr_navigation_enabled": 0,
        "llm_model": {"name": 0, "type": 0},
        "max_call_duration_secs": 0,
        "max_duration_end_message": 0,
        "name": 0,
        "organization_id": 0,
        "prompt": 0,
        "prompt_flow": {
            "edges": [{"id": 0, "source": 0, "target": 0}],
            "nodes": [
                {
                    "id": 0,
                    "data": {"body": 0, "title": 0},
                    "position": {"x": 0, "y": 0},
                    "type": 0,
                }
            ],
        },
        "sms_enabled": 0,
        "sms_template": 0,
        "structured_output_config": [DESCRIBED_KEYS],
        "structured_output_prompt": 0,
        "thinking_sound": 0,
        "thinking_sound_probability": 0,
        "thinking_sound_volume": 0,
        "transfer_phone_number": 0,
        "updated_at": 0,
        "voice": {"id": 0, "provider": 0, "speed": 0, "volume": 0},
        "voicemail_message": 0,
        "voicemail_sms_prompt": 0,
        "warm_transfer_summary_instructions": 0,
        "webhook_url": 0,
        "faq_items": [{"answer": 0, "question": 0, "id": 0, "needs_human_answer": 0, "source": 0}],
        "pending_faq_count": 0,
    },
    "call_attempts": [ATTEMPT_KEYS],
    "call_retry_config": RETRY_KEYS,
    "calls_count": 0,
    "campaign": {"id": 0, "name": 0},
    "created_at": 0,
    "direction": 0,
    "first_sentence_delay_ms": 0,
    "from_phone_number": 0,
    "is_cancelled": 0,
    "is_completed": 0,
    "last_call_attempt": ATTEMPT_KEYS,
    "llm_model": {"name": 0, "type": 0},
    "metadata": 0,
    "organization_id": 0,
    "prompt_variables": 0,
    "scheduled_at": 0,
    "status": 0,
    "to_phone_number": 0,
    "updated_at": 0,
    "outcome": 0,
    "outcome_summary": 0,
}
