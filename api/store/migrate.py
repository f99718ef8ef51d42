"""Brings a database to the newest schema at start-up, in process."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


class UnknownRevisionError(Exception):
    """The database has a schema that this release cannot bring up to date."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"its schema has revision {revision}, which this release does not know: a newer "
            "release made it, or one from before 0.1.0, the first; use the release that made it, "
            "or begin with an empty database"
        )


def revisions() -> set[str]:
    """Every revision of the schema that this release can bring up to date."""
    return {one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def upgrade(connection: Connection) -> None:
    """Run every migration that `connection`'s database lacks, inside its transaction.

    Raises UnknownRevisionError.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # two lines at every start say nothing
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in revisions():
        raise UnknownRevisionError(found)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
