"""What every call knows of itself: the values of the variables that need not be given."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.dialing.zones import zone, zones_of
from api.records import Call


def callee_zone(call: Call, default: str | None = None) -> ZoneInfo:
    """Where the person is: as `retry.timezone` says, else as their number does, else UTC.

    Args:
        call: of whose person.
        default: taken where the number may be in several zones, if it is one of them, and where
            no numbering plan knows it.
    """
    if asked := (call.retry or {}).get("timezone"):
        return zone(asked)
    known = zones_of(_person(call), default) or ("UTC",)
    return zone(default if default in known else known[0])


def facts_of(call: Call, now: datetime) -> dict[str, Any]:
    """The values of `api.agents.templates.BUILT_IN`.

    Args:
        call: of which.
        now: in the person's zone.
    """
    inbound = call.direction == "inbound"
    return {
        "call_id": call.id,
        "call_direction": call.direction,
        "user_phone_number": _person(call),
        "agent_phone_number": call.to_number if inbound else call.from_number,
        "today": now.date().isoformat(),
        "now": now.isoformat(timespec="seconds"),
    }


def _person(call: Call) -> str:
    return call.from_number if call.direction == "inbound" else call.to_number
