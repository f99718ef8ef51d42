"""Whether to dial an order now, to wait, or to stop: a pure function of facts and time.

What it does not know: free channels, limits of numbers, keys and budgets. The dialer asks those
after it was told to dial, and they can only say "not yet" or "no".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from api.base.lifecycle import AnsweredBy, CallStatus
from api.policy.calendar import next_opening, retry_delay
from api.policy.retry import RetryPolicy

Waiting = Literal["attempt_under_way", "scheduled_at", "retry_delay", "calling_window"]
Stopping = Literal[
    "attempt_unknown",
    "reached",
    "canceled",
    "do_not_call",
    "destination_not_allowed",
    "number_unusable",
    "unwanted",
    "attempts_used",
    "never_open",
    "policy_unreadable",
]

_SENTENCES: Final[Mapping[Waiting | Stopping, str]] = {
    "attempt_under_way": "An attempt is under way.",
    "scheduled_at": "The call is scheduled for later.",
    "retry_delay": "The pause after the last attempt is not over.",
    "calling_window": "The calling window is closed where the callee is.",
    "attempt_unknown": "It is not known how an attempt ended, so the number is not dialled again.",
    "reached": "The callee was reached.",
    "canceled": "The call was canceled.",
    "do_not_call": "The number is on the do-not-call list.",
    "destination_not_allowed": "The number is none that this deployment calls any more "
    "(calls.allowed_countries, calls.allowed_prefixes).",
    "number_unusable": "The network says that the number does not exist.",
    "unwanted": "The callee or the network marked the call as unwanted.",
    "attempts_used": "All attempts were made and nobody was reached.",
    "never_open": "No calling window opens any more.",
    "policy_unreadable": "This release cannot read the retry policy or its time zones.",
}

#: Q.850: unallocated number, number changed, invalid number format. Dialling again cannot help.
_UNUSABLE_Q850: Final = frozenset({1, 22, 28})
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

    @property
    def reached(self) -> bool:
        """Whether there is no reason to try again.

        Voicemail and call screening are not the callee. A menu is, unless the agent could not
        get through it. Whoever answered and was not told apart is taken for a human: nobody is
        called again because we could not tell. But who said nothing, and whom an engine's failure
        cut off, was told that we call again.
        """
        if not self.answered or self.answered_by in {"machine", "screening"}:
            return False
        if self.end_reason == "engine_error":
            return False
        if self.end_reason == "silence" and self.answered_by != "human":
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
    last = attempts[-1] if attempts else None
    if last and last.reached:
        return Stop("reached", last.status)
    if order.cancel_requested:
        return Stop("canceled", "canceled")
    if order.do_not_call:
        return Stop("do_not_call", "failed")
    if order.destination_refused:
        return Stop("destination_not_allowed", "failed")
    if last:
        if last.sip_code in _UNWANTED_SIP:
            return Stop("unwanted", last.status)
        if last.q850_cause in _UNUSABLE_Q850:
            return Stop("number_unusable", last.status)
        if order.retry is None or len(attempts) >= order.retry.max_attempts:
            return Stop("attempts_used", last.status)
    return _when(order, attempts, now)


def _when(order: OrderFacts, attempts: Sequence[AttemptFacts], now: float) -> Decision:
    """When the next attempt of an order that wants one may start."""
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
    return WaitUntil(due, why) if due > now else DialNow(len(attempts) + 1)


def _rested(policy: RetryPolicy, zones: Sequence[str], attempts: Sequence[AttemptFacts]) -> float:
    """When the pause after the last attempt is over."""
    last = attempts[-1]
    ended_at = last.started_at if last.ended_at is None else last.ended_at
    # Only from attempt 1 to 2, whose limit was looked at before.
    if policy.call_twice_in_a_row and len(attempts) == 1:
        return ended_at
    return ended_at + retry_delay(policy, zones, (ended_at, last.started_at))
