"""Numbers as people write them, as E.164: what may be meant in one way only."""

import re
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    parse,
)

from api.base.numbers import E164_WANTED, is_e164
from api.base.sip_uris import names_sip_uri, read_sip_uri

#: Digits, a plus sign, and what people put between them.
_WRITTEN: Final = re.compile(r"\+?[0-9()\s./\u00a0\u2010-\u2015-]*[0-9]")
_SEPARATORS: Final = re.compile(r"[^0-9+]")
_LONGEST: Final = 40
_WHY: Final = {
    ValidationResult.TOO_SHORT: "is too short",
    ValidationResult.TOO_LONG: "is too long",
    ValidationResult.INVALID_LENGTH: "has too few or too many digits",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "has no country's code",
}


def read_number(written: str, country: str | None) -> str:
    """E.164. Raises ValueError with what is wrong, and how to mend it, as a predicate.

    Args:
        written: `+15551234567`, which is taken as it is, `+1 (555) 123-4567`, or, in its own
            country, `(555) 123-4567`.
        country: where national forms are from, ISO 3166; None: nowhere.
    """
    text = written.strip()
    if is_e164(text):
        return text
    if len(text) > _LONGEST or not _WRITTEN.fullmatch(text):
        raise ValueError(E164_WANTED)
    plain = _SEPARATORS.sub("", text.replace("(0)", "") if text.startswith("+") else text)
    if country is None and not plain.startswith("+"):
        raise ValueError(f"{E164_WANTED}; national forms need `calls.default_country`")
    try:
        number = parse(plain, country)
    except NumberParseException as error:
        raise ValueError(f"is no number of {country or 'any country'}; {E164_WANTED}") from error
    possible = is_possible_number_with_reason(number)
    meant = _other_meaning(plain, number)
    if meant is not None:
        raise ValueError(
            f"may be {_e164(number)} or {meant}: write it with the plus sign"
            if possible == ValidationResult.IS_POSSIBLE
            else f"may be meant as {meant}: write it with the plus sign"
        )
    if possible != ValidationResult.IS_POSSIBLE:
        where = "" if plain.startswith("+") else f" for a number of {country}"
        raise ValueError(f"{_WHY[possible]}{where}; {E164_WANTED}")
    found = _e164(number)
    if not is_e164(found):
        raise ValueError(E164_WANTED)
    return found


def read_number_or_uri(written: str, country: str | None) -> str:
    """E.164, or a SIP URI. Raises ValueError as `read_number` and `read_sip_uri`."""
    return read_sip_uri(written) if names_sip_uri(written) else read_number(written, country)


def _other_meaning(plain: str, national: PhoneNumber) -> str | None:
    """The number of another country that digits are without their plus sign, where they are none
    that the country's plan knows."""
    if plain.startswith(("+", "0")) or is_valid_number(national):
        return None
    try:
        other = parse(f"+{plain}")
    except NumberParseException:
        return None
    same = other.country_code == national.country_code
    return None if same or not is_valid_number(other) else _e164(other)


def _e164(number: PhoneNumber) -> str:
    return format_number(number, PhoneNumberFormat.E164)
