"""Which trunk an order is dialled on next, and how long one that fails rests.

A trunk fails a call when it gives no answer, refuses us, or answers that it cannot carry calls,
before anything rang: then the number was not reached, and another trunk may be tried. Pure.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

#: End reasons of attempts that their trunk failed: the number was not reached.
TRUNK_FAULTS: Final = frozenset({"trunk_unreachable", "trunk_refused", "trunk_failed"})
#: Answers that carriers also give for a single number: only so many in a row make a trunk rest.
_MOST_FAILED: Final = 3
_FIRST_REST_S: Final = 10.0
_LONGEST_REST_S: Final = 120.0


def trunk_again(ways: Sequence[str], failed: Sequence[str | None]) -> str | None:
    """The trunk for an order's next attempt; None where none is to be had now. As `next_trunk`."""
    another = next_trunk(ways, failed) if failed else None
    return another or next(iter(ways), None)


def next_trunk(ways: Sequence[str], failed: Sequence[str | None]) -> str | None:
    """The trunk to try at once after others failed an order; None where each had its turn.

    Args:
        ways: that fit the order and are not resting, the best first.
        failed: the trunks of the order's latest attempts that their trunk failed, in order.
    """
    turns = Counter(failed)
    round_ = turns[failed[-1]]
    return next((way for way in ways if turns[way] < round_), None)


def draw(key: str, trunk: str, weight: int) -> float:
    """A trunk's lot among those that share calls: the lowest has the call, the next one stands in.

    Of many calls each trunk has its weight's share, by weighted rendezvous hashing: what one call
    draws depends on nothing else, so that any process may ask at any time.

    Args:
        key: of the call.
        trunk: its name.
        weight: 0 of one that does not share, which comes after all that do.
    """
    if not weight:
        return math.inf
    digest = hashlib.blake2b(f"{key}/{trunk}".encode(), digest_size=8).digest()
    return -math.log((int.from_bytes(digest) + 1) / 2**64) / weight


def rest_s(failures: int, reason: str) -> float:
    """Seconds that a trunk rests, 0.0 for none.

    Args:
        failures: calls in a row that it failed, the last one included.
        reason: that call's end reason, one of `TRUNK_FAULTS`.
    """
    over = failures - (_MOST_FAILED if reason == "trunk_failed" else 1)
    return 0.0 if over < 0 else min(_LONGEST_REST_S, _FIRST_REST_S * 2.0 ** min(over, 8))
