"""Mail addresses: the one form that is accepted anywhere."""

import re
from typing import Final

#: As RFC 5321 has them, without quoted local parts and address literals.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)


def is_email(text: str) -> bool:
    """Whether `text` is a mail address that every server takes."""
    return _ADDRESS.fullmatch(text) is not None
