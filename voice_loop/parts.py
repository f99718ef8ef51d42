"""What one conversation is made of."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from voice_loop.ambience import Ambience
from voice_loop.call_engines import CallEngines
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.events import Turn
from voice_loop.faq import Faq
from voice_loop.media_tick import MediaTick
from voice_loop.phrases import Phrases, phrases
from voice_loop.ports import Engines
from voice_loop.prepared import Prepared
from voice_loop.prompts import system_prompt
from voice_loop.signals import Signal
from voice_loop.speech_input import SpeechInput
from voice_loop.tool_turns import ToolTurns
from voice_loop.toolset import Toolset
from voice_loop.transcript_log import TranscriptLog
from voice_loop.turn_detection import RuleTurnDetector
from voice_loop.voicemail import VoicemailWatch
from voice_loop.work import Work


@dataclass(frozen=True)
class Parts:
    """The parts of one conversation, which know each other."""

    call_id: str
    config: ConversationConfig
    phrases: Phrases
    min_confidence: float
    engines: CallEngines
    work: Work
    tick: MediaTick
    faq: Faq
    dialogue: Dialogue
    transcript: TranscriptLog
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
    call_engines = CallEngines(
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
    new_turn_detector = engines.new_turn_detector
    speech_input = SpeechInput(
        engines.new_detector(line_rate),
        new_turn_detector(line_rate)
        if new_turn_detector is not None
        else RuleTurnDetector(config.floor, lines),
        VoicemailWatch(line_rate),
        config.floor,
    )
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
    transcript = TranscriptLog(dialogue, on_turn)
    return Parts(
        call_id,
        config,
        lines,
        engines.min_confidence,
        engines=call_engines,
        work=work,
        tick=MediaTick(speech_input, ambience, config, post),
        faq=faq,
        dialogue=dialogue,
        transcript=transcript,
        tools=ToolTurns(Toolset(call_id, config.tools), transcript, work, post),
        prepared=Prepared(config, call_engines, lines),
        post=post,
    )
