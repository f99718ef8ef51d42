import json
from typing import Any

import pytest
from hypothesis import given

from api.base.fields import Body, parse_fields
from api.base.problems import Problem
from api.policy.retry import (
    DEFAULT_RETRY,
    CallingWindow,
    RetryFields,
    RetryPolicy,
    parse_retry,
    parse_time,
    retry_json,
)
from tests.api.policy.oracle import policies

MON_TO_FRI = frozenset({"monday", "tuesday", "wednesday", "thursday", "friday"})


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("17:00", 1020),  # RV-118
        ("09:00", 540),  # RV-124
        ("9:00", 540),
        ("00:00", 0),
        ("23:59", 1439),
        ("24:00", 1440),
        ("6pm", 1080),  # RV-118
        ("10am", 600),  # RV-122
        ("9:30pm", 1290),
        ("9:30 PM", 1290),
        ("12am", 0),
        ("12:15am", 15),
        ("12pm", 720),
    ],
)
def test_both_formats_of_times(text: str, minute: int) -> None:
    """RV-120."""
    assert parse_time(text) == minute


@pytest.mark.parametrize(
    "text",
    ["17", "24:01", "25:00", "9:60", "0pm", "13pm", "9:60pm", "9.30", "", "pm", "9:5", "-1:00",
     "009:00", "17:00:00", "٩:٠٠", "6pm\n", " 6pm", "6 p.m."],
)  # fmt: skip
def test_no_other_format(text: str) -> None:
    assert parse_time(text) is None


def test_an_empty_policy_is_the_default() -> None:
    """RV-109, RV-112, RV-119, RV-123, RV-129, RV-133."""
    policy = parse_retry({})
    assert policy == DEFAULT_RETRY
    assert policy.allowed_days == MON_TO_FRI
    assert policy.calling_windows == (CallingWindow(600, 1080, 7200),)
    assert policy.call_twice_in_a_row is False
    assert policy.max_attempts == 3
    assert policy.timezone is None


@pytest.mark.parametrize(
    ("given_json", "expected"),
    [
        ({"allowed_days": ["sunday", "sunday"]}, RetryPolicy(frozenset({"sunday"}))),
        ({"calling_windows": [{}]}, RetryPolicy()),
        (
            {"calling_windows": [{"end": "8pm"}, {"start": "9am", "retry_delay_seconds": 60.5}]},
            RetryPolicy(calling_windows=(CallingWindow(600, 1200), CallingWindow(540, 1080, 60.5))),
        ),
        (
            {"calling_windows": [{"start": "22:00", "end": "2am"}]},
            RetryPolicy(calling_windows=(CallingWindow(1320, 120),)),
        ),
        (
            {"calling_windows": [{"start": "0:00", "end": "24:00"}]},
            RetryPolicy(calling_windows=(CallingWindow(0, 1440),)),
        ),
        ({"call_twice_in_a_row": True}, RetryPolicy(call_twice_in_a_row=True)),
        ({"max_attempts": 5.0}, RetryPolicy(max_attempts=5)),
        ({"timezone": "Europe/Paris"}, RetryPolicy(timezone="Europe/Paris")),
        ({"max_attempts": None, "timezone": None, "allowed_days": None}, RetryPolicy()),
    ],
)
def test_what_is_left_out_is_completed(given_json: Any, expected: RetryPolicy) -> None:
    assert parse_retry(given_json) == expected


class Order(Body):
    """What a policy stands in."""

    retry: RetryFields | None


WINDOW = "/retry/calling_windows/0"


@pytest.mark.parametrize(
    ("wrong", "pointers"),
    [
        pytest.param([], ["/retry"], id="no object"),
        pytest.param({"max_atempts": 2}, ["/retry/max_atempts"], id="unknown key"),
        pytest.param({"allowed_days": []}, ["/retry/allowed_days"], id="no day"),
        pytest.param({"allowed_days": "monday"}, ["/retry/allowed_days"], id="no list"),
        pytest.param(
            {"allowed_days": ["monday", "Monday", {}]},
            ["/retry/allowed_days/1", "/retry/allowed_days/2"],
            id="no weekday",
        ),
        pytest.param({"calling_windows": []}, ["/retry/calling_windows"], id="no window"),
        pytest.param({"calling_windows": [{}] * 25}, ["/retry/calling_windows"], id="too many"),
        pytest.param({"calling_windows": ["10-18"]}, [WINDOW], id="no window object"),
        pytest.param(
            {"calling_windows": [{"start": "17", "end": 18, "retry_delay_seconds": 0}]},
            [f"{WINDOW}/start", f"{WINDOW}/end", f"{WINDOW}/retry_delay_seconds"],
            id="RV-120, RV-127: all at once",
        ),
        pytest.param(
            {"calling_windows": [{"start": "24:00", "end": "8:00"}]}, [f"{WINDOW}/start"], id="24h"
        ),
        pytest.param(
            {"calling_windows": [{"start": "9:00", "end": "9am"}]}, [f"{WINDOW}/end"], id="empty"
        ),
        pytest.param({"calling_windows": [{"start": "19:00"}]}, [f"{WINDOW}/end"], id="23 hours"),
        pytest.param({"calling_windows": [{"end": "9:00"}]}, [f"{WINDOW}/start"], id="23 hours'"),
        pytest.param({"call_twice_in_a_row": 1}, ["/retry/call_twice_in_a_row"], id="no boolean"),
        pytest.param({"max_attempts": 0}, ["/retry/max_attempts"], id="RV-131"),
        pytest.param({"max_attempts": 51}, ["/retry/max_attempts"], id="RV-132"),
        pytest.param({"max_attempts": 2.5}, ["/retry/max_attempts"], id="no whole number"),
        pytest.param({"max_attempts": True}, ["/retry/max_attempts"], id="a boolean"),
        pytest.param({"timezone": "Mars/Base"}, ["/retry/timezone"], id="RV-134"),
        pytest.param({"timezone": 1}, ["/retry/timezone"], id="a number for a zone"),
    ],
)
def test_wrong_members_are_pointed_at(wrong: Any, pointers: list[str]) -> None:
    with pytest.raises(Problem) as problem:
        parse_fields(Order, {"retry": wrong})
    assert problem.value.status == 422
    assert [error.pointer for error in problem.value.errors] == pointers


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1, 10**400, "60", True, []])
def test_a_delay_is_a_sane_number(number: object) -> None:
    """RV-128."""
    with pytest.raises(Problem) as problem:
        parse_fields(Order, {"retry": {"calling_windows": [{"retry_delay_seconds": number}]}})
    assert problem.value.errors[0].pointer == f"{WINDOW}/retry_delay_seconds"


@given(policy=policies)
def test_a_policy_survives_its_json(policy: RetryPolicy) -> None:
    assert parse_retry(retry_json(policy)) == policy


def test_a_policy_is_stored_as_it_was_given() -> None:
    wish = {"calling_windows": [{"end": "6pm", "retry_delay_seconds": 60}], "timezone": None}
    stored = RetryFields.model_validate(wish).model_dump(exclude_unset=True)
    assert json.dumps(stored) == json.dumps(wish)
