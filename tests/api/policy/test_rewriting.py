"""Rules for numbers: the first that fits is applied, and what a pattern means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.base.dial_patterns import compile_pattern, fits
from api.policy.rewriting import Rule, rewrite, steps

PLUS = [Rule("+")]
GERMAN = [Rule("+49", prepend="0"), Rule("+", prepend="00")]
NANP = [Rule("+1", "NXXNXXXXXX", "1"), Rule("+", prepend="011")]
INBOUND = [Rule("00", "X.", "+"), Rule("0", "ZX.", "+49"), Rule("", "ZXXXXX.", "+4930")]


@pytest.mark.parametrize(
    ("rules", "number", "result"),
    [
        ([], "+4930123456", "+4930123456"),
        (PLUS, "+4930123456", "4930123456"),
        (GERMAN, "+4930123456", "030123456"),
        (GERMAN, "+12125550100", "0012125550100"),
        (NANP, "+12125550100", "12125550100"),
        (NANP, "+442071838750", "011442071838750"),
        (NANP, "200", "200"),
        (INBOUND, "004930123456", "+4930123456"),
        (INBOUND, "030123456", "+4930123456"),
        (INBOUND, "1234567", "+49301234567"),
        (INBOUND, "200", "200"),
        ([Rule("+", "X!", "1234#")], "+4930", "1234#4930"),
        ([Rule(match="XXX"), Rule(prepend="9")], "200", "200"),
        ([Rule(match="XXX"), Rule(prepend="9")], "2000", "92000"),
    ],
)
def test_rewriting(rules: list[Rule], number: str, result: str) -> None:
    assert rewrite(number, rules) == result


def test_each_rule_up_to_the_one_that_fits_is_told() -> None:
    told = list(steps("+12125550100", [*GERMAN, Rule("")]))
    assert [one.result for one in told] == [None, "0012125550100"]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("XXX", ["200", "000"], ["20", "2000", "2a0"]),
        ("ZXX", ["200"], ["020"]),
        ("NXX", ["200"], ["120"]),
        ("[13-5]X", ["19", "40"], ["29", "60"]),
        ("[5-3]", ["4"], ["6"]),
        ("9.", ["91", "9*"], ["9"]),
        ("9!", ["9", "91"], ["8"]),
        ("*72", ["*72"], ["72"]),
        (".", ["+", "1"], [""]),
        ("!", [""], ["a"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    assert all(fits(text, pattern) for text in yes)
    assert not any(fits(text, pattern) for text in no)


@pytest.mark.parametrize("pattern", ["", "a", "X.X", "(1)", "[", "[a]", "1|2", "[1-]", "^1", "\\d"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="must be made of"):
        compile_pattern(pattern)


@given(st.text(max_size=20))
def test_a_pattern_is_refused_or_can_be_used(pattern: str) -> None:
    try:
        compile_pattern(pattern)
    except ValueError:
        return
    assert set(pattern) <= set("0123456789*#+XZN[-].!")
