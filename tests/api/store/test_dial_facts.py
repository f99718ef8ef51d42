"""What of the ledger's records the policy and the gates are told."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.base.money import Rate
from api.policy.decide import AttemptFacts, OrderFacts
from api.policy.gates import Wish
from api.policy.retry import RetryPolicy
from api.resources.attempt import Ended
from api.resources.call import Concurrency
from api.resources.claim import Claim
from api.store import Store
from api.store.dial_facts import attempt_facts, order_facts, wish
from tests.api.story import BUSY, OURS, claimed

POLICY = RetryPolicy(max_attempts=2, timezone="Asia/Tokyo")
START = 1_800_000_000.0


@pytest.fixture
async def told(tmp_path: Path) -> tuple[Claim, AttemptFacts]:
    """A claim, and its attempt once it was over."""
    store = await Store.open(tmp_path / "offhook.db", clock=lambda: START)
    try:
        claim = await claimed(
            store,
            retry=POLICY,
            zones=("Europe/Berlin",),
            force_now=True,
            scheduled_at=5.0,
            trunk="t",
            concurrency=Concurrency("k", 2),
            rate=Rate("+", 100),
        )
        await store.calls.record_ended(claim.call.id, Ended(START + 9, BUSY, "busy", unknown=True))
        (attempt,) = await store.calls.attempts(claim.call.id)
        return claim, attempt_facts(attempt)
    finally:
        await store.close()


def test_the_policy_is_told_what_was_ordered(told: tuple[Claim, AttemptFacts]) -> None:
    call = told[0].call
    expected = OrderFacts(("Europe/Berlin",), POLICY, 5.0, force_now=True, patient=True)
    assert order_facts(call) == expected
    assert order_facts(call, do_not_call=True) == replace(expected, do_not_call=True)
    canceled = replace(call, cancel_requested_at=START)
    assert order_facts(canceled) == replace(expected, cancel_requested=True)


def test_the_policy_is_told_what_became_of_an_attempt(told: tuple[Claim, AttemptFacts]) -> None:
    claim, over = told
    assert attempt_facts(claim.attempt) == AttemptFacts(START, trunk="t")
    assert over == AttemptFacts(
        START,
        START + 9,
        "busy",
        end_reason="busy",
        q850_cause=17,
        sip_code=486,
        unknown=True,
        trunk="t",
    )


def test_the_gates_are_told_what_is_limited(told: tuple[Claim, AttemptFacts]) -> None:
    call = told[0].call
    assert wish(call) == Wish(OURS, "t", "k", 2, None, costs=True)
    free = replace(call, trunk=None, concurrency_key=None, concurrency_max=None, rate=None)
    assert wish(free) == Wish(OURS, "", None, None, None, costs=False)
    assert not wish(replace(call, rate=Rate("+", 0).json())).costs
