"""The way out for mails: an SMTP server of the operator's (RFC 5321), TLS verified."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from api.base.mail_addresses import is_email
from api.messaging.outgoing import Mail, NotSentError, plain
from api.settings import Smtp

MAX_SUBJECT: Final = 200
_QUIT_S: Final = 2.0
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}


class MailServer:
    """Hands mails to `smtp.host`, a connection for each."""

    def __init__(self, settings: Smtp) -> None:
        self._settings = settings
        self._from = settings.from_address or ""
        self._tls = ssl.create_default_context(cafile=settings.ca_file)

    @property
    def from_address(self) -> str:
        """Whom mails are from."""
        return self._from

    async def check(self) -> None:
        """Connect and log in, and send nothing. Raises NotSentError."""
        async with self._connected():
            pass

    async def send(self, mail: Mail) -> None:
        """Send one, within `smtp.timeout_s`. Raises NotSentError."""
        message = self._message(mail)
        async with self._connected() as client:
            await client.send_message(message, sender=self._from, recipients=[mail.to])

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection, logged in; what goes wrong with it is told as NotSentError."""
        settings = self._settings
        client = self._client()
        try:
            async with asyncio.timeout(settings.timeout_s):
                await client.connect()
                yield client
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0], "the recipient") from error
        except (
            aiosmtplib.SMTPAuthenticationError,
            aiosmtplib.SMTPConnectResponseError,
            aiosmtplib.SMTPHeloError,
        ) as error:
            # Not about this mail, and the operator may mend it.
            raise NotSentError(f"the mail server refused us: {_told(error)}") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error, "the mail") from error
        except TimeoutError as error:
            reason = f"the mail server did not answer within {settings.timeout_s:g} s"
            raise NotSentError(reason) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NotSentError(f"the mail server cannot be used: {error}") from error
        else:
            # It has the mail, whatever becomes of the connection.
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=_QUIT_S)
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        password = settings.password
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port or _PORTS[settings.security],
            username=settings.username,
            password=None if password is None else password.get_secret_value(),
            local_hostname=self._domain,
            timeout=settings.timeout_s,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none" else self._tls,
        )

    @property
    def _domain(self) -> str:
        return self._from.rpartition("@")[2]

    def _message(self, mail: Mail) -> EmailMessage:
        if not is_email(mail.to):
            raise NotSentError("the recipient is no mail address", final=True)
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(addr_spec=self._from)
        message["To"] = Address(addr_spec=mail.to)
        message["Subject"] = " ".join(plain(mail.subject).split())[:MAX_SUBJECT]
        message["Date"] = format_datetime(datetime.fromtimestamp(mail.at, UTC))
        # The same whenever it is sent again: who gets it twice can tell.
        message["Message-ID"] = f"<{mail.id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice in reply
        message.set_content(plain(mail.body) + "\n")
        return message


def _refusal(answer: aiosmtplib.SMTPResponseException, what: str) -> NotSentError:
    """5xx is for good, 4xx for now (RFC 5321 section 4.2.1)."""
    reason = f"the mail server refused {what}: {_told(answer)}"
    return NotSentError(reason, final=answer.code >= 500)


def _told(answer: aiosmtplib.SMTPResponseException) -> str:
    return f"{answer.code} {' '.join(answer.message.split())}"[:300]
