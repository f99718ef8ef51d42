"""Numbers in the forms in which trunks tell them."""

import pytest

from api.dialing.inbound_numbers import ANONYMOUS, caller_number, dialled_number
from api.resources.number import OwnedNumber


def owned(*numbers: str) -> list[OwnedNumber]:
    return [OwnedNumber(one, id=one, created_at=0.0, updated_at=0.0) for one in numbers]


@pytest.mark.rows("CB-54")
@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("+4930123456", "+4930123456"),
        ("4930123456", "+4930123456"),
        ("004930123456", "+4930123456"),
        ("030 123456", "+4930123456"),
        ("+49 (30) 123-456", "+4930123456"),
        ("12125550100", "+12125550100"),
        ("2125550100", "+12125550100"),
        ("0114930123456", None),
        ("0612345678", "+390612345678"),
        ("+30123456", None),
        ("123456", None),
        ("", None),
        ("+", None),
        ("s", None),
        ("²", None),
        ("+49301234560", None),
    ],
)
def test_which_number_was_dialled(told: str, number: str | None) -> None:
    found = dialled_number(told, owned("+4930123456", "+12125550100", "+390612345678"))
    assert (found and found.number) == number


def test_a_form_that_two_numbers_have_is_neither() -> None:
    two = owned("+4930123456", "+4330123456")
    assert dialled_number("030123456", two) is None
    assert dialled_number("+4330123456", two) == two[1]


@pytest.mark.rows("RV-286")
@pytest.mark.parametrize(
    ("told", "ours", "number"),
    [
        ("+15557654321", "+4930123456", "+15557654321"),
        ("030 654321", "+4930123456", "+4930654321"),
        ("004315557654", "+4930123456", "+4315557654"),
        ("2125550111", "+12125550100", "+12125550111"),
        ("12125550111", "+12125550100", "+12125550111"),
        ("5550111", "+12125550100", "5550111"),
        ("101", "+4930123456", "101"),
        ("+123", "+4930123456", "+123"),
        (None, "+4930123456", ANONYMOUS),
        ("Anonymous", "+4930123456", ANONYMOUS),
        ("restricted", "+4930123456", ANONYMOUS),
        ("1" * 16, "+4930123456", ANONYMOUS),
        ("alice;--", "+4930123456", ANONYMOUS),
    ],
)
def test_who_calls(told: str | None, ours: str, number: str) -> None:
    assert caller_number(told, ours) == number
    assert len(number) <= 16
