"""Translates OneInbox's orders and agents into ours."""

from collections.abc import Mapping
from typing import Any, Final

from api.base.fields import Body
from api.base.problems import FieldError, invalid, pointer
from api.compat.mapping import ONEINBOX_ORDER_SAME, ONEINBOX_SAME
from api.compat.oneinbox.fields import AgentFields, AgentParts, Llm, OneInboxCreateCall
from api.compat.translation import Path, Translation
from api.compat.voices import language_for
from api.http.services import Services

#: Members of ours by those of theirs.
_TRANSCRIBER: Final = {"model": "model", "language": "language"}
_TTS: Final = {"voice_id": "id", "model": "model", "speed": "speed", "stability": "stability"}
_GROUPS: Final = (("transcriber", "transcriber", _TRANSCRIBER), ("tts", "voice", _TTS))


def parts_of(
    services: Services, asked: AgentParts, root: Path = (), *, nulls: bool = False
) -> Translation:
    """Make our fields of the members that are given.

    Args:
        services: whose voices have languages.
        asked: an agent, or overrides.
        root: where it stands in the request.
        nulls: whether a null member, at any depth, makes a null field; else it counts as left out.
    """
    made = Translation()
    given = asked.model_fields_set
    if asked.llm is not None:
        _put_llm(made, asked.llm, (*root, "llm"), nulls)
    elif nulls and "llm" in given:
        for field in ("llm", "persona", "instructions"):
            made.put(field, None, (*root, "llm"))
    for member, field, names in _GROUPS:
        if (group := getattr(asked, member)) is not None:
            made.put(field, _renamed(group, names, nulls), (*root, member))
            for theirs, ours in names.items():
                made.comes_from((field, ours), (*root, member, theirs))
        elif nulls and member in given:
            made.put(field, None, (*root, member))
    if asked.tts is not None and asked.tts.voice_id is not None:
        made.body["voice"]["provider"] = None
    _put_language(services, made, asked, root)
    if "first_message" in given:
        message = asked.first_message
        mode = None if message is None else "static" if message else "none"
        made.put("first_sentence", message or None, (*root, "first_message"))
        made.put("first_sentence_mode", mode, (*root, "first_message"))
    return made


def _put_llm(made: Translation, llm: Llm, place: Path, nulls: bool) -> None:
    """Put model and prompt. A model's name takes the agent's own server back; a prompt replaces
    persona and instructions."""
    ours = _renamed(llm, {"model": "model", "temperature": "temperature"}, nulls)
    if "model" in ours:
        ours |= {"api_url": None, "api_key": None, "source": None}
    if ours:
        made.put("llm", ours, place)
    if llm.system_prompt is not None or (nulls and "system_prompt" in llm.model_fields_set):
        made.put("persona", None, (*place, "system_prompt"))
        made.put("instructions", llm.system_prompt, (*place, "system_prompt"))


def _put_language(services: Services, made: Translation, asked: AgentParts, root: Path) -> None:
    """Put the language, for which the service has no member: that of the transcriber, else that of
    the voice."""
    if asked.transcriber is not None and asked.transcriber.language is not None:
        made.put("language", asked.transcriber.language, (*root, "transcriber", "language"))
    elif (tts := asked.tts) is not None and (tts.voice_id or tts.model) is not None:
        language = language_for(services.engines, services.settings, made.body)
        made.put("language", language, (*root, "tts"))


def _renamed(group: Body, names: Mapping[str, str], nulls: bool) -> dict[str, Any]:
    given = group.model_dump(exclude_unset=True, exclude_none=not nulls)
    return {ours: given[theirs] for theirs, ours in names.items() if theirs in given}


def order_of(services: Services, asked: OneInboxCreateCall) -> Translation:
    """Make our body of an order."""
    order = Translation()
    order.put("to", asked.to_number, ("to_number",))
    for member in ONEINBOX_ORDER_SAME:
        if (value := getattr(asked, member)) is not None:
            order.put(member, value, (member,))
    if asked.overrides is not None:
        overrides = parts_of(services, asked.overrides, ("overrides",))
        order.body["overrides"] = overrides.body
        order.within(overrides, ("overrides",))
    order.body["retry"] = None  # one attempt: the service has no more
    return order


def agent_of(services: Services, asked: AgentFields) -> Translation:
    """Make our fields of an agent. Raises Problem where members contradict each other."""
    made = parts_of(services, asked, nulls=True)
    given = asked.model_fields_set
    if "llm_id" in given and (asked.llm is None or asked.llm_id is not None):
        if asked.llm is not None and asked.llm.model is not None:
            raise invalid(
                [FieldError("give either llm_id or llm.model, not both", pointer("llm_id"))]
            )
        ours = {"api_url": None, "api_key": None, "source": None, "model": asked.llm_id}
        made.put("llm", {**(made.body.get("llm") or {}), **ours}, ("llm",))
        made.comes_from(("llm", "model"), ("llm_id",))
    for theirs, ours_name in ONEINBOX_SAME.items():
        if theirs in given:
            made.put(ours_name, getattr(asked, theirs), (theirs,))
    if "interruption_sensitivity" in given:
        made.body["interruptible"] = None  # the sensitivity says it
    if "voicemail_message" in given:
        message = asked.voicemail_message
        made.put("voicemail_message", message or None, ("voicemail_message",))
        action = "leave_message" if message else "hangup"
        made.put("voicemail_action", action, ("voicemail_message",))
    return made
