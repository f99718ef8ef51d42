"""Every endpoint of every dialect."""

from typing import Final

from api.compat.revox import ENDPOINTS as REVOX_CALLS
from api.compat.revox_assistants import ENDPOINTS as REVOX_ASSISTANTS
from api.compat.revox_campaigns import ENDPOINTS as REVOX_CAMPAIGNS
from api.compat.revox_voices import ENDPOINTS as REVOX_VOICES
from api.endpoint import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *REVOX_CALLS,
    *REVOX_ASSISTANTS,
    *REVOX_CAMPAIGNS,
    *REVOX_VOICES,
)
