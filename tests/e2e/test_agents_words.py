"""Real calls whose agents open and end as their configuration says."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.conftest import Phone

GREETING = "hello, this is {{company}}. am i speaking with {{name}}?"
THANKS = "thank you for your time."
TIME_IS_UP = "sorry, our time is up. goodbye."
NAMES = {"company": "north dental", "name": "maria lopez"}


def said(turns: list[dict[str, Any]], speaker: str) -> list[str]:
    return [turn["text"] for turn in turns if turn["speaker"] == speaker]


@pytest.mark.rows("CB-31", "RV-37", "RV-44", "RV-50", "OI-11", "OI-27", "CB-50")
async def test_an_agent_with_a_persona_opens_and_ends_word_for_word(phone: Phone) -> None:
    call = await phone.call(
        "talker",
        persona="You are the assistant of {{company}}: warm and brief.",
        first_sentence=GREETING,
        first_sentence_mode="static",
        first_sentence_delay_ms=400,
        end_of_call_sentence=THANKS,
        variables=NAMES,
        voice={"speed": 1.1},
    )
    assert (call["status"], call["end_reason"]) == ("completed", "agent_hangup")
    assert call["result"]["confirmed"] is True
    turns = await phone.turns(call["id"])
    agent = said(turns, "agent")
    assert agent[0] == "hello, this is north dental. am i speaking with maria lopez?"
    assert agent[-1].endswith(f"goodbye. {THANKS}")


@pytest.mark.rows("RV-62", "RV-63", "RV-66")
async def test_last_words_end_before_the_longest_call_does(phone: Phone) -> None:
    call = await phone.call("echo", max_duration_seconds=8, max_duration_end_message=TIME_IS_UP)
    assert call["end_reason"] == "max_duration"
    last = (await phone.turns(call["id"]))[-1]
    assert (last["speaker"], last["text"], last["interrupted"]) == ("agent", TIME_IS_UP, False)
    answered, ended = (datetime.fromisoformat(at) for at in (call["answered_at"], last["ended_at"]))
    assert 6.5 < (ended - answered).total_seconds() < 8


@pytest.mark.rows("RV-51", "RV-67")
async def test_an_agent_that_speaks_second_and_leaves_silently(phone: Phone) -> None:
    talker, silent = await asyncio.gather(
        phone.call("talker", first_sentence_mode="none"),
        phone.call(
            "silent",
            first_sentence_mode="none",
            max_duration_seconds=5,
            max_duration_end_message="",
            silence_timeout_seconds=60,
        ),
    )
    turns = await phone.turns(talker["id"])
    assert [turn["speaker"] for turn in turns[:2]] == ["person", "agent"]
    assert talker["result"]["confirmed"] is True
    assert silent["end_reason"] == "max_duration"
    assert await phone.turns(silent["id"]) == []
