"""Makes the databases of a release whose schema is done: `python -m tests.api.releases.make`.

They are kept as SQL: `<release>.sqlite.sql` and `<release>.postgresql.sql`.
"""

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from subprocess import check_output
from urllib.parse import parse_qs, urlsplit

from alembic.script import ScriptDirectory
from pydantic import SecretStr

from api.resources.attempt import Ended
from api.resources.campaign import NewCampaign, NewContact
from api.resources.turn import Turn
from api.resources.webhook import NewEndpoint
from api.settings import StoreSection
from api.store import Store
from api.store.migrate import MIGRATIONS
from tests.api.conftest import benching
from tests.api.releases import FOLDER, SEAL_KEY
from tests.api.story import NODE, NORMAL
from tests.postgres import at, programs, running


async def tell(where: StoreSection, folder: Path) -> None:
    """Make a store with a call that was held, one that waits, and a campaign that runs."""
    store = await Store.open(where)
    await store.endpoints.create(NewEndpoint("http://127.0.0.1:9/hook"))
    await store.keys.create("operator")
    async with benching(store, folder) as bench:
        body = {"name": "Ada", "instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}}
        agent = (await bench.client.post("/v1/agents", json=body)).json()
        await bench.create(agent_id=agent["id"], variables={"who": "Wei"}, metadata={"of": "a"})
        await _hold(store)
        await bench.create(prompt="Say hello.", retry={"timezone": "UTC"}, force_now=True)
        contacts = [NewContact("+12125550123", {"patient": "Wei"})]
        new = NewCampaign("Recalls", {"prompt": "Call {patient}."}, 2, launch=True)
        await store.campaigns.create(new, contacts)
    await store.close()


async def _hold(store: Store) -> None:
    (claim,) = (await store.claims.take(1, NODE)).claims
    call_id, at_ = claim.call.id, time.time()
    await store.calls.record_ringing(call_id, at_)
    await store.calls.record_answered(call_id, at_)
    for speaker in ("agent", "person"):
        await store.calls.add_turn(call_id, Turn(speaker, f"words of the {speaker}", at_, at_))
    used = Turn("tool", "HTTP 200", at_, at_, tool={"name": "stock"})
    await store.calls.add_turn(call_id, used)
    ended = Ended(at_, NORMAL, "agent_hangup", awaits_result=True, answered_by="human")
    await store.calls.record_ended(call_id, ended)
    await store.calls.record_result(call_id, {"ok": True})


async def sqlite(folder: Path) -> str:
    """The SQL of a SQLite store."""
    path = folder / "offhook.db"
    await tell(StoreSection(path=path, seal_key=SecretStr(SEAL_KEY)), folder)
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump())


async def postgresql(folder: Path) -> str:
    """The SQL of a PostgreSQL store, without what a server sets for a session."""
    bin_ = programs()
    assert bin_ is not None, "no PostgreSQL is installed"
    with running(bin_) as server:
        async with server.database(migrated=False) as url:
            await tell(at(url, seal_key=SEAL_KEY), folder)
            parts = urlsplit(url)
            host, database = parse_qs(parts.query)["host"][0], parts.path.removeprefix("/")
            program = [str(bin_ / "pg_dump"), f"--host={host}", "--username=offhook", database]
            options = ("--inserts", "--no-owner", "--no-comments")
            lines = (
                await asyncio.to_thread(check_output, [*program, *options], text=True)
            ).splitlines()
    session = ("--", "\\", "SET ", "SELECT pg_catalog.set_config(")
    return "\n".join(line for line in lines if line and not line.startswith(session))


async def main() -> None:
    release = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    for dump in (sqlite, postgresql):
        with tempfile.TemporaryDirectory() as folder:
            sql = await dump(Path(folder))
        (FOLDER / f"{release}.{dump.__name__}.sql").write_text(f"{sql}\n")


if __name__ == "__main__":
    asyncio.run(main())
