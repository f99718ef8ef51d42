"""Every endpoint: our own, and those of each dialect."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from api.compat.callingbox.agents import ENDPOINTS as CALLINGBOX_AGENTS
from api.compat.callingbox.calls import ENDPOINTS as CALLINGBOX_CALLS
from api.compat.callingbox.webhooks import ENDPOINTS as CALLINGBOX_WEBHOOKS
from api.compat.dialects import CALLINGBOX, ONEINBOX, REVOX
from api.compat.oneinbox.agents import ENDPOINTS as ONEINBOX_AGENTS
from api.compat.oneinbox.calls import ENDPOINTS as ONEINBOX_CALLS
from api.compat.oneinbox.elsewhere import ENDPOINTS as ONEINBOX_ELSEWHERE
from api.compat.revox.assistants import ENDPOINTS as REVOX_ASSISTANTS
from api.compat.revox.calls import ENDPOINTS as REVOX_CALLS
from api.compat.revox.campaigns import ENDPOINTS as REVOX_CAMPAIGNS
from api.compat.revox.voices import ENDPOINTS as REVOX_VOICES
from api.http.dialect_style import DialectStyle
from api.http.endpoint import Endpoint
from api.routes import ENDPOINTS as OUR_OWN


def _of(style: DialectStyle, *tables: Iterable[Endpoint]) -> Iterator[Endpoint]:
    return (replace(endpoint, dialect=style) for table in tables for endpoint in table)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *OUR_OWN,
    *_of(CALLINGBOX, CALLINGBOX_CALLS, CALLINGBOX_AGENTS, CALLINGBOX_WEBHOOKS),
    *_of(ONEINBOX, ONEINBOX_CALLS, ONEINBOX_AGENTS, ONEINBOX_ELSEWHERE),
    *_of(REVOX, REVOX_CALLS, REVOX_ASSISTANTS, REVOX_CAMPAIGNS, REVOX_VOICES),
)
