"""The table of rows says what the tests say."""

import pytest

from tests.rows import PAGE, Shown, State, numbers_in, page, rows, shown


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m tests.rows > tests/coverage.md"
    )


def test_every_cited_row_exists() -> None:
    known = {row.number for row in rows()}
    assert {number: cited.tests for number, cited in shown().items() if number not in known} == {}


def test_citations_are_read() -> None:
    text = "CB-9 and RV-48…51 (X-CB-1..2); RV-101, 103…104, OI-7."
    assert list(numbers_in(text)) == [
        "CB-9",
        *("RV-48", "RV-49", "RV-50", "RV-51"),
        *("X-CB-1", "X-CB-2"),
        *("RV-101", "RV-103", "RV-104"),
        "OI-7",
    ]


@pytest.mark.parametrize(
    ("marks", "state"),
    [
        ({"works"}, "works"),
        ({"refused"}, "refused"),
        ({"partial"}, "partial"),
        ({"works", "partial"}, "partial"),
        ({"works", "refused"}, "partial"),
    ],
)
def test_a_row_is_no_more_than_any_test_says_of_it(marks: set[State], state: State) -> None:
    assert Shown(states=marks).state == state
