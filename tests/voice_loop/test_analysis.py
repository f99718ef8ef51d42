"""What a call came to, from whatever the model says (RV-306…315)."""

import json
from typing import Any

import pytest

from tests.voice_loop.scripted import Mind
from voice_loop.analysis import MAX_SUMMARY, Analysis, analyse
from voice_loop.extraction import ExtractionError
from voice_loop.ports import EngineError
from voice_loop.prompts import OUTCOMES, analysis_messages

TASK = "Ask how the visit was."
TURNS: list[Any] = [
    ("agent", "how was your visit?"),
    ("person", "hello"),
    ("agent", "how was your visit?"),
    ("person", 'i said "no", do not call me again'),
]
SUMMARY = "The person asked for no more calls."


def mind(answer: str, turns: list[Any] = TURNS) -> Mind:
    return Mind({analysis_messages(TASK, turns)[-1]["content"]: answer})


def answer(outcome: str | None, quote: str | None, summary: str = SUMMARY) -> str:
    return json.dumps({"summary": summary, "quote": quote, "outcome": outcome})


@pytest.mark.parametrize("outcome", [*OUTCOMES, None])
async def test_an_outcome_comes_with_its_explanation(outcome: Any) -> None:
    """RV-306, RV-307…312, RV-314."""
    llm = mind(answer(outcome, TURNS[3][1]))
    assert await analyse(llm, TASK, TURNS) == Analysis(outcome, SUMMARY, TURNS[3][1])
    assert llm.asked == [analysis_messages(TASK, TURNS)]
    assert llm.open == 0


def test_the_outcomes_are_those_of_the_api() -> None:
    assert set(OUTCOMES) == {
        "not_interested",
        "interested",
        "completed",
        "requested_callback_later",
        "requested_callback_new_number",
        "do_not_contact",
    }


@pytest.mark.parametrize(
    "turns",
    [[], [("agent", "hello?")], [("agent", "hello?"), ("person", " ")]],
    ids=["no turns", "only the agent", "no words"],
)
async def test_the_model_is_not_asked_when_nobody_spoke(turns: list[Any]) -> None:
    """RV-313, RV-315."""
    llm = mind(answer("completed", None), turns)
    assert await analyse(llm, TASK, turns) == Analysis(None, None, None)
    assert llm.asked == []


async def test_the_model_quotes_the_person_before_it_judges() -> None:
    llm = mind(answer(None, None))
    await analyse(llm, TASK, TURNS)
    schema = llm.schemas[0]
    assert schema is not None
    assert list(schema["properties"]) == schema["required"] == ["quote", "summary", "outcome"]
    assert schema["properties"]["quote"] == {"enum": ["hello", TURNS[3][1], None]}
    assert schema["properties"]["summary"]["maxLength"] == MAX_SUMMARY


async def test_nobody_is_struck_off_without_words_of_theirs() -> None:
    """RV-312."""
    with pytest.raises(ExtractionError, match="do_not_contact"):
        await analyse(mind(answer("do_not_contact", None)), TASK, TURNS)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "they were interested",
        answer("completed", "how was your visit?"),
        answer("completed", "do not call me again"),
        answer("delighted", None),
        answer("completed", None, summary=""),
        answer("completed", None, summary="x" * (MAX_SUMMARY + 1)),
        '{"outcome": "completed", "quote": null}',
    ],
)
async def test_what_does_not_match_is_a_short_error(wrong: str) -> None:
    with pytest.raises(
        ExtractionError, match=r"^the model's answer does not match the analysis: .+$"
    ):
        await analyse(mind(wrong), TASK, TURNS)


async def test_an_error_does_not_repeat_what_was_said() -> None:
    with pytest.raises(ExtractionError, match=r"\$\.quote breaks `enum`$"):
        await analyse(mind(answer("completed", "secret")), TASK, TURNS)


async def test_a_failing_engine_is_told() -> None:
    llm = mind(answer(None, None))
    llm.fault.error = "out of memory"
    with pytest.raises(EngineError, match="out of memory"):
        await analyse(llm, TASK, TURNS)
    assert llm.open == 0
