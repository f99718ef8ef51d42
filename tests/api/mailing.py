"""A real SMTP server on loopback, with a mailbox and moods."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from api.settings import Smtp

USER, PASSWORD = "offhook", "correct horse"


@dataclass
class Mailbox:
    """What arrived, and how the next ones are answered."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str]]] = field(default_factory=list)
    recipient_answers: list[str] = field(default_factory=list)
    """To the next RCPT commands, in place of 250."""
    data_answers: list[str] = field(default_factory=list)
    """To the next mails, in place of 250; they are not kept."""
    hangs: bool = False
    """Whether mails are never answered."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody has given a mail, and waits for the answer."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody's connection is over."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient_answers:
            return self.recipient_answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.reached.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.data_answers:
            return self.data_answers.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        self.arrived.set()
        return "250 taken"

    async def wait(self, count: int) -> list[EmailMessage]:
        """The mails, once there are `count`."""
        async with asyncio.timeout(20):
            while len(self.mails) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.mails


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    good = data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


class MailTown:
    """Certificates of a private authority, in a folder, and servers that bear them."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(self._tls)

    @asynccontextmanager
    async def server(
        self, security: str = "starttls", *, login: bool = True
    ) -> AsyncIterator[Mailbox]:
        """A server for the time of the `async with`."""
        mailbox = Mailbox()
        options: dict[str, Any] = {"hostname": "localhost"}
        if security == "starttls":
            options |= {"tls_context": self._tls, "require_starttls": True}
        if login:
            options |= {"authenticator": _authenticate, "auth_required": True}
            options["auth_require_tls"] = security == "starttls"
        made: list[asyncio.BaseTransport] = []

        class Protocol(SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                made.append(transport)
                super().connection_made(transport)

            def connection_lost(self, error: Exception | None) -> None:
                super().connection_lost(error)
                mailbox.left.set()

        loop = asyncio.get_running_loop()

        def protocol() -> SMTP:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it does not see that all of it is encrypted
                return Protocol(mailbox, loop=loop, **options)

        server = await loop.create_server(
            protocol,
            "127.0.0.1",
            0,
            ssl=self._tls if security == "tls" else None,
        )
        mailbox.port = server.sockets[0].getsockname()[1]
        try:
            yield mailbox
        finally:
            server.close()
            for transport in made:
                transport.close()
            await asyncio.sleep(0)

    def settings(self, mailbox: Mailbox, **values: Any) -> Smtp:
        """How a client reaches it."""
        given = {
            "host": "localhost",
            "port": mailbox.port,
            "ca_file": self.ca_file,
            "username": USER,
            "password": PASSWORD,
            "from_address": "calls@example.org",
            "timeout_s": 5.0,
        }
        return Smtp.model_validate(given | values)
