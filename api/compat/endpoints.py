"""Every endpoint of every dialect."""

from typing import Final

from api.compat import revox
from api.endpoint import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*revox.ENDPOINTS,)
