"""Reading lists that people made with spreadsheets, and writing them so that they come back."""

import csv
import io
import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.base.csv_files import MAX_LISTED, LineError, Read, csv_lines, read_csv, read_table, refuse
from api.base.problems import Problem

COLUMNS = ("number", "reason")


def read(text: str | bytes) -> Read[tuple[str, str]]:
    def take(values: Mapping[str, str]) -> tuple[str, str]:
        if values.get("number") == "bad":
            raise ValueError("is bad")
        return values.get("number", ""), values.get("reason", "")

    body = text if isinstance(text, bytes) else text.encode()
    return read_csv(body, COLUMNS, take, {"phone": "number"})


@pytest.mark.parametrize(
    "text",
    [
        "+491,no\n+492,\n",
        "number,reason\n+491,no\n+492\n",
        "Reason , PHONE\r\nno, +491 \r\n\r\n,+492\r\n",
        "+491;no\n+492;\n",
        "\ufeffnumber,reason\n+491,no\n+492,\n",
        '"+491","no"\n"+492",""',
        "number\n",
    ],
)
def test_files_of_every_spreadsheet_are_read(text: str) -> None:
    wanted = (("+491", "no"), ("+492", "")) if "49" in text else ()
    assert read(text) == Read(wanted, ())


def test_each_wrong_line_is_told_with_its_number() -> None:
    found = read('number,reason\n\nbad,x\n+491,"two\nlines"\nbad\n+492,a,b\n+493,c\n')
    assert found.items == (("+493", "c"),)
    assert found.errors == (
        LineError(3, "is bad"),
        LineError(4, "reason must not hold the control character U+000A"),
        LineError(6, "is bad"),
        LineError(7, "has 3 cells for 2 columns"),
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"number,colour\n", "no column 'colour'; the columns are number, reason"),
        (b"number,phone\n", "named twice"),
        (b'+491,"no\n', "line 1: unexpected end"),
        (b'+491,no\n+492,"a"b\n', "line 2: "),
    ],
)
def test_what_is_no_such_file_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(Problem) as refused:
        read(body)
    assert (refused.value.status, refused.value.code) == (422, "malformed_csv")
    assert told in refused.value.detail


def test_a_refusal_tells_so_many_lines_and_counts_the_rest() -> None:
    problem = refuse([LineError(line, "is bad") for line in range(1, MAX_LISTED + 3)])
    assert problem.errors[0].detail == "line 1: is bad"
    assert problem.errors[-1].detail == "wrong lines beyond these: 2"
    assert len(problem.errors) == MAX_LISTED + 1


FORMULAS = [sign + "cmd|' /C calc'!A0" for sign in "=+-@＝＋－＠﹦﹢﹣﹫"]
LEADS = [
    "",
    " ",
    "\t",
    "\r",
    "\n",
    "\r\n",
    '"',
    "'",
    " '",
    "''",
    "\xa0",
    "\u3000",
    "\ufeff",
    "\u200b",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula_whatever_separates_cells(formula: str) -> None:
    """A file with commas is opened with semicolons or tabs in many countries."""
    ways = [lead + formula for lead in LEADS]
    for cell in (*ways, *(f"a;{way}" for way in ways), *(f"a\t{way}" for way in ways)):
        text = csv_lines([("+491", cell)]).replace("\r", "\n")
        for delimiter in ",;\t":
            reader = csv.reader(io.StringIO(text), delimiter=delimiter)
            for seen in itertools.chain.from_iterable(reader):
                bare = seen.strip().lstrip('"\ufeff\u200b').lstrip()
                assert bare[:1] not in {one[0] for one in FORMULAS} or bare.startswith("+491"), seen


@given(st.lists(st.text(st.sampled_from("=+-@＝;,'\" 1a\u3000\u200b"), min_size=1), min_size=1))
def test_what_was_written_is_read_the_same(texts: list[str]) -> None:
    rows = tuple(("+491", text.strip()) for text in texts if text.strip())
    assert read(csv_lines([COLUMNS, *rows])) == Read(rows, ())


def test_numbers_are_written_as_they_are() -> None:
    assert csv_lines([("+15551234567", -5, "-5", -0.5)]) == "+15551234567,-5,-5,-0.5\r\n"


def test_names_of_columns_are_no_formulas_either() -> None:
    text = csv_lines([("to", "=1+1"), ("+491", "x")])
    assert "'=1+1" in text
    found = read_table(text.encode(), dict)
    assert found.items == ({"to": "+491", "=1+1": "x"},)
