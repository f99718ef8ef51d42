"""Messages that calls send: SMS and e-mails."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from api.base.times import Timestamp
from api.resources.answer import Resource

MessageKind = Literal["sms", "email"]
MessagePurpose = Literal["tool", "after_call", "voicemail", "notification"]
"""Why there is one: the agent sent it; after a conversation; where a voicemail took the call; a
mail about the outcome."""
MessageStatus = Literal["pending", "sent", "failed"]

#: Characters of a text message.
MAX_SMS: Final = 1_600


@dataclass(frozen=True)
class NewMessage:
    """What an agent has just sent, or tried to."""

    call_id: str
    attempt: int
    kind: MessageKind
    recipient: str
    sender: str
    subject: str | None
    body: str
    error: str | None = None
    """Why it was not sent; None: it was."""


@dataclass(frozen=True)
class Message:
    """A text message or a mail."""

    id: str
    call_id: str
    attempt: int
    """During or after which attempt of the call."""
    kind: MessageKind
    purpose: MessagePurpose
    recipient: str
    """E.164, or a mail address."""
    sender: str | None
    """The same; None: not known before it is sent."""
    subject: str | None
    body: str | None
    """None: it is yet to be written."""
    status: MessageStatus
    attempt_count: int
    next_attempt_at: float | None
    last_error: str | None
    sent_at: float | None
    """When the gateway, the PBX or the mail server took it."""
    created_at: float
    updated_at: float


class MessageObject(Resource):
    """A text message or a mail of a call."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    call_id: str = Field(json_schema_extra={"format": "uuid"})
    attempt: int = Field(description="During or after which attempt of the call; 1 is the first.")
    kind: MessageKind
    purpose: MessagePurpose = Field(
        description="`tool`: the agent sent it during the call. `after_call`: "
        "`after_call_sms_prompt`. `voicemail`: `voicemail_sms_prompt`. `notification`: "
        "`email_notification_address`."
    )
    recipient: str = Field(description="E.164, or a mail address.", examples=["+15551234567"])
    sender: str | None = Field(
        description="The same; null: not known before it is sent.", examples=["+15559876543"]
    )
    subject: str | None = Field(description="Of a mail.")
    body: str | None = Field(
        description="null: it is yet to be written.", examples=["See you tomorrow at 2pm."]
    )
    status: MessageStatus = Field(
        description="`sent`: the gateway, the PBX or the mail server took it; `failed`: given up."
    )
    attempt_count: int = Field(description="How often sending was tried.")
    next_attempt_at: Timestamp | None
    last_error: str | None = Field(description="Why it was not sent, the last time.")
    sent_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
