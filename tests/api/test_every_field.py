"""Every field of every request body of the OpenAPI document: what the document does not allow is
refused at its place, and what it allows is honoured and shown, or refused for a reason that is
listed here."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

import httpx
import pytest

from api.base.problems import pointer
from api.base.text import MASK
from api.compat.endpoints import ENDPOINTS
from api.http.app import create_app
from api.settings import StoreSection
from api.store import Store
from tests.api.conftest import ALIASES, EQUIPPED, Bench, benching
from tests.api.every_body import Case, make_cases
from tests.api.schema_walk import (
    Place,
    body_schema,
    error_pointers,
    fields_below,
    limits_of,
    operations,
    places,
    rights,
    with_value,
    wrongs,
)

OPERATIONS: Final = [f"{method} {path}" for method, path in operations()]
each_operation = pytest.mark.parametrize("operation", OPERATIONS)

#: What a schema cannot tell, by the code of the refusal.
REASONS: Final = frozenset(
    {
        "from_number_not_allowed",
        "not_configured",
        "provider_not_configured",
        "unknown_agent",
        "unknown_trunk",
        "unknown_variable",
    }
)
_NUMBER: Final = "must be a number in E.164 form, and may be called"
_OURS: Final = "must be one of the deployment's numbers"
_ENGINE: Final = "must be an engine that there is"
_OPTIONS: Final = "an enum has options, different ones, and nothing else has any"
_RETRY: Final = "must be hours, days and a zone in which calls can be made"
#: The same, where the refusal has no code of its own.
REFUSED: Final[Mapping[str, str]] = {
    "OneInboxCreateWebCall.origin": "a page's origin, of the request where none is given",
    "*.account_code": "letters, digits and few signs, once it is filled in",
    "*.caller_name": "at most 80 characters, once it is filled in",
    "*.sip_headers": "names and values that an INVITE may have",
    "*.agent_id": "must be an agent",
    "*.connection_id": "must be a connection, here",
    "*.dial_string": "must be what the PBX dials by",
    "*.email_notification_address": "must be a mail address",
    "*.enabled_events[[][]]": "must be an event",
    "*.enum_options": _OPTIONS,
    "*.enum_options[[][]]": _OPTIONS,
    "*.event_type_id": "must be an event type of the connection",
    "*.from_number": _OURS,
    "*.from_phone_number": _OURS,
    "*.human_transfer_mode": "needs somebody to transfer to",
    "*.instructions": "must not be blank",
    "*.prompt": "must not be blank",
    "*.language": "must be one that the engines speak",
    "*.max_duration_seconds": "at most calls.max_duration_s",
    "*.max_call_duration_secs": "from 5 to calls.max_duration_s",
    "*.first_sentence_delay_ms": "at most a minute",
    "*.number": _NUMBER,
    "*.number_id": _OURS,
    "*.number_ids": "holds the primary one",
    "*.number_ids[[][]]": _OURS,
    "*.pbx": "must be one that the settings name",
    "*.phone_number": _NUMBER,
    "*.primary_number_id": "is one of number_ids",
    "*.retry": _RETRY,
    "*.returns": "must be a map of names to types",
    "*.scheduled_at": "must be a time in RFC 3339",
    "*.timezone": "must be an IANA zone",
    "*.to": _NUMBER,
    "*.to_phone_number": _NUMBER,
    "*.transfer_phone_number": _NUMBER,
    "*.variables": "holds what the prompts name",
    "*.voice": _ENGINE,
    "*Number.trunk": "must be a trunk",
    "*.webhook_url": "must be a URL that webhooks may go to",
    "Create*.url": "must be a URL",
    "Change*.url": "must be a URL",
    "*CreateEndpoint.url": "must be a URL that webhooks may go to",
    "*ChangeEndpoint.url": "must be a URL that webhooks may go to",
    "CreateCampaign.template": "must make orders",
    "ChangeCampaign.template": "must make orders",
    "CustomModel.api_url": "must be a URL that tools may go to",
    "CustomTool.url": "must be a URL that tools may go to",
    "EventType.duration_minutes": "fits between start and end",
    "EmailTool.to[[][]]": "must be a mail address",
    "HttpTool.name": "is no other tool's",
    "*Tool.body_template": "must be JSON",
    "HttpTool.method": "some have no body",
    "HttpTool.url": "must be a URL that tools may go to",
    "Input.name": "is what the tool's templates name",
    "*Input.type": _OPTIONS,
    "LlmField.api_key": "is for a server of one's own",
    "LlmField.api_url": "must be a URL that tools may go to",
    "LlmField.model": "is needed with api_url",
    "OutputField.type": _OPTIONS,
    "RetryConfig.*": _RETRY,
    "RetryFields.*": _RETRY,
    "RevoxCreateCampaign.contacts": "one that is launched has some",
    "Transfer*.method": "warm transfers are made by bridging",
    "Window.*": _RETRY,
    "WindowFields.*": _RETRY,
}


def _time(value: Any) -> tuple[Any, ...]:
    """A time that is past is none: at once."""
    if isinstance(value, str):
        return (value,)
    at = datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return (None, at[:-6] + "Z")


#: Fields that are shown in another form, and in which.
TOLD_AS: Final[Mapping[str, Callable[[Any], tuple[Any, ...]]]] = {
    "*.scheduled_at": _time,
    "*.api_key": lambda _: (MASK,),
    "*.password": lambda _: (MASK,),
    "OneInboxChangeCall.outcome": lambda text: (text.capitalize(),),
    "*CreateCampaign.launch": lambda launch: ("running" if launch else "draft",),
    "TransferCall.method": lambda method: ("bridge" if method == "auto" else method,),
}

#: Fields of which null is their default, which is shown.
DEFAULTED: Final = (
    "*.agent",
    "*.assistant",
    "*.assistant_id",
    "*.call_retry_config",
    "*.caller_number",
    "*.custom_tools",
    "*.faq_items",
    "*.first_sentence_*",
    "*.force_now",
    "*.from_number",
    "*.from_phone_number",
    "*.ivr_navigation_enabled",
    "*.launch",
    "*.llm_model",
    "*.metadata",
    "*.context",
    "*.returns",
    "*.max_concurrent*",
    "*.overrides",
    "*.prompt",
    "*.instructions",
    "*CallingBox*.language",
    "*.prompt_variables",
    "*.sms_enabled",
    "*.tools",
    "*Assistant.voice",
    "*.voicemail_action",
    "ChangeAssistant.name",
    "FaqItem.*",
    "Llm.system_prompt",
    "OneInbox*.llm",
    "OneInbox*.transcriber",
    "OneInbox*.tts",
    "OneInbox*.variables",
    "OneInboxChangeAgent.name",
    "RetryConfig.*",
    "RetryFields.*",
    "Voice.*",
    "Window.*",
    "WindowFields.*",
)

#: Fields of which an empty text is null.
EMPTY: Final = (
    "*Assistant.max_duration_end_message",
    "CallOverrides.first_message",
    "FaqItem.id",
    "OneInbox*.voicemail_message",
)

ABSENT: Final = object()


@dataclass
class Scene:
    """The application, and what is done there."""

    client: httpx.AsyncClient
    """Without a network between: there are thousands of requests."""
    cases: Mapping[str, Case]
    tried: set[str] = field(default_factory=set)
    """Fields that were given everything wrong; where another body has them too, one of it will
    do."""


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """With everything configured, and room for the longest texts."""
    folder = tmp_path_factory.mktemp("every_field")
    more = EQUIPPED | {
        "OFFHOOK_SERVER__MAX_BODY_BYTES": "4000000",
        "OFFHOOK_SERVER__RATE_LIMIT_PER_MINUTE": "0",
    }
    store = await Store.open(StoreSection(path=folder / "offhook.db"))
    async with benching(store, folder, more, ALIASES) as bench:
        transport = httpx.ASGITransport(create_app(bench.services, ENDPOINTS))
        headers = {"Authorization": f"Bearer {bench.key}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://offhook.test", headers=headers
        ) as client:
            yield Scene(client, await make_cases(bench))
    await store.close()


class Trial:
    """An operation that is tried again and again."""

    def __init__(self, scene: Scene, operation: str) -> None:
        self.method, self.path = operation.split()
        self.case = scene.cases[operation]
        self._client = scene.client
        self._parameters = self.case.parameters

    def places(self, body: Any) -> list[Place]:
        return list(places(body_schema(self.method, self.path), body))

    async def send(self, body: Any) -> httpx.Response:
        return await self._client.request(
            self.method,
            self.path.format(**self._parameters),
            content=json.dumps(body),
            headers={"Content-Type": "application/json"},
        )

    def refused(self, answer: httpx.Response) -> list[str] | None:
        """Pointers of a refusal; None of another answer."""
        if answer.status_code != (400 if "/callingbox/" in self.path else 422):
            return None
        return error_pointers(self.path, answer.json())

    async def show(self, body: Any) -> tuple[httpx.Response, Any]:
        """The answer, and everything that is told of it afterwards."""
        if self.case.renew is not None:
            self._parameters = await self.case.renew()
        answer = await self.send(body)
        if not answer.is_success:
            return answer, None
        told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        (inner, *_) = told.values() if len(told) == 1 else (told,)
        known = {**inner, **self._parameters}
        shown = {"answer": told}
        for name, path in self.case.reads.items():
            read = await self._client.get(path.format(**known))
            assert read.status_code == 200, read.text
            shown[name] = read.json()
        if self.case.undo is not None:
            undone = await self._client.delete(self.case.undo.format(**known))
            assert undone.is_success, undone.text
        return answer, shown

    def unshown(self, place: Place, value: Any, shown: Any) -> str | None:
        """What is wrong with how a value is shown; None if nothing is."""
        where = self.where(place)
        if where is None:
            return None
        also = [where.replace("/answer", "/read", 1)] if "read" in self.case.reads else []
        for one in (where, *also):
            found = look_up(shown, one)
            if not told_as(place, value, found):
                return f"{place.pointer} ({place.field}) = {value!r:.80}: {one} is {found!r:.200}"
        return None

    def where(self, place: Place) -> str | None:
        """Where a place's value is shown."""
        prefix = place.pointer
        while prefix not in self.case.shown:
            if not prefix:
                return "/answer" + place.pointer
            prefix = prefix.rpartition("/")[0]
        start = self.case.shown[prefix]
        return None if start is None else start + place.pointer[len(prefix) :]


def told_as(place: Place, value: Any, found: Any) -> bool:
    """Whether what is shown at a place is what was given there."""
    if value == "" and listed(EMPTY, place.field):
        value = None
    if value in (None, {}) and found in (None, ABSENT):
        return True
    if value is None:
        return listed(DEFAULTED, place.field) is not None
    form = listed(TOLD_AS, place.field)
    return any(holds(found, one) for one in (TOLD_AS[form](value) if form else (value,)))


def holds(found: Any, wanted: Any) -> bool:
    """Whether a value is as wanted; an object may have more, by defaults."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(holds(found.get(name, ABSENT), one) for name, one in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(holds, found, wanted))
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def listed(patterns: Iterable[str], name: str) -> str | None:
    """The pattern that a field fits."""
    return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)


def look_up(document: Any, place: str) -> Any:
    """What a JSON pointer leads to."""
    for part in place.split("/")[1:]:
        key: Any = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list):
            key = int(key)
            if key >= len(document):
                return ABSENT
        elif not isinstance(document, Mapping) or key not in document:
            return ABSENT
        document = document[key]
    return document


@each_operation
async def test_what_the_document_does_not_allow_is_refused_at_its_place(
    scene: Scene, operation: str
) -> None:
    trial = Trial(scene, operation)
    failures: list[Any] = []
    here: set[str] = set()
    for body in trial.case.bodies:
        for place in trial.places(body):
            if place.field in here:
                continue
            here.add(place.field)
            ways = list(wrongs(place))
            if place.field in scene.tried:
                ways = ways[len(here) % len(ways) :][:1] if ways else []
            for wrong in ways:
                answer = await trial.send(with_value(body, place.path, wrong.value))
                pointers = trial.refused(answer)
                if pointers is None or wrong.at not in pointers:
                    what = repr(wrong.value)[:60]
                    failures.append((wrong.at, what, answer.status_code, answer.text[-300:]))
    scene.tried |= here - {""}
    assert not failures, "\n".join(map(str, failures))


@each_operation
async def test_what_the_document_allows_is_shown_or_refused_for_a_listed_reason(
    scene: Scene, operation: str
) -> None:
    """Many fields are changed at one time; those that are refused then, and those beside them, are
    changed alone too."""
    trial = Trial(scene, operation)
    failures: list[str] = []
    for body in trial.case.bodies:
        answer, shown = await trial.show(body)
        assert shown is not None, (body, answer.text)
        found = trial.places(body)
        failures += [
            wrong for one in leaves(found) if (wrong := trial.unshown(one, one.value, shown))
        ]
        alone = [(one, value) for one in found if one not in leaves(found) for value in rights(one)]
        for changes in together(leaves(found)):
            failures += await try_together(trial, body, changes, alone)
        for place, value in alone:
            failures += await try_alone(trial, body, place, value)
        await trial.show(body)
    assert not failures, "\n".join(failures)


def leaves(found: list[Place]) -> list[Place]:
    """Places with none below."""
    inner = {one.path[:end] for one in found for end in range(len(one.path))}
    return [one for one in found if one.path not in inner]


def together(found: list[Place]) -> Iterator[list[tuple[Place, Any]]]:
    """Each value of each place once."""
    values = [(place, rights(place)) for place in found]
    for index in range(max(len(one) for _, one in values)):
        yield [(place, one[index]) for place, one in values if index < len(one)]


async def try_together(
    trial: Trial, body: Any, changes: list[tuple[Place, Any]], alone: list[tuple[Place, Any]]
) -> list[str]:
    while changes:
        changed = body
        for place, value in changes:
            changed = with_value(changed, place.path, value)
        answer, shown = await trial.show(changed)
        if shown is not None:
            return [
                wrong for place, value in changes if (wrong := trial.unshown(place, value, shown))
            ]
        pointers = trial.refused(answer)
        if pointers is None:
            return [f"{trial.path}: {answer.status_code} {answer.text}"]
        parents = {*pointers, *(one.rpartition("/")[0] for one in pointers)}
        blamed = [change for change in changes if concerns(change[0], pointers)]
        blamed = blamed or [one for one in changes if pointer(*one[0].path[:-1]) in parents]
        # What a tool's templates name is told where they do.
        blamed = blamed or [one for one in changes if listed(("*Input.name",), one[0].field)]
        if not blamed:
            return [f"{trial.path}: nothing at {pointers} was changed: {answer.text}"]
        alone += blamed
        changes = [change for change in changes if change not in blamed]
    return []


def concerns(place: Place, pointers: list[str]) -> bool:
    """Whether an error is at a place, or below."""
    return any(one == place.pointer or one.startswith(place.pointer + "/") for one in pointers)


async def try_alone(trial: Trial, body: Any, place: Place, value: Any) -> list[str]:
    answer, shown = await trial.show(with_value(body, place.path, value))
    if shown is not None:
        wrong = trial.unshown(place, value, shown)
        return [wrong] if wrong else []
    pointers = trial.refused(answer)
    if pointers is not None and (codes(answer.text) & REASONS or listed(REFUSED, place.field)):
        return []
    return [f"{place.pointer} ({place.field}) = {value!r:.80}: {answer.text}"]


def codes(answer: str) -> set[str]:
    """Every text of a refusal that may be a code."""
    return set(re.findall(r'"(?:code|type)": "(\w+)"', answer))


@each_operation
async def test_every_field_is_tried(scene: Scene, operation: str) -> None:
    trial = Trial(scene, operation)
    seen = {place.field for body in trial.case.bodies for place in trial.places(body)}
    assert not fields_below(body_schema(trial.method, trial.path)) - seen


# -- what the services' documents say, and the document says too ---------------------------------


@pytest.mark.rows("RV-21…22", "RV-45…46", "RV-64", "RV-83…84", "RV-87…88", "RV-127…128")
@pytest.mark.rows("RV-131…132", "RV-243…244", "RV-248…249")
@pytest.mark.parametrize(
    ("field", "limits"),
    [
        ("CreateAssistant.background_sound_volume", {"minimum": 0, "maximum": 1}),
        ("CreateAssistant.first_sentence_delay_ms", {"minimum": 0, "maximum": 2**53 - 1}),
        ("CreateAssistant.max_duration_end_message", {"maxLength": 150}),
        ("CreateAssistant.thinking_sound_probability", {"minimum": 0, "maximum": 1}),
        ("CreateAssistant.thinking_sound_volume", {"minimum": 0, "maximum": 1}),
        ("Window.retry_delay_seconds", {"exclusiveMinimum": 0, "maximum": 2**53 - 1}),
        ("RetryConfig.max_retry_attempts", {"exclusiveMinimum": 0, "maximum": 2**53 - 1}),
        ("Voice.speed", {"minimum": 0.6, "maximum": 1.5}),
        ("Voice.volume", {"minimum": 0.5, "maximum": 2}),
    ],
)
def test_revoxs_numbers_and_texts_have_its_limits(field: str, limits: dict[str, Any]) -> None:
    """That they are held to is tried above."""
    assert limits_of(field) == limits


@pytest.mark.rows("RV-142", "RV-146", "RV-150", "RV-168", "RV-172", "RV-175", "RV-187", "RV-192")
@pytest.mark.rows("RV-202", "RV-221", "RV-238")
@pytest.mark.parametrize(
    "field",
    [
        "CustomTool.description",
        "CustomTool.name",
        "CustomTool.url",
        "Pair.key",
        "ToolInput.name",
        "CustomModel.api_key",
        "CustomModel.model_name",
        "RealtimeModel.realtime_voice_id",
        "OutputField.name",
        "Voice.id",
    ],
)
def test_revoxs_names_are_not_empty(field: str) -> None:
    assert limits_of(field)["minLength"] == 1


@pytest.mark.rows("RV-152…158", "RV-161…166", "RV-190", "RV-193…197", "RV-199…200", "RV-217")
@pytest.mark.rows("RV-239…241")
@pytest.mark.parametrize(
    ("field", "limits"),
    [
        (
            "ToolInput.type",
            {"enum": ["string", "number", "boolean", "enum", "date", "datetime"]},
        ),
        ("CustomTool.method", {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]}),
        ("CustomModel.api_url", {"format": "uri"}),
        ("CustomModel.type", {"const": "custom"}),
        ("RealtimeModel.type", {"const": "realtime"}),
        ("RealtimeModel.provider", {"enum": ["openai", "google"]}),
        ("Node.type", {"const": "promptBlock"}),
        ("Voice.provider", {"enum": ["cartesia", "elevenlabs"]}),
    ],
)
def test_choices_are_those_of_the_services(field: str, limits: dict[str, Any]) -> None:
    found = limits_of(field)
    assert {name: found[name] for name in limits} == limits


@pytest.mark.rows("OI-5", "OI-7", "OI-9")
def test_oneinboxs_orders_have_its_forms() -> None:
    assert limits_of("OneInboxCreateCall.agent_id")["format"] == "uuid"
    for name in ("to_number", "from_number"):
        assert limits_of(f"OneInboxCreateCall.{name}")["pattern"] == r"^\+[1-9]\d{1,14}$"


@pytest.mark.rows("RV-47", "RV-129", "RV-133", "RV-245", "RV-250")
async def test_revoxs_defaults_hold_for_what_is_left_out(equipped: Bench) -> None:
    body = {
        "name": "A",
        "prompt": "Call them.",
        "voice": {"id": "sofia", "provider": "cartesia"},
        "call_retry_config": {},
    }
    answer = await equipped.client.post("/api/assistants", json=body)
    assistant = answer.json()["assistant"]
    assert assistant["first_sentence_delay_ms"] == 400
    assert (assistant["voice"]["speed"], assistant["voice"]["volume"]) == (1.0, 1.0)
    assert assistant["call_retry_config"]["max_retry_attempts"] == 3
    (window,) = assistant["call_retry_config"]["calling_windows"]
    assert window["retry_delay_seconds"] == 7200


@pytest.mark.rows("RV-242", "RV-246", "RV-251")
async def test_elevenlabs_has_a_narrower_range_of_speeds(equipped: Bench) -> None:
    for speed, wanted in ((0.69, 422), (0.7, 201), (1.2, 201), (1.21, 422)):
        voice = {"id": "rachel", "provider": "elevenlabs", "speed": speed, "volume": 2}
        body = {"name": "A", "prompt": "Call them.", "voice": voice}
        answer = await equipped.client.post("/api/assistants", json=body)
        assert answer.status_code == wanted
        if wanted == 422:
            assert error_pointers("/api/assistants", answer.json()) == ["/voice/speed"]
        else:
            assert answer.json()["assistant"]["voice"] == voice
