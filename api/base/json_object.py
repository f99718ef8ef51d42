"""What JSON objects are to the type checker."""

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]
