"""What a trunk's own rules make of the numbers that it tells."""

import pytest

from api.dialing.inbound_numbers import caller_number, meant
from api.policy.rewriting import Rule

RULES = [Rule("0", "ZX.", "+49"), Rule(match="1XX", prepend="+49301234")]


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("030123456", "+4930123456"),
        ("(030) 123-456", "+4930123456"),
        ("sip:030123456@carrier.example;user=phone", "+4930123456"),
        ("117", "+49301234117"),
        ("sip:alice@carrier.example", "sip:alice@carrier.example"),
        ("2001", "2001"),
        ("anonymous", "anonymous"),
    ],
)
def test_what_is_meant(told: str, number: str) -> None:
    assert meant(told, RULES) == number


def test_a_caller_is_read_as_usual_after_the_rules() -> None:
    assert caller_number(meant("030123456", RULES), "+12125550100") == "+4930123456"
    assert caller_number(meant("2125550142", RULES), "+12125550100") == "+12125550142"
