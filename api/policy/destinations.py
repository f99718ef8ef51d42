"""Where calls may go: a pure rule on numbering plans and on what the operator allows.

What is dialled costs the operator's money, and a stolen key dials where somebody earns by it. So
by default only the caller number's own country is called, and there no number that costs more
than others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberType,
    ValidationResult,
    is_possible_number_with_reason,
    is_valid_number_for_region,
    national_significant_number,
    number_type,
    parse,
    region_code_for_country_code,
    region_code_for_number,
)
from phonenumbers.shortnumberinfo import (
    connects_to_emergency_number,
    is_emergency_number,
    is_valid_short_number,
)

from api.base.numbers import is_extension
from api.base.sip_uris import is_sip_uri, user_of

#: ISO 3166 codes that numbering plans know.
COUNTRIES: Final = frozenset(SUPPORTED_REGIONS)
#: Of country codes that belong to no country: satellites, international premium numbers, ….
_NOWHERE: Final = "001"
#: What is not called unless its prefix is named, also at home.
_COSTLY: Final[Mapping[int, str]] = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal number",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.UAN: "a company's access number (UAN)",
    PhoneNumberType.VOICEMAIL: "a voicemail access number",
}
#: Emergency numbers that telephones know everywhere (3GPP TS 22.101 section 10.1).
_EMERGENCY: Final = frozenset({"112", "911"})
#: What a PBX may want before a number of the outside.
_OUTSIDE_LINE: Final = "089"
#: Leading digits of a national number that tell of what kind its neighbours are.
_LEADING: Final = 3
_REMEMBERED: Final = 4096


@dataclass(frozen=True)
class Destinations:
    """Where a deployment calls."""

    countries: frozenset[str] = frozenset()
    """ISO 3166 codes of countries that are called from everywhere."""
    prefixes: tuple[str, ...] = ()
    """Of numbers that are called whatever they are: `+` and digits. One that is no longer than a
    country code names that country's ordinary numbers only; `+` alone every ordinary number."""

    @staticmethod
    def countries_of(numbers: Iterable[str]) -> frozenset[str]:
        """ISO 3166 codes of the countries that E.164 numbers are of."""
        found = (_look_at(number).country for number in numbers)
        return frozenset(country for country in found if country is not None)

    def refusal(self, number: str, ours: str) -> str | None:
        """Why `number` is not called, as a predicate to it; None: it may be.

        Args:
            number: E.164, or an extension or SIP URI, which a trunk has to allow (`trunks_for`).
            ours: the caller number that is shown, whose country is at home.
        """
        home = self.countries_of([ours]) | self.countries
        if is_extension(number) or is_sip_uri(number):
            keys = user_of(number) if is_sip_uri(number) else number
            return "is an emergency number" if _saves_lives(keys, home) else None
        seen = _look_at(number)
        named = [prefix for prefix in self.prefixes if number.startswith(prefix)]
        if any(len(prefix) >= seen.named_from for prefix in named):
            return None
        if seen.kind is not None:
            return f"is {seen.kind}; calls.allowed_prefixes may name it"
        if seen.country is None:
            return None  # free of charge from everywhere (+800)
        if named or any(_belongs(number, country) for country in home):
            return None
        return (
            f"is in another country ({seen.country}); calls.allowed_countries or "
            "calls.allowed_prefixes may name it"
        )


#: Nowhere but at home.
HOME: Final = Destinations()


@dataclass(frozen=True)
class _Seen:
    """What the numbering plans say of a number."""

    country: str | None
    """ISO 3166; None of no country."""
    kind: str | None
    """What makes it special; None of an ordinary number."""
    named_from: int
    """Characters from which a prefix names it, special as it is."""


@lru_cache(_REMEMBERED)
def _look_at(number: str) -> _Seen:
    try:
        parsed = parse(number)
    except NumberParseException:
        return _Seen(None, "of no country's numbering plan", len("+1"))
    code = parsed.country_code or 0
    code_length = len(f"+{code}")
    country = region_code_for_number(parsed) or region_code_for_country_code(code)
    if country == _NOWHERE and number_type(parsed) == PhoneNumberType.TOLL_FREE:
        return _Seen(None, None, code_length)
    if country == _NOWHERE:
        return _Seen(None, "a satellite or international number of no country", code_length)
    return _Seen(country, _special(parsed, country), code_length + 1)


def _special(number: PhoneNumber, country: str) -> str | None:
    found = number_type(number)
    if found != PhoneNumberType.UNKNOWN:
        return _COSTLY.get(found)
    if is_possible_number_with_reason(number) == ValidationResult.TOO_LONG:
        return "longer than its country's numbers are"
    national = national_significant_number(number)
    if connects_to_emergency_number(national, country) or is_valid_short_number(number):
        return "an emergency or short number"
    return _kind_of_neighbours(number, national, country)


def _kind_of_neighbours(number: PhoneNumber, national: str, country: str) -> str | None:
    """What numbers are that begin like one that the plan does not know: a carrier may take more
    than the plan says. Where some are ordinary, None; where none is known, only fictional numbers
    are (555 in North America): what is behind a code of no range may be another network."""
    metadata = PhoneMetadata.metadata_for_region(country)
    general = None if metadata is None else metadata.general_desc
    lengths = () if general is None else general.possible_length
    start = national[:_LEADING]
    zero = number.italian_leading_zero
    kinds = {
        number_type(PhoneNumber(number.country_code, int(start.ljust(length, digit)), None, zero))
        for length in lengths
        for digit in "0123456789"
        if length > len(start)
    } - {PhoneNumberType.UNKNOWN}
    if not kinds:
        fictional = number.country_code == 1 and "555" in (national[:3], national[3:6])
        return None if fictional else "of no range of its country's numbering plan"
    return _COSTLY[min(kinds)] if kinds <= _COSTLY.keys() else None


def _saves_lives(extension: str, countries: Iterable[str]) -> bool:
    """Whether a PBX may take an extension for an emergency number, with an outside line or not."""
    meant = {extension}
    if extension[0] in _OUTSIDE_LINE:
        meant.add(extension[1:])
    return bool(meant & _EMERGENCY) or any(
        is_emergency_number(one, country) for one in meant for country in countries
    )


@lru_cache(_REMEMBERED)
def _belongs(number: str, country: str) -> bool:
    """Whether a number is of a country, also where it shares it with others (toll-free ones of
    North America)."""
    seen = _look_at(number).country == country
    return seen or is_valid_number_for_region(parse(number), country)
