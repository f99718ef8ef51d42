"""Calls from browsers, and the tokens that let a page place one."""

from typing import Any, ClassVar, Final

from pydantic import BaseModel, Field

from api.base.fields import Body
from api.base.times import Timestamp
from api.resources.answer import Resource
from api.resources.call import CallObject, OrderFields

#: Characters of an offer; browsers' have 2 to 6 thousand with audio alone.
MAX_SDP: Final = 65_536
#: Seconds that a token may be good for.
MAX_TTL_S: Final = 3600
_ORIGIN: Final = (
    r"^https?://([a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?$"
)
SDP: Final = (
    "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 "
    "UDP/TLS/RTP/SAVPF 111\r\n…"
)
OFFER: Final = (
    "The page's offer: `RTCPeerConnection.localDescription.sdp`, once its `iceGatheringState` is "
    "`complete` (candidates are not taken later)."
)


class CreateWebCall(OrderFields):
    """A call from a browser, which is the caller.

    Beside its own fields it takes every field of an agent, for this call alone, but those about
    dialling: `from_number` and `retry`."""

    free_text: ClassVar = OrderFields.free_text | {"sdp"}

    sdp: str = Field(max_length=MAX_SDP, description=OFFER, examples=[SDP])


class WebCallAnswer(BaseModel):
    """A web call, and what the page sets as its remote description."""

    call: CallObject
    type: str = Field(default="answer", examples=["answer"])
    sdp: str = Field(description="Our answer, with every candidate.", examples=[SDP])


class CreateWebCallToken(Body):
    """A token to make."""

    agent_id: str = Field(
        description="The agent that takes the call; one of `/v1/agents`.",
        examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"],
    )
    origin: str = Field(
        pattern=_ORIGIN,
        description="Origin of the page that may use it: scheme, host and port as the browser "
        "sends them in `Origin`.",
        examples=["https://www.example.org"],
    )
    ttl_seconds: int = Field(
        default=60, ge=1, le=MAX_TTL_S, description="For how long it is good.", examples=[60]
    )
    variables: dict[str, Any] | None = Field(
        default=None,
        description="What stands for `{{name}}` in the agent's texts on that call.",
        examples=[{"customer": "Maria Lopez"}],
    )
    metadata: dict[str, Any] | None = Field(
        default=None, description="Yours; stored with the call.", examples=[{"customer": "42"}]
    )


class WebCallTokenObject(Resource):
    """A token: good for one web call, with one agent, from pages of one origin."""

    token: str = Field(
        description="Shown once; only its hash is stored.",
        examples=["wct_Yk3vPzqW8vJt0bqk2m0d1nB6yKQmQ3gH0uR4sT5xZ7c"],
    )
    agent_id: str = Field(examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"])
    origin: str = Field(examples=["https://www.example.org"])
    expires_at: Timestamp


class OfferByToken(Body):
    """A page's offer, in place of an API key with a token."""

    free_text: ClassVar = frozenset({"sdp"})

    token: str = Field(
        max_length=200,
        description="One of `POST /v1/web_call_tokens`.",
        examples=["wct_Yk3vPzqW8vJt0bqk2m0d1nB6yKQmQ3gH0uR4sT5xZ7c"],
    )
    sdp: str = Field(max_length=MAX_SDP, description=OFFER, examples=[SDP])


class PageAnswer(BaseModel):
    """What a page sets as its remote description."""

    call_id: str = Field(json_schema_extra={"format": "uuid"})
    type: str = Field(default="answer", examples=["answer"])
    sdp: str = Field(description="Our answer, with every candidate.", examples=[SDP])
