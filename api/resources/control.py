"""What operators do to live calls."""

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from api.base.fields import Body
from api.base.json_object import JsonObject
from api.resources.web_call import MAX_SDP, OFFER, SDP

#: Characters of what is said or whispered.
MAX_WORDS = 1000


@dataclass(frozen=True)
class Control:
    """One thing that an operator has done."""

    action: Literal["say", "whisper", "press"]
    text: str
    """Words, or keys."""
    api_key_id: str | None
    """Of the key that it was done with."""

    def json(self) -> JsonObject:
        """As its event tells it."""
        return asdict(self)


class Words(Body):
    """Words for a live call."""

    text: str = Field(
        min_length=1,
        max_length=MAX_WORDS,
        description="In the language of the call.",
        examples=["One moment please."],
    )


class Keys(Body):
    """Keys to press."""

    digits: str = Field(
        pattern=r"^[0-9A-D*#]{1,64}$", description="DTMF: 0-9, A-D, `*` and `#`.", examples=["1"]
    )


class ListenIn(Body):
    """A listener's offer."""

    free_text: ClassVar = frozenset({"sdp"})

    sdp: str = Field(max_length=MAX_SDP, description=OFFER, examples=[SDP])
    stereo: bool = Field(
        default=True,
        description="The person left and the agent right, where the browser offers Opus; else the "
        "two mixed.",
    )


class ListenerAnswer(BaseModel):
    """What a listener's page sets as its remote description."""

    type: str = Field(default="answer", examples=["answer"])
    sdp: str = Field(description="Our answer, with every candidate.", examples=[SDP])
