"""The pacer's transactions: a contact is marked in the same one that queues its order.

Each locks the campaign's row first, so that of several processes one at a time orders for it.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, ScalarSelect, Update, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import LIVE
from api.policy.decide import Stop
from api.resources.call import NewCall
from api.resources.campaign import Campaign, PausedReason, Standing
from api.store.campaigns import contact_of, load_campaign, set_campaign
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction
from api.store.orders import insert_order, stop_order
from api.store.rows import select_calls, split_row
from api.store.tables import calls, campaign_contacts, campaigns

#: Queued calls of a canceled campaign that are ended in one transaction.
_CANCELED_AT_ONCE: Final = 20


class Pacing:
    """What turns the contacts of campaigns into orders."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    def wake(self) -> None:
        """Let `wait` return."""
        self._signals.pacing.set()

    async def wait(self, until: float | None = None) -> None:
        """Return once there is news (an order has moved, a campaign was changed, or there is
        money again), or at `until`, Unix seconds."""
        seconds = None if until is None else max(0.0, until - self._signals.clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._signals.pacing.wait()
        self._signals.pacing.clear()

    async def open_campaigns(self) -> Sequence[str]:
        """Campaigns that may want something: those that run, or wait for money, and canceled
        ones that have queued calls."""
        queued = exists().where(calls.c.campaign_id == campaigns.c.id, calls.c.status == "queued")
        rows = await self._database.fetch(
            select(campaigns.c.id)
            .where(or_(_wants_orders(), and_(campaigns.c.status == "canceled", queued)))
            .order_by(campaigns.c.created_at)
        )
        return [row.id for row in rows]

    async def standing(self, campaign_id: str) -> Standing:
        """Raises NotFound."""
        now = self._signals.clock()

        async def work(connection: AsyncConnection) -> Standing:
            campaign = await load_campaign(connection, campaign_id)
            return await _standing(connection, campaign, now)

        return await self._database.read(work)

    async def order(self, campaign_id: str, seq: int, new: NewCall) -> bool:
        """Queue the order of a contact. A campaign that waited for money runs again.

        Returns:
            Whether it was queued; not where there is no room now, or somebody else was first.

        Raises Invalid, CapReached, Unaffordable.
        """
        now = self._signals.clock()

        async def work(transaction: Transaction) -> bool:
            connection = transaction.connection
            campaign = await load_campaign(connection, campaign_id, lock=True)
            standing = await _standing(connection, campaign, now)
            due = standing.contact is not None and standing.contact.seq == seq
            if not due or not _ordering(campaign) or standing.in_flight >= campaign.max_concurrent:
                return False
            call = await insert_order(transaction, new, now, self._signals)
            await connection.execute(
                _update_contact(campaign_id, seq).values(status="ordered", call_id=call.id)
            )
            if campaign.status == "paused":
                values = {"status": "running", "paused_reason": None, "updated_at": now}
                await set_campaign(connection, campaign_id, values)
            return True

        return await self._database.write(work)

    async def refuse(self, campaign_id: str, seq: int, error: str) -> None:
        """Mark a pending contact whose order cannot be."""
        await self._database.execute(
            _update_contact(campaign_id, seq).values(status="refused", error=error)
        )

    async def pause(self, campaign_id: str, reason: PausedReason) -> None:
        """Pause a campaign that runs. Out of budget, one with calls in flight goes on: what they
        hold comes back."""
        now = self._signals.clock()

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            campaign = await load_campaign(connection, campaign_id, lock=True)
            if campaign.status != "running":
                return
            if reason == "budget" and (await _standing(connection, campaign, now)).in_flight:
                return
            values = {"status": "paused", "paused_reason": reason, "updated_at": now}
            await set_campaign(connection, campaign_id, values)

        await self._database.write(work)

    async def complete(self, campaign_id: str) -> None:
        """Complete a campaign, if it has nothing left to do."""
        now = self._signals.clock()

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            campaign = await load_campaign(connection, campaign_id, lock=True)
            standing = await _standing(connection, campaign, now)
            if not _ordering(campaign) or standing.contact is not None or standing.unfinished:
                return
            values = {"status": "completed", "paused_reason": None}
            times = {"completed_at": now, "updated_at": now}
            await set_campaign(connection, campaign_id, values | times)

        await self._database.write(work)

    async def cancel_queued(self, campaign_id: str) -> bool:
        """End some of a canceled campaign's queued calls; whether there may be more."""
        now = self._signals.clock()

        async def work(transaction: Transaction) -> bool:
            connection = transaction.connection
            campaign = await load_campaign(connection, campaign_id)
            if campaign.status != "canceled":
                return False
            rows = await connection.execute(
                select_calls()
                .where(calls.c.campaign_id == campaign_id, calls.c.status == "queued")
                .order_by(calls.c.next_attempt_at, calls.c.created_at)  # as the claim locks them
                .limit(_CANCELED_AT_ONCE)
                .with_for_update(of=calls)
            )
            found = [split_row(row) for row in rows]
            for call, event_count in found:
                change = CallChange(transaction, call, event_count, self._signals)
                change.set(cancel_requested_at=now)
                await stop_order(change, Stop("canceled", "canceled"), now)
                await change.save()
            return len(found) == _CANCELED_AT_ONCE

        return await self._database.write(work)


def _wants_orders() -> ColumnElement[bool]:
    return or_(campaigns.c.status == "running", campaigns.c.paused_reason == "budget")


def _ordering(campaign: Campaign) -> bool:
    return campaign.status == "running" or campaign.paused_reason == "budget"


def _update_contact(campaign_id: str, seq: int) -> Update:
    return update(campaign_contacts).where(
        campaign_contacts.c.campaign_id == campaign_id,
        campaign_contacts.c.seq == seq,
        campaign_contacts.c.status == "pending",
    )


async def _standing(connection: AsyncConnection, campaign: Campaign, now: float) -> Standing:
    mine = calls.c.campaign_id == campaign.id
    # A trunk that rests and an engine that is down are no times of theirs that they wait for.
    held_up = calls.c.waiting_for.in_(("trunk_resting", "engine_down"))
    ready = or_(calls.c.next_attempt_at <= now, held_up)
    due = and_(calls.c.status == "queued", ready)
    unfinished = or_(
        exists().where(mine, calls.c.status.in_(("queued", *LIVE))),
        exists().where(mine, calls.c.waiting_for == "result"),
    )
    row = (
        await connection.execute(
            select(
                (_count(mine, calls.c.status.in_(LIVE)) + _count(mine, due)).label("in_flight"),
                unfinished.label("unfinished"),
            )
        )
    ).one()
    contact = (
        await connection.execute(
            select(campaign_contacts)
            .where(
                campaign_contacts.c.campaign_id == campaign.id,
                campaign_contacts.c.status == "pending",
            )
            .order_by(campaign_contacts.c.seq)
            .limit(1)
        )
    ).one_or_none()
    return Standing(
        campaign,
        row.in_flight,
        bool(row.unfinished),
        None if contact is None else contact_of(contact),
    )


def _count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(calls).where(*conditions).scalar_subquery()
