"""Conversations that nobody would script: whatever a person does, nothing is lost or stuck."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.voice_loop.scripted import NOISE, Gadget, PhoneCall, frame
from voice_loop.audio import FRAME_MS
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.prompts import END_CALL, tool_call_text, tool_response_text

LONG = "our doctors are here from monday to friday, and on the first saturday of every month."


@dataclass(frozen=True)
class Step:
    """One thing that the person, or an engine, does."""

    act: Literal["words", "noise", "backchannel", "quiet", "key", "slow", "quick"]
    ms: int
    engine: str = "ears"


ENGINES = st.sampled_from(["ears", "mind", "mouth"])
STEPS = st.one_of(
    st.builds(Step, st.just("words"), st.integers(15, 40).map(lambda n: n * FRAME_MS)),
    st.builds(
        Step,
        st.sampled_from(["noise", "backchannel", "quiet"]),
        st.integers(1, 60).map(lambda n: n * FRAME_MS),
    ),
    st.builds(Step, st.sampled_from(["slow", "quick"]), st.just(0), ENGINES),
)
FUZZ = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@pytest.fixture(scope="module", autouse=True)
def _no_grace() -> Iterator[None]:
    """Audio time runs faster than the clock here; do not wait for the far end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voice_loop.conversation._HANG_UP_GRACE_S", 0.0)
        yield


async def act_out(
    call: PhoneCall, steps: list[Step], *, yields: bool = True, said: int = 0
) -> list[str]:
    """Do it all; returns the words that were said, which are new ones after those `said` before.

    An agent that `yields` never talks into them.
    """
    words: list[str] = []
    for step in steps:
        fault = getattr(call, step.engine).fault
        match step.act:
            case "words":
                words.append(f"w{said + len(words)}")
                call.mind.answers.setdefault(words[-1], LONG if len(words) % 2 else "i see.")
                call.sound.takers.add(words[-1])
                code = call.ears.code(words[-1])
                for spoken in range(FRAME_MS, step.ms + 1, FRAME_MS):
                    voiced = await call.tick(frame(code))
                    assert not (yields and voiced and spoken > 300)
                await call.quiet(FRAME_MS)
            case "noise":
                await call.says(NOISE, step.ms)
            case "backchannel":
                await call.says("okay", step.ms)
            case "quiet":
                await call.quiet(step.ms)
            case "key":
                call.conversation.press("5", 0.0)
            case "slow":
                fault.gate = fault.gate or asyncio.Event()
            case "quick" if fault.gate is not None:
                fault.gate.set()
                fault.gate = None
    for engine in (call.ears, call.mind, call.mouth):
        if engine.fault.gate is not None:
            engine.fault.gate.set()
            engine.fault.gate = None
    return words


def assert_history_alternates(call: PhoneCall) -> None:
    for messages in call.mind.asked:
        roles = [message["role"] for message in messages]
        assert roles[0] == "system"
        assert roles[1:] == (["user", "assistant"] * len(roles))[: len(roles) - 1]
        assert roles[-1] == "user"


@FUZZ
@given(st.lists(STEPS, max_size=14), st.booleans())
def test_every_word_counts_once_and_silence_ends_the_call(steps: list[Step], hang_up: bool) -> None:
    async def converse() -> None:
        config = ConversationConfig("talk", floor=FloorConfig(silence_ms=20_000))
        call = await PhoneCall(config=config).answer()
        words = await act_out(call, steps)
        if hang_up:
            call.conversation.hung_up()
            assert await call.end() == "person_hangup"
        else:
            await call.until(lambda: call.is_over, 60_000)
            assert await call.end() == "silence"
        said = " ".join(turn.text for turn in call.turns if turn.speaker == "person").split()
        assert [word for word in said if word != "okay"] == words
        assert_history_alternates(call)

    asyncio.run(converse())


@FUZZ
@given(
    st.lists(st.one_of(STEPS, st.just(Step("key", 0))), max_size=14),
    st.booleans(),
    st.integers(0, 3),
)
def test_every_call_ends_and_gives_everything_back(
    steps: list[Step], interruptible: bool, goodbye_after: int
) -> None:
    async def converse() -> None:
        config = ConversationConfig("talk", interruptible=interruptible)
        call = await PhoneCall(config=config).answer()
        call.mind.answers[f"w{goodbye_after}"] = f"goodbye. {END_CALL}"
        await act_out(call, steps, yields=interruptible)
        await call.until(lambda: call.is_over, 60_000)
        assert await call.end() in ("silence", "agent_hangup")
        assert_history_alternates(call)
        for turn in call.turns:
            assert 0 <= turn.started_ms <= turn.ended_ms <= call.ms

    asyncio.run(converse())


@FUZZ
@given(st.lists(STEPS, max_size=14), st.lists(st.booleans(), max_size=14), st.booleans())
def test_every_use_of_a_tool_is_told_once(
    steps: list[Step], slow: list[bool], hang_up: bool
) -> None:
    """Whatever the person does, each word and each use counts once, and nothing is left at work."""

    async def converse() -> None:
        tool = Gadget()
        config = ConversationConfig(
            "talk", tools=(tool,), floor=FloorConfig(silence_ms=20_000), end_sentence="so long."
        )
        call = await PhoneCall(config=config).answer()
        call.mind.answers |= {
            f"w{count}": f"let me see. {tool_call_text('book', {'day': f'w{count}'})}"
            for count in range(1, 14, 2)
        }
        call.mind.answers[tool_response_text("booked")] = LONG
        words: list[str] = []
        for step, waits in zip_longest(steps, slow[: len(steps)], fillvalue=False):
            assert isinstance(step, Step)
            tool.fault.gate = asyncio.Event() if waits else None
            words += await act_out(call, [step], said=len(words))
            if tool.fault.gate is not None:
                tool.fault.gate.set()
        tool.fault.gate = None
        if hang_up:
            call.conversation.hung_up()
            assert await call.end() == "person_hangup"
        else:
            await call.until(lambda: call.is_over, 90_000)
            assert await call.end() == "silence"
        assert not tool.at_work
        uses = [turn.tool for turn in call.turns if turn.tool is not None]
        assert [use.arguments for use in uses] == tool.used
        said = " ".join(turn.text for turn in call.turns if turn.speaker == "person").split()
        assert [word for word in said if word != "okay"] == words
        assert_history_alternates(call)

    asyncio.run(converse())
