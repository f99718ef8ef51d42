"""HTML as Server-Sent Events (WHATWG HTML 9.2)."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

from api.store.event_bus import Lagged, Subscription

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
#: A page is made anew so often at most, seconds.
PACE_S: Final = 0.3


def message(event: str, html: str) -> str:
    """One event. Whatever ends a line within it, a carriage return too, stays within it."""
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(html))
    return f"event: {event}\n{lines}\n"


async def until_news(news: Subscription, heartbeat_s: float) -> AsyncIterator[str]:
    """Ends soon after something was told; heartbeats until then."""
    while True:
        try:
            await asyncio.wait_for(news.next(), heartbeat_s)
        except TimeoutError:
            yield ": heartbeat\n\n"
            continue
        except Lagged:
            pass
        await asyncio.sleep(PACE_S)
        return
