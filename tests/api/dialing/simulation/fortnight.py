"""Offhook through the fortnight: the real ledger, a server that dies now and then, and its clients.

The server drives the store as `Dialer` and `CallRunner` do; between any two of its transactions it
may be gone, with all that it knew. Then a new one starts and settles what it finds.
"""

import asyncio
import random
import uuid
from collections.abc import Callable
from functools import partial
from typing import Final

from api.base.refusals import Conflict, Invalid, Unaffordable
from api.resources.attempt import Ended
from api.resources.claim import Claim
from api.store import Store
from pbx.switch import Cause
from tests.api.dialing.simulation.agenda import Agenda, Happening
from tests.api.dialing.simulation.carrier import Carrier, News, Told
from tests.api.dialing.simulation.plan import CLOSED_TRUNK, NO_MONEY, TRUNKS, Doings, Order, Plan

MAX_CONCURRENT: Final = 50
RESTARTED: Final = Cause("failed", "server_restart", "The server was restarted.")


class Killed(Exception):
    """The server is gone."""


class Server:
    """One life of it: all that a crash forgets."""

    def __init__(
        self,
        store: Store,
        carrier: Carrier,
        *,
        clock: Callable[[], float],
        later: Callable[[float, Happening], None],
        rng: random.Random,
        crash_odds: float,
    ) -> None:
        self.node_id = str(uuid.uuid4())
        self._store = store
        self._carrier = carrier
        self._clock = clock
        self._later = later
        self._rng = rng
        self._crash_odds = crash_odds
        self._running: dict[str, Claim] = {}
        self._looks_at: float | None = None

    async def start(self) -> None:
        """As `Dialer.reconcile`."""
        store = self._store
        await store.leases.clear()
        self._may_crash()
        await store.leases.take(f"node:{self.node_id}", self.node_id, 1e9)
        self._may_crash()
        living = self._carrier.living()
        orphans = await store.calls.orphans()
        for channel_id in await store.claims.abandoned(living):
            self._carrier.hang_up_now(channel_id)
        for left in orphans:
            self._may_crash()
            if left.call.over:
                await store.calls.record_result(left.call.id, {"ok": None})
            else:
                assert left.attempt is not None
                ended = Ended(self._clock(), RESTARTED, "server_restart", unknown=True)
                await store.calls.record_ended(left.call.id, ended, left.attempt.number)
        self._may_crash()
        self.look(self._clock())

    def look(self, at: float) -> None:
        """Look for due calls at `at`, if not before."""
        if self._looks_at is None or at < self._looks_at:
            self._looks_at = at
            self._later(at, partial(self._look, at))

    async def heed_news(self) -> None:
        """Look soon, if the store says that there may be something to do."""
        try:
            async with asyncio.timeout(0):
                await self._store.claims.wait(None)
        except TimeoutError:
            return
        # A busy loop gets to it a little later, and not for each piece of news.
        self.look(self._clock() + self._rng.uniform(0, 10))

    async def _look(self, at: float) -> None:
        if self._looks_at != at:
            return  # it has looked earlier since
        self._looks_at = None
        if (free := MAX_CONCURRENT - len(self._running)) <= 0:
            return
        claimed = await self._store.claims.take(free, self.node_id)
        for claim in claimed.claims:
            self._may_crash()
            self._running[claim.attempt.channel_id] = claim
            if self._rng.random() < 0.01:
                refused = Cause("failed", "request_refused", "The PBX refused.")
                await self._over(claim, Told(refused, None, unknown=False))
            else:
                call = claim.call
                self._carrier.dial(
                    claim.attempt.channel_id,
                    call.id,
                    call.to_number,
                    call.trunk,
                    call.concurrency_key,
                )
        self._may_crash()
        if claimed.again_at is not None:
            self.look(claimed.again_at)

    async def hear(
        self,
        channel_id: str,
        news: News,
        told: Told | None,
    ) -> None:
        """What the PBX tells of a call of ours."""
        self._may_crash()
        claim, now = self._running[channel_id], self._clock()
        if news == "ringing":
            await self._store.calls.record_ringing(claim.call.id, now)
        elif news == "answered":
            await self._store.calls.record_answered(claim.call.id, now)
        else:
            assert told is not None
            await self._over(claim, told)
        self._may_crash()

    async def _over(self, claim: Claim, told: Told) -> None:
        call_id = claim.call.id
        awaits_result = told.answered_by == "human" and bool(claim.call.returns)
        ended = Ended(
            self._clock(),
            told.cause,
            told.cause.name,
            awaits_result=awaits_result,
            unknown=told.unknown,
            answered_by=told.answered_by,
        )
        call = await self._store.calls.record_ended(call_id, ended, claim.attempt.number)
        self._may_crash()
        if call.over and awaits_result:
            await self._store.calls.record_result(call_id, {"ok": True})
        del self._running[claim.attempt.channel_id]
        if len(self._running) == MAX_CONCURRENT - 1:
            self._store.claims.wake()

    async def cancel(self, call_id: str) -> None:
        """As the API does. Raises Conflict."""
        if await self._store.calls.request_cancel(call_id) == "requested":
            self._may_crash()
            for channel_id, claim in self._running.items():
                if claim.call.id == call_id:
                    self._carrier.hang_up(channel_id)

    def _may_crash(self) -> None:
        if self._rng.random() < self._crash_odds:
            raise Killed


class Fortnight:
    """Everything that happens, in order."""

    def __init__(
        self, store: Store, plan: Plan, agenda: Agenda, seed: int, crash_odds: float
    ) -> None:
        """
        Args:
            store: an empty one, with the agenda's clock.
            plan: what is to happen.
            agenda: at the start of it.
            seed: of all that is drawn.
            crash_odds: of the server after each of its transactions.
        """
        self._store = store
        self._plan = plan
        self._agenda = agenda
        self._rng = random.Random(seed)
        self._crash_odds = crash_odds
        self._server: Server | None = None
        self.carrier = Carrier(agenda, self._rng)
        self.doings = Doings()
        self.refused: list[tuple[Order, float, Exception]] = []
        self.crashes = 0

    async def run(self) -> None:
        """Until every call is over."""
        store, agenda = self._store, self._agenda
        for trunk in TRUNKS:
            await store.trunks.create(trunk)
        for number, at in self._plan.listed.items():
            self._at(at, partial(self._list, number))
        for order in self._plan.orders:
            self._at(order.at, partial(self._place, order))
        trunk_name, closes, opens = CLOSED_TRUNK
        self._at(closes, partial(self._switch_trunk, trunk_name, "inactive"))
        self._at(opens, partial(self._switch_trunk, trunk_name, "active"))
        self._at(NO_MONEY[0], partial(self._limit, 0))
        self._at(NO_MONEY[1], partial(self._limit, None))
        await self._start()
        await agenda.run()

    def _at(self, at: float, happening: Happening) -> None:
        """Let it happen to the server, once that is up."""
        self._agenda.add(at, partial(self._served, happening))

    async def _served(self, happening: Happening) -> None:
        if self._server is None:
            self._at(self._agenda.now + 5, happening)
        else:
            await self._guarded(happening)

    def _later(self, at: float, happening: Happening) -> None:
        """Let the server that is up do it, if it then still is."""
        server = self._server

        async def do() -> None:
            if self._server is server:
                await self._guarded(happening)

        self._agenda.add(at, do)

    async def _start(self) -> None:
        self._server = Server(
            self._store,
            self.carrier,
            clock=self._agenda.clock,
            later=self._later,
            rng=self._rng,
            crash_odds=self._crash_odds,
        )
        await self._guarded(self._server.start)
        if self._server is not None:
            self.carrier.listen(self._hear)

    async def _hear(
        self,
        channel_id: str,
        news: News,
        told: Told | None,
    ) -> None:
        assert self._server is not None
        await self._guarded(partial(self._server.hear, channel_id, news, told))

    async def _guarded(self, happening: Happening) -> None:
        try:
            await happening()
            if self._server is not None:
                await self._server.heed_news()
        except Killed:
            self.crashes += 1
            self._server = None
            self.carrier.listen(None)
            self._agenda.add(self._agenda.now + self._rng.uniform(1, 60), self._start)

    # -- what clients and the operator do ------------------------------------------------------

    async def _place(self, order: Order) -> None:
        try:
            call = await self._store.calls.create(order.new)
        except (Invalid, Unaffordable) as refusal:
            self.refused.append((order, self._agenda.now, refusal))
            return
        self.doings.ordered[call.id] = order
        if order.cancel_at is not None:
            self._at(order.cancel_at, partial(self._cancel, call.id))

    async def _cancel(self, call_id: str) -> None:
        assert self._server is not None
        try:
            await self._server.cancel(call_id)
        except Conflict:
            return  # answered, or over
        self.doings.canceled[call_id] = self._agenda.now

    async def _list(self, number: str) -> None:
        await self._store.do_not_call.add(number, "asked for it")
        self.doings.listed[number] = self._agenda.now

    async def _switch_trunk(self, name: str, status: str) -> None:
        await self._store.trunks.change(name, {"status": status})
        self.doings.trunk_switched.append(self._agenda.now)

    async def _limit(self, limit: int | None) -> None:
        await self._store.budget.set_limit(limit)
        self.doings.budget_changed.append(self._agenda.now)
