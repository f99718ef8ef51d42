"""Text messages and mails of calls, as the store takes and gives them. Times are Unix seconds."""

from dataclasses import dataclass
from typing import Final, Literal

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


@dataclass(frozen=True)
class MessagePage:
    """A page of messages, newest first."""

    messages: tuple[Message, ...]
    next_cursor: str | None
