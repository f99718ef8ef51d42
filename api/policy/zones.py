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
    for end in range(len(number), 2, -1):
        if (area := _AREAS.get(number[:end])) is not None:
            return area
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
    if (most := _UNLISTED.get(number[:5])) is not None:
        return most
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


def _exchanges(area: str, listed: str, name: str) -> dict[str, str]:
    return dict.fromkeys((area + exchange for exchange in listed.split()), name)


#: Where most people of an area are that libphonenumber puts in several zones, or in a wrong one,
#: and those of its exchanges that are elsewhere.
_AREAS: Final = {
    # The west of Kentucky, but Elizabethtown, Radcliff, Campbellsville and around.
    "+1270": "America/Chicago",
    "+1364": "America/Chicago",
    **_exchanges(
        "+1270",
        "234 351 352 358 360 422 465 469 692 699 735 737 763 765 766 769 789 862 877 982",
        "America/New_York",
    ),
    # The panhandle of Florida, but Tallahassee and the east of it.
    "+1850": "America/Chicago",
    "+1448": "America/Chicago",
    **_exchanges(
        "+1850",
        "210 216 219 222 224 251 270 297 309 325 329 383 385 386 391 402 421 422 425 488 508 514 "
        "523 539 545 561 562 574 575 576 577 580 584 597 627 643 644 653 656 663 668 670 671 697 "
        "727 765 838 875 877 878 891 893 894 926 942 973 997",
        "America/New_York",
    ),
    # The east of Tennessee, but the Sequatchie Valley.
    "+1423": "America/New_York",
    **_exchanges("+1423", "447 658 837 942 949", "America/Chicago"),
    # The north-west of Indiana, but White County.
    "+1219": "America/Chicago",
    **_exchanges("+1219", "253 279", "America/New_York"),
    "+1775": "America/Los_Angeles",
    # Chihuahua, whose clocks are Mexico City's since 2022; not its border, nor Sonora.
    **_exchanges("+52", "614 621 625 627 628 629 635 636 639 648 649 652 659", "America/Chihuahua"),
    **_exchanges("+52", "868 891 897", "America/Matamoros"),
    "+5593": "America/Santarem",
    "+60": "Asia/Kuala_Lumpur",
    "+608": "Asia/Kuching",
    # Queensland, but Tweed Heads across the border.
    "+617": "Australia/Brisbane",
    **_exchanges(
        "+6175",
        "506 507 508 513 520 521 522 523 524 525 534 535 536 559 565 566 568 569 576 586 587 "
        "589 590 598 599 601 604 616 624 631 633 643 648 659 663 669",
        "Australia/Sydney",
    ),
    "+6186": "Australia/Perth",
    "+61889": "Australia/Darwin",
    "+6189": "Australia/Perth",
    "+7401": "Europe/Kaliningrad",
    "+7845": "Europe/Saratov",
    "+970": "Asia/Gaza",
}
#: Where most people of an area are, of whose exchanges that it does not list libphonenumber names
#: other zones.
_UNLISTED: Final = {"+1605": "America/Chicago", "+1701": "America/Chicago"}
_OF_COUNTRY: Final = _zones_by_country()
