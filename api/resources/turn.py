"""Turns: who said what, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from api.base.json_object import JsonObject
from api.base.lifecycle import CallStatus
from api.base.times import Timestamp
from api.resources.answer import Resource

Speaker = Literal["agent", "person", "keypad", "tool"]


@dataclass(frozen=True)
class Turn:
    """What was said once: for the agent, only the words that were heard."""

    speaker: Speaker
    text: str
    started_at: float
    ended_at: float
    interrupted: bool = False
    confidence: float | None = None
    """0 to 1, of speech recognition; None for the agent."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by name."""
    tool: JsonObject | None = None
    """Of a turn of speaker `tool`: `{"name", "arguments", "output", "is_error"}`; its text is the
    output."""
    seq: int = 0
    """1 for the first turn of the call; given by the store."""
    attempt: int = 1
    """In which attempt; given by the store."""


class TurnObject(Resource):
    """What was said once."""

    seq: int = Field(description="1 for the first turn.")
    attempt: int = Field(description="In which attempt, 1 for the first.")
    speaker: Speaker
    text: str = Field(
        examples=["Yes, speaking."],
        description="For the agent, only the words that were heard; for a tool, its output.",
    )
    interrupted: bool
    started_at: Timestamp
    ended_at: Timestamp
    confidence: float | None = Field(description="Of speech recognition, 0 to 1.")
    timings: dict[str, float] = Field(description="Milliseconds by name.")
    tool: dict[str, Any] | None = Field(
        examples=[None],
        description="What a tool was asked and gave: `name`, `arguments`, `output`, `is_error`. "
        "Arguments that are no JSON object are the text that the model wrote.",
    )


class Transcript(Resource):
    """What was said, in order."""

    call_id: str = Field(json_schema_extra={"format": "uuid"})
    status: CallStatus
    turns: list[TurnObject]
