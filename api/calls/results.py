"""What a call that is over came to: its typed result, its outcome and summary, by the language
model, from the stored turns."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from api.agents.effective import effective
from api.base.text import render
from api.resources.call import Call
from api.resources.call_facts import callee_zone
from api.resources.caller_ids import unproven
from api.resources.returns import result_schema, settle_result, told_returns
from api.resources.turn import Turn
from api.settings.calling import Calls
from api.store import Store
from api.store.ledger_writer import insist
from voice_loop.analysis import Analysis, Turns, analyse
from voice_loop.extraction import ExtractionError, extract
from voice_loop.ports import EngineError, Engines
from voice_loop.prompts import inert, transcript_text

log = logging.getLogger(__name__)

EXTRACTION_TIMEOUT_S: Final = 120.0


async def extract_results(
    store: Store, call: Call, engines: Callable[[Call], Engines], calls: Calls
) -> None:
    """Find out what a call came to and write it down; its terminal event follows.

    Args:
        store: where the turns are, and the findings go.
        call: one that is over and awaits its result.
        engines: those that a call is held with; raises EngineError.
        calls: whether an outcome and a summary are wanted, and whose caller ids are trusted.
    """
    turns = await insist(call.id, partial(store.calls.turns, call.id))
    turns = [turn for turn in turns if turn.attempt == call.attempt_count]
    spoken = _spoken(turns)
    zone = callee_zone(call, calls.default_timezone)
    began = datetime.fromtimestamp(call.answered_at or call.created_at, zone)
    result, error = await _result(call, engines, spoken, began) if call.returns else (None, None)
    analysis = await _analysis(call, engines, spoken, began) if calls.analysis else None
    unlisted = unproven(call, calls) or _unsaid(analysis, turns)
    record = partial(store.calls.record_result, call.id, result, error, analysis, unlisted)
    await insist(call.id, record)


async def _result(
    call: Call, engines: Callable[[Call], Engines], spoken: Turns, began: datetime
) -> tuple[dict[str, Any] | None, str | None]:
    """The result, or why there is none."""
    try:
        async with asyncio.timeout(EXTRACTION_TIMEOUT_S):
            llm = engines(call).llm
            schema, instructions = result_schema(call.returns), _instructions(call, spoken)
            returns = told_returns(call.returns)
            result = await extract(llm, returns, schema, spoken, instructions, began=began)
            return settle_result(call.returns, result, began.tzinfo or UTC)
    except TimeoutError:
        return None, f"extraction took more than {EXTRACTION_TIMEOUT_S:.0f} s"
    except (ExtractionError, EngineError) as failure:
        return None, str(failure)


async def _analysis(
    call: Call, engines: Callable[[Call], Engines], spoken: Turns, began: datetime
) -> Analysis | None:
    try:
        async with asyncio.timeout(EXTRACTION_TIMEOUT_S):
            task = effective(call, call.answered_at or call.created_at).instructions or ""
            return await analyse(engines(call).llm, task, spoken, began)
    except TimeoutError:
        log.warning("call %s: the analysis took too long", call.id)
    except (ExtractionError, EngineError) as failure:
        log.warning("call %s: no outcome: %s", call.id, failure)
    return None


def _unsaid(analysis: Analysis | None, turns: Sequence[Turn]) -> str | None:
    """Why what the person wants is not in their words: keys may be pressed for anything."""
    quote = "" if analysis is None else analysis.quote or ""
    spoken = any(turn.speaker == "person" and turn.text == quote for turn in turns)
    in_words = spoken and any(map(str.isalpha, quote))
    return None if in_words else "the person did not say so in words"


def _instructions(call: Call, spoken: Turns) -> str | None:
    """The operator's own instructions for finding the result."""
    template = call.agent.get("returns_prompt")
    if template is None:
        return None
    values = {
        "transcript": inert(transcript_text(spoken)),
        "call_direction": call.direction,
        "user_phone_number": call.person_number,
        "agent_phone_number": call.our_number,
    }
    return render(template, values)


def _spoken(turns: Sequence[Turn]) -> Turns:
    """What was said, and keyed in; not what tools gave."""
    return [
        ("agent" if turn.speaker == "agent" else "person", turn.text)
        for turn in turns
        if turn.speaker != "tool"
    ]
