"""Makes our agents' configurations of Revox's assistants. `members` goes the other way."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from api.base.json_object import JsonObject
from api.base.problems import FieldError, Problem, invalid, pointer
from api.compat.mapping import REVOX_RETRY, REVOX_SAME
from api.compat.revox.fields import (
    AssistantFields,
    CustomModel,
    CustomTool,
    DedicatedModel,
    OpenRouterModel,
    OutputField,
    RealtimeModel,
    RetryConfig,
)
from api.compat.revox.members import (
    VOICE_NAMES,
    members_of,
    own_voice,
    realtime_voice,
    source_of,
)
from api.compat.translation import Path, Translation, renamed
from api.policy.retry import parse_retry, retry_json

#: What the service does where a member is left out.
DEFAULTS: Final[Mapping[str, Any]] = {
    "first_sentence_delay_ms": 400,
    "max_duration_end_message": "",
    "retry": {},
}
_OUR_RETRY: Final = {theirs: ours for ours, theirs in REVOX_RETRY.items()}
#: Members that make up one tool of ours, by its type.
TOOL_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("custom_tools",),
    "transfer": (
        "transfer_phone_number",
        "human_transfer_mode",
        "warm_transfer_summary_instructions",
    ),
    "send_sms": ("sms_enabled", "sms_template"),
    "calendar": ("calendly",),
    "send_digits": ("ivr_navigation_enabled",),
    "skip_turn": ("ivr_navigation_enabled",),
}
_NOTHING: Final[JsonObject] = {}
_BODILESS: Final = frozenset({"GET", "DELETE"})
ELEVENLABS_SPEED: Final = (0.7, 1.2)


def config_of(
    asked: AssistantFields, root: Path = (), stored: JsonObject = _NOTHING
) -> Translation:
    """Make our configuration of the members that an assistant gives; null stays null.

    Args:
        asked: the assistant.
        root: where it stands in the request.
        stored: our configuration before, of one that is changed.

    Raises Problem with a pointer to every wrong member.
    """
    work = _Assistant(asked, root, stored)
    work.translate()
    if work.errors:
        raise invalid(work.errors)
    return work.made


class _Assistant:
    def __init__(self, asked: AssistantFields, root: Path, stored: JsonObject) -> None:
        self._asked, self._root, self._stored = asked, root, stored
        self.made = Translation()
        self.errors: list[FieldError] = []
        self._source: dict[str, Any] = {}
        """The members that no field of ours holds."""

    def translate(self) -> None:
        """Fill `made` and `errors`."""
        given = self._asked.model_fields_set
        for member, value in self._asked.model_dump(include=given & set(REVOX_SAME)).items():
            self._put(REVOX_SAME[member], value, member)
        for member, (field, make) in self._makers().items():
            if member in given:
                self._put(field, make(), member)
        self._put_voice()
        if given & {member for group in TOOL_MEMBERS.values() for member in group}:
            self._put("tools", list(self._tools()), "custom_tools")
        if self._source:
            self.made.body["source"] = {"revox": self._source}

    def _makers(self) -> dict[str, tuple[str, Callable[[], Any]]]:
        """By member: the field that the member becomes, and what makes the value."""
        asked = self._asked
        return {
            "max_duration_end_message": (
                "max_duration_end_message",
                lambda: asked.max_duration_end_message or "",
            ),
            "voicemail_message": (
                "voicemail_action",
                lambda: "hangup" if asked.voicemail_message is None else "leave_message",
            ),
            "call_retry_config": ("retry", self._retry),
            "faq_items": ("faq_items", self._faq),
            "llm_model": ("llm", self._llm),
            "structured_output_config": ("returns", self._returns),
        }

    def _put(self, field: str, value: Any, member: str) -> None:
        self.made.put(field, value, (*self._root, member))

    def _wrong(self, detail: str, *path: str | int, code: str | None = None) -> None:
        self.errors.append(FieldError(detail, pointer(*self._root, *path), code=code))

    def _retry(self) -> dict[str, Any] | None:
        config = self._asked.call_retry_config
        try:
            place = (*self._root, "call_retry_config")
            return None if config is None else retry_of(config, place)
        except Problem as problem:
            self.errors += problem.errors
        return None

    def _faq(self) -> list[dict[str, Any]] | None:
        items = self._asked.faq_items
        if items is None:
            return None
        return [
            {
                **item.model_dump(),
                "id": item.id or str(uuid.uuid4()),
                "needs_human_answer": bool(item.needs_human_answer),
                "source": item.source or "human",
            }
            for item in items
        ]

    def _llm(self) -> dict[str, Any] | None:
        place: Path = (*self._root, "llm_model")
        name: str
        member: str
        match model := self._asked.llm_model:
            case DedicatedModel():
                name, member = model.name, "name"
            case OpenRouterModel():
                name = _of_provider(model)
                whole = name == model.openrouter_model_id
                member = "openrouter_model_id" if whole else "openrouter_provider"
            case RealtimeModel():
                name, member = f"{model.provider}/{model.realtime_model_id}", "realtime_model_id"
            case CustomModel():
                names = {"model": "model_name", "api_url": "api_url", "api_key": "api_key"}
                for ours, theirs in names.items():
                    self.made.comes_from(("llm", ours), (*place, theirs))
                return {ours: getattr(model, theirs) for ours, theirs in names.items()}
            case _:
                return None
        self.made.comes_from(("llm", "model"), (*place, member))
        return {"model": name, "source": model.model_dump(exclude_none=True)}

    def _put_voice(self) -> None:
        """Put the voice that speaks: `voice`, or a realtime model's own while there is one, which
        keeps the other."""
        given, before = self._asked.model_fields_set, realtime_voice(self._stored)
        realtime = realtime_voice(self.made.body) if "llm_model" in given else before
        if "voice" in given:
            voice = self._voice()
        elif "llm_model" in given and (realtime or before):
            voice = own_voice(self._stored)
        else:
            return
        if realtime is None:
            self._put("voice", voice, "voice")
            return
        named = {name: voice.pop(name) for name in VOICE_NAMES if name in voice} if voice else None
        self._keep("replaced_voice", named)
        self._put("voice", {**(voice or {}), **realtime}, "voice")
        place = (*self._root, "llm_model", "realtime_voice_id")
        self.made.comes_from(("voice", "id"), place)

    def _returns(self) -> dict[str, Any] | None:
        fields = self._asked.structured_output_config
        if fields is None:
            return None
        returns: dict[str, Any] = {}
        for index, field in enumerate(fields):
            place = ("structured_output_config", index)
            if field.name in returns:
                self._wrong("another field has this name", *place, "name")
            if (field.type == "enum") != bool(field.enum_options):
                detail = "an enum needs options to choose from, and nothing else has any"
                self._wrong(detail, *place, "enum_options")
            returns[field.name] = _wanted(field)
            self.made.comes_from(("returns", field.name), (*self._root, *place, "name"))
            for ours, theirs in (("enum", "enum_options"), ("description", "description")):
                self.made.comes_from(("returns", field.name, ours), (*self._root, *place, theirs))
        return returns

    def _voice(self) -> dict[str, Any] | None:
        voice = self._asked.voice
        if voice is None:
            return None
        low, high = ELEVENLABS_SPEED
        elevenlabs = voice.provider == "elevenlabs"
        if elevenlabs and voice.speed is not None and not low <= voice.speed <= high:
            self._wrong(f"with elevenlabs from {low} to {high}", "voice", "speed")
        made = voice.model_dump(exclude_none=True)
        if elevenlabs:  # where the volume has no effect
            self._keep("voice_volume", made.pop("volume", None))
        return made

    def _tools(self) -> Iterator[dict[str, Any]]:
        asked, root = self._asked, self._root
        index = 0
        for index, tool in enumerate(asked.custom_tools or (), 1):
            self.made.comes_from(("tools", index - 1), (*root, "custom_tools", index - 1))
            yield self._http(tool)
        calendar = None if asked.calendly is None else asked.calendly.model_dump()
        navigation: dict[str, Any] | None = {} if asked.ivr_navigation_enabled else None
        for member, tool_type, made in (
            ("transfer_phone_number", "transfer", self._transfer()),
            ("sms_enabled", "send_sms", self._sms()),
            ("calendly", "calendar", calendar),
            ("ivr_navigation_enabled", "send_digits", navigation),
            ("ivr_navigation_enabled", "skip_turn", navigation),
        ):
            if made is None:
                continue
            self.made.comes_from(("tools", index), (*root, member))
            self.made.comes_from(("tools", index, "type"), (*root, member))
            for ours, theirs in _PLACES.get(tool_type, {}).items():
                self.made.comes_from(("tools", index, ours), (*root, *theirs))
            index += 1
            yield {"type": tool_type, **made}

    def _http(self, tool: CustomTool) -> dict[str, Any]:
        made = tool.model_dump(exclude_none=True)
        if tool.method in _BODILESS and tool.body_template:
            self._source.setdefault("body_templates", {})[tool.name] = tool.body_template
            made["body_template"] = ""
        return {"type": "http", **made}

    def _transfer(self) -> dict[str, Any] | None:
        """Make the transfer tool; without a mode nobody is transferred."""
        asked = self._asked
        number, mode = asked.transfer_phone_number, asked.human_transfer_mode
        summary = asked.warm_transfer_summary_instructions
        if mode is not None and number is None:
            self._wrong("is for a transfer_phone_number, which is missing", "human_transfer_mode")
        if number is None or mode is None:
            self._keep("transfer_phone_number", number)
            self._keep("warm_transfer_summary_instructions", summary)
            return None
        made = {"number": number, "mode": mode, "summary_instructions": summary}
        return {name: value for name, value in made.items() if value is not None}

    def _sms(self) -> dict[str, Any] | None:
        template = self._asked.sms_template
        if not self._asked.sms_enabled:
            self._keep("sms_template", template)
            return None
        return {} if template is None else {"template": template}

    def _keep(self, member: str, value: Any) -> None:
        if value is not None:
            self._source[member] = value


#: Within a tool of ours: where its members are from.
_PLACES: Final[Mapping[str, Mapping[str, Path]]] = {
    "transfer": {
        "number": ("transfer_phone_number",),
        "mode": ("human_transfer_mode",),
        "summary_instructions": ("warm_transfer_summary_instructions",),
    },
    "send_sms": {"template": ("sms_template",)},
    "calendar": {
        "connection_id": ("calendly", "connection_id"),
        "event_type_id": ("calendly", "event_type_id"),
        "book": ("calendly", "connection_id"),
    },
}


def _of_provider(model: OpenRouterModel) -> str:
    """The name of a model that one provider serves; an id may begin with the provider itself."""
    provider, name = model.openrouter_provider.casefold(), model.openrouter_model_id
    named = not provider or name.casefold().startswith(f"{provider}/")
    return name if named else f"{provider}/{name}"


def _wanted(field: OutputField) -> dict[str, Any]:
    wanted = field.model_dump(exclude_none=True, exclude={"name"})
    if "enum_options" in wanted:
        wanted["enum"] = wanted.pop("enum_options")
    return wanted | ({"type": "string"} if field.type == "enum" else {})


def retry_of(config: RetryConfig, place: Path) -> dict[str, Any]:
    """Make our complete retry policy.

    Args:
        config: the service's; one window's members may stand in it.
        place: where it stands in the request.

    Raises Problem with a pointer to every wrong member.
    """
    given = renamed(config.model_dump(exclude_none=True), _OUR_RETRY)
    names = ("start", "end", "retry_delay_seconds")
    window = {name: given.pop(name) for name in names if name in given}
    if window and "calling_windows" in given:
        detail = "give calling_windows or one window's members, not both"
        raise invalid([FieldError(detail, pointer(*place, "calling_windows"))])
    if window:
        given["calling_windows"] = [window]
    try:
        return retry_json(parse_retry(given))
    except ValidationError as error:
        raise invalid(list(_retry_errors(error, place, flat=bool(window)))) from error


def _retry_errors(error: ValidationError, place: Path, *, flat: bool) -> Iterator[FieldError]:
    for one in error.errors():
        path = one["loc"]
        if flat and path[:2] == ("calling_windows", 0):
            path = path[2:]
        names = (REVOX_RETRY.get(str(part), part) for part in path)
        yield FieldError(one["msg"], pointer(*place, *names))


def change_of(asked: AssistantFields, config: JsonObject) -> Translation:
    """Make the changes to our configuration, as `config_of` does. Where several members make up one
    field, the stored configuration gives those that are left out.

    Args:
        asked: the members to change.
        config: our configuration as stored.
    """
    given = asked.model_fields_set
    types = [kind for kind, group in TOOL_MEMBERS.items() if given & set(group)]
    touched = {member for kind in types for member in TOOL_MEMBERS[kind]} - given
    present = members_of(config)
    members = asked.model_dump(exclude_unset=True, include=set(AssistantFields.model_fields))
    whole = members | {name: present[name] for name in touched}
    made = config_of(AssistantFields.model_validate(whole), stored=config)
    if types:
        others = [tool for tool in config.get("tools") or () if tool["type"] not in types]
        tools = made.body["tools"]
        count = len(tools)
        made.body["tools"] = [*tools, *others]
        for index in range(count, count + len(others)):
            made.comes_from(("tools", index), ())
    kept = {
        name: value
        for name, value in source_of(config).items()
        if (given | touched).isdisjoint(_SOURCE_OF.get(name, (name,)))
    }
    fresh = {**kept, **source_of(made.body)}
    if fresh or "source" in config:
        made.body["source"] = {"revox": fresh} if fresh else None
    return made


#: Member of the source to the members of an assistant that it is made of, where they differ.
_SOURCE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "body_templates": ("custom_tools",),
    "replaced_voice": ("voice", "llm_model"),
    "voice_volume": ("voice",),
}
