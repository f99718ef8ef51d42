"""Where a number is, as time zones: offline, from libphonenumber's tables and tzdata's."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    is_valid_number_for_region,
    parse,
    region_code_for_number,
    region_codes_for_country_code,
)
from phonenumbers.timezone import (
    UNKNOWN_TIMEZONE,
    time_zones_for_geographical_number,
    time_zones_for_number,
)

from api.base.time_zones import TZDATA, ZONE_NAMES, UnknownZoneError, zone

__all__ = ["ZONE_NAMES", "UnknownZoneError", "zone", "zone_of"]


@lru_cache(maxsize=4096)
def zone_of(number: str, default: str | None = None) -> str | None:
    """The time zone in which the owner of an E.164 number is, as far as the number tells.

    - A number of a place (`+1 212…`): that place's zone.
    - A mobile, toll-free, premium or other number without a place, one that no numbering plan
      knows (private plans, test ranges), and one of an area in several zones: `default`, if it is
      a zone of the number's country or area; otherwise where the capital is, or most people live.
    - No country at all: `default`; with none, nowhere, where no calling window ever opens.

    Args:
        number: E.164.
        default: the deployment's own zone (`calls.default_timezone`).
    """
    try:
        parsed = parse(number)
    except NumberParseException:
        return default
    country = region_code_for_number(parsed)
    if country is not None and len(_OF_COUNTRY.get(country, ())) == 1:
        return _OF_COUNTRY[country][0]
    for prefix, name in _AREAS.items():
        if number.startswith(prefix):
            return name
    # What no plan knows goes by the longest known prefix, down to the country code.
    by_prefix = time_zones_for_geographical_number(parsed)
    found = _known(time_zones_for_number(parsed)) or _known(by_prefix)
    if len(found) == 1:
        return found[0]
    places = _zones_of_countries(parsed)
    if not places:
        return default
    whole = PhoneNumber(country_code=parsed.country_code, national_number=0)
    anywhere = found == _known(time_zones_for_geographical_number(whole))
    if default is not None and _canonical(default) in (places if anywhere else found):
        return default
    return next((name for name in places if anywhere or name in found), found[0])


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name != UNKNOWN_TIMEZONE)


@cache
def _canonical(name: str) -> str:
    """Another name's zone: `America/Los_Angeles` of `US/Pacific`."""
    for line in TZDATA.joinpath("zoneinfo", "tzdata.zi").read_text("ascii").splitlines():
        if line.startswith("L ") and line.endswith(f" {name}"):
            return line.split()[1]
    return name


def _zones_of_countries(number: PhoneNumber) -> tuple[str, ...]:
    """The zones of those countries that may have given out a number, the likeliest first."""
    sharing = region_codes_for_country_code(number.country_code or 0)
    giving = [country for country in sharing if is_valid_number_for_region(number, country)]
    return tuple(name for country in giving or sharing for name in _OF_COUNTRY.get(country, ()))


def _zones_by_country() -> Mapping[str, Sequence[str]]:
    """What tzdata says of each country (ISO 3166), the zone of its capital first."""
    found: dict[str, list[str]] = {}
    for line in TZDATA.joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            found.setdefault(country, []).append(name)
    for country, capital in _CAPITALS.items():
        found[country].sort(key=lambda name: name != capital)
    return found


#: Where the list goes from east to west, not from the most people to the fewest.
_CAPITALS: Final = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "FM": "Pacific/Pohnpei",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
}
#: Where most people of an area are that libphonenumber puts in several zones, or in a wrong one.
_AREAS: Final = {
    "+1775": "America/Los_Angeles",
    "+6186": "Australia/Perth",
    "+6189": "Australia/Perth",
    "+970": "Asia/Gaza",
}
_OF_COUNTRY: Final = _zones_by_country()
