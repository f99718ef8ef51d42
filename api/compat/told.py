"""The base of what the services' APIs tell of our things."""

from collections.abc import Mapping
from typing import Any, Self

from api.resources.answer import Resource


class Told(Resource):
    """A thing as a service tells it."""

    @classmethod
    def made_of(cls, *members: Mapping[str, Any]) -> Self:
        """Made of the members that are named as the model's fields. Later `members` hold before
        earlier ones, and null stands for a field that none of them has."""
        merged = dict.fromkeys(cls.model_fields)
        for some in members:
            merged.update(some)
        return cls.of(merged)
