"""Channels that transfers take beside those of the attempts."""

from collections import Counter
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.resources.transfer import Transfer
from api.store.tables import calls

_TRANSFERS: Final = select(calls.c.transfer).where(
    calls.c.status == "in_progress", calls.c.transfer.is_not(None)
)


async def legs_by_trunk(connection: AsyncConnection) -> Counter[str]:
    """How many second legs each trunk carries."""
    found = [Transfer(**transfer) for transfer in await connection.scalars(_TRANSFERS)]
    return Counter(transfer.trunk for transfer in found if transfer.takes_channel)
