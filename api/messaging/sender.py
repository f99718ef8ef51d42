"""The message sender: writes and sends what was put down to be sent, and tries again.

At least once: what was handed over, with the process or the store gone before that was booked, is
sent again. A mail's `Message-ID`, and `{{id}}` at an HTTP gateway, then tell that it is the same.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from api.base.refusals import NotFound
from api.messaging.outgoing import Mail, NotSentError, Sms
from api.messaging.ways import WaysOut
from api.messaging.writing import Writer
from api.resources.call import Call
from api.resources.caller_ids import not_texted
from api.resources.message import Message, MessageKind
from api.settings.calling import Calls
from api.store import Store, StoreError
from api.store.ledger_writer import insist

#: Seconds before each further attempt; then a message is given up.
RETRY_SCHEDULE_S: Final = (60.0, 300.0, 1800.0, 7200.0)
#: Of one kind under way at a time.
CONCURRENCY: Final = 8
#: How often the queue is looked at anyway, for clocks that are set and news that were lost.
_LOOK_S: Final = 30.0
_STORE_PAUSE_S: Final = 1.0

log = logging.getLogger(__name__)


class MessageSender:
    """Run it for as long as the server lives."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        ways: WaysOut,
        calls: Calls,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            store: where messages are put down.
            writer: of those that have no body yet.
            ways: by which they leave.
            calls: who may be texted.
            clock: Unix seconds.
        """
        self._store = store
        self._writer = writer
        self._ways = ways
        self._calls = calls
        self._clock = clock
        self._news: dict[MessageKind, asyncio.Event] = {
            "sms": asyncio.Event(),
            "email": asyncio.Event(),
        }
        store.notices.subscribe("messages", lambda _: self.wake())

    async def run(self) -> None:
        """Send until cancelled; what is under way then is sent again later."""
        async with asyncio.TaskGroup() as lanes:
            for kind in self._news:
                lanes.create_task(self._lane(kind))

    def wake(self) -> None:
        """Look at the queue now."""
        for event in self._news.values():
            event.set()

    async def _lane(self, kind: MessageKind) -> None:
        """A mail server that hangs does not hold up text messages."""
        news = self._news[kind]
        while True:
            news.clear()
            now = self._clock()
            try:
                due = await self._store.messages.due(kind, now, CONCURRENCY)
                if due:
                    await self._deliver_all(due)
                    continue
                soonest = await self._store.messages.next_due(kind, now)
            except StoreError:
                log.exception("messages: the store does not answer")
                await asyncio.sleep(_STORE_PAUSE_S)
                continue
            wait_s = _LOOK_S if soonest is None else min(_LOOK_S, soonest - self._clock())
            try:
                async with asyncio.timeout(wait_s):
                    await news.wait()
            except TimeoutError:
                pass

    async def _deliver_all(self, due: Sequence[Message]) -> None:
        """Raises StoreError, when all are done with."""
        results = await asyncio.gather(*map(self._deliver, due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _deliver(self, message: Message) -> None:
        """Write it if need be, send it, and book what came of it."""
        try:
            call = await self._store.calls.get(message.call_id)
        except NotFound:
            return  # erased, and the message with it
        sender = self._sender(message)
        error, again_at = None, None
        try:
            if message.purpose in {"after_call", "voicemail"}:
                await self._ask_consent(message, call)
            subject, body = message.subject, message.body
            if body is None:
                subject, body = await self._writer.write(message, call)
                await self._store.messages.written(message.id, subject, body)
            await self._send(message, call, sender, subject or "", body)
        except NotSentError as problem:
            error = str(problem)
            again_at = None if problem.final else self._again_at(message)
        except StoreError:
            raise
        except Exception:
            log.exception("message %s of call %s: a fault of ours", message.id, call.id)
            error = "internal error; the log tells more"
        if error is not None:
            log.warning("message %s of call %s was not sent: %s", message.id, call.id, error)
        # Not booked, it would be sent again at once.
        book = partial(self._store.messages.attempted, message, sender, error, again_at)
        await insist(call.id, book)

    def _sender(self, message: Message) -> str | None:
        if message.kind == "sms":
            return self._ways.from_number or message.sender
        return None if self._ways.mail is None else self._ways.mail.from_address

    async def _ask_consent(self, message: Message, call: Call) -> None:
        """Nobody who wants no calls is texted after one, nor whose number a caller has shown."""
        if (refusal := not_texted(call, self._calls)) is not None:
            raise NotSentError(refusal, final=True)
        with contextlib.suppress(NotFound):
            await self._store.do_not_call.get(message.recipient)
            raise NotSentError("the number is on the do-not-call list", final=True)
        if call.outcome == "do_not_contact":
            raise NotSentError("the person asked not to be contacted", final=True)

    async def _send(
        self, message: Message, call: Call, sender: str | None, subject: str, body: str
    ) -> None:
        if message.kind == "sms":
            if self._ways.sms is None:
                raise NotSentError("there is no way to send text messages; set `sms.kind`")
            sms = Sms(message.id, message.recipient, sender or "", body, call.trunk)
            await self._ways.sms.send(sms)
        elif self._ways.mail is None:
            raise NotSentError("there is no mail server; set `smtp.host`")
        else:
            mail = Mail(message.id, message.recipient, subject, body, message.created_at)
            await self._ways.mail.send(mail)

    def _again_at(self, message: Message) -> float | None:
        if message.attempt_count >= len(RETRY_SCHEDULE_S):
            return None
        return self._clock() + RETRY_SCHEDULE_S[message.attempt_count]
