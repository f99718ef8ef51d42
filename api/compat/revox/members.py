"""Makes Revox's assistants of our agents' configurations. `config` goes the other way."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import ValidationError

from api.base.json_object import JsonObject
from api.compat.mapping import REVOX_RETRY, REVOX_SAME
from api.compat.revox.fields import DEDICATED_MODELS, Provider
from api.compat.translation import renamed
from api.compat.voices import default_voice
from api.policy.retry import parse_retry, retry_json
from api.resources.return_types import is_required, schema_of
from api.resources.returns import told_returns
from models.registry import EngineRegistry

#: The members of our voices that say which voice it is.
VOICE_NAMES: Final = ("id", "provider", "model")


def source_of(config: JsonObject) -> dict[str, Any]:
    """The members that our configuration keeps for Revox alone."""
    return (config.get("source") or {}).get("revox") or {}


def realtime_voice(config: JsonObject) -> dict[str, Any] | None:
    """The voice that the answers of our configuration's realtime model are spoken in; None without
    such a model, or where it names none."""
    model = (config.get("llm") or {}).get("source") or {}
    if model.get("type") != "realtime" or model.get("realtime_voice_id") is None:
        return None
    return {"id": model["realtime_voice_id"], "provider": model["provider"]}


def own_voice(config: JsonObject) -> dict[str, Any] | None:
    """The voice of our configuration, without the realtime model's that is in place of it."""
    voice, realtime = config.get("voice"), realtime_voice(config)
    if voice is None or realtime is None or not realtime.items() <= voice.items():
        return None if voice is None else dict(voice)
    sound = {name: value for name, value in voice.items() if name not in VOICE_NAMES}
    return {**sound, **source_of(config).get("replaced_voice", {})} or None


def members_of(config: JsonObject) -> dict[str, Any]:
    """The members of the Revox assistant that our configuration stands for."""
    source = source_of(config)
    found: dict[str, Any] = {member: config.get(field) for member, field in REVOX_SAME.items()}
    persona, instructions = config.get("persona"), config.get("instructions")
    found["prompt"] = "\n\n".join(text for text in (persona, instructions) if text)
    found["max_duration_end_message"] = found["max_duration_end_message"] or None
    found["first_sentence_delay_ms"] = config.get("first_sentence_delay_ms", 400)
    found["first_sentence_mode"] = config.get("first_sentence_mode", "generated")
    found["call_retry_config"] = (
        None if config.get("retry") is None else retry_config(config["retry"])
    )
    found["faq_items"] = [
        {
            "answer": item["answer"],
            "question": item["question"],
            "id": item.get("id"),
            "needs_human_answer": bool(item.get("needs_human_answer")),
            "source": item.get("source") or "human",
        }
        for item in config.get("faq_items") or ()
    ]
    found["llm_model"] = _model(config.get("llm"))
    returns = config.get("returns")
    found["structured_output_config"] = (
        None if returns is None else [_output(*one) for one in told_returns(returns).items()]
    )
    found["voice"] = _shown_voice(own_voice(config), source.get("voice_volume"))
    return found | _tool_members(config.get("tools") or (), source)


def with_defaults(
    members: Mapping[str, Any], engines: EngineRegistry, language: str
) -> dict[str, Any]:
    """The members with the objects that hold where an assistant has none of its own.

    Args:
        members: as of `members_of`.
        engines: of the deployment.
        language: that a call is held in.
    """
    voice = default_voice(engines, language)
    defaults = {
        "call_retry_config": retry_config({}),
        "llm_model": _default_model(engines),
        "voice": None if voice is None else _shown_voice({"id": voice}, None),
    }
    return {**members, **{name: members[name] or value for name, value in defaults.items()}}


def _default_model(engines: EngineRegistry) -> dict[str, Any]:
    """The deployment's own, by the name that the service has for it, if there is one."""
    own = engines.llms[0].name
    aliases = engines.aliases_of(own)
    name = next((name for name in DEDICATED_MODELS if name in aliases), own)
    return {"name": name, "type": "dedicated-instance"}


def retry_config(policy: JsonObject) -> dict[str, Any]:
    """A retry policy in the service's form; complete, unless it is none any more."""
    with contextlib.suppress(ValidationError):  # another release, or zone database, stored it
        policy = retry_json(parse_retry(policy))
    config: dict[str, Any] = renamed(policy, REVOX_RETRY)
    return config


def _model(llm: JsonObject | None) -> dict[str, Any] | None:
    if llm is None or llm.get("model") is None:
        return None
    if llm.get("source") is not None:
        return dict(llm["source"])
    if llm.get("api_url") is not None:
        return {
            "api_key": llm.get("api_key"),
            "api_url": llm["api_url"],
            "model_name": llm["model"],
            "type": "custom",
        }
    return {"name": llm["model"], "type": "dedicated-instance"}


def _output(name: str, wanted: Any) -> dict[str, Any]:
    schema = schema_of(wanted)
    options = [str(one) for one in schema.get("enum", ()) if one is not None] or None
    kind = {"date": "date", "date-time": "datetime"}.get(schema.get("format", ""))
    plain = {"integer": "number", "number": "number", "boolean": "boolean"}
    shown = {
        "name": name,
        "required": is_required(wanted),
        "type": "enum" if options else kind or plain.get(schema.get("type", ""), "string"),
    }
    return shown | _optional(schema.get("description"), options)


def _optional(description: str | None, options: Sequence[str] | None) -> dict[str, Any]:
    shown = {"description": description, "enum_options": options}
    return {name: value for name, value in shown.items() if value is not None}


def _shown_voice(voice: JsonObject | None, kept_volume: float | None) -> dict[str, Any] | None:
    if voice is None or (name := voice.get("id") or voice.get("model")) is None:
        return None
    provider = voice.get("provider") or "cartesia"
    if provider not in get_args(Provider):
        name, provider = f"{provider}/{name}", "cartesia"
    return {
        "id": name,
        "provider": provider,
        "speed": voice.get("speed", 1.0),
        "volume": voice.get("volume", kept_volume or 1.0),
    }


def _tool_members(tools: Sequence[JsonObject], source: JsonObject) -> dict[str, Any]:
    by_type = {tool["type"]: tool for tool in tools}
    bodies = source.get("body_templates") or {}
    transfer, sms = by_type.get("transfer"), by_type.get("send_sms")
    calendar = by_type.get("calendar")
    shown = {
        "custom_tools": [_custom(tool, bodies) for tool in tools if tool["type"] == "http"],
        "transfer_phone_number": source.get("transfer_phone_number"),
        "human_transfer_mode": None,
        "warm_transfer_summary_instructions": source.get("warm_transfer_summary_instructions"),
        "sms_enabled": sms is not None,
        "sms_template": source.get("sms_template") if sms is None else sms.get("template"),
        "calendly": None,
        "ivr_navigation_enabled": "send_digits" in by_type,
    }
    if transfer is not None:
        shown["transfer_phone_number"] = transfer["number"]
        shown["human_transfer_mode"] = transfer.get("mode", "cold")
        shown["warm_transfer_summary_instructions"] = transfer.get("summary_instructions")
    if calendar is not None:
        shown["calendly"] = {name: calendar[name] for name in ("connection_id", "event_type_id")}
    return shown


def _custom(tool: JsonObject, bodies: Mapping[str, str]) -> dict[str, Any]:
    return {
        "body_template": bodies.get(tool["name"], tool.get("body_template", "")),
        "description": tool["description"],
        "headers": list(tool.get("headers", ())),
        "input_schema": [
            {"name": one["name"], "required": one.get("required", True), "type": one["type"]}
            | _optional(one.get("description"), one.get("enum_options"))
            for one in tool.get("input_schema", ())
        ],
        "method": tool.get("method", "GET"),
        "name": tool["name"],
        "query_params": list(tool.get("query_params", ())),
        "url": tool["url"],
    }
