"""Text messages and mails of calls."""

from collections.abc import AsyncGenerator

from api.client.transport import Transport, at
from api.resources.message import MessageObject, MessageStatus


class Messages(Transport):
    """`/v1/messages`."""

    def list_messages(
        self, *, status: MessageStatus | None = None
    ) -> AsyncGenerator[MessageObject, None]:
        """What calls sent, or are about to, newest first."""
        return self._every(MessageObject, at("messages"), {"status": status})

    def list_call_messages(
        self, call_id: str, *, status: MessageStatus | None = None
    ) -> AsyncGenerator[MessageObject, None]:
        """The same of one call."""
        return self._every(MessageObject, at("calls", call_id, "messages"), {"status": status})

    async def get_message(self, message_id: str) -> MessageObject:
        """A text message or a mail."""
        return await self._get(MessageObject, at("messages", message_id))
