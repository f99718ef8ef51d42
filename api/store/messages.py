"""Text messages and mails: put down with what decides them, sent and read later.

Those that are sent after a call are rows without a body, which the message sender writes: what
decides them is one transaction with the end of the call, or with its outcome.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, exists, func, insert, literal_column, select, update

from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.message import (
    Message,
    MessageKind,
    MessagePurpose,
    MessageStatus,
    NewMessage,
)
from api.resources.page import PageOf
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import given, load_page
from api.store.tables import calls, messages, turns

#: As it stands in the index of due messages, which otherwise is not used.
_PENDING: Final = messages.c.status == literal_column("'pending'")


async def add_after_attempt(
    transaction: Transaction, call: Call, attempt: int, ended: Ended, now: float
) -> None:
    """Put down the text message that its agent sends after such an attempt, if any.

    Each is sent once for a call, however many attempts it takes.
    """
    purpose: MessagePurpose
    voicemail = ended.answered_by == "machine" and ended.end_reason != "unavailable"
    if voicemail and call.agent.get("voicemail_sms_prompt"):
        purpose = "voicemail"
    elif (
        ended.answered_by != "machine"
        and ended.cause.state == "completed"
        and call.agent.get("after_call_sms_prompt")
        and await transaction.connection.scalar(_has_spoken(call.id, attempt))
    ):
        purpose = "after_call"
    else:
        return
    message = {
        "kind": "sms",
        "purpose": purpose,
        "attempt": attempt,
        "recipient": call.person_number,
        "sender": call.our_number,
    }
    await _add(transaction, call.id, message, now)


async def add_after_result(transaction: Transaction, call: Call, now: float) -> None:
    """Put down the mail about the call's outcome, if one is wanted."""
    transaction.notify("messages")  # what waited for the result may be sent
    address = call.agent.get("email_notification_address")
    outcomes = call.agent.get("email_notification_outcomes")
    if address and call.outcome and (outcomes is None or call.outcome in outcomes):
        message = {
            "kind": "email",
            "purpose": "notification",
            "attempt": call.attempt_count,
            "recipient": address,
        }
        await _add(transaction, call.id, message, now)


def _has_spoken(call_id: str, attempt: int) -> Select[tuple[bool]]:
    """Whether the person said anything."""
    lines = turns.c.call_id == call_id, turns.c.attempt == attempt, turns.c.speaker == "person"
    return select(exists().where(*lines))


async def _add(
    transaction: Transaction, call_id: str, message: Mapping[str, Any], now: float
) -> None:
    """Put down one that is yet to be written, unless the call has one of that purpose."""
    same = messages.c.call_id == call_id, messages.c.purpose == message["purpose"]
    if await transaction.connection.scalar(select(exists().where(*same))):
        return
    values = {
        **message,
        "id": str(uuid.uuid4()),
        "call_id": call_id,
        "status": "pending",
        "attempt_count": 0,
        "next_attempt_at": now,
        "created_at": now,
        "updated_at": now,
    }
    await transaction.connection.execute(insert(messages).values(values))
    transaction.notify("messages")


class Messages:
    """Messages as the message sender, the tools and operators see them."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def get(self, message_id: str) -> Message:
        """Raises NotFound."""
        query = select(messages).where(messages.c.id == message_id)
        return _message(
            await self._database.read(
                lambda connection: load_existing(connection, query, "message")
            )
        )

    async def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        status: MessageStatus | None = None,
        call_id: str | None = None,
    ) -> PageOf[Message]:
        """Messages from newest to oldest, of one call if given. Raises CursorError."""
        columns = messages.c
        query = select(messages).where(*given({columns.status: status, columns.call_id: call_id}))
        by = columns.created_at, columns.id
        page = await self._database.read(
            lambda connection: load_page(connection, query, by, limit, cursor, latest_first=True)
        )
        return page.map(_message)

    async def record(self, message: NewMessage) -> None:
        """Put down what a tool has sent, or failed to."""
        now = self._clock()
        values = dict(vars(message))
        error = values.pop("error")
        values |= {
            "id": str(uuid.uuid4()),
            "purpose": "tool",
            "status": "sent" if error is None else "failed",
            "attempt_count": 1,
            "last_error": error,
            "sent_at": now if error is None else None,
            "created_at": now,
            "updated_at": now,
        }
        await self._database.execute(insert(messages).values(values))

    async def due(self, kind: MessageKind, now: float, limit: int) -> Sequence[Message]:
        """What is to be sent now, the longest due first.

        What follows a conversation waits until it is known what that came to: the person may have
        asked not to be contacted any more.
        """
        query = (
            select(messages)
            .join(calls, calls.c.id == messages.c.call_id)
            .where(
                _PENDING,
                messages.c.kind == kind,
                messages.c.next_attempt_at <= now,
                func.coalesce(calls.c.waiting_for, "") != "result",
            )
            .order_by(messages.c.next_attempt_at)
            .limit(limit)
        )
        return [_message(row) for row in await self._database.fetch(query)]

    async def next_due(self, kind: MessageKind, after: float) -> float | None:
        """When the next one falls due later than `after`, in Unix seconds."""
        query = select(func.min(messages.c.next_attempt_at)).where(
            _PENDING, messages.c.kind == kind, messages.c.next_attempt_at > after
        )
        soonest: float | None = await self._database.fetch_value(query)
        return soonest

    async def written(self, message_id: str, subject: str | None, body: str) -> None:
        """Put down what a message says, before it is sent."""
        await self._update(message_id, subject=subject, body=body)

    async def attempted(
        self, message: Message, sender: str | None, error: str | None, next_attempt_at: float | None
    ) -> None:
        """Book an attempt at sending.

        Args:
            message: as it was before.
            sender: whom it was from.
            error: why it was not sent; None: it was.
            next_attempt_at: when it is tried again; None: it is not.
        """
        sent = error is None
        status = "sent" if sent else "failed" if next_attempt_at is None else "pending"
        await self._update(
            message.id,
            sender=sender,
            status=status,
            attempt_count=message.attempt_count + 1,
            next_attempt_at=next_attempt_at,
            last_error=error,
            sent_at=self._clock() if sent else None,
        )

    async def _update(self, message_id: str, **values: Any) -> None:
        values["updated_at"] = self._clock()
        await self._database.execute(
            update(messages).where(messages.c.id == message_id).values(values)
        )


def _message(row: Any) -> Message:
    return Message(**row._mapping)
