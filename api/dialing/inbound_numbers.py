"""Numbers as a trunk tells them of inbound calls: which of ours was dialled, and who calls."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    ndd_prefix_for_region,
    parse,
    region_code_for_country_code,
    region_code_for_number,
)

from api.base.numbers import is_e164
from api.policy.rewriting import Rule, steps
from api.resources.number import OwnedNumber

#: In place of a caller's number that is hidden, or none.
ANONYMOUS: Final = "anonymous"
#: A number of ours ends with this many of the last digits that were dialled, in whatever form.
SUFFIX: Final = 4
#: Fewer digits are an extension, whatever a numbering plan makes of them.
_SHORTEST: Final = 7
_SEPARATORS: Final = re.compile(r"[\s().\-\u2010-\u2015]+")
#: With an international prefix before the 15 digits of E.164.
_TOLD: Final = re.compile(r"\+?[0-9]{1,24}")
#: What may be kept as it was told.
_LONGEST: Final = 15
#: RFC 3261, of which what is before the host counts, and RFC 3966; a name may stand before.
_URI: Final = re.compile(r"(?:^|<)(?:sips?:(?:([^>@]*)@)?|tel:([^>]*))", re.IGNORECASE)
_CONTEXT: Final = re.compile(r";phone-context=(\+[0-9.()-]+)", re.IGNORECASE)
#: Before a country code: nearly everywhere, and in North America.
_INTERNATIONAL, _NORTH_AMERICAN = "00", "011"


def plain_number(told: str) -> str:
    """What was told, without what a SIP or tel URI has around it, and without separators."""
    uri = _URI.search(told)
    text = unquote(told if uri is None else uri[1] or uri[2] or "")
    user, *parameters = text.split(";")
    context = _CONTEXT.search("".join(f";{one}" for one in parameters))
    number = _SEPARATORS.sub("", user.replace("(0)", ""))
    if number.startswith("+0"):
        number = number[1:]  # no country's code begins with it, but what is dialled before one does
    if context is None or number.startswith("+"):
        return number
    return _in_context(number, _SEPARATORS.sub("", context[1]))


def meant(told: str, rules: Sequence[Rule]) -> str:
    """What a trunk's rules make of a number that it told; where none fits, as it was told."""
    results = (step.result for step in steps(plain_number(told), rules))
    return next((one for one in results if one is not None), told)


def _in_context(number: str, context: str) -> str:
    """A local number with the prefix that RFC 3966 has it told in, which it may have, too: of the
    country, as it is dialled there."""
    whole = context + number
    readings = _parsed(whole, None) if number.isdecimal() else []
    if readings:
        country = region_code_for_country_code(readings[0].country_code or 0)
        prefix = ndd_prefix_for_region(country, True)
        if prefix and number.startswith(prefix):
            readings = [*_parsed(number, country), *readings]
    return next(map(_e164, filter(is_valid_number, readings)), whole)


async def owned_number(
    ending: Callable[[str], Awaitable[Iterable[OwnedNumber]]], named: Mapping[str, str], told: str
) -> OwnedNumber | None:
    """The number of ours that a trunk tells was dialled; None as of `dialled_number`.

    Args:
        ending: gives those of ours that end with some digits.
        named: numbers by what is told in their place (`calls.inbound_numbers`).
        told: by the trunk.
    """
    plain = plain_number(told)
    known = named.get(told) or named.get(plain) or plain
    digits = "".join(char for char in known if char.isdecimal())
    return dialled_number(known, await ending(digits[-SUFFIX:]))


def dialled_number(told: str, owned: Iterable[OwnedNumber]) -> OwnedNumber | None:
    """The number that was dialled; None where none, or more than one, may be meant.

    The trunk may tell it as E.164, with or without the plus sign, or as it is dialled in the
    number's own country.
    """
    text = plain_number(told)
    digits = text.removeprefix("+")
    candidates = list(owned)
    for number in candidates:
        if digits == number.number[1:]:
            return number
    if text.startswith("+"):
        return None
    found = [
        one for one in candidates if one.number in map(_e164, _readings(text, _country(one.number)))
    ]
    return found[0] if len(found) == 1 else None


def caller_number(told: str | None, ours: str) -> str:
    """Who calls: E.164 where that can be said, else the digits as told, else `ANONYMOUS`.

    Digits without a prefix are E.164 without the plus sign where national numbers are dialled with
    a prefix (0 in most countries), and a national number where they are not.

    Args:
        told: by the trunk; nothing vouches for it.
        ours: the number that was called, E.164: national forms are those of its country.
    """
    text = plain_number(told or "")
    if is_e164(text):
        return text
    if not _TOLD.fullmatch(text):
        return ANONYMOUS
    if len(text) < _SHORTEST:
        return text
    readings = _readings(text, _country(ours))
    possible = [
        one
        for one in readings
        if is_possible_number_with_reason(one) == ValidationResult.IS_POSSIBLE
    ]
    found = filter(is_e164, map(_e164, [*filter(is_valid_number, possible), *possible]))
    return next(found, text if len(text.removeprefix("+")) <= _LONGEST else ANONYMOUS)


def _readings(text: str, country: str) -> list[PhoneNumber]:
    """What digits may mean where a number is from, the likeliest first.

    Args:
        text: digits only.
        country: ISO 3166.
    """
    if text.startswith(_INTERNATIONAL):
        plain = _parsed("+" + text.removeprefix(_INTERNATIONAL), country)
        return [*_parsed(text, country), *plain] if _dials_more(text, country) else plain
    national = _parsed(text, country)
    if text.startswith(_NORTH_AMERICAN):
        return [*national, *_parsed("+" + text.removeprefix(_NORTH_AMERICAN), country)]
    prefix = ndd_prefix_for_region(country, True)
    if prefix and text.startswith(prefix):
        return national
    international = _parsed("+" + text, country)
    return [*international, *national] if prefix == "0" else [*national, *international]


def _dials_more(text: str, country: str) -> bool:
    """Whether what is dialled before a country code is more than 00 there, and the text begins
    with it: 0011 in Australia, or a carrier's digits after 00 in Brazil."""
    known = PhoneMetadata.metadata_for_region(country)
    prefix = None if known is None else known.international_prefix
    return (
        prefix is not None
        and not re.fullmatch(prefix, _INTERNATIONAL)
        and bool(re.match(prefix, text))
    )


def _country(number: str) -> str:
    """ISO 3166 of an E.164 number's country, or of the first that shares its country code."""
    (found,) = _parsed(number, None) or (PhoneNumber(),)
    return region_code_for_number(found) or region_code_for_country_code(found.country_code or 0)


def _parsed(text: str, country: str | None) -> list[PhoneNumber]:
    try:
        return [parse(text, country)]
    except NumberParseException:
        return []


def _e164(number: PhoneNumber) -> str:
    return format_number(number, PhoneNumberFormat.E164)
