"""What a trunk's dial plan makes of numbers, shown step by step."""

from typing import Literal

from pydantic import Field

from api.base.fields import Body
from api.base.numbers import DESTINATION
from api.resources.answer import Resource
from api.resources.trunk import NumberRule

Direction = Literal["outbound", "inbound"]

_STEPS = "The rules that were looked at, in order; the first that fits is the last one."


class DialplanTest(Body):
    """Numbers to look at; nothing is dialled."""

    number: str = Field(
        min_length=1,
        max_length=200,
        description=f"Whom to call: {DESTINATION} Inbound: what the trunk tells was dialled.",
        examples=["+15551234567"],
    )
    caller_number: str | None = Field(
        default=None,
        max_length=200,
        description="Outbound: the number that is shown; null: the one that a call would show. "
        "Inbound: what the trunk tells is calling.",
        examples=["+15559876543"],
    )
    direction: Direction = Field(
        default="outbound", description="`inbound`: what the trunk tells, to E.164."
    )


class RuleStepObject(Resource):
    """One rule, looked at."""

    rule: NumberRule
    number: str = Field(description="As the rule found it.", examples=["+15551234567"])
    result: str | None = Field(
        description="What became of it; null: the rule did not fit.", examples=["15551234567"]
    )


class RewrittenObject(Resource):
    """A number on its way through the rules."""

    given: str = Field(description="As it was read.", examples=["+15551234567"])
    steps: list[RuleStepObject] = Field(description=_STEPS)
    result: str = Field(examples=["15551234567"])


class DialplanObject(Resource):
    """What a trunk's dial plan makes of numbers."""

    direction: Direction
    number: RewrittenObject
    caller_number: RewrittenObject | None
    dial_string: str | None = Field(
        description="What the PBX would dial; null of inbound calls.",
        examples=["PJSIP/15551234567@carrier-a"],
    )
    refusal: str | None = Field(
        description="Why no call goes there on this trunk, or comes in by it; null: it does.",
        examples=[None],
    )
