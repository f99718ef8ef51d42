"""Where a number is, as time zones: offline, from libphonenumber's tables and the tzdata package.

The host's own zone files are never read, so that every deployment reckons alike.
"""

import difflib
from functools import cache, lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from phonenumbers import NumberParseException, is_valid_number, parse
from phonenumbers.timezone import (
    UNKNOWN_TIMEZONE,
    time_zones_for_geographical_number,
    time_zones_for_number,
)

_TZDATA: Final = resources.files("tzdata")
#: "Factory" is what an unconfigured machine has: no place.
ZONE_NAMES: Final = frozenset(_TZDATA.joinpath("zones").read_text("ascii").split()) - {"Factory"}


class UnknownZoneError(ValueError):
    """Not the name of a time zone; the message names the nearest one."""


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name, as `Europe/Paris`.

    Raises:
        UnknownZoneError: tzdata has no such zone.
    """
    if name not in ZONE_NAMES:
        near = difflib.get_close_matches(name, ZONE_NAMES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownZoneError(f"not an IANA time zone, as Europe/Paris{hint}")
    with _TZDATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@lru_cache(maxsize=4096)
def zones_of(number: str, default: str | None = None) -> tuple[str, ...]:
    """Every time zone in which the owner of an E.164 number may be.

    - A number of a place (`+1 212…`): that place's zone.
    - A mobile, toll-free or other number without a place: all zones of its country. Such a
      number may need `timezone` where the country is wider than the calling window (Russian
      mobiles, North American toll-free numbers); nobody is called on a guess.
    - A number that no numbering plan knows (private plans, test ranges): `default`, if it is
      among the zones of the country code or the country code has none; otherwise those zones.
    - No country at all, and no `default`: empty, in which no calling window ever opens.

    Args:
        number: E.164.
        default: the deployment's own zone, for numbers that no plan knows.
    """
    try:
        parsed = parse(number)
    except NumberParseException:
        return (default,) if default else ()
    if is_valid_number(parsed):
        if found := _known(time_zones_for_number(parsed)):
            return found
        return (default,) if default else ()
    # A geographical look-up goes by the longest known prefix, down to the country code.
    country = _known(time_zones_for_geographical_number(parsed))
    if default and (not country or default in country):
        return (default,)
    return country


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name != UNKNOWN_TIMEZONE)
