"""Campaigns and their contacts: made, read, changed; what paces their orders is in `pacing`."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.json_object import JsonObject
from api.base.refusals import Conflict, Invalid
from api.resources.call import Call
from api.resources.campaign import (
    MOVES,
    OPEN,
    Action,
    Campaign,
    CampaignReport,
    Contact,
    ContactStatus,
    NewCampaign,
    NewContact,
    Report,
)
from api.resources.idempotency import Idempotency
from api.resources.page import PageOf
from api.store import idempotency
from api.store.cursors import CursorError, decode_cursor
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import given, load_page
from api.store.rows import call_of, select_calls
from api.store.tables import calls, campaign_contacts, campaigns
from api.store.upsert import insert_for

#: Contacts of one campaign.
MAX_CONTACTS: Final = 100_000
#: Contacts written by one statement: what is prepared for it holds up everybody else.
_CHUNK: Final = 200


def _told(report: Report) -> JsonObject:
    return CampaignReport.of(report).model_dump()


class Campaigns:
    """Makes, reads, changes, starts and stops campaigns."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        new: NewCampaign,
        contacts: Sequence[NewContact] = (),
        idempotent: Idempotency | None = None,
        answer: Callable[[Report], JsonObject] = _told,
    ) -> Report:
        """Make a campaign, and start it where it is to be launched.

        With `idempotent`, its 201 answer, made by `answer`, is kept in the same transaction.

        Raises Invalid, Conflict.
        """
        now = self._clock()
        campaign_id = str(uuid.uuid4())
        if new.launch and not contacts:
            detail = "must hold someone, for the campaign is to be launched"
            raise Invalid(detail, field="contacts")

        async def work(transaction: Transaction) -> Report:
            connection = transaction.connection
            await connection.execute(
                insert(campaigns).values(
                    id=campaign_id,
                    name=new.name,
                    status="draft",
                    template=new.template,
                    max_concurrent=new.max_concurrent,
                    api_key_id=new.api_key_id,
                    dialect=new.dialect,
                    created_at=now,
                    updated_at=now,
                )
            )
            await _insert_contacts(connection, campaign_id, contacts)
            if new.launch:
                await self._move(transaction, campaign_id, "start", now)
            report = await _report(connection, campaign_id)
            if idempotent is not None:
                await idempotency.remember(connection, idempotent, 201, answer(report), now)
            return report

        return await self._database.write(work)

    async def page(self, *, limit: int, cursor: str | None = None) -> PageOf[Campaign]:
        """Campaigns from newest to oldest. Raises CursorError."""
        by = campaigns.c.created_at, campaigns.c.id
        page = await self._database.read(
            lambda connection: load_page(
                connection, select(campaigns), by, limit, cursor, latest_first=True
            )
        )
        return page.map(_campaign)

    async def get(self, campaign_id: str) -> Report:
        """Raises NotFound."""
        return await self._database.read(lambda connection: _report(connection, campaign_id))

    async def change(self, campaign_id: str, changes: Mapping[str, Any]) -> Report:
        """Change some of name, template (of a draft only) and max_concurrent.

        Raises NotFound, Conflict.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Report:
            connection = transaction.connection
            campaign = await load_campaign(connection, campaign_id, lock=True)
            if "template" in changes and campaign.status != "draft":
                raise _wrong_status(campaign, "; only a draft's can be changed")
            await set_campaign(connection, campaign_id, {"updated_at": now, **changes})
            _wake(transaction)
            return await _report(connection, campaign_id)

        return await self._database.write(work)

    async def delete(self, campaign_id: str) -> None:
        """Delete a draft with its contacts. Raises NotFound, Conflict."""

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            campaign = await load_campaign(connection, campaign_id, lock=True)
            if campaign.status != "draft":
                raise _wrong_status(campaign, "; only a draft can be deleted")
            await connection.execute(delete(campaigns).where(campaigns.c.id == campaign_id))

        await self._database.write(work)

    async def act(self, campaign_id: str, action: Action) -> Report:
        """Start, pause, resume or cancel it. Raises NotFound, Conflict."""
        now = self._clock()

        async def work(transaction: Transaction) -> Report:
            connection = transaction.connection
            await self._move(transaction, campaign_id, action, now)
            return await _report(connection, campaign_id)

        return await self._database.write(work)

    async def _move(
        self, transaction: Transaction, campaign_id: str, action: Action, now: float
    ) -> None:
        connection = transaction.connection
        campaign = await load_campaign(connection, campaign_id, lock=True)
        to = MOVES[action].get(campaign.status)
        if to is None:
            fitting = " or ".join(sorted(set(MOVES[action]) - set(MOVES[action].values())))
            raise _wrong_status(campaign, f"; to {action} it must be {fitting}")
        if action == "start" and not await _count_contacts(connection, campaign_id):
            raise Conflict("no_contacts", "the campaign has no contacts; add some first")
        reason = "requested" if to == "paused" else None
        if (to, reason) == (campaign.status, campaign.paused_reason):
            return
        values = {"status": to, "paused_reason": reason, "updated_at": now}
        if action == "start":
            values["started_at"] = now
        await set_campaign(connection, campaign_id, values)
        _wake(transaction)

    # -- contacts ----------------------------------------------------------------------------

    async def add_contacts(self, campaign_id: str, contacts: Sequence[NewContact]) -> int:
        """Add contacts, but those whose number the campaign has already; how many were new.

        Raises NotFound, Conflict.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> int:
            connection = transaction.connection
            campaign = await load_campaign(connection, campaign_id, lock=True)
            if campaign.status not in OPEN:
                raise _wrong_status(campaign, " and takes no more contacts")
            added = await _insert_contacts(connection, campaign_id, contacts)
            await set_campaign(connection, campaign_id, {"updated_at": now})
            _wake(transaction)
            return added

        return await self._database.write(work)

    async def contacts(
        self,
        campaign_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        offset: int = 0,
        status: ContactStatus | None = None,
    ) -> PageOf[Contact]:
        """Contacts in the order in which they were added. Raises CursorError.

        Args:
            offset: contacts to leave out.
        """
        columns = campaign_contacts.c
        query = (
            select(campaign_contacts)
            .where(columns.campaign_id == campaign_id, *given({columns.status: status}))
            .offset(offset)
        )
        if cursor is not None and decode_cursor(cursor)[1] != campaign_id:
            raise CursorError("a cursor of another list")
        by = columns.seq, columns.campaign_id
        page = await self._database.read(
            lambda connection: load_page(connection, query, by, limit, cursor)
        )
        return page.map(contact_of)

    async def calls_of(self, contacts: Sequence[Contact]) -> dict[str, Call]:
        """The calls of contacts, by id."""
        ids = [contact.call_id for contact in contacts if contact.call_id is not None]
        rows = await self._database.fetch(select_calls().where(calls.c.id.in_(ids)))
        return {call.id: call for call in map(call_of, rows)}


async def load_campaign(
    connection: AsyncConnection, campaign_id: str, *, lock: bool = False
) -> Campaign:
    """Raises NotFound."""
    query = select(campaigns).where(campaigns.c.id == campaign_id)
    return _campaign(await load_existing(connection, query, "campaign", lock=lock))


async def set_campaign(
    connection: AsyncConnection, campaign_id: str, values: Mapping[str, Any]
) -> None:
    await connection.execute(
        update(campaigns).where(campaigns.c.id == campaign_id).values(dict(values))
    )


def _wake(transaction: Transaction) -> None:
    transaction.notify("pacing")
    transaction.notify("work")


def contact_of(row: Any) -> Contact:
    return Contact(**row._mapping)


async def _insert_contacts(
    connection: AsyncConnection, campaign_id: str, contacts: Sequence[NewContact]
) -> int:
    """How many were new. The campaign's row is locked. Raises Conflict."""
    mine = campaign_contacts.c.campaign_id == campaign_id
    before = await _count_contacts(connection, campaign_id)
    if before + len(contacts) > MAX_CONTACTS:
        detail = f"a campaign has up to {MAX_CONTACTS} contacts; make another one"
        raise Conflict("too_many_contacts", detail)
    last = await connection.scalar(select(func.max(campaign_contacts.c.seq)).where(mine)) or 0
    for start in range(0, len(contacts), _CHUNK):
        await connection.execute(
            insert_for(connection, campaign_contacts).on_conflict_do_nothing(
                index_elements=["campaign_id", "to_number"]
            ),
            [
                {
                    **vars(contact),
                    "campaign_id": campaign_id,
                    "seq": seq,
                    "status": "pending",
                }
                for seq, contact in enumerate(contacts[start : start + _CHUNK], last + start + 1)
            ],
        )
    return await _count_contacts(connection, campaign_id) - before


async def _count_contacts(connection: AsyncConnection, campaign_id: str) -> int:
    count = await connection.scalar(
        select(func.count()).where(campaign_contacts.c.campaign_id == campaign_id)
    )
    return count or 0


def _wrong_status(campaign: Campaign, wanted: str) -> Conflict:
    return Conflict("wrong_status", f"the campaign is {campaign.status}{wanted}")


async def _report(connection: AsyncConnection, campaign_id: str) -> Report:
    """Raises NotFound."""
    campaign = await load_campaign(connection, campaign_id)
    by_contact = await connection.execute(
        select(campaign_contacts.c.status, func.count().label("number"))
        .where(campaign_contacts.c.campaign_id == campaign_id)
        .group_by(campaign_contacts.c.status)
    )
    contacts: dict[ContactStatus, int] = {"pending": 0, "ordered": 0, "refused": 0}
    contacts |= {row.status: row.number for row in by_contact}
    by_call = await connection.execute(
        select(
            calls.c.status,
            func.count().label("number"),
            func.coalesce(func.sum(calls.c.amount_milli_cents), 0).label("spent"),
        )
        .where(calls.c.campaign_id == campaign_id)
        .group_by(calls.c.status)
    )
    rows = by_call.all()
    return Report(
        **vars(campaign),
        contacts=contacts,
        calls={row.status: row.number for row in rows},
        spent_milli_cents=sum(int(row.spent) for row in rows),
    )


def _campaign(row: Any) -> Campaign:
    return Campaign(**row._mapping)
