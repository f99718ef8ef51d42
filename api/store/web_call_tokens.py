"""Tokens that each let a page place one web call; kept as SHA-256 hashes."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, insert, select

from api.base.json_object import JsonObject
from api.store.database import Database, Transaction
from api.store.keys import hash_key
from api.store.tables import web_call_tokens

_BEGINNING: Final = "wct_"


@dataclass(frozen=True)
class WebCallToken:
    """What a token is good for."""

    agent_id: str
    origin: str
    """Of the pages that may use it, as `https://example.org`."""
    api_key_id: str | None
    """Of the key that it was made with, for whose calls its call counts."""
    variables: JsonObject
    metadata: JsonObject
    expires_at: float


class WebCallTokens:
    """Makes tokens and takes them in: each is good once."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        agent_id: str,
        origin: str,
        ttl_s: int,
        *,
        api_key_id: str | None = None,
        variables: JsonObject | None = None,
        metadata: JsonObject | None = None,
    ) -> tuple[WebCallToken, str]:
        """Make a token. The second value is the token itself: shown once, never stored."""
        now, token = self._clock(), _BEGINNING + secrets.token_urlsafe(32)
        record = WebCallToken(
            agent_id, origin, api_key_id, variables or {}, metadata or {}, now + ttl_s
        )

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            await connection.execute(
                delete(web_call_tokens).where(web_call_tokens.c.expires_at <= now)
            )
            values = {**_row(record), "token_hash": hash_key(token)}
            await connection.execute(insert(web_call_tokens).values(values))

        await self._database.write(work)
        return record, token

    async def use(self, token: str, origin: str) -> WebCallToken | None:
        """Take a token in: whoever asks first has it. None where it is none, has been used or has
        lapsed, or is for pages of another origin, who leave it as it is."""
        now = self._clock()

        async def work(transaction: Transaction) -> WebCallToken | None:
            found = await transaction.connection.execute(
                delete(web_call_tokens)
                .where(
                    web_call_tokens.c.token_hash == hash_key(token),
                    web_call_tokens.c.origin == origin,
                    web_call_tokens.c.expires_at > now,
                )
                .returning(web_call_tokens)
            )
            row = found.one_or_none()
            if row is None:
                return None
            values = dict(row._mapping)
            del values["token_hash"]
            return WebCallToken(**values)

        return await self._database.write(work)

    async def knows(self, origin: str) -> bool:
        """Whether a token is out that pages of that origin may use."""
        query = select(web_call_tokens.c.token_hash).where(
            web_call_tokens.c.origin == origin, web_call_tokens.c.expires_at > self._clock()
        )
        return bool(await self._database.fetch(query.limit(1)))


def _row(record: WebCallToken) -> Mapping[str, Any]:
    return vars(record)
