"""Text messages and mails: put down with what decides them, sent and read later.

Those that are sent after a call are rows without a body, which the message sender writes: what
decides them is one transaction with the end of the call, or with its outcome.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, exists, func, insert, literal_column, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.message import (
    Message,
    MessageKind,
    MessagePage,
    MessagePurpose,
    MessageStatus,
    NewMessage,
)
from api.store.cursors import decode_cursor, encode_cursor
from api.store.database import Database, Transaction
from api.store.tables import calls, messages, turns

#: As it stands in the index of due messages, which otherwise is not used.
_PENDING: Final = messages.c.status == literal_column("'pending'")


class UnknownMessageError(Exception):
    """There is no message with this id."""


async def add_after_attempt(
    transaction: Transaction, call: Call, attempt: int, ended: Ended, now: float
) -> None:
    """Put down the text message that its agent sends after such an attempt, if any (RV-14, RV-93).

    Each is sent once for a call, however many attempts it takes.
    """
    purpose: MessagePurpose
    if ended.answered_by == "machine" and call.agent.get("voicemail_sms_prompt"):
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
    """Put down the mail about the call's outcome, if one is wanted (RV-29, RV-30)."""
    transaction.notify("messages")  # what waited for the result may be sent
    address = call.agent.get("email_notification_address")
    if address and call.outcome in (call.agent.get("email_notification_outcomes") or ()):
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
        """Raises UnknownMessageError."""

        async def work(connection: AsyncConnection) -> Message:
            query = select(messages).where(messages.c.id == message_id)
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise UnknownMessageError(message_id)
            return Message(**row._mapping)

        return await self._database.read(work)

    async def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        status: MessageStatus | None = None,
        call_id: str | None = None,
    ) -> MessagePage:
        """Messages from newest to oldest, of one call if given. Raises CursorError."""
        columns = messages.c
        query = select(messages).order_by(columns.created_at.desc(), columns.id.desc())
        if status is not None:
            query = query.where(columns.status == status)
        if call_id is not None:
            query = query.where(columns.call_id == call_id)
        if cursor is not None:
            before = tuple_(*decode_cursor(cursor))
            query = query.where(tuple_(columns.created_at, columns.id) < before)

        async def work(connection: AsyncConnection) -> MessagePage:
            rows = (await connection.execute(query.limit(limit + 1))).all()
            found = tuple(Message(**row._mapping) for row in rows[:limit])
            if len(rows) <= limit:
                return MessagePage(found, None)
            return MessagePage(found, encode_cursor(found[-1].created_at, found[-1].id))

        return await self._database.read(work)

    async def record(self, message: NewMessage) -> None:
        """Put down what a tool has sent, or failed to."""
        now = self._clock()
        failed = message.error is not None

        async def work(transaction: Transaction) -> None:
            await transaction.connection.execute(
                insert(messages).values(
                    id=str(uuid.uuid4()),
                    call_id=message.call_id,
                    attempt=message.attempt,
                    kind=message.kind,
                    purpose="tool",
                    recipient=message.recipient,
                    sender=message.sender,
                    subject=message.subject,
                    body=message.body,
                    status="failed" if failed else "sent",
                    attempt_count=1,
                    last_error=message.error,
                    sent_at=None if failed else now,
                    created_at=now,
                    updated_at=now,
                )
            )

        await self._database.write(work)

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

        async def work(connection: AsyncConnection) -> Sequence[Message]:
            return [Message(**row._mapping) for row in await connection.execute(query)]

        return await self._database.read(work)

    async def next_due(self, kind: MessageKind, after: float) -> float | None:
        """When the next one falls due later than `after`, in Unix seconds."""

        async def work(connection: AsyncConnection) -> float | None:
            soonest: float | None = await connection.scalar(
                select(func.min(messages.c.next_attempt_at)).where(
                    _PENDING, messages.c.kind == kind, messages.c.next_attempt_at > after
                )
            )
            return soonest

        return await self._database.read(work)

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
        now = self._clock()

        async def work(transaction: Transaction) -> None:
            await transaction.connection.execute(
                update(messages).where(messages.c.id == message_id).values(**values, updated_at=now)
            )

        await self._database.write(work)
