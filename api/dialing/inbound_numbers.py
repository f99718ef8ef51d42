"""Numbers as a trunk tells them of inbound calls: which of ours was dialled, and who calls."""

import re
from collections.abc import Iterable
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    parse,
    region_code_for_country_code,
)

from api.base.numbers import is_e164
from api.resources.number import OwnedNumber

#: In place of a caller's number that is hidden, or none.
ANONYMOUS: Final = "anonymous"
#: A number of ours ends with this many of the last digits that were dialled, in whatever form.
SUFFIX: Final = 4
#: Fewer digits are an extension, whatever a numbering plan makes of them.
_SHORTEST: Final = 7
_SEPARATORS: Final = re.compile(r"[\s().-]+")
_TOLD: Final = re.compile(r"\+?[0-9]{1,15}")


def dialled_number(told: str, owned: Iterable[OwnedNumber]) -> OwnedNumber | None:
    """The number that was dialled; None where none, or more than one, may be meant.

    The trunk may tell it as E.164, with or without the plus sign, or as it is dialled in the
    number's own country.
    """
    text = _SEPARATORS.sub("", told)
    digits = text.removeprefix("+")
    candidates = list(owned)
    for number in candidates:
        if digits == number.number[1:]:
            return number
    if text.startswith("+"):
        return None
    found = [one for one in candidates if _e164(_as_dialled_by(one.number, text)) == one.number]
    return found[0] if len(found) == 1 else None


def caller_number(told: str | None, ours: str) -> str:
    """Who calls: E.164 where that can be said, else the digits as told, else `ANONYMOUS`.

    Args:
        told: by the trunk; nothing vouches for it.
        ours: the number that was called, E.164: national forms are those of its country.
    """
    text = _SEPARATORS.sub("", told or "")
    if is_e164(text):
        return text
    if not _TOLD.fullmatch(text):
        return ANONYMOUS
    found = None if len(text) < _SHORTEST else _as_dialled_by(ours, text)
    if found is None or is_possible_number_with_reason(found) != ValidationResult.IS_POSSIBLE:
        return text
    return _e164(found) or text


def _as_dialled_by(number: str, text: str) -> PhoneNumber | None:
    """What `text` means where a number is from; None for nothing."""
    try:
        return parse(text, region_code_for_country_code(parse(number).country_code or 0))
    except NumberParseException:
        return None


def _e164(number: PhoneNumber | None) -> str | None:
    return None if number is None else format_number(number, PhoneNumberFormat.E164)
