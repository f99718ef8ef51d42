"""How the parts stand that only the running server knows of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pbx.pacer import Lateness


@dataclass(frozen=True)
class Standing:
    """At the moment of asking."""

    active: int = 0
    """Calls under way."""
    pbxs: Mapping[str, bool] = field(default_factory=dict)
    """Whether the link to each is up, by its name."""
    lateness: Lateness = field(default_factory=lambda: Lateness(0, 0.0, 0.0, 0))
    """Of the media tick."""
    strays: int = 0
    """Datagrams of no call since the start."""
    models: bool = True
    """Whether every engine works, as far as is known."""
