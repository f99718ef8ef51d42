"""What every call knows of itself: the values of the variables that need not be given."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.base.text import Variables
from api.policy.zones import zone, zone_of
from api.resources.call import Call


def callee_zone(call: Call, default: str | None = None) -> ZoneInfo:
    """Where the person is: as `retry.timezone` says, else as their number does, else as ours does
    (of a caller who hides theirs), else UTC.

    Args:
        call: of whose person.
        default: `calls.default_timezone`.
    """
    if asked := (call.retry or {}).get("timezone"):
        return zone(asked)
    numbers = (call.person_number, call.our_number)
    return zone(next(filter(None, (zone_of(one, default) for one in numbers)), "UTC"))


def facts_of(call: Call, now: datetime) -> dict[str, Any]:
    """The values of `api.base.text.BUILT_IN`.

    Args:
        call: of which.
        now: in the person's zone.
    """
    return {
        "call_id": call.id,
        "call_direction": call.direction,
        "user_phone_number": call.person_number,
        "agent_phone_number": call.our_number,
        "today": now.date().isoformat(),
        "now": now.isoformat(timespec="seconds"),
    }


def values_of(call: Call, at: float, default_zone: str | None = None) -> Mapping[str, Any]:
    """What stands for the variables of a call; arguments as of `effective`."""
    now = datetime.fromtimestamp(at, callee_zone(call, default_zone))
    return Variables(call.variables, facts_of(call, now))
