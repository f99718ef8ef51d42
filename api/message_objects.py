"""Messages as the API tells them."""

from typing import Any

from pydantic import BaseModel, Field

from api.message_records import Message, MessageKind, MessagePurpose, MessageStatus
from api.times import Timestamp, rfc3339, rfc3339_or_none


class MessageObject(BaseModel):
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


class MessageList(BaseModel):
    """Messages, newest first."""

    data: list[MessageObject]
    has_more: bool
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page.")


def message_object(message: Message) -> dict[str, Any]:
    """The JSON object of `message`."""
    return MessageObject(
        id=message.id,
        call_id=message.call_id,
        attempt=message.attempt,
        kind=message.kind,
        purpose=message.purpose,
        recipient=message.recipient,
        sender=message.sender,
        subject=message.subject,
        body=message.body,
        status=message.status,
        attempt_count=message.attempt_count,
        next_attempt_at=rfc3339_or_none(message.next_attempt_at),
        last_error=message.last_error,
        sent_at=rfc3339_or_none(message.sent_at),
        created_at=rfc3339(message.created_at),
        updated_at=rfc3339(message.updated_at),
    ).model_dump()
