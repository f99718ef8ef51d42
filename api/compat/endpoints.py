"""Every endpoint of every dialect."""

from typing import Final

from api.compat.callingbox import ENDPOINTS as CALLINGBOX_CALLS
from api.compat.callingbox_agents import ENDPOINTS as CALLINGBOX_AGENTS
from api.compat.callingbox_webhooks import ENDPOINTS as CALLINGBOX_WEBHOOKS
from api.compat.oneinbox import ENDPOINTS as ONEINBOX_CALLS
from api.compat.oneinbox_agents import ENDPOINTS as ONEINBOX_AGENTS
from api.compat.oneinbox_elsewhere import ENDPOINTS as ONEINBOX_ELSEWHERE
from api.compat.revox import ENDPOINTS as REVOX_CALLS
from api.compat.revox_assistants import ENDPOINTS as REVOX_ASSISTANTS
from api.compat.revox_campaigns import ENDPOINTS as REVOX_CAMPAIGNS
from api.compat.revox_voices import ENDPOINTS as REVOX_VOICES
from api.endpoint import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *CALLINGBOX_CALLS,
    *CALLINGBOX_AGENTS,
    *CALLINGBOX_WEBHOOKS,
    *ONEINBOX_CALLS,
    *ONEINBOX_AGENTS,
    *ONEINBOX_ELSEWHERE,
    *REVOX_CALLS,
    *REVOX_ASSISTANTS,
    *REVOX_CAMPAIGNS,
    *REVOX_VOICES,
)
