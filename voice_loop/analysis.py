"""What a call came to: its outcome for the business, with a summary, by the language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from voice_loop.extraction import ExtractionError, ask
from voice_loop.ports import LanguageModel
from voice_loop.prompts import OUTCOMES, Outcome, analysis_messages

Turns = Sequence[tuple[Literal["agent", "person"], str]]

#: Characters of a summary.
MAX_SUMMARY = 400


@dataclass(frozen=True)
class Analysis:
    """What a call came to.

    Attributes:
        outcome: one of `OUTCOMES`; None when none of them fits, or nobody spoke.
        summary: one short paragraph: what happened and why that is the outcome; None when nobody
            spoke.
        quote: what the person said that shows it, word for word; never None for `do_not_contact`.
    """

    outcome: Outcome | None
    summary: str | None
    quote: str | None


async def analyse(
    llm: LanguageModel, task: str, turns: Turns, began: datetime | None = None
) -> Analysis:
    """Ask the model what a call came to, unless the person said nothing.

    Args:
        llm: the language model.
        task: what the agent was to do, as the API client wrote it.
        turns: who spoke and what was heard.
        began: when the call did, where the person is.

    Raises:
        ExtractionError: the answer has another form, or is `do_not_contact` with nothing that the
            person said to show it.
        EngineError: the engine failed.
    """
    schema = analysis_schema(turns)
    if schema is None:
        return Analysis(None, None, None)
    answer = await ask(llm, analysis_messages(task, turns, began), schema, "the analysis")
    analysis = Analysis(**answer)
    if analysis.outcome == "do_not_contact" and analysis.quote is None:
        raise ExtractionError(
            "the model says `do_not_contact`, and nothing that the person said shows it"
        )
    return analysis


def analysis_schema(turns: Turns) -> dict[str, Any] | None:
    """The JSON Schema of an analysis; None when the person said nothing.

    What was said comes before what is made of it, and the quote can only be a line of the person:
    an outcome rests on words that were said.
    """
    lines = dict.fromkeys(text for speaker, text in turns if speaker == "person" and text.strip())
    if not lines:
        return None
    properties = {
        "quote": {"enum": [*lines, None]},
        "summary": {"type": "string", "minLength": 1, "maxLength": MAX_SUMMARY},
        "outcome": {"enum": [*OUTCOMES, None]},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
