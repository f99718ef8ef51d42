"""What everything above the store works with."""

from dataclasses import dataclass

from api.egress.sealing import Seal
from api.settings import Settings
from api.store import Store
from models.registry import EngineRegistry


@dataclass(frozen=True)
class Deployment:
    """One running Offhook."""

    settings: Settings
    store: Store
    engines: EngineRegistry
    """The engines by name."""
    seal: Seal
    """Of what nobody may read in the store."""
