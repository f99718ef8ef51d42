"""How a call's conversation is held: its agent's configuration over the deployment's settings."""

import logging
import time
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal, TypeVar

from phonenumbers import NumberParseException, parse, region_code_for_country_code

from api.agents.effective import effective
from api.calls.ambience import ambience_of
from api.resources.agent_fields import AgentFields, AnswerDetection, LlmField, VoiceField
from api.resources.call import Call
from api.resources.call_facts import callee_zone
from api.settings import Settings
from voice_loop.answering.watch import AnswerConfig
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.phrases import language_code

_T = TypeVar("_T")

log = logging.getLogger(__name__)

_OBJECTIONS: Final = (
    "The call is recorded, and the person was told so. If they do not want that, the recording is "
    "ended and deleted without your doing: tell them so, and go on."
)


def conversation_config(settings: Settings, call: Call) -> ConversationConfig:
    """How the conversation of `call` is held under these settings, but for its tools.

    Raises UnknownVariableError.
    """
    voice = settings.voice
    now = time.time()
    agent = effective(call, now, settings.calls.default_timezone)
    llm, agent_voice = agent.llm or LlmField(), agent.voice or VoiceField()
    silence_s = _given(agent.silence_timeout_seconds, voice.silence_prompt_s)
    floor = FloorConfig(
        end_of_turn_ms=voice.end_of_turn_ms,
        longest_pause_ms=max(FloorConfig.longest_pause_ms, voice.end_of_turn_ms),
        barge_in_ms=voice.barge_in_ms,
        silence_ms=round(silence_s * 1000),
    )
    floor = floor.interrupted(_given(agent.interruption_sensitivity, 0.5))
    announced = None
    if is_recorded(settings, call):
        announced = agent.recording_announcement or _announcement(settings, call)
    return ConversationConfig(
        task=_task(agent, announced),
        context=call.context,
        language=call.language,
        country=_country(call),
        now=datetime.fromtimestamp(now, callee_zone(call, settings.calls.default_timezone)),
        persona=agent.persona or "",
        faq=tuple((item.question, item.answer) for item in agent.faq_items or ()),
        first_sentence=agent.first_sentence or "",
        first_sentence_mode=agent.first_sentence_mode or "generated",
        announcement=announced or "",
        end_sentence=agent.end_of_call_sentence or "",
        time_up_message=agent.max_duration_end_message,
        voicemail=_at_voicemail(call, agent),
        voicemail_message=agent.voicemail_message or "",
        screening_message=agent.screening_message or "",
        answering=_answering(agent.answer_detection or AnswerDetection()),
        temperature=_given(llm.temperature, 0.0),
        speed=_given(agent_voice.speed, 1.0),
        ambience=ambience_of(call),
        floor=floor.patient(_given(agent.end_of_turn_patience, 0.5)),
        opening_delay_ms=_given(agent.first_sentence_delay_ms, voice.opening_delay_ms),
        max_duration_ms=call.max_duration_s * 1000,
        max_hold_ms=round(voice.max_hold_s * 1000),
        silence_prompts=voice.silence_prompts,
        interruptible=_interruptible(agent, voice.barge_in),
        engine_timeout_s=settings.models.timeout_s,
    )


def _country(call: Call) -> str | None:
    """Where the person is, by their number or else by ours; ISO 3166-1 alpha-2."""
    for number in filter(None, (call.person_number, call.our_number)):
        with suppress(NumberParseException):
            country = region_code_for_country_code(parse(number).country_code or 0)
            return country if country.isalpha() and country != "ZZ" else None
    return None


def _interruptible(agent: AgentFields, default: bool) -> bool:
    sensitivity = agent.interruption_sensitivity
    if sensitivity == 0:
        return False
    return _given(agent.interruptible, default if sensitivity is None else True)


def _at_voicemail(call: Call, agent: AgentFields) -> Literal["ignore", "hangup", "leave_message"]:
    if call.direction != "outbound":
        return "ignore"
    return agent.voicemail_action or ("leave_message" if agent.voicemail_message else "hangup")


def _answering(asked: AnswerDetection) -> AnswerConfig:
    config = AnswerConfig()
    return AnswerConfig(
        short_ms=_given(asked.short_ms, config.short_ms),
        pause_ms=_given(asked.pause_ms, config.pause_ms),
        long_ms=_given(asked.long_ms, config.long_ms),
        greeting_pause_ms=_given(asked.greeting_pause_ms, config.greeting_pause_ms),
        tone_wait_ms=_given(asked.tone_wait_ms, config.tone_wait_ms),
        screening_ms=_milliseconds(asked.screening_seconds, config.screening_ms),
        ringing_ms=_milliseconds(asked.ringing_seconds, config.ringing_ms),
        ask_model=_given(asked.ask_model, config.ask_model),
        menu_repeats=_given(asked.menu_repeats, config.menu_repeats),
    )


def _milliseconds(seconds: float | None, default: int) -> int:
    return default if seconds is None else round(seconds * 1000)


def _given(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def is_recorded(settings: Settings, call: Call) -> bool:
    """Whether a call is recorded: as its agent says, else as the settings do; never where the
    person is to be told so, and no words are there for it."""
    wanted: bool | None = call.agent.get("recording")
    if not _given(wanted, settings.recordings.enabled):
        return False
    told = not settings.recordings.announce or call.agent.get("recording_announcement")
    if told or _announcement(settings, call):
        return True
    log.warning(
        "call %s is not recorded: recordings.announce has nothing in %r", call.id, call.language
    )
    return False


def _announcement(settings: Settings, call: Call) -> str | None:
    """What everybody is told in the call's language before they are recorded."""
    texts = {tag.lower(): text for tag, text in settings.recordings.announce.items()}
    return texts.get(call.language.lower()) or texts.get(language_code(call.language))


def _task(agent: AgentFields, announced: str | None) -> str:
    """What the agent is to do; and to say, where somebody objects to what they are told."""
    task = agent.instructions or ""
    return task if announced is None else f"{task}\n\n{_OBJECTIONS}"
