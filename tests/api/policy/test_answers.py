"""The table of SIP answers in `docs/dialing.md` is what the code makes of each of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.policy.decide import AttemptFacts, DialNow, OrderFacts, Stop, decide
from api.policy.retry import RetryPolicy
from pbx import causes
from tests.api.policy.oracle import unix

PAGE: Final = Path(__file__).parents[3] / "docs/dialing.md"
NOON: Final = unix("2026-11-20T12:00+01:00")  # a Friday
ORDER: Final = OrderFacts(("Europe/Berlin",), RetryPolicy(), ways=("b",), patient=True)


@dataclass(frozen=True)
class Row:
    codes: frozenset[int]
    rang: bool | None
    """None: it is the same either way."""
    told: tuple[str, str, str]


def rows() -> Iterator[Row]:
    table = PAGE.read_text().split("<!-- answers:")[1].split("<!-- /answers -->")[0]
    named: set[int] = set()
    for line in table.splitlines()[3:]:
        sip, meaning, *told = (cell.strip().strip("`") for cell in line.strip("|").split("|"))
        codes = {
            code
            for first, last in re.findall(r"(\d{3})(?:–(\d{3}))?", sip)
            for code in range(int(first), int(last or first) + 1)
        }
        if sip.startswith("other"):
            codes = {*range(400, 500), *range(600, 700)} - named
        named |= codes
        rang = "after a" in meaning if "after a" in meaning or "before any" in meaning else None
        yield Row(frozenset(codes), rang, (told[0], told[1], told[2]))


def outcome(code: int, *, rang: bool) -> tuple[str, str, str]:
    """Status, the trunk's fault, and whether a retry policy dials again."""
    cause = causes.unanswered(sip_code=code, q850=None, dial_status=None, alerted=rang)
    attempt = AttemptFacts(
        NOON - 30,
        NOON,
        cause.state,
        end_reason=cause.trunk_fault or cause.state,
        q850_cause=cause.q850,
        sip_code=cause.sip_code,
        trunk="a",
    )
    match decide(ORDER, [attempt], NOON + 2 * 3600):
        case Stop():
            again = "no"
        case DialNow():
            again = "another trunk" if cause.trunk_fault else "yes"
        case _:
            again = "later"
    return cause.state, cause.trunk_fault or "", again


def test_the_documented_answers_are_those_of_the_code() -> None:
    found = list(rows())
    assert len(found) > 20
    for row in found:
        for code in row.codes:
            for rang in (True, False) if row.rang is None else (row.rang,):
                wanted = row.told
                if rang and wanted[1]:  # what rang is no trunk's fault
                    wanted = (wanted[0], "", "yes")
                assert outcome(code, rang=rang) == wanted, (code, rang)
    assert {code for row in found for code in row.codes} >= {*range(400, 700), *range(300, 306)}
