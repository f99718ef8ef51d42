"""Whose number it is that calls: a caller id is what the caller's side says, true or not.

A number that we dialled is the person's own. One that was told to us is so only where the operator
trusts the trunk that told it; else it is good for the record, and for nothing that is done to it.
"""

from typing import Final

from api.resources.call import Call
from api.settings.calling import Calls

_UNPROVEN: Final = (
    "nothing vouches for the caller's number; calls.trusted_caller_id_trunks may name the trunk"
)


def unproven(call: Call, calls: Calls) -> str | None:
    """Why the person's number may be somebody else's; None: it is theirs."""
    told = call.direction != "outbound"
    return _UNPROVEN if told and call.trunk not in calls.trusted_caller_id_trunks else None


def not_texted(call: Call, calls: Calls) -> str | None:
    """Why no text message goes to the person of a call; None: it may."""
    refusal = calls.destinations.refusal(call.person_number, call.our_number)
    return unproven(call, calls) or (None if refusal is None else f"the number {refusal}")
