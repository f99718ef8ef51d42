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
    ],
)
def test_unanswered(
    sip_code: int | None, q850: int | None, dial_status: str | None, state: str, name: str
) -> None:
    cause = causes.unanswered(
        sip_code=sip_code, q850=q850, dial_status=dial_status, alerted=True, sip_call_id="abc"
    )
    assert (cause.state, cause.name, cause.sip_call_id) == (state, name, "abc")


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
