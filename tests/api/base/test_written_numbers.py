"""Numbers as people write them: one E.164, or a reason that says how to mend it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.base.numbers import is_e164
from api.base.written_numbers import read_number


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("+15551234567", None, "+15551234567"),
        ("+1 (555) 123-4567", None, "+15551234567"),
        ("+49 (0)30 123456", None, "+4930123456"),
        (" +44 20 7183 8750 ", "US", "+442071838750"),
        ("(555) 123-4567", "US", "+15551234567"),
        ("555.123.4567", "US", "+15551234567"),
        ("1-212-555-0100", "US", "+12125550100"),
        ("011 44 20 7183 8750", "US", "+442071838750"),
        ("030/123456", "DE", "+4930123456"),
        ("0049 30 123456", "DE", "+4930123456"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("22 12 34 56", "NO", "+4722123456"),
    ],
)
def test_what_is_meant(written: str, country: str | None, number: str) -> None:
    assert read_number(written, country) == number


@pytest.mark.parametrize(
    ("written", "country", "told"),
    [
        ("(555) 123-4567", None, "calls.default_country"),
        ("123-4567", "US", "area code"),
        ("4930123456", "US", "may be"),
        ("442071838750", "US", "may be"),
        ("12", "US", "too short"),
        ("1 212 555 01000", "US", "too long"),
        ("0301234567890123456", "DE", "no number of DE"),
        ("call me", "US", "E.164"),
        ("1-800-FLOWERS", "US", "E.164"),
        ("212 555 0100 ext. 12", "US", "E.164"),
        ("212 555 0100,,12", "US", "E.164"),
        ("sip:bob@example.org", "US", "E.164"),
        ("", "US", "E.164"),
        ("+", "US", "E.164"),
        ("+1" + "5" * 60, "US", "E.164"),
        ("\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660", "US", "E.164"),
    ],
)
def test_what_is_refused_and_why(written: str, country: str | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_number(written, country)


@given(st.text(alphabet="+0123456789 ()-./x&@,", max_size=45), st.sampled_from(["US", "DE", None]))
def test_whatever_is_written_is_e164_or_refused(written: str, country: str | None) -> None:
    try:
        number = read_number(written, country)
    except ValueError:
        return
    assert is_e164(number)
