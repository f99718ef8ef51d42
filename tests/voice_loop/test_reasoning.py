"""What a model thinks aloud is not said, in whatever marks, however the text is cut."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import pytest

from tests.voice_loop.scripted import Gadget, Mind, PhoneCall
from voice_loop.briefing import compose
from voice_loop.clauses import Clause, ClauseSplitter, ToolCall
from voice_loop.config import ConversationConfig
from voice_loop.phrases import phrases
from voice_loop.prompts import CALL_ANSWERED, Message, tool_response_text
from voice_loop.reasoning import ReasoningFilter, Retracted, said_in
from voice_loop.tools import ToolSpec

PHRASES = phrases("en")
ANSWER = "Monday at ten works."
THOUGHTS = "Okay, they want Monday. Is that free? I will say yes."

#: As DeepSeek-R1, Qwen3, Magistral, gpt-oss, Kimi, Gemma, Granite, Command A, OpenThinker, Apertus,
#: Seed-OSS and their servers send it.
REPLIES = [
    f"<think>{THOUGHTS}</think>{ANSWER}",
    f"<think>\n{THOUGHTS}\n</think>\n\n{ANSWER}",
    f"<think>\n\n</think>\n\n{ANSWER}",
    f"{THOUGHTS}</think>{ANSWER}",
    f"{THOUGHTS}\n</think>\n\n{ANSWER}",
    f"</think>\n\n{ANSWER}",
    f"<think><think>{THOUGHTS}</think>{ANSWER}",
    f"<think>{THOUGHTS}<think>more</think>and more.</think>{ANSWER}",
    f"<think>{THOUGHTS}</think>{ANSWER}</think>",
    f"<THINK>{THOUGHTS}</THINK>{ANSWER}",
    f"<thinking>{THOUGHTS}</thinking>{ANSWER}",
    f"<thought>{THOUGHTS}</thought>{ANSWER}",
    f"<reasoning>{THOUGHTS}</reasoning><answer>{ANSWER}</answer>",
    f"<seed:think>{THOUGHTS}</seed:think>{ANSWER}",
    f'<details type="reasoning" open>{THOUGHTS}</think>{ANSWER}',
    f"[THINK]{THOUGHTS}[/THINK]{ANSWER}",
    f"◁think▷{THOUGHTS}◁/think▷{ANSWER}",
    f"<|START_THINKING|>{THOUGHTS}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
    f"<|begin_of_thought|>{THOUGHTS}<|end_of_thought|><|begin_of_solution|>{ANSWER}",
    f"<|inner_prefix|>{THOUGHTS}<|inner_suffix|>{ANSWER}",
    f"<|channel>thought\n{THOUGHTS}<channel|>{ANSWER}<turn|>",
    f"Here is my thought process: {THOUGHTS} Here is my response: {ANSWER}",
    f"<|channel|>analysis<|message|>{THOUGHTS}<|end|>"
    f"<|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
    f"<|start|>assistant<|channel|>analysis<|message|>{THOUGHTS}<|end|>"
    f"<|start|>assistant<|channel|>final <|constrain|>text<|message|>{ANSWER}",
    f"{THOUGHTS}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
    f"<|channel|>analysis {THOUGHTS}<|channel|>final {ANSWER}",
    f"<|channel|>final<|message|>{ANSWER}",
    f"analysis{THOUGHTS}assistantfinal{ANSWER}",
    f"{ANSWER}<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>",
    f"<|im_start|>assistant\n{ANSWER}<|im_end|>",
    f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}<|eot_id|>",
    f"{ANSWER}<|end|>",
    f"{ANSWER}</s>",
    f"{ANSWER}<end_of_turn>\n<start_of_turn>user\nWhy?",
]
REPLIES += [f"<s>{ANSWER}</s>", f"<s> {ANSWER}</s>[INST] Why? [/INST]"]
#: Looks like a mark that opens thoughts or ends the turn, and is none.
WORDS = {
    "It was <s>50</s> 40 euros. Shall I?": ["It was 50 40 euros.", "Shall I?"],
    "It was <s>50</s> 40 euros.</s> No.": ["It was 50 40 euros."],
    "[think] carefully. ok": ["think carefully.", "ok"],
    "[thinking] hm": ["thinking hm"],
    "analysis(of your account) is done. Bye": ["analysis(of your account) is done.", "Bye"],
}
UNFINISHED = [
    f"<think>{THOUGHTS}",
    f"<|channel|>analysis<|message|>{THOUGHTS}",
    f"analysis{THOUGHTS}",
    f"[THINK]{THOUGHTS}",
]
_CALL = '<tool_call>{"name": "book", "arguments": {"day": "monday"}}</tool_call>'
UNFINISHED += [
    f"<think>The format is {_CALL}. But should I? The person said they are annoyed, so",
    f"<think>Not {_CALL} but {_CALL} or so.",
    f"Here is my thought process: {_CALL} is the format.",
]
CALLS = [
    f"<think>{THOUGHTS}{_CALL}\n",
    f"<think>The format is {_CALL}. So: {_CALL}",
    f"<|channel|>analysis<|message|>{THOUGHTS}<|end|><|start|>assistant<|channel|>commentary "
    'to=functions.book <|constrain|>json<|message|>{"day": "monday"}<|call|>',
    f"<|channel|>analysis<|message|>{THOUGHTS}<|end|><|start|>assistant to=functions.book"
    '<|channel|>commentary json<|message|>{"day": "monday"}',
    '<|channel|>analysis to=functions.book code<|message|>{"day": "monday"}<|call|>',
    f'analysis{THOUGHTS}assistantcommentary to=functions.book json{{"day": "monday"}}',
    f'<think>{THOUGHTS}</think><tool_call>{{"name": "book", "arguments": {{"day": "monday"}}}}',
    f'<think>{THOUGHTS}<tool_call>{{"name": "book", "arguments": {{"day": "monday"}}}}</tool_call>',
]


def said(*pieces: str) -> list[Clause | ToolCall]:
    splitter = ClauseSplitter(["book"])
    parts: list[Clause | ToolCall] = []
    for part in [*(one for piece in pieces for one in splitter.push(piece)), *splitter.close()]:
        if isinstance(part, Retracted):
            parts.clear()
        else:
            parts.append(part)
    return parts


def assert_said(reply: str, wanted: list[Clause | ToolCall]) -> None:
    assert said(reply) == wanted
    assert said(*reply) == wanted, "character by character"
    for cut in range(1, len(reply)):
        assert said(reply[:cut], reply[cut:]) == wanted, f"cut at {cut}"


@pytest.mark.parametrize("reply", REPLIES)
def test_only_the_answer_is_said(reply: str) -> None:
    assert_said(reply, [Clause(ANSWER)])


@pytest.mark.parametrize("reply", UNFINISHED)
def test_thoughts_without_an_end_are_not_said(reply: str) -> None:
    assert_said(reply, [])


@pytest.mark.parametrize("reply", CALLS)
def test_a_call_after_thoughts_is_done(reply: str) -> None:
    assert_said(reply, [ToolCall("book", {"day": "monday"})])


@pytest.mark.parametrize("reply", WORDS)
def test_what_only_looks_like_a_mark_is_said(reply: str) -> None:
    assert_said(reply, [Clause(words) for words in WORDS[reply]])


def test_words_between_thoughts_are_said() -> None:
    assert_said("Yes. <think>hm</think> Monday.", [Clause("Yes."), Clause("Monday.")])


def test_who_does_not_think_is_heard_at_once() -> None:
    """No reply waits for the end of thoughts that may never have begun."""
    for words in ("Analysis", "Here is", "I think", "5 < 6", "[one]"):
        filter_ = ReasoningFilter()
        given = "".join(str(one) for one in filter_.push(f"{words} it. ") + filter_.push("Yes"))
        assert given == f"{words} it. Yes"


def test_thoughts_are_no_part_of_a_whole_reply() -> None:
    assert said_in(f"{THOUGHTS}</think>{{}}") == "{}"


# In a call -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        "<think>They want Monday.</think>Monday at ten works.",
        "They want Monday.</think>Monday at ten works.",
        f"{THOUGHTS}</think>{ANSWER}",
        f"<|channel|>analysis<|message|>{THOUGHTS}<|end|>"
        f"<|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
    ],
)
async def test_thoughts_are_neither_heard_nor_kept(reply: str) -> None:
    call = PhoneCall({"monday": reply, CALL_ANSWERED: reply.replace(ANSWER, "Hello there.")})
    await call.answer()
    await call.hears_out()
    await call.says("monday")
    await call.hears_out()
    await call.says("fine")
    await call.hears_out()
    assert call.said[:3] == [("agent", "Hello there."), ("person", "monday"), ("agent", ANSWER)]
    assert ("assistant", ANSWER) in call.last_history


async def test_a_briefing_has_no_thoughts() -> None:
    class Thinker(Mind):
        async def stream(self, *_: Any, **__: Any) -> AsyncGenerator[str, None]:
            yield f"{THOUGHTS}</think>"
            yield ANSWER

    text = await compose(Thinker({}), [("person", "hello")], None, "en")
    assert ANSWER in text
    assert "Okay" not in text


# A model that says nothing ---------------------------------------------------------------

NOTHING = ["", " ", "...", "\N{SLIGHTLY SMILING FACE}", "?!", "<think>hm</think>", "**", "{}"]


class Moody(Mind):
    """Says these after each other, then what the table has."""

    def __init__(self, answers: Mapping[str, str], first: Sequence[str]) -> None:
        super().__init__(answers)
        self.first = list(first)

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,
    ) -> AsyncGenerator[str, None]:
        self.asked.append(list(messages))
        self.temperatures.add(temperature)
        await asyncio.sleep(0)
        yield self.first.pop(0) if self.first else self.answers[messages[-1]["content"]]


def moody(call: PhoneCall, first: Sequence[str]) -> Moody:
    """Put such a model into a call that has not begun."""
    mind = call.mind = Moody(call.mind.answers, first)
    call.connect()
    return mind


@pytest.mark.parametrize("nothing", NOTHING)
async def test_a_model_that_says_nothing_is_asked_once_more(nothing: str) -> None:
    call = PhoneCall({"monday": ANSWER})
    mind = moody(call, ["Hello there.", nothing])
    await call.answer()
    await call.hears_out()
    await call.says("monday")
    await call.hears_out()
    assert call.said[1:] == [("person", "monday"), ("agent", ANSWER)]
    assert mind.temperatures == {0.0, 0.7}


@pytest.mark.parametrize("nothing", NOTHING)
async def test_after_a_second_nothing_a_phrase_is_said(nothing: str) -> None:
    call = PhoneCall({"monday": nothing})
    await call.answer()
    await call.hears_out()
    asked = len(call.mind.asked)
    await call.says("monday")
    await call.quiet(800)
    assert call.voiced[-1], "at once, not after the silence"
    await call.hears_out()
    assert call.said[1:] == [("person", "monday"), ("agent", PHRASES.at_a_loss)]
    assert len(call.mind.asked) == asked + 2


@pytest.mark.parametrize("nothing", NOTHING)
async def test_an_opening_of_nothing_is_a_greeting(nothing: str) -> None:
    call = await PhoneCall({CALL_ANSWERED: nothing}).answer()
    await call.hears_out()
    assert call.said == [("agent", PHRASES.greeting)]


@pytest.mark.parametrize("nothing", NOTHING)
async def test_nothing_after_a_tool_is_a_phrase_too(nothing: str) -> None:
    ask = '<tool_call>{"name": "book", "arguments": {"day": "monday"}}</tool_call>'
    answers = {"monday": ask, tool_response_text("booked"): nothing}
    call = PhoneCall(answers, config=ConversationConfig("book a visit", tools=(Gadget(),)))
    await call.answer()
    await call.hears_out()
    await call.says("monday")
    await call.hears_out()
    assert call.said[2:] == [("tool", "booked"), ("agent", PHRASES.at_a_loss)]
