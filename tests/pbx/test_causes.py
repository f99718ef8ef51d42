"""Causes: every code that a network may send comes to one of our states, with words for people."""

import pytest

from pbx import causes


@pytest.mark.parametrize(
    ("sip_code", "q850", "dial_status", "state", "name"),
    [
        (486, 17, "BUSY", "busy", "user_busy"),
        (600, 17, "BUSY", "busy", "user_busy"),
        (600, None, "BUSY", "busy", "user_busy"),
        (480, 19, "NOANSWER", "no_answer", "no_answer"),
        (408, 18, "NOANSWER", "no_answer", "no_user_response"),
        (487, 127, "CONGESTION", "no_answer", "interworking"),
        (487, None, None, "no_answer", "normal_unspecified"),
        (404, 1, "NOANSWER", "failed", "unallocated_number"),
        (410, 22, "NOANSWER", "failed", "number_changed"),
        (484, 28, "NOANSWER", "failed", "invalid_number_format"),
        (403, 21, "NOANSWER", "failed", "call_rejected"),
        (603, 21, "NOANSWER", "failed", "call_rejected"),
        (503, 34, "CONGESTION", "failed", "normal_circuit_congestion"),
        (488, None, "CHANUNAVAIL", "failed", "incompatible_destination"),
        (None, 17, "BUSY", "busy", "user_busy"),
        (302, 17, "BUSY", "failed", "redirection_to_new_destination"),
        (301, 44, None, "failed", "redirection_to_new_destination"),
        (None, None, "BUSY", "busy", "user_busy"),
        (None, None, "NOANSWER", "no_answer", "no_answer"),
        (None, None, None, "failed", "normal_unspecified"),
        (799, 126, "SOMETHING", "failed", "normal_unspecified"),
        (487, 127, None, "no_answer", "interworking"),
        (606, None, None, "failed", "incompatible_destination"),
        (607, None, None, "failed", "call_rejected"),
        (608, None, None, "failed", "call_rejected"),
        (608, 127, None, "failed", "call_rejected"),
        (503, 17, None, "busy", "user_busy"),
        (500, 19, None, "no_answer", "no_answer"),
    ],
)
def test_unanswered(
    sip_code: int | None, q850: int | None, dial_status: str | None, state: str, name: str
) -> None:
    cause = causes.unanswered(
        sip_code=sip_code, q850=q850, dial_status=dial_status, alerted=True, sip_call_id="abc"
    )
    assert (cause.state, cause.name, cause.sip_call_id) == (state, name, "abc")


#: What no 180 or 183 had come before.
UNALERTED = [
    # (SIP, Q.850, DIALSTATUS) → (status, whose fault)
    (401, 21, "NOANSWER", "failed", "trunk_refused"),
    (402, 21, None, "failed", "trunk_refused"),
    (407, 21, None, "failed", "trunk_refused"),
    (500, 38, "CONGESTION", "failed", "trunk_failed"),
    (501, 29, None, "failed", "trunk_failed"),
    (502, 27, None, "failed", "trunk_failed"),
    (503, 34, "CONGESTION", "failed", "trunk_failed"),
    (503, None, None, "failed", "trunk_failed"),
    (504, 102, None, "failed", "trunk_failed"),
    (580, 127, None, "failed", "trunk_failed"),
    (None, None, "CHANUNAVAIL", "failed", "trunk_unreachable"),
    (None, 0, "CONGESTION", "failed", "trunk_unreachable"),
    (None, 41, None, "failed", "trunk_unreachable"),
    (None, 102, None, "failed", "trunk_unreachable"),
    # The network's, or the callee's, answer for the number:
    (503, 17, None, "busy", None),
    (503, 1, None, "failed", None),
    (300, 23, None, "failed", None),
    (301, 23, None, "failed", None),
    (302, 23, None, "failed", None),
    (403, 21, None, "failed", None),
    (404, 1, None, "failed", None),
    (408, 18, None, "no_answer", None),
    (408, 102, None, "no_answer", None),
    (410, 22, None, "failed", None),
    (480, 19, None, "no_answer", None),
    (480, 21, None, "no_answer", None),
    (484, 28, None, "failed", None),
    (486, 17, None, "busy", None),
    (487, 127, None, "failed", None),
    (488, 58, None, "failed", None),
    (491, 127, None, "failed", None),
    (600, 17, None, "busy", None),
    (603, 21, None, "failed", None),
    (604, 1, None, "failed", None),
    (606, 58, None, "failed", None),
    (607, 21, None, "failed", None),
    (608, 21, None, "failed", None),
    (None, 0, "NOANSWER", "no_answer", None),
    (None, 17, "BUSY", "busy", None),
]


@pytest.mark.parametrize(("sip_code", "q850", "dial_status", "state", "fault"), UNALERTED)
def test_whose_fault_it_is(
    sip_code: int | None,
    q850: int | None,
    dial_status: str | None,
    state: str,
    fault: str | None,
) -> None:
    told = {"sip_code": sip_code, "q850": q850, "dial_status": dial_status}
    cause = causes.unanswered(**told, alerted=False)  # type: ignore[arg-type]
    assert (cause.state, cause.trunk_fault) == (state, fault)
    if fault is not None:
        rang = causes.unanswered(**told, alerted=True)  # type: ignore[arg-type]
        wanted = "no_answer" if sip_code == 408 else "failed"
        assert (rang.state, rang.trunk_fault) == (wanted, None)


def test_a_trunk_that_says_nothing_is_not_a_person_who_does_not_answer() -> None:
    for sip_code, q850 in ((None, None), (408, 18), (None, 19)):
        cause = causes.unanswered(
            sip_code=sip_code, q850=q850, dial_status="NOANSWER", alerted=False, silent=True
        )
        assert (cause.state, cause.trunk_fault) == ("failed", "trunk_unreachable")
        assert (cause.name, cause.sip_code) == ("recovery_on_timer_expire", None)


def test_raw_codes_are_kept_as_they_came() -> None:
    cause = causes.unanswered(sip_code=404, q850=1, dial_status="NOANSWER", alerted=False)
    assert (cause.sip_code, cause.q850) == (404, 1)


def test_every_cause_has_a_name_and_a_sentence() -> None:
    for q850 in range(128):
        for sip_code in (None, *range(300, 700)):
            cause = causes.unanswered(sip_code=sip_code, q850=q850, dial_status=None, alerted=False)
            assert cause.state in ("no_answer", "busy", "canceled", "failed")
            assert cause.name == cause.name.lower().replace(" ", "_")
            assert cause.message.endswith(".")


def test_answered_and_canceled_calls() -> None:
    assert causes.completed(None).state == "completed"
    assert causes.completed(31).name == "normal_unspecified"
    assert causes.canceled(dialled=True).sip_code == 487
    assert causes.canceled(dialled=False).sip_code is None
    assert causes.lost("The PBX was restarted.").message == "The PBX was restarted."
