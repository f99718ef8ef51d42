"""What the dialer takes from the queue: due, wanted by the policy, and with room for it.

One claim at a time is made on a store, also by several processes, so what is counted holds. That
an attempt exists, with its channel id, is on disk before the PBX hears of it.
"""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import (
    Integer,
    Result,
    Row,
    Select,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import LIVE
from api.policy.decide import Stop, WaitUntil
from api.policy.destinations import HOME, Destinations
from api.policy.gates import NO_ROOM, CampaignState, Gates, TrunkState
from api.policy.trunks import trunk_again
from api.resources.attempt import Attempt
from api.resources.call import Call
from api.resources.claim import Claim, Claimed
from api.resources.transfer import whose_leg
from api.resources.trunk import group_of
from api.store.budget import is_overdrawn
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction
from api.store.dial_facts import trunks_failed, wish
from api.store.legs import legs_by_trunk
from api.store.orders import decide_on, stop_order
from api.store.rows import attempt_of, load_attempts, load_call, select_calls, split_row
from api.store.tables import attempts, calls, campaigns, do_not_call, leases, numbers, trunks
from api.store.ways import is_proven, still_taken, ways_of

CHANNEL_PREFIX: Final = "offhook-"
#: Calls looked at in one transaction beyond those that are wanted.
_LOOK_AHEAD: Final = 16
#: The clock may be set forward, or the machine sleep: what is due is looked for this often.
_LONGEST_WAIT_S: Final = 30.0
#: Attempts that are further ahead were made before the clock was set back: they close no trunk.
_SKEW_S: Final = 60.0

#: After that, a call that waits for an engine is looked at again, whatever is heard of it.
ENGINE_WAIT_S: Final = 60.0

#: What an earlier attempt left on the call, and the next one tells anew.
_FRESH: Final = {
    "started_at": None,
    "answered_at": None,
    "answered_by": None,
    "end_reason": None,
    "hangup_cause": None,
    "error_message": None,
    "q850_cause": None,
    "sip_code": None,
    "sip_call_id": None,
    "media": None,
    "hangup_requested_at": None,
    "transfer": None,
    "recording": None,
    "recording_wish": None,
    "next_attempt_at": None,
    "waiting_for": None,
}


_LIVE_ATTEMPTS: Final = (
    select(
        attempts.c.trunk,
        attempts.c.concurrency_key,
        func.count().label("live"),
        # Who calls us tries no trunk that rested.
        func.max(case((calls.c.direction == "outbound", attempts.c.created_at))).label("newest"),
    )
    .join_from(attempts, calls, calls.c.id == attempts.c.call_id)
    .where(attempts.c.ended_at.is_(None))
    # In this order SQLite walks the index of live attempts, not that of all by their trunk.
    .group_by(attempts.c.concurrency_key, attempts.c.trunk)
)
_TRUNKS: Final = select(trunks)
_STARTED: Final = (
    select(attempts.c.created_at)
    .where(attempts.c.trunk == bindparam("of_trunk"), attempts.c.created_at <= bindparam("until"))
    .order_by(attempts.c.created_at.desc())
    .limit(bindparam("most", type_=Integer))
)
#: Trunks that alone may show some number.
_BOUND: Final = select(numbers.c.trunk).where(numbers.c.trunk.is_not(None)).distinct()
_INACTIVE: Final = select(numbers.c.number).where(numbers.c.status == "inactive")
_CAMPAIGNS: Final = select(
    campaigns.c.id,
    campaigns.c.max_concurrent,
    select(func.count())
    .where(
        calls.c.campaign_id == campaigns.c.id,
        calls.c.status.in_(LIVE),
    )
    .correlate(campaigns)
    .scalar_subquery()
    .label("live"),
).where(or_(campaigns.c.status == "running", campaigns.c.paused_reason == "budget"))
_LIVE_OF_KEY: Final = (
    select(func.count())
    .where(attempts.c.concurrency_key == calls.c.concurrency_key, attempts.c.ended_at.is_(None))
    .correlate(calls)
    .scalar_subquery()
)
# Only queued calls have a `next_attempt_at`. To name their status would send SQLite to the index
# by status, and through all of them.
_DUE: Final[Select[Any]] = (
    select_calls()
    .where(
        calls.c.next_attempt_at <= bindparam("now"),
        or_(calls.c.concurrency_key.is_(None), calls.c.concurrency_max > _LIVE_OF_KEY),
        or_(
            calls.c.trunk.is_(None),
            calls.c.trunk.not_in(bindparam("closed_trunks", expanding=True)),
        ),
        calls.c.from_number.not_in(bindparam("inactive_numbers", expanding=True)),
        or_(
            calls.c.campaign_id.is_(None),
            calls.c.campaign_id.in_(bindparam("open_campaigns", expanding=True)),
        ),
    )
    .order_by(calls.c.next_attempt_at, calls.c.created_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(of=calls)
)
_DUE_AND_FREE: Final = _DUE.where(calls.c.reserved_milli_cents == 0)
_LISTED: Final = select(do_not_call.c.number).where(
    do_not_call.c.number.in_(bindparam("wanted", expanding=True))
)
_FIRST_DUE: Final = select(func.min(calls.c.next_attempt_at)).where(
    calls.c.next_attempt_at.is_not(None)
)
_NEXT_DUE: Final = select(func.min(calls.c.next_attempt_at)).where(
    calls.c.next_attempt_at > bindparam("now")
)
_ENGINES_BACK: Final = (
    update(calls)
    .where(calls.c.next_attempt_at.is_not(None), calls.c.waiting_for == "engine_down")
    .values(next_attempt_at=bindparam("now"), waiting_for="free_slot")
)
_INSERT_ATTEMPT: Final = insert(attempts).returning(attempts)


class Claims:
    """The dialer's side of the queue."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals
        self._unsure: list[str] = []
        """Channel ids of claims that may be on disk: the answer to their commit was lost."""

    def wake(self) -> None:
        """Let `wait` return."""
        self._signals.work.set()

    async def wait(self, until: float | None) -> None:
        """Return once there is news for the dialer, or at `until` (Unix seconds), or a while
        before it; at once after a start."""
        seconds = None
        if until is not None:
            seconds = min(max(0.0, until - self._signals.clock()), _LONGEST_WAIT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._signals.work.wait()
        self._signals.work.clear()

    async def abandoned(self, channel_ids: Sequence[str]) -> list[str]:
        """Those of the channels that this store had dialled and no living process runs; second
        legs of transfers are their attempts'.

        A channel that it does not know is another deployment's: ids are on disk before the PBX
        hears of them.
        """
        now = self._signals.clock()
        alive = exists().where(
            leases.c.name == "node:" + attempts.c.node_id, leases.c.expires_at > now
        )
        query = select(attempts.c.channel_id).where(
            attempts.c.channel_id.in_({whose_leg(one) for one in channel_ids}),
            or_(attempts.c.ended_at.is_not(None), ~alive),
        )
        found = {row.channel_id for row in await self._database.fetch(query)}
        return [one for one in channel_ids if whose_leg(one) in found]

    async def engines_back(self) -> None:
        """Let calls be looked at again that wait for an engine."""
        now = self._signals.clock()

        async def work(transaction: Transaction) -> None:
            # After the claim that has let them wait.
            await transaction.serialize("claim")
            await transaction.connection.execute(_ENGINES_BACK, {"now": now})
            transaction.notify("work")

        await self._database.write(work)

    async def take(
        self,
        limit: int,
        node_id: str,
        destinations: Destinations = HOME,
        hinders: Callable[[Call], bool] = lambda _: False,
    ) -> Claimed:
        """Claim up to `limit` due calls, the longest due first: each becomes `initiated` and
        gets an attempt. Calls that the policy wants later, or never again, are told so.

        Where it failed and its commit may have got through, what it claimed is given first.

        Args:
            limit: free slots of this process.
            node_id: of this process.
            destinations: where calls may go now.
            hinders: whether a call cannot be held now for want of an engine.
        """
        signals = self._signals
        made: list[str] = []

        async def work(transaction: Transaction) -> tuple[Claimed, bool]:
            made.clear()
            connection = transaction.connection
            await transaction.serialize("claim")
            if self._unsure:
                return Claimed(await _unheard(connection, self._unsure), None), True
            now = signals.clock()  # only now: to get here may have taken a while
            first = await connection.scalar(_FIRST_DUE)
            if first is None or first > now:
                return Claimed((), first), False
            gates = await read_gates(connection, now)
            rows = await _due(connection, gates, limit + _LOOK_AHEAD)
            listed = await _listed(connection, [row.to_number for row in rows])
            claims: list[Claim] = []
            moved = 0
            rerouted = False
            for row in rows:
                if len(claims) == limit:
                    break
                call, event_count = split_row(row)
                change = CallChange(transaction, call, event_count, signals)
                tried = await load_attempts(connection, call.id) if call.attempt_count else []
                trunk = gates.trunks.get(call.trunk or "")
                rests = trunk is not None and trunk.rests(now)
                ways: Sequence[str] = ()
                if rests or trunks_failed(tried):
                    ways = await ways_of(connection, call, now)
                on_list = call.to_number in listed
                refused = destinations.refusal(call.to_number, call.from_number) is not None
                refused = refused or not await still_taken(connection, call)
                proven = await is_proven(connection, ways)
                match decide_on(
                    call, tried, now, listed=on_list, refused=refused, ways=ways, proven=proven
                ):
                    case Stop() as stop:
                        await stop_order(change, stop, now)
                    case WaitUntil(at, why):
                        change.set(next_attempt_at=at, waiting_for=why)
                    case _ if rests and trunk is not None and not ways:
                        change.set(next_attempt_at=trunk.resting_until, waiting_for="trunk_resting")
                    case _ if rests:
                        # Then it is looked at again: that trunk may be full, or at its rate.
                        change.set(trunk=trunk_again(ways, trunks_failed(tried)))
                        rerouted = True
                    case _ if (held := gates.hold(wish(call))) is not None:
                        peer = gates.peer(call.trunk or "", call.id) if held in NO_ROOM else None
                        if peer is None:
                            continue
                        change.set(trunk=peer)
                        gates.take(wish(change.call))  # no more of them than it has room for
                        rerouted = True
                    case _ if hinders(call):
                        # Not due: others would have to be looked for behind it.
                        change.set(next_attempt_at=now + ENGINE_WAIT_S, waiting_for="engine_down")
                    case _:
                        gates.take(wish(call))
                        rate = None if trunk is None else trunk.calls_per_second
                        claims.append(await _claim(change, connection, node_id, now, rate))
                        made.append(claims[-1].attempt.channel_id)
                moved += 1
                await change.save()
            looked_at_all = len(rows) < limit + _LOOK_AHEAD or moved == 0
            more = len(claims) == limit or rerouted or not looked_at_all
            return Claimed(tuple(claims), await _again_at(connection, gates)), more

        try:
            claimed, more = await self._database.write(work)
        except BaseException:
            self._unsure += made
            signals.work.set()
            raise
        self._unsure.clear()
        if more:
            signals.work.set()
        return claimed


async def read_gates(connection: AsyncConnection, now: float) -> Gates:
    """The state of everything that is limited."""
    on_trunk = await legs_by_trunk(connection)
    on_key: Counter[str] = Counter()
    newest: dict[str, float] = {}
    counted = await connection.execute(_LIVE_ATTEMPTS)
    for row in counted:
        on_trunk[row.trunk or ""] += row.live
        newest[row.trunk or ""] = max(row.newest or 0.0, newest.get(row.trunk or "", 0.0))
        if row.concurrency_key is not None:
            on_key[row.concurrency_key] += row.live
    rows: Sequence[Any] = (await connection.execute(_TRUNKS)).all()
    share = any(row.weight for row in rows)
    bound = frozenset(await connection.scalars(_BOUND)) if share else frozenset()
    states = {}
    for row in rows:
        started: Sequence[float] = ()
        if row.calls_per_second is not None:
            latest = await connection.scalars(
                _STARTED,
                {"of_trunk": row.name, "until": now + _SKEW_S, "most": row.calls_per_second},
            )
            started = latest.all()[::-1]
        states[row.name] = TrunkState(
            active=row.status == "active",
            weight=row.weight,
            group=None if row.name in bound else group_of(row),
            resting_until=row.resting_until,
            newest=newest.get(row.name, 0.0),
            max_channels=row.max_channels,
            calls_per_second=row.calls_per_second,
            live=on_trunk[row.name],
            started=started,
        )
    return Gates(
        now=now,
        trunks=states,
        live_keys=on_key,
        inactive_numbers=frozenset(await connection.scalars(_INACTIVE)),
        campaigns=await _campaigns(connection),
        overdrawn=await is_overdrawn(connection),
    )


async def _campaigns(connection: AsyncConnection) -> dict[str, CampaignState]:
    """Those whose orders are dialled. One that cannot pay for more orders has paid for these."""
    rows = await connection.execute(_CAMPAIGNS)
    return {row.id: CampaignState(row.max_concurrent, row.live) for row in rows}


async def _due(connection: AsyncConnection, gates: Gates, limit: int) -> Sequence[Row[Any]]:
    """Due calls that no gate holds, the longest due first, locked."""
    closed = [
        name
        for name, trunk in gates.trunks.items()
        if not trunk.active
        or (trunk.full and not trunk.rests(gates.now))
        or trunk.opens_at(gates.now) > gates.now
        if gates.peer(name, "") is None
    ]
    found: Result[Any] = await connection.execute(
        _DUE_AND_FREE if gates.overdrawn else _DUE,
        {
            "now": gates.now,
            "closed_trunks": closed,
            "inactive_numbers": list(gates.inactive_numbers),
            "open_campaigns": [name for name, one in gates.campaigns.items() if not one.full],
            "most": limit,
        },
    )
    return found.all()


async def _listed(connection: AsyncConnection, found: Sequence[str]) -> frozenset[str]:
    if not found:
        return frozenset()
    return frozenset(await connection.scalars(_LISTED, {"wanted": found}))


async def _claim(
    change: CallChange, connection: AsyncConnection, node_id: str, now: float, rate: int | None
) -> Claim:
    call: Call = change.call
    change.move("initiated", now, attempt_count=call.attempt_count + 1, **_FRESH)
    row = await connection.execute(
        _INSERT_ATTEMPT,
        {
            "id": str(uuid.uuid4()),
            "call_id": call.id,
            "number": call.attempt_count + 1,
            "channel_id": f"{CHANNEL_PREFIX}{uuid.uuid4()}",
            "state": "dialing",
            "created_at": now,
            "trunk": call.trunk,
            "concurrency_key": call.concurrency_key,
            "node_id": node_id,
            "unknown": False,
        },
    )
    attempt: Attempt = attempt_of(row.one())
    return Claim(change.call, attempt, rate)


async def _unheard(connection: AsyncConnection, channel_ids: Sequence[str]) -> tuple[Claim, ...]:
    """Those of the claims that are on disk, and that nobody has settled."""
    rows = await connection.execute(
        select(attempts).where(
            attempts.c.channel_id.in_(channel_ids), attempts.c.ended_at.is_(None)
        )
    )
    made = [attempt_of(row) for row in rows]
    rates = {row.name: row.calls_per_second for row in await connection.execute(_TRUNKS)}
    return tuple(
        [
            Claim(await load_call(connection, one.call_id), one, rates.get(one.trunk or ""))
            for one in made
        ]
    )


async def _again_at(connection: AsyncConnection, gates: Gates) -> float | None:
    soonest: float | None = await connection.scalar(_NEXT_DUE, {"now": gates.now})
    waits = [at for at in (soonest, gates.opens_at()) if at is not None]
    return min(waits, default=None)
