"""What is to be sent, and what it is called when that failed."""

import re
from dataclasses import dataclass
from typing import Final

from api.base.numbers import is_e164
from api.resources.message import MAX_SMS

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class NotSentError(Exception):
    """It was not sent, as far as is known; the message says why."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        """
        Args:
            reason: why.
            final: whether another try is in vain.
        """
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class Sms:
    """A text message."""

    id: str
    """The same on each attempt at sending it."""
    to: str
    sender: str
    text: str
    trunk: str | None
    """Over which it goes as SIP MESSAGE; None is the PBX's default."""


@dataclass(frozen=True)
class Mail:
    """A mail."""

    id: str
    """The same on each attempt at sending it."""
    to: str
    subject: str
    body: str
    at: float
    """When it was written, Unix seconds."""


def check_sms(sms: Sms) -> Sms:
    """The message as it may be sent: without control characters, but with its line breaks.

    Raises NotSentError.
    """
    for whose, number in (("the callee's", sms.to), ("our", sms.sender)):
        if not is_e164(number):
            raise NotSentError(f"{whose} number is not known", final=True)
    text = plain(sms.text)
    if not text:
        raise NotSentError("there is no text", final=True)
    if len(text) > MAX_SMS:
        raise NotSentError(f"the text has more than {MAX_SMS} characters", final=True)
    return Sms(sms.id, sms.to, sms.sender, text, sms.trunk)


def plain(text: str) -> str:
    """Text with no control character but line feeds."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\t", " ")).strip()
