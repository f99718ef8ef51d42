"""Inbound calls as the ledger takes them in: an order with its one attempt, before the answer."""

import uuid
from typing import Any, Final

from sqlalchemy import func, insert, select

from api.base.refusals import Conflict
from api.resources.call import NewCall
from api.resources.claim import Claim
from api.store.caps import check_caps
from api.store.change import Signals
from api.store.database import Database, Transaction
from api.store.orders import insert_call
from api.store.rows import attempt_of
from api.store.tables import attempts
from api.store.transfers import require_room
from api.store.trunks import load_trunks

_INSERT_ATTEMPT: Final = insert(attempts).returning(attempts)


class Inbound:
    """Puts inbound calls down."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    async def begin(
        self,
        call_id: str,
        new: NewCall,
        channel_id: str,
        node_id: str,
        sip_call_id: str | None = None,
    ) -> Claim:
        """Put down a call that rings at us. It takes a channel of its trunk, and no money. A web
        call takes no channel either, but counts for its API key and its concurrency key.

        Args:
            call_id: of the call that is made.
            new: with direction `inbound` or `web`.
            channel_id: the PBX's id of its channel.
            node_id: of the process that is to answer.
            sip_call_id: of the trunk's leg.

        Raises Conflict, CapReached.
        """
        now = self._signals.clock()

        async def work(transaction: Transaction) -> Claim:
            connection = transaction.connection
            await transaction.serialize("claim")
            trunks = {trunk.name: trunk for trunk in await load_trunks(connection)}
            require_room(trunks.get(new.trunk or ""))
            if new.direction == "web":
                await check_caps(transaction, new, now)
                await _require_room_of_key(transaction, new)
            values: dict[str, Any] = {"status": "ringing", "started_at": now, "attempt_count": 1}
            values["sip_call_id"] = sip_call_id
            change = await insert_call(transaction, call_id, new, now, self._signals, **values)
            row = await connection.execute(
                _INSERT_ATTEMPT,
                {
                    "id": str(uuid.uuid4()),
                    "call_id": call_id,
                    "number": 1,
                    "channel_id": channel_id,
                    "state": "ringing",
                    "created_at": now,
                    "ringing_at": now,
                    "trunk": new.trunk,
                    "node_id": node_id,
                    "sip_call_id": sip_call_id,
                    "concurrency_key": None if new.concurrency is None else new.concurrency.key,
                    "unknown": False,
                },
            )
            attempt = attempt_of(row.one())
            change.tell_status(now)
            return Claim(await change.save(), attempt)

        return await self._database.write(work)


async def _require_room_of_key(transaction: Transaction, new: NewCall) -> None:
    """Raises Conflict where as many calls bear its concurrency key as it allows."""
    if (asked := new.concurrency) is None:
        return
    query = select(func.count()).where(
        attempts.c.concurrency_key == asked.key, attempts.c.ended_at.is_(None)
    )
    if (await transaction.connection.scalar(query) or 0) >= asked.maximum:
        detail = f"{asked.maximum} calls with this concurrency key are under way"
        raise Conflict("concurrency_reached", detail, retry_after_s=5)
