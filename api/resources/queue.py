"""What waits: calls to be dialled, and webhooks to be delivered."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Queue:
    """Calls that wait for their next attempt."""

    waiting: Mapping[str, int] = field(default_factory=dict)
    """How many, by what they wait for, as `waiting_for` of a call tells."""
    overdue_s: float = 0.0
    """For how long the one has been due that has waited longest."""


@dataclass(frozen=True)
class Backlog:
    """Webhook deliveries that are not at an end."""

    pending: int
    overdue_s: float = 0.0
    """As of `Queue`."""
