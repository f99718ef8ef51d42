"""How well it was told who answered: what was found, and what people corrected that to."""

from pydantic import BaseModel, Field

from api.base.fields import Body
from api.base.lifecycle import AnsweredBy


class ChangeCall(Body):
    """What is set right of a call."""

    answered_by: AnsweredBy = Field(
        description="Who answered its last attempt.", examples=["human"]
    )


class AnsweringCount(BaseModel):
    """Attempts of which one and the same was found and is held true."""

    found: AnsweredBy = Field(examples=["machine"])
    answered_by: AnsweredBy = Field(
        description="The same as `found`, unless somebody corrected it.", examples=["human"]
    )
    attempts: int = Field(examples=[3])


class Answering(BaseModel):
    """Who answered, over all attempts that somebody or something answered."""

    attempts: int = Field(examples=[412])
    corrected: int = Field(description="Those that somebody corrected.", examples=[3])
    counts: list[AnsweringCount]
