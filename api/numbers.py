"""Telephone numbers at the front door: E.164 by shape, nothing else.

Whether a number is assigned is for the network to say; private plans and test ranges are the
operator's own business.
"""

import re

#: ITU-T E.164: country code and subscriber number, at most 15 digits, no leading zero.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PREFIX = re.compile(r"\+([1-9][0-9]{0,14})?")


def is_e164(number: str) -> bool:
    """Whether `number` is a plus sign and 7 to 15 ASCII digits, not starting with 0."""
    return _E164.fullmatch(number) is not None


def is_prefix(text: str) -> bool:
    """Whether `text` is how E.164 numbers may begin; `+` alone is how all of them do."""
    return _PREFIX.fullmatch(text) is not None
