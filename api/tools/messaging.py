"""Text messages and mails that the agent sends during the call.

Whom they go to is the configuration's choice, never the model's: texts go to the person on the
line, mails to an address that the agent's configuration names.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from api.base.text import UnknownVariableError, render
from api.messaging.mail import MAX_SUBJECT, MailServer
from api.messaging.outgoing import Mail, NotSentError, Sms
from api.messaging.sms import SmsGateway
from api.resources.call import Call
from api.resources.message import NewMessage
from api.resources.tool_fields import EmailTool, SmsTool
from api.store import Store, StoreError
from api.store.ledger_writer import insist
from voice_loop.tools import ToolResult, ToolSpec

#: Of one tool in one attempt, whatever the person talks the agent into.
MAX_MESSAGES: Final = 5
#: Characters of a mail that the agent writes.
MAX_BODY: Final = 2_000
_BOOKING_WAITS_S: Final = (0.0, 0.5, 1.0)

log = logging.getLogger(__name__)


class _Post:
    """What both tools do: send so many and no more, and put down what came of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tries = 0

    async def send(
        self, message: NewMessage, sending: Callable[[str], Coroutine[Any, Any, None]]
    ) -> ToolResult:
        """Send, and put it down, also where the call ends meanwhile.

        Args:
            message: to put down.
            sending: sends it; bounded in time. The argument is its id.
        """
        if self._tries >= MAX_MESSAGES:
            return ToolResult(f"Not sent: {MAX_MESSAGES} are enough for one call.", is_error=True)
        self._tries += 1
        # Given up half-way, nobody would know what was sent.
        return await asyncio.shield(asyncio.create_task(self._send(message, sending)))

    async def _send(
        self, message: NewMessage, sending: Callable[[str], Coroutine[Any, Any, None]]
    ) -> ToolResult:
        result = ToolResult(f"Sent to {message.recipient}.")
        try:
            await sending(str(uuid.uuid4()))
        except NotSentError as error:
            log.warning("call %s: a message was not sent: %s", message.call_id, error)
            message = replace(message, error=str(error))
            result = ToolResult("It could not be sent.", is_error=True)
        put_down = partial(self._store.messages.record, message)
        try:
            await insist(message.call_id, put_down, _BOOKING_WAITS_S)
        except StoreError as error:
            log.error("call %s: a message is not in the store: %s", message.call_id, error)
        return result


class SendSms:
    """`send_sms`. Without a template, the agent writes the text."""

    say: str | None = None

    def __init__(
        self,
        tool: SmsTool,
        call: Call,
        values: Mapping[str, Any],
        store: Store,
        *,
        gateway: SmsGateway,
        from_number: str | None,
        refusal: str | None,
    ) -> None:
        """
        Args:
            tool: as it is configured.
            call: whose person gets them.
            values: of the variables of its template.
            store: where messages are put down.
            gateway: the way out.
            from_number: who sends; None: our number in the call.
            refusal: why this person is not texted; None: they are.
        """
        self._tool = tool
        self._call = call
        self._values = values
        self._gateway = gateway
        self._from_number = from_number
        self._refusal = refusal
        self._post = _Post(store)

    @property
    def spec(self) -> ToolSpec:
        text = {"type": "string", "minLength": 1, "maxLength": self._gateway.max_length}
        fixed = self._tool.template is not None
        what = "the prepared text message" if fixed else "a text message (SMS)"
        return ToolSpec(
            "send_sms",
            f"Send {what} to the person on the line.",
            _object({} if fixed else {"text": text}),
        )

    async def __call__(self, arguments: Mapping[str, Any]) -> ToolResult:
        call = self._call
        person = call.person_number
        try:
            text = (
                str(arguments["text"])
                if self._tool.template is None
                else render(self._tool.template, self._values)
            )
        except UnknownVariableError as error:
            return ToolResult(f"Not sent: {error}.", is_error=True)
        sender = self._from_number or call.our_number
        message = NewMessage(
            call.id, self._call.attempt_count, "sms", person, sender, subject=None, body=text
        )
        return await self._post.send(
            message, lambda id_: self._send(Sms(id_, person, sender, text, call.trunk))
        )

    async def _send(self, sms: Sms) -> None:
        if self._refusal is not None:
            raise NotSentError(self._refusal, final=True)
        await self._gateway.send(sms)


class SendEmail:
    """`send_email`: to one of the configured addresses."""

    say: str | None = None

    def __init__(
        self,
        tool: EmailTool,
        call: Call,
        values: Mapping[str, Any],
        store: Store,
        *,
        server: MailServer,
    ) -> None:
        """
        Args:
            tool: as it is configured.
            call: in which it is used.
            values: of the variables of its texts.
            store: where mails are put down.
            server: the way out.
        """
        self._tool = tool
        self._call = call
        self._values = values
        self._server = server
        self._post = _Post(store)

    @property
    def spec(self) -> ToolSpec:
        properties: dict[str, Any] = {"to": {"enum": list(self._tool.to)}}
        for name, longest in (("subject", MAX_SUBJECT), ("body", MAX_BODY)):
            if getattr(self._tool, name) is None:
                properties[name] = {"type": "string", "minLength": 1, "maxLength": longest}
        return ToolSpec("send_email", "Send an e-mail.", _object(properties))

    async def __call__(self, arguments: Mapping[str, Any]) -> ToolResult:
        to = str(arguments["to"])
        if to not in self._tool.to:
            return ToolResult("Not sent: there is no such address.", is_error=True)
        try:
            subject, body = (
                str(arguments[name]) if fixed is None else render(fixed, self._values)
                for name, fixed in (("subject", self._tool.subject), ("body", self._tool.body))
            )
        except UnknownVariableError as error:
            return ToolResult(f"Not sent: {error}.", is_error=True)
        sender, call_id = self._server.from_address, self._call.id
        message = NewMessage(
            call_id, self._call.attempt_count, "email", to, sender, subject=subject, body=body
        )
        return await self._post.send(
            message, lambda id_: self._server.send(Mail(id_, to, subject, body, time.time()))
        )


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
