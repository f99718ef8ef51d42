"""The deployment's own id, which hosted services' clients know as their organization's."""

import uuid

from api.store.database import Database
from api.store.kept import keep_once

NAME = "organization_id"


class Organization:
    """Made up when it is first asked for, and the same ever after."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id: str | None = None

    async def id(self) -> str:
        """A UUID."""
        if self._id is None:
            self._id = await keep_once(self._database, NAME, lambda: str(uuid.uuid4()))
        return self._id
