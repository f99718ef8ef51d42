"""Two weeks of orders over the change of clocks, in virtual time.

A thousand of them, with crashes and money, go through the real ledger. All ten thousand go through
the policy and the gates alone: through a database they would take minutes.
"""

from pathlib import Path

from api.store import Store
from tests.api.dialing.simulation.agenda import Agenda
from tests.api.dialing.simulation.audit import audit, audit_book
from tests.api.dialing.simulation.core import Core
from tests.api.dialing.simulation.fortnight import Fortnight
from tests.api.dialing.simulation.plan import START, draw


async def test_orders_through_the_ledger_and_its_crashes(tmp_path: Path) -> None:
    """Each ends once; none is dialled twice, when it must not be, or over a limit."""
    agenda = Agenda(START)
    path = tmp_path / "offhook.db"
    store = await Store.open(path, clock=agenda.clock)
    try:
        fortnight = Fortnight(store, draw(1, 1000), agenda, seed=2, crash_odds=0.003)
        await fortnight.run()
    finally:
        await store.close()
    audit(fortnight, path)
    assert len(fortnight.doings.ordered) + len(fortnight.refused) == 1000
    assert fortnight.crashes > 10
    assert fortnight.doings.canceled
    assert {dialled.fate for dialled in fortnight.carrier.book} >= {"human", "lost", "unwanted"}


async def test_ten_thousand_orders_through_the_policy_and_the_gates() -> None:
    agenda = Agenda(START)
    core = Core(draw(3, 10_000), agenda, seed=4)
    await core.run()
    dials = audit_book(core.carrier.book, core.doings)
    assert core.over.keys() == core.doings.ordered.keys()
    assert len(core.over) == 10_000
    assert len(core.carrier.book) > 15_000
    for call_id, stop in core.over.items():
        reached = any(one.answered_at and one.fate == "human" for one in dials.get(call_id, ()))
        assert reached == (stop.why == "reached")
