"""Time zones by their IANA names, from the tzdata package.

The host's own zone files are never read, so that every deployment reckons alike.
"""

import difflib
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

TZDATA: Final = resources.files("tzdata")
#: "Factory" is what an unconfigured machine has: no place.
ZONE_NAMES: Final = frozenset(TZDATA.joinpath("zones").read_text("ascii").split()) - {"Factory"}


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
    with TZDATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
