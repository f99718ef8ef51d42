"""The books compared: what the network saw, what was ordered, and the ledger's file itself.

Nothing here asks the code under test: times of day are read off zoneinfo, the ledger with sqlite3.
"""

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from api.base.refusals import Invalid
from api.policy.retry import RetryPolicy
from tests.api.dialing.simulation.carrier import Dialled
from tests.api.dialing.simulation.fortnight import Fortnight
from tests.api.dialing.simulation.plan import CLOSED_TRUNK, TRUNKS, Doings, Order
from tests.api.policy.oracle import is_open

T = TypeVar("T")

_EVENTS = "FROM call_events WHERE call_id = calls.id"
_ATTEMPTS = "FROM attempts WHERE call_id = calls.id"
_CALLS = f"""
    SELECT *,
        (SELECT count(*) {_EVENTS}) AS events,
        (SELECT max(seq) {_EVENTS}) AS last_seq,
        (SELECT group_concat(type) {_EVENTS} AND terminal) AS terminal,
        (SELECT max(seq) {_EVENTS} AND terminal) AS terminal_seq,
        (SELECT count(*) {_ATTEMPTS}) AS attempts,
        (SELECT max(number) {_ATTEMPTS}) AS last_attempt,
        (SELECT count(*) {_ATTEMPTS} AND ended_at IS NULL) AS live,
        (SELECT min(number) {_ATTEMPTS} AND unknown) AS unknown
    FROM calls
"""


def audit(fortnight: Fortnight, ledger: Path) -> None:
    """Raise AssertionError for a promise that was broken."""
    doings = fortnight.doings
    for order, at, refusal in fortnight.refused:
        if isinstance(refusal, Invalid):
            assert doings.listed[order.new.to_number] <= at
        else:
            assert order.new.rate is not None
            assert _within(doings.budget_changed, at)
    dials = audit_book(fortnight.carrier.book, doings)
    with closing(sqlite3.connect(ledger)) as connection:
        _check_ledger(connection, doings.ordered, dials)


def audit_book(book: Sequence[Dialled], doings: Doings) -> Mapping[str, Sequence[Dialled]]:
    """The network's side of it; returns each order's calls, in order."""
    ordered = doings.ordered
    assert all(dialled.ended_at is not None for dialled in book)
    assert len({dialled.channel_id for dialled in book}) == len(book)
    for dialled in book:
        _check_permitted(dialled, ordered[dialled.call_id], doings)
    dials = _grouped(book, lambda dialled: dialled.call_id)
    for call_id, mine in dials.items():
        _check_retries(mine, ordered[call_id])
    _check_keys(book, ordered)
    _check_trunks(book)
    return dials


def _check_permitted(dialled: Dialled, order: Order, doings: Doings) -> None:
    """Nobody had forbidden it then."""
    new, at = order.new, dialled.at
    assert (dialled.number, dialled.trunk) == (new.to_number, new.trunk)
    assert at >= order.at
    assert new.scheduled_at is None or at >= new.scheduled_at
    assert at <= doings.listed.get(new.to_number, at)
    assert at <= doings.canceled.get(dialled.call_id, at)
    if new.trunk == CLOSED_TRUNK[0]:
        assert not _within(doings.trunk_switched, at)
    if new.rate is not None:
        assert not _within(doings.budget_changed, at)


def _check_retries(dials: Sequence[Dialled], order: Order) -> None:
    """Each attempt in its window and after its pause, one at a time, none once it was reached or
    its fate was unknown."""
    new = order.new
    for number, dialled in enumerate(dials, 1):
        if new.retry is not None and not (new.force_now and number == 1):
            assert is_open(new.retry, new.zones, dialled.at)
    for number, (one, after) in enumerate(pairwise(dials), 1):
        assert new.retry is not None
        assert one.ended_at is not None
        assert not one.forgotten
        assert one.answered_at is None or one.fate == "machine"
        assert one.fate not in {"unallocated", "unwanted"}
        pause = 0.0 if number == 1 and new.retry.call_twice_in_a_row else _pause(new.retry)
        assert after.at >= one.ended_at + pause
    assert len(dials) <= (1 if new.retry is None else new.retry.max_attempts)


def _pause(retry: RetryPolicy) -> float:
    return min(window.retry_delay_s for window in retry.calling_windows)


def _check_keys(book: Sequence[Dialled], ordered: Mapping[str, Order]) -> None:
    """No concurrency key was over its limit when it was dialled (RV-255…259)."""
    for key, dials in _grouped(book, lambda dialled: dialled.key).items():
        if key is not None:
            concurrency = ordered[dials[0].call_id].new.concurrency
            assert concurrency is not None
            assert _most_at_once(dials) <= concurrency.maximum


def _check_trunks(book: Sequence[Dialled]) -> None:
    """No trunk was over its channels, or its calls of any one second."""
    dials = _grouped(book, lambda dialled: dialled.trunk)
    for trunk in TRUNKS:
        mine = dials[trunk.name]
        if trunk.max_channels is not None:
            assert _most_at_once(mine) <= trunk.max_channels
        if trunk.calls_per_second is not None:
            starts = sorted(dialled.at for dialled in mine)
            later = starts[trunk.calls_per_second :]
            assert all(after - one >= 1 for one, after in zip(starts, later, strict=False))


def _check_ledger(
    connection: sqlite3.Connection,
    ordered: Mapping[str, Order],
    dials: Mapping[str, Sequence[Dialled]],
) -> None:
    """Every order ended once, by the book; no money is held any more."""
    connection.row_factory = sqlite3.Row
    found = connection.execute(_CALLS).fetchall()
    assert {row["id"] for row in found} == ordered.keys()
    for row in found:
        assert row["terminal"] == f"call.{row['status']}"  # one, and the right one
        assert row["terminal_seq"] == row["last_seq"] == row["events"] == row["event_count"]
        assert (row["waiting_for"], row["next_attempt_at"]) == (None, None)
        assert row["attempt_count"] == row["attempts"] == (row["last_attempt"] or 0)
        assert row["live"] == 0
        assert row["unknown"] in {None, row["attempt_count"]}
        # A crash after the claim, or a PBX that refused, leaves an attempt that nobody heard of.
        mine = dials.get(row["id"], ())
        assert len(mine) <= row["attempts"]
        reached = [one for one in mine if one.fate == "human" and one.answered_at is not None]
        if row["status"] == "completed":
            assert len(reached) == 1
        assert (row["amount_milli_cents"] > 0) <= (row["reservation_status"] == "settled")
        assert row["reservation_status"] in {"settled", "released"}
    spent = sum(row["amount_milli_cents"] for row in found)
    (budget,) = connection.execute("SELECT * FROM budget").fetchall()
    assert (budget["reserved_milli_cents"], budget["spent_milli_cents"]) == (0, spent)
    held = "SELECT sum(CASE kind WHEN 'reserve' THEN 1 ELSE -1 END) AS held FROM budget_entries "
    unsettled = held + "WHERE kind <> 'limit' GROUP BY call_id HAVING held <> 0"
    assert connection.execute(unsettled).fetchall() == []
    channels = dict(connection.execute("SELECT channel_id, call_id FROM attempts"))
    assert all(channels[one.channel_id] == one.call_id for mine in dials.values() for one in mine)


def _most_at_once(dials: Iterable[Dialled]) -> int:
    """How many were up at one time; one that ends when another begins has made room for it."""
    steps = [(one.at, 1) for one in dials] + [(one.ended_at or 0.0, -1) for one in dials]
    live = most = 0
    for _, step in sorted(steps):
        live += step
        most = max(most, live)
    return most


def _within(switched: Sequence[float], at: float) -> bool:
    """Whether `at` is between the first and the second switching, or the third and the fourth."""
    return bisect_right(switched, at) % 2 == 1


def _grouped(items: Iterable[Dialled], by: Callable[[Dialled], T]) -> dict[T, list[Dialled]]:
    groups: dict[T, list[Dialled]] = defaultdict(list)
    for item in items:
        groups[by(item)].append(item)
    return groups
