"""What the deployment made up for itself, once and for all of its servers."""

from collections.abc import Callable

from sqlalchemy import select

from api.store.database import Database, Transaction
from api.store.tables import kept_values
from api.store.upsert import insert_for


async def keep_once(database: Database, name: str, make: Callable[[], str]) -> str:
    """The kept value with this name; `make` makes it where there is none. Of several processes
    that do at one time, the first one's holds."""
    query = select(kept_values.c.value).where(kept_values.c.name == name)

    async def work(transaction: Transaction) -> str:
        connection = transaction.connection
        statement = insert_for(connection, kept_values).values(name=name, value=make())
        await connection.execute(statement.on_conflict_do_nothing())
        made: str = (await connection.execute(query)).scalar_one()
        return made

    kept: str | None = await database.fetch_value(query)
    return await database.write(work) if kept is None else kept
