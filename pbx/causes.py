"""What it means that an attempt ended: from Q.850, SIP and Asterisk's dial status to `Cause`.

The SIP final response says best what the network meant, so it decides the state; the Q.850 cause
gives the name; `DIALSTATUS` is the last resort, where the PBX itself gave up. Names are those of
Q.850 in lower snake case, as telephony knows them. Sources: ITU-T Q.850, RFC 3261 section 21,
RFC 3398 sections 7.2.4.1 and 8.2.6, RFC 3326, RFC 8197 and RFC 8688. The table is in
`docs/dialing.md`.
"""

from collections.abc import Mapping
from typing import Final

from pbx.switch import Cause, EndState, TrunkFault

#: Q.850 cause → (state before the answer, name, sentence).
_Q850: Final[Mapping[int, tuple[EndState, str, str]]] = {
    1: ("failed", "unallocated_number", "The number is not assigned to anybody."),
    2: ("failed", "no_route_transit_net", "The carrier knows no route to that network."),
    3: ("failed", "no_route_destination", "The carrier knows no route to this number."),
    6: ("failed", "channel_unacceptable", "The carrier refused the channel."),
    16: ("failed", "normal_clearing", "The call was hung up."),
    17: ("busy", "user_busy", "The line was busy."),
    18: ("no_answer", "no_user_response", "The phone did not respond."),
    19: ("no_answer", "no_answer", "Nobody answered."),
    20: ("no_answer", "subscriber_absent", "The phone was switched off or out of reach."),
    21: ("failed", "call_rejected", "The call was rejected."),
    22: ("failed", "number_changed", "The number has changed."),
    23: (
        "failed",
        "redirection_to_new_destination",
        "The number is redirected to another one, which was not called.",
    ),
    25: ("failed", "exchange_routing_error", "The network could not route the call."),
    26: ("canceled", "non_selected_user_clearing", "The call was taken elsewhere."),
    27: ("failed", "destination_out_of_order", "The destination cannot be reached."),
    28: ("failed", "invalid_number_format", "The number is incomplete or malformed."),
    29: ("failed", "facility_rejected", "The network refused a feature of the call."),
    31: ("failed", "normal_unspecified", "The network ended the call without saying why."),
    34: ("failed", "normal_circuit_congestion", "The carrier has no free circuit."),
    38: ("failed", "network_out_of_order", "The carrier's network is out of order."),
    41: ("failed", "normal_temporary_failure", "The carrier failed for the moment."),
    42: ("failed", "switch_congestion", "The carrier's switch is congested."),
    43: ("failed", "access_info_discarded", "The network dropped information about the call."),
    44: ("failed", "requested_chan_unavail", "The requested circuit is not available."),
    47: ("failed", "resource_unavailable", "The network lacks resources for the call."),
    50: ("failed", "facility_not_subscribed", "The trunk has not subscribed to that feature."),
    52: ("failed", "outgoing_call_barred", "The trunk may not make this call."),
    54: ("failed", "incoming_call_barred", "The destination accepts no calls."),
    55: ("failed", "incoming_call_barred", "The destination accepts no calls."),
    57: ("failed", "bearercapability_notauth", "The trunk may not make such calls."),
    58: ("failed", "bearercapability_notavail", "The network cannot carry such calls now."),
    63: ("failed", "service_unavailable", "The service is not available."),
    65: ("failed", "bearercapability_notimpl", "The network cannot carry such calls."),
    69: ("failed", "facility_not_implemented", "The network does not have that feature."),
    79: ("failed", "service_not_implemented", "The network does not have that service."),
    88: ("failed", "incompatible_destination", "Both sides have no codec in common."),
    95: ("failed", "invalid_msg_unspecified", "The network found the request malformed."),
    96: ("failed", "mandatory_ie_missing", "The network found the request incomplete."),
    102: ("failed", "recovery_on_timer_expire", "The carrier did not respond in time."),
    111: ("failed", "protocol_error", "Both sides disagreed about the protocol."),
    127: ("failed", "interworking", "A network on the way ended the call without saying why."),
}

#: SIP final response → Q.850 cause where the PBX tells none (RFC 3398 section 8.2.6.1).
_SIP_TO_Q850: Final[Mapping[int, int]] = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22,
    413: 127, 414: 127, 415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41,
    482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 488: 88, 500: 41, 501: 79, 502: 38, 503: 41,
    504: 102, 505: 127, 513: 127, 600: 17, 603: 21, 604: 1, 606: 88, 607: 21, 608: 21,
}  # fmt: skip

#: Of codes for which PBXs only say "interworking" (RFC 8197, RFC 8688).
_UNKNOWN_TO_PBXS: Final[Mapping[int, int]] = {607: 21, 608: 21}
#: SIP final responses whose state is not "failed".
_SIP_STATES: Final[Mapping[int, EndState]] = {
    408: "no_answer",
    480: "no_answer",
    486: "busy",
    487: "no_answer",  # nobody asked for it: a network on the way stopped the ringing
    600: "busy",
}

#: Answers to us, not about the number: our credentials, or our account, are not good.
_REFUSES_US: Final = frozenset({401, 402, 407})
#: Q.850 causes of the number's own network. Where a carrier's 5xx has one as its Reason (RFC 3326),
#: the call got there.
_OF_THE_NUMBER: Final = frozenset({1, 16, 17, 18, 19, 20, 21, 22, 28})

#: Q.850 causes that a PBX gives of its own accord, with no answer to its INVITE.
_GAVE_UP: Final = frozenset({27, 38, 41, 102})
_UNREACHABLE_DIAL_STATUS: Final = frozenset({"CHANUNAVAIL", "CONGESTION"})
_NO_ANSWER_AT_ALL: Final = "The trunk gave no answer: check its address and the network."

#: SIP final responses that say more than their Q.850 cause.
_SIP_SENTENCES: Final[Mapping[int, str]] = {
    401: "The carrier refused the trunk's credentials: mend its username and password.",
    402: "The carrier wants to be paid first.",
    403: "The carrier or the callee forbade the call.",
    407: "The carrier refused the trunk's credentials: mend its username and password.",
    408: "The destination did not respond in time.",
    480: "The phone cannot be reached at the moment.",
    487: "The network ended the call before anybody answered.",
    488: "The far end takes none of the codecs that were offered.",
    603: "The callee declined the call.",
    606: "The far end takes none of the codecs that were offered.",
    607: "The callee marked the call as unwanted.",
    608: "The carrier's screening rejected the call.",
}

_DIAL_STATUS: Final[Mapping[str, int]] = {
    "BUSY": 17,
    "NOANSWER": 19,
    "CONGESTION": 34,
    "CHANUNAVAIL": 27,
    "CANCEL": 26,
    "INVALIDARGS": 28,
}

#: RFC 3261 section 9.1: what an INVITE that was cancelled is answered with.
_REQUEST_TERMINATED: Final = 487
_OK: Final = 200
_REDIRECTION: Final = 23
_TIMER_EXPIRED: Final = 102
_INCOMPATIBLE: Final = 88


def completed(q850: int | None, sip_call_id: str | None = None) -> Cause:
    """An answered call that was hung up by either side."""
    _, name, message = _Q850.get(q850 or 16, _Q850[16])
    return Cause("completed", name, message, q850 or 16, _OK, sip_call_id)


def without_codec(sip_call_id: str | None = None) -> Cause:
    """A call that was answered with nothing to talk by, so that the PBX hung up."""
    state, name, message = _Q850[_INCOMPATIBLE]
    return Cause(state, name, message, _INCOMPATIBLE, None, sip_call_id)


def canceled(*, dialled: bool, sip_call_id: str | None = None) -> Cause:
    """The caller's side, which is ours on outbound calls, hung up before the answer.

    Args:
        dialled: the carrier had responded, so that its INVITE ended with 487.
        sip_call_id: the trunk leg's.
    """
    return Cause(
        "canceled",
        "originator_cancel",
        "The call was canceled before anybody answered.",
        None,
        _REQUEST_TERMINATED if dialled else None,
        sip_call_id,
    )


def unanswered(
    *,
    sip_code: int | None,
    q850: int | None,
    dial_status: str | None,
    alerted: bool,
    silent: bool = False,
    sip_call_id: str | None = None,
) -> Cause:
    """An attempt that ended before the answer, not by our wish.

    Args:
        sip_code: final response to the INVITE, where there was one.
        q850: cause that the PBX told; 0 and None are "unknown".
        dial_status: Asterisk's `DIALSTATUS`.
        alerted: the carrier had responded with 180 or 183.
        silent: it had not responded at all, not even with 100.
        sip_call_id: the trunk leg's.
    """
    fault = None if alerted else _trunk_fault(sip_code, q850, dial_status, silent=silent)
    if fault == "trunk_unreachable":
        gave_up = q850 if q850 in _GAVE_UP else _TIMER_EXPIRED
        name = _Q850[gave_up][1]
        return Cause("failed", name, _NO_ANSWER_AT_ALL, gave_up, None, sip_call_id, fault)
    timed_out = sip_code is None and dial_status == "NOANSWER" and (q850 or 0) in (0, 16)
    if timed_out:
        sip_code = _REQUEST_TERMINATED if alerted else None
        return Cause("no_answer", "no_answer", _Q850[19][2], 19, sip_code, sip_call_id)
    if sip_code is not None and 300 <= sip_code < 400:
        q850 = _REDIRECTION  # what a PBX has in its place is about its not following
    known = q850 or (sip_code and _SIP_TO_Q850.get(sip_code)) or _DIAL_STATUS.get(dial_status or "")
    telling = _UNKNOWN_TO_PBXS.get(sip_code or 0, known)
    state, name, message = _Q850.get(telling or 31, _Q850[31])
    if sip_code is not None:
        state = _state(sip_code, q850, alerted=alerted)
        message = _SIP_SENTENCES.get(sip_code, message)
    return Cause(state, name, message, known or None, sip_code, sip_call_id, fault)


def _trunk_fault(
    sip_code: int | None, q850: int | None, dial_status: str | None, *, silent: bool
) -> TrunkFault | None:
    """How our own trunk kept the call from its number, of which nothing was heard."""
    if silent:
        return "trunk_unreachable"
    if sip_code is None:
        gave_up = dial_status in _UNREACHABLE_DIAL_STATUS or q850 in _GAVE_UP
        return "trunk_unreachable" if gave_up else None
    if sip_code in _REFUSES_US:
        return "trunk_refused"
    failed = 500 <= sip_code < 600 and q850 not in _OF_THE_NUMBER
    return "trunk_failed" if failed else None


def _state(sip_code: int, q850: int | None, *, alerted: bool) -> EndState:
    if sip_code == _REQUEST_TERMINATED:
        return "no_answer" if alerted else "failed"
    if 500 <= sip_code < 600 and q850 in _OF_THE_NUMBER:
        return _Q850[q850][0]
    return _SIP_STATES.get(sip_code, "failed")


def lost(message: str, sip_call_id: str | None = None) -> Cause:
    """The PBX no longer has the call, or we no longer have the PBX; `message` says which."""
    return Cause("failed", "pbx_lost_call", message, None, None, sip_call_id)
