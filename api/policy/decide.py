"""Whether to dial an order now, to wait, or to stop: a pure function of facts and time.

What it does not know: free channels, limits of numbers, keys and budgets. The dialer asks those
after it was told to dial, and they can only say "not yet" or "no".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal

from api.base.lifecycle import AnsweredBy, CallStatus
from api.policy.calendar import next_opening, retry_delay
from api.policy.retry import RetryPolicy
from api.policy.trunks import TRUNK_FAULTS, next_trunk

Waiting = Literal[
    "attempt_under_way", "scheduled_at", "retry_delay", "calling_window", "trunk_resting"
]
Stopping = Literal[
    "attempt_unknown",
    "reached",
    "canceled",
    "do_not_call",
    "destination_not_allowed",
    "number_unusable",
    "unwanted",
    "attempts_used",
    "trunk_unreachable",
    "never_open",
    "policy_unreadable",
]

#: How a call ends whose person was not to be heard.
_UNHEARD: Final = frozenset({"silence", "no_media", "media_lost"})

_SENTENCES: Final[Mapping[Waiting | Stopping, str]] = {
    "attempt_under_way": "An attempt is under way.",
    "scheduled_at": "The call is scheduled for later.",
    "retry_delay": "The pause after the last attempt is not over.",
    "calling_window": "The calling window is closed where the callee is.",
    "trunk_resting": "Every trunk that takes the number has failed and rests.",
    "attempt_unknown": "It is not known how an attempt ended, so the number is not dialled again.",
    "reached": "The callee was reached.",
    "canceled": "The call was canceled.",
    "do_not_call": "The number is on the do-not-call list.",
    "destination_not_allowed": "The number is none that this deployment calls any more "
    "(calls.allowed_countries, calls.allowed_prefixes).",
    "number_unusable": "The network says that the number does not exist.",
    "unwanted": "The callee or the network marked the call as unwanted.",
    "attempts_used": "All attempts were made and nobody was reached.",
    "trunk_unreachable": "No trunk that takes the number can be reached.",
    "never_open": "No calling window opens any more.",
    "policy_unreadable": "This release cannot read the retry policy or its time zones.",
}

#: End reason of attempts that were not sent, for want of the PBX; or, unknown, that may have been.
PBX_UNAVAILABLE: Final = "pbx_unavailable"
#: Q.850: unallocated number, number changed, invalid number format. Dialling again cannot help.
_UNUSABLE_Q850: Final = frozenset({1, 22, 28})
#: Moved permanently: the number is another one now.
_UNUSABLE_SIP: Final = frozenset({301})
#: Times that an order may be failed by each of its trunks, while they work for others and while
#: they rest, or have rested and nothing came of it. With pauses of 15 s, 30 s and so on to 5
#: minutes, that is an hour, and a day.
_MOST_ROUNDS: Final = 16
_MOST_ROUNDS_RESTING: Final = 290
_FIRST_PAUSE_S: Final = 15.0
_LONGEST_PAUSE_S: Final = 300.0
#: RFC 8197 (607 Unwanted), RFC 8688 (608 Rejected): dialling again makes it worse.
_UNWANTED_SIP: Final = frozenset({607, 608})


@dataclass(frozen=True)
class OrderFacts:
    """What the policy has to know of an order that is not over."""

    zones: tuple[str, ...] = ()
    """Where the callee may be (`zone_of` the number); not looked at without `retry`."""
    retry: RetryPolicy | None = None
    """None: one attempt, at once, at any hour."""
    scheduled_at: float | None = None
    """Not before this Unix time; None or past: at once."""
    force_now: bool = False
    """The first attempt ignores windows and days. A `scheduled_at` still holds: together
    they mean "then, whatever the hour". Later attempts keep to the windows."""
    cancel_requested: bool = False
    do_not_call: bool = False
    """Whether the number is on the do-not-call list now."""
    destination_refused: bool = False
    """Whether the number is none that may be called now."""
    ways: tuple[str, ...] = ()
    """Trunks that fit and do not rest, the best first; looked at after one failed only."""
    proven: bool = True
    """Whether one of `ways` works; one whose rest is over may be as dead as before."""
    patient: bool = False
    """Whether it waits for its trunks when all have failed: it has a retry policy or is one of a
    campaign, and nobody waits for its answer."""


@dataclass(frozen=True)
class AttemptFacts:
    """What the policy has to know of an attempt."""

    started_at: float
    """Unix seconds."""
    ended_at: float | None = None
    """None while it is under way, also while nobody has yet asked the PBX what became of it."""
    status: CallStatus = "initiated"
    """One of the terminal ones, once it has ended."""
    answered: bool = False
    answered_by: AnsweredBy | None = None
    end_reason: str | None = None
    q850_cause: int | None = None
    sip_code: int | None = None
    unknown: bool = False
    """The PBX was asked and cannot say: it may have rung, or talked."""
    trunk: str | None = None

    @property
    def trunk_failed(self) -> bool:
        """Whether it did not get past our own trunk, so that it was none at the number."""
        return self.end_reason in TRUNK_FAULTS and not self.answered

    @property
    def unsent(self) -> bool:
        """Whether the PBX never heard of it, so that it is as if it had not been made."""
        return self.end_reason == PBX_UNAVAILABLE and not self.unknown

    @property
    def reached(self) -> bool:
        """Whether there is no reason to try again.

        Voicemail and call screening are not the callee. A menu is, unless the agent could not
        get through it. Whoever answered and was not told apart is taken for a human: nobody is
        called again because we could not tell. But who said nothing, or was not to be heard for
        want of audio, and whom an engine's failure cut off, was told that we call again.
        """
        if not self.answered or self.answered_by in {"machine", "screening"}:
            return False
        if self.end_reason == "engine_error":
            return False
        if self.end_reason in _UNHEARD and self.answered_by != "human":
            return False
        return self.answered_by != "ivr" or self.end_reason != "ivr_no_navigate"


@dataclass(frozen=True)
class DialNow:
    """Dial, if channels, limits and budget allow it."""

    attempt: int
    """1 for the first."""


@dataclass(frozen=True)
class WaitUntil:
    """Ask again at `at`, or as soon as the facts change."""

    at: float | None
    """Unix seconds, later than `now`; None: only a change of the facts can help."""
    why: Waiting

    @property
    def sentence(self) -> str:
        """`why` for people."""
        return _SENTENCES[self.why]


@dataclass(frozen=True)
class Stop:
    """Never dial this order again."""

    why: Stopping
    status: CallStatus
    """Terminal: what becomes of the order."""

    @property
    def sentence(self) -> str:
        """`why` for people."""
        return _SENTENCES[self.why]


Decision = DialNow | WaitUntil | Stop


def decide(order: OrderFacts, attempts: Sequence[AttemptFacts], now: float) -> Decision:
    """What to do with an order at `now`.

    Args:
        order: not over; its list and cancel flags as they are now.
        attempts: all of the order's, in the order in which they were made.
        now: Unix seconds.

    Raises:
        UnknownZoneError: the order holds a zone that tzdata does not know.
    """
    if any(one.ended_at is None and not one.unknown for one in attempts):
        return WaitUntil(None, "attempt_under_way")
    if any(one.unknown for one in attempts):
        return Stop("attempt_unknown", "failed")
    last = next((one for one in reversed(attempts) if not one.unsent), None)
    if last and last.reached:
        return Stop("reached", last.status)
    if order.cancel_requested:
        return Stop("canceled", "canceled")
    if order.do_not_call:
        return Stop("do_not_call", "failed")
    if order.destination_refused:
        return Stop("destination_not_allowed", "failed")
    if last and last.trunk_failed:
        return _after_trunk_fault(order, attempts, now)
    if last:
        if last.sip_code in _UNWANTED_SIP:
            return Stop("unwanted", last.status)
        if last.q850_cause in _UNUSABLE_Q850 or last.sip_code in _UNUSABLE_SIP:
            return Stop("number_unusable", last.status)
        if order.retry is None or len(_counted(attempts)) >= order.retry.max_attempts:
            return Stop("attempts_used", last.status)
    return _when(order, attempts, now)


def trunks_failed(attempts: Sequence[AttemptFacts]) -> Sequence[str | None]:
    """The trunks that failed the latest attempts, in order; none where the last got past its."""
    sent = [one for one in attempts if not one.unsent]
    latest = takewhile(lambda one: one.trunk_failed, reversed(sent))
    return [one.trunk for one in latest][::-1]


def _counted(attempts: Sequence[AttemptFacts]) -> Sequence[AttemptFacts]:
    """Those that were sent, and got past our own trunk."""
    return [one for one in attempts if not (one.trunk_failed or one.unsent)]


def _after_trunk_fault(order: OrderFacts, attempts: Sequence[AttemptFacts], now: float) -> Decision:
    """Another trunk at once, or all of them again after a pause; none of it counts."""
    failed = trunks_failed(attempts)
    if next_trunk(order.ways, failed) is not None:
        return _when(order, attempts, now)
    rounds = failed.count(failed[-1])
    most = _MOST_ROUNDS if order.ways and order.proven else _MOST_ROUNDS_RESTING
    if not order.patient or rounds >= most:
        return Stop("trunk_unreachable", "failed")
    ended_at = attempts[-1].ended_at or attempts[-1].started_at
    due = ended_at + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(rounds - 1, 8))
    if due > now:
        return WaitUntil(due, "trunk_resting")
    return _when(order, attempts, now)


def _when(order: OrderFacts, attempts: Sequence[AttemptFacts], now: float) -> Decision:
    """When the next attempt of an order that wants one may start."""
    made = len(attempts)
    attempts = _counted(attempts)
    due = now
    why: Waiting = "calling_window"
    if order.scheduled_at is not None and order.scheduled_at > due:
        due, why = order.scheduled_at, "scheduled_at"
    if order.retry is not None:
        if attempts and (rested := _rested(order.retry, order.zones, attempts)) > due:
            due, why = rested, "retry_delay"
        if attempts or not order.force_now:
            opening = next_opening(order.retry, order.zones, due)
            if opening is None:
                return Stop("never_open", attempts[-1].status if attempts else "failed")
            if opening > due:
                due, why = opening, "calling_window"
    return WaitUntil(due, why) if due > now else DialNow(made + 1)


def _rested(policy: RetryPolicy, zones: Sequence[str], attempts: Sequence[AttemptFacts]) -> float:
    """When the pause after the last attempt is over."""
    last = attempts[-1]
    ended_at = last.started_at if last.ended_at is None else last.ended_at
    # Only from attempt 1 to 2, whose limit was looked at before.
    if policy.call_twice_in_a_row and len(attempts) == 1:
        return ended_at
    return ended_at + retry_delay(policy, zones, (ended_at, last.started_at))
