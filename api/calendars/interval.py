"""A stretch of time."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Interval:
    """From `start` until before `end`, both UTC."""

    start: datetime
    end: datetime
