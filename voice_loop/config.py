"""What one conversation is about and how it is held."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from voice_loop.ambience import AmbienceConfig
from voice_loop.answering.watch import AnswerConfig
from voice_loop.floor import FloorConfig
from voice_loop.prompts import JsonValue
from voice_loop.tools import Tool


@dataclass(frozen=True)
class ConversationConfig:
    """What one conversation is about and how it is held. Times in ms."""

    task: str
    context: Mapping[str, JsonValue] = field(default_factory=dict)
    language: str = "en"
    country: str | None = None
    """Where the person is, ISO 3166-1 alpha-2: so long are the telephone numbers that they say."""
    now: datetime | None = None
    """Where the person is, when the conversation is made; None: the model is not told."""
    persona: str = ""
    """Who the agent is."""
    faq: tuple[tuple[str, str], ...] = ()
    """Questions that it can answer, with their answers."""
    first_sentence: str = ""
    first_sentence_mode: Literal["generated", "static", "none"] = "generated"
    """`generated`: the model opens the call, with `first_sentence` as an instruction; `static`:
    it is said word for word; `none`: the person speaks first."""
    announcement: str = ""
    """Said before everything else, to its end, if there is one: that the call is recorded."""
    end_sentence: str = ""
    """Said when the agent ends the call, after the words of its own."""
    time_up_message: str | None = None
    """Said when `max_duration_ms` is nearly up; None is our phrase, nothing if empty."""
    voicemail: Literal["ignore", "hangup", "leave_message"] = "hangup"
    """What to do where an answering machine took the call: hang up, or say a message and hang up;
    `ignore` takes whoever is there for a person."""
    voicemail_message: str = ""
    """Said to it; if empty, what the model writes for it."""
    screening_message: str = ""
    """Said to whoever asks who calls and why; if empty, what the model says."""
    answering: AnswerConfig = field(default_factory=AnswerConfig)
    tools: tuple[Tool, ...] = ()
    temperature: float = 0.0
    """Of the language model's sampling; 0 is greedy."""
    speed: float = 1.0
    """Of the voice; 1.5 is half as fast again."""
    ambience: AmbienceConfig = field(default_factory=AmbienceConfig)
    """What is heard beside the voice, and how loud that is."""
    floor: FloorConfig = field(default_factory=FloorConfig)
    opening_delay_ms: int = 600
    """How long the person may say hello first, after the answer."""
    max_duration_ms: int = 600_000
    interruptible: bool = True
    """Whether the person may interrupt the agent (barge-in)."""
    reply_max_tokens: int = 160
    called_again: bool = False
    """Whether the person is called again after a conversation that did not come about, or broke
    off: then the last words say so."""
    silence_prompts: int = 1
    """How often a silent person is asked whether they are there, before goodbye."""
    max_hold_ms: int = 300_000
    """How long the agent waits on hold before it hangs up."""
    engine_timeout_s: float = 15.0
    """An engine that gives nothing for this long has failed."""
