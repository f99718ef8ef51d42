"""The policy and the gates alone through the fortnight, with lists for a ledger.

Without a database ten thousand orders take seconds. Crashes and money are the real ledger's.
"""

import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from api.policy.decide import AttemptFacts, DialNow, OrderFacts, Stop, decide
from api.policy.gates import Gates, TrunkState, Wish
from tests.api.dialing.simulation.agenda import Agenda
from tests.api.dialing.simulation.carrier import Carrier, News, Told
from tests.api.dialing.simulation.plan import TRUNKS, Doings, Order, Plan

_MOST_STARTS: Final = max(trunk.calls_per_second or 0 for trunk in TRUNKS)


@dataclass(eq=False)
class Entry:
    """An order that is not over."""

    call_id: str
    order: Order
    facts: OrderFacts
    attempts: list[AttemptFacts] = field(default_factory=list)

    @property
    def wish(self) -> Wish:
        new = self.order.new
        key = new.concurrency
        return Wish(
            new.from_number,
            new.trunk or "",
            None if key is None else key.key,
            None if key is None else key.maximum,
            None,
            costs=False,
        )


class Core:
    """What `Claims` and `CallLedger` decide, and nothing of how they store it."""

    def __init__(self, plan: Plan, agenda: Agenda, seed: int) -> None:
        self._plan = plan
        self._agenda = agenda
        self._rng = random.Random(seed)
        self.carrier = Carrier(agenda, self._rng)
        self.doings = Doings()
        self.over: dict[str, Stop] = {}
        self._open: dict[str, Entry] = {}
        self._due: dict[str, Entry] = {}
        self._live: dict[str, Entry] = {}
        """By channel."""
        self._started = {trunk.name: deque[float](maxlen=_MOST_STARTS) for trunk in TRUNKS}
        self._looks_at = float("inf")

    async def run(self) -> None:
        """Until every order is over."""
        self.carrier.listen(self._hear)
        for number, order in enumerate(self._plan.orders):
            self._agenda.add(order.at, partial(self._place, str(number), order))
            if order.cancel_at is not None:
                self._agenda.add(order.cancel_at, partial(self._cancel, str(number)))
        for phone, at in self._plan.listed.items():
            self._agenda.add(at, partial(self._list, phone))
        await self._agenda.run()

    async def _place(self, call_id: str, order: Order) -> None:
        new, listed = order.new, order.new.to_number in self.doings.listed
        facts = OrderFacts(
            new.zones, new.retry, new.scheduled_at, new.force_now, do_not_call=listed
        )
        self.doings.ordered[call_id] = order
        self._open[call_id] = Entry(call_id, order, facts)
        await self._fall_due(call_id)

    async def _cancel(self, call_id: str) -> None:
        if entry := self._open.get(call_id):
            entry.facts = replace(entry.facts, cancel_requested=True)
            self.doings.canceled[call_id] = self._agenda.now
            await self._fall_due(call_id)

    async def _list(self, number: str) -> None:
        self.doings.listed[number] = self._agenda.now
        for call_id, entry in self._open.items():
            if entry.order.new.to_number == number:
                entry.facts = replace(entry.facts, do_not_call=True)
                await self._fall_due(call_id)

    async def _fall_due(self, call_id: str) -> None:
        entry = self._open.get(call_id)
        if entry is not None and entry not in self._live.values():
            self._due[call_id] = entry
            self._look_at(self._agenda.now + self._rng.uniform(0, 10))

    def _look_at(self, at: float) -> None:
        if at < self._looks_at:
            self._looks_at = at
            self._agenda.add(at, partial(self._look, at))

    async def _look(self, at: float) -> None:
        if at != self._looks_at:
            return
        self._looks_at = float("inf")
        now, gates = self._agenda.now, self._gates()
        for entry in list(self._due.values()):
            decision = decide(entry.facts, entry.attempts, now)
            if isinstance(decision, DialNow):
                if gates.hold(entry.wish) is not None:
                    continue
                gates.take(entry.wish)
                self._dial(entry)
            elif isinstance(decision, Stop):
                self.over[entry.call_id] = decision
                del self._open[entry.call_id]
            elif decision.at is not None:
                self._agenda.add(decision.at, partial(self._fall_due, entry.call_id))
            del self._due[entry.call_id]
        opens_at = gates.opens_at()
        if opens_at is not None and self._due:
            self._look_at(opens_at)

    def _gates(self) -> Gates:
        wishes = [entry.wish for entry in self._live.values()]
        live = Counter(wish.trunk for wish in wishes)
        keys = Counter(wish.concurrency_key for wish in wishes if wish.concurrency_key)
        return Gates(
            self._agenda.now,
            {
                trunk.name: TrunkState(
                    max_channels=trunk.max_channels,
                    calls_per_second=trunk.calls_per_second,
                    live=live[trunk.name],
                    started=tuple(self._started[trunk.name]),
                )
                for trunk in TRUNKS
            },
            keys,
        )

    def _dial(self, entry: Entry) -> None:
        now, new = self._agenda.now, entry.order.new
        entry.attempts.append(AttemptFacts(now))
        channel_id = f"{entry.call_id}-{len(entry.attempts)}"
        self._live[channel_id] = entry
        if new.trunk in self._started:
            self._started[new.trunk].append(now)
        key = None if new.concurrency is None else new.concurrency.key
        self.carrier.dial(channel_id, entry.call_id, new.to_number, new.trunk, key)

    async def _hear(self, channel_id: str, news: News, told: Told | None) -> None:
        entry = self._live[channel_id]
        if news == "answered":
            entry.attempts[-1] = replace(entry.attempts[-1], answered=True)
        if told is not None:
            del self._live[channel_id]
            entry.attempts[-1] = replace(
                entry.attempts[-1],
                ended_at=self._agenda.now,
                status=told.cause.state,
                answered_by=told.answered_by,
                q850_cause=told.cause.q850,
                sip_code=told.cause.sip_code,
                unknown=told.unknown,
            )
            await self._fall_due(entry.call_id)
