"""What one conversation is made of."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from voice_loop.ambience import Ambience
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.ear import Ear
from voice_loop.events import Turn
from voice_loop.faq import Faq
from voice_loop.minutes import Minutes
from voice_loop.phrases import Phrases, phrases
from voice_loop.ports import Engines
from voice_loop.prepared import Prepared
from voice_loop.prompts import system_prompt
from voice_loop.reply import Studio
from voice_loop.signals import Signal
from voice_loop.tool_turns import ToolTurns
from voice_loop.toolset import Toolset
from voice_loop.voicemail import VoicemailWatch
from voice_loop.wire import Wire
from voice_loop.work import Work


@dataclass(frozen=True)
class Parts:
    """The parts of one conversation, which know each other."""

    call_id: str
    config: ConversationConfig
    phrases: Phrases
    min_confidence: float
    studio: Studio
    work: Work
    wire: Wire
    faq: Faq
    dialogue: Dialogue
    minutes: Minutes
    tools: ToolTurns
    prepared: Prepared
    post: Callable[[Signal], None]
    """Tells the conversation something; never blocks."""


def parts_of(
    call_id: str,
    config: ConversationConfig,
    engines: Engines,
    line_rate: int,
    *,
    on_turn: Callable[[Turn], None],
    post: Callable[[Signal], None],
) -> Parts:
    """Make them; arguments as of `Conversation`, and `post` of `Parts`."""
    lines = phrases(config.language)
    studio = Studio(
        engines,
        line_rate,
        config.language,
        call_id,
        config.engine_timeout_s,
        speed=config.speed,
        temperature=config.temperature,
        max_tokens=config.reply_max_tokens,
        end_sentence=config.end_sentence,
        interruptible=config.interruptible,
    )
    work = Work(call_id, post)
    ear = Ear(engines.new_detector(line_rate), VoicemailWatch(line_rate), config.floor)
    ambience = Ambience(config.ambience, line_rate, random.Random(call_id))
    faq = Faq(config.faq)
    dialogue = Dialogue(
        system_prompt(
            config.task,
            config.context,
            config.language,
            persona=config.persona,
            faq=faq.standing,
            tools=[tool.spec for tool in config.tools],
        )
    )
    minutes = Minutes(dialogue, on_turn)
    return Parts(
        call_id,
        config,
        lines,
        engines.min_confidence,
        studio=studio,
        work=work,
        wire=Wire(ear, ambience, config, post),
        faq=faq,
        dialogue=dialogue,
        minutes=minutes,
        tools=ToolTurns(Toolset(call_id, config.tools), minutes, work, post),
        prepared=Prepared(config, studio, lines),
        post=post,
    )
