"""Brings a database to the newest schema at start-up, in process."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


def revisions() -> set[str]:
    """Every revision of the schema that this release can bring up to date."""
    return {one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def upgrade(connection: Connection) -> None:
    """Run every migration that `connection`'s database lacks, inside its transaction."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # two lines at every start say nothing
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
